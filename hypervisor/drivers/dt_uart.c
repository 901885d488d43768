/* SPDX-License-Identifier: MIT */
/*
 * Which UART is the console, by the device tree: /chosen's stdout-path (Devicetree Specification
 * 0.4, 3.6), and what the serial bindings say of its registers.
 */
#include <hospes/console.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <string.h>

static const struct uart_driver *driver_of(const void *fdt, int node)
{
    for (const struct uart_driver *const *d = uart_drivers; *d; d++) {
        for (const char *const *c = (*d)->compatible; *c; c++) {
            if (dt_is_compatible(fdt, node, *c))
                return *d;
        }
    }
    return NULL;
}

/* The node that a path or an alias names, up to ':' behind which the line's settings are. */
static int node_by_name(const void *fdt, const char *name)
{
    const char *colon = strchr(name, ':');
    size_t len = colon ? (size_t)(colon - name) : strlen(name);
    return *name == '/' ? dt_find_part(fdt, name, len) : dt_find_alias(fdt, name, len);
}

static uint32_t number_or(const void *fdt, int node, const char *property, uint32_t otherwise)
{
    uint64_t value;
    return dt_number(fdt, node, property, &value) || value > UINT32_MAX ? otherwise
                                                                        : (uint32_t)value;
}

/* Fills in *u if a driver knows the node and its registers can be found. */
static bool take(struct dt_walk *w, struct uart *u)
{
    const struct uart_driver *driver = driver_of(w->fdt, w->node);
    uint64_t addr, bytes;
    struct dt_irq irq;

    if (!driver || dt_walk_reg(w, 0, &addr, &bytes))
        return false;
    uint32_t offset = number_or(w->fdt, w->node, "reg-offset", 0);
    if (offset >= bytes)
        return false;
    memset(u, 0, sizeof(*u));
    u->driver = driver;
    u->phys = addr + offset;
    u->regs_size = bytes - offset;
    u->reg_shift = number_or(w->fdt, w->node, "reg-shift", 0);
    u->reg_width = number_or(w->fdt, w->node, "reg-io-width", 1);
    u->clock_hz = number_or(w->fdt, w->node, "clock-frequency", 0);
    u->irq = dt_walk_irq(w, 0, &irq) == 0 ? irq.intid : 0;
    return true;
}

static bool take_named(const void *fdt, const char *name, struct uart *u, int *node)
{
    struct dt_walk w;
    int found = name && *name ? node_by_name(fdt, name) : -1;
    if (found < 0 || dt_walk_to(&w, fdt, found) || !take(&w, u))
        return false;
    *node = found;
    return true;
}

int dt_find_uart(const void *fdt, const char *override, struct uart *u, int *node)
{
    struct dt_walk w;
    int chosen = dt_find(fdt, "/chosen");

    if (take_named(fdt, override, u, node))
        return 0;
    if (chosen >= 0 && (take_named(fdt, dt_string(fdt, chosen, "stdout-path"), u, node) ||
                        take_named(fdt, dt_string(fdt, chosen, "linux,stdout-path"), u, node)))
        return 0;

    dt_walk_start(&w, fdt);
    while (dt_walk_next(&w)) {
        if (dt_enabled(fdt, w.node) && take(&w, u)) {
            *node = w.node;
            return 0;
        }
    }
    return -ENODEV;
}
