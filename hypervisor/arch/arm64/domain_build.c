/* SPDX-License-Identifier: MIT */
/* What building an arm64 domain adds to core's: its virtual devices, those of the machine, its
 * device tree. */
#include "domain_tree.h"

#include <asm/clock.h>
#include <asm/evtchn.h>
#include <asm/gic.h>
#include <asm/guest_layout.h>
#include <asm/stage2.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <asm/vpl011.h>
#include <hospes/boot.h>
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/iomem.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/mmio.h>
#include <lib/bits.h>
#include <libfdt.h>

#define SPIS_DEFAULT 32u /* enough for the layout's own */

#define TABLES_MAX      MIB(2)
#define TABLES_MIN      KIB(64)
#define VCPU_NODE_BYTES 256u

/* The host's tree as the hardware domain sees it; made when the first domain needs it, constant
 * from then on. */
static struct host_view host_view;

static int view_host(void)
{
    struct uart uart = { .irq = 0 };
    int node = -1, rc;

    if (host_view.fdt)
        return 0;
    if (dt_find_uart(host_fdt, options.dtuart, &uart, &node))
        node = -1;
    rc = host_view_init(&host_view, host_fdt, gic.node, node, uart.irq);
    if (!rc)
        iomem_init(&host_view.own);
    return rc;
}

/* --- where things are ------------------------------------------------------------------------ */

static void guest_places(struct domain_places *p)
{
    if (p->gic_version == 3) {
        p->gicd = GUEST_GICV3_GICD_BASE;
        p->gicd_bytes = GUEST_GICV3_GICD_SIZE;
        p->gic_second = GUEST_GICV3_GICR0_BASE;
        p->gic_second_bytes = GUEST_GICV3_GICR0_SIZE;
    } else {
        p->gicd = GUEST_GICD_BASE;
        p->gicd_bytes = GUEST_GICD_SIZE;
        p->gic_second = GUEST_GICC_BASE;
        p->gic_second_bytes = GUEST_GICC_SIZE;
    }
    p->uart = GUEST_PL011_BASE;
    p->uart_virq = GUEST_VPL011_SPI;
}

/* A domain whose memory is at machine addresses has its devices there as well: nothing of the guest
 * layout is free. */
static void host_places(struct domain_places *p)
{
    const struct gic_region *second = p->gic_version == 3 ? &gic.redist[0] : &gic.cpu;

    p->gicd = gic.dist.base;
    p->gicd_bytes = gic.dist.size;
    p->gic_second = second->base;
    p->gic_second_bytes = second->size;
    p->uart = host_view.uart >= 0 ? align_down(host_view.uart_addr, FRAME_SIZE) : 0;
    p->uart_virq = host_view.uart_virq;
}

static void find_places(const struct domain_config *c, struct domain_places *p)
{
    p->gic_version = gic.driver->version;
    if (c->direct_map)
        host_places(p);
    else
        guest_places(p);
    if (!c->vpl011 && !c->hardware)
        p->uart = 0;
}

/* --- devices --------------------------------------------------------------------------------- */

static int map_registers(void *arg, uint64_t start, uint64_t bytes)
{
    struct domain *d = arg;
    int rc = p2m_map(d, gaddr_to_gfn(GADDR(start)), maddr_to_mfn(MADDR(start)),
                     bytes >> FRAME_SHIFT, P2M_DEVICE);

    if (rc == -EINVAL) /* a window that this CPU cannot address, nor could its guest */
        log_debug("d%u: 0x%lx, 0x%lx bytes: beyond the CPU's address space", d->id,
                  (unsigned long)start, (unsigned long)bytes);
    return rc == -EINVAL ? 0 : rc;
}

static int map_reserved(void *arg, uint64_t start, uint64_t bytes)
{
    struct domain *d = arg;

    return p2m_map(d, gaddr_to_gfn(GADDR(start)), maddr_to_mfn(MADDR(start)), bytes >> FRAME_SHIFT,
                   P2M_RAM);
}

static int give_interrupt(void *arg, const struct dt_irq *irq)
{
    struct domain *d = arg;
    int rc = irq_give(irq->intid, irq->edge ? IRQ_EDGE : IRQ_LEVEL, d, irq->intid);

    /* Shared by two devices, kept by Hospes, or not there at all: the tree is wider than the
     * machine. */
    return rc == -EBUSY || rc == -EINVAL ? 0 : rc;
}

static int give_machine(struct domain *d, const struct domain_config *c)
{
    const struct host_devices fns = { map_registers, map_reserved, give_interrupt, d };
    int rc = host_devices_each(&host_view, &fns);

    if (rc)
        log_err("%s: no memory to map the machine's devices", c->node);
    return rc;
}

/* A line that nobody has, for an emulated UART in the place of one that is polled. */
static uint32_t unused_line(void)
{
    for (uint32_t irq = gic.nr_irqs; irq-- > 32;) {
        const struct irq_desc *desc = irq_desc(irq);
        if (desc && desc->owner == IRQ_UNUSED)
            return irq;
    }
    return 0;
}

static int give_uart(struct domain *d, const struct domain_config *c, const struct domain_places *p)
{
    int rc;

    if (!p->uart)
        return 0;
    rc = p->uart_virq ? vpl011_create(d, GADDR(p->uart), p->uart_virq) : -ENODEV;
    if (rc)
        log_err("%s: vpl011: cannot be made at 0x%lx with interrupt %u (%d)", c->node,
                (unsigned long)p->uart, p->uart_virq, rc);
    return rc;
}

static uint32_t count_spis(const struct domain_config *c, const struct domain_places *p)
{
    uint32_t spis = c->nr_spis;

    if (c->hardware || (!spis && (c->passthrough || c->direct_map)))
        spis = gic.nr_irqs - 32;
    if (!spis)
        spis = SPIS_DEFAULT;
    return p->uart ? max(spis, p->uart_virq - 31) : spis;
}

static int build_gic(struct domain *d, const struct domain_config *c, const struct domain_places *p)
{
    int rc = vgic_init(d, count_spis(c, p));

    if (!rc)
        rc = vgic_map(d, GADDR(p->gicd), GADDR(p->gic_second), p->gic_second_bytes);
    if (rc == -EINVAL)
        log_err("%s: cpus = <%u>: more than its interrupt controller (GICv%u) can serve", c->node,
                c->vcpus, p->gic_version);
    else if (rc)
        log_err("%s: no memory for its interrupt controller (%d)", c->node, rc);
    return rc;
}

static int build_passthrough(struct domain *d, const struct domain_config *c)
{
    void *partial;
    int rc = passthrough_open(c, &partial);

    if (!rc && partial)
        rc = passthrough_devices(d, c, partial, &host_view.own);
    heap_free(partial);
    return rc;
}

int arch_domain_build_devices(struct domain *d, const struct domain_config *c)
{
    struct domain_places p;
    int rc = c->direct_map || c->passthrough ? view_host() : 0;

    if (rc)
        return rc;
    if (c->direct_map)
        d->arch.pv_time.at = GADDR(0); /* until it is known where nothing is */
    if (c->hardware)
        evtchn_set_ppi(d, clock_info.irq_virt, clock_info.irq_phys);
    find_places(c, &p);
    rc = build_gic(d, c, &p);
    if (!rc && c->hardware)
        rc = give_machine(d, c);
    if (!rc && p.uart && !p.uart_virq && c->direct_map) {
        host_view.uart_virq = p.uart_virq = unused_line();
        host_view.uart_is_pl011 = false; /* its node has no interrupt to be kept */
    }
    if (!rc)
        rc = give_uart(d, c, &p);
    if (!rc && !c->hardware)
        rc = build_passthrough(d, c);
    return rc;
}

/* --- tables and registers -------------------------------------------------------------------- */

const char arch_domain_tables_name[] = "device tree";

uint64_t arch_domain_tables_bytes(const struct domain_config *c, uint64_t *limit)
{
    uint64_t bytes = KIB(8) + c->vcpus * VCPU_NODE_BYTES + 2 * c->dtb.bytes;

    if (c->hardware)
        bytes += 2 * ((uint64_t)fdt_size_dt_struct(host_fdt) + fdt_size_dt_strings(host_fdt));
    *limit = 0;
    bytes = max(bytes, TABLES_MIN);
    return bytes >= TABLES_MAX ? TABLES_MAX : BIT(log2_ceil(bytes));
}

/* What the domain's tree says of the hypervisor; NULL for a domain that is not to know, or where
 * there is no room for its grant table. */
static const struct hypervisor_node *find_hypervisor(struct domain *d,
                                                     const struct domain_config *c,
                                                     const struct domain_layout *l,
                                                     struct hypervisor_node *node)
{
    int rc;

    if (!c->hardware && !c->enhanced)
        return NULL;
    node->ppi = d->arch.evtchn_ppi;
    rc = c->direct_map ? hypervisor_node_host(node, l, &boot_ram, &boot_reserved)
                       : hypervisor_node_guest(node, l, BIT(stage2_address_bits()), c->passthrough);
    if (!rc && c->direct_map)
        d->arch.pv_time.at = GADDR(node->private_at);
    if (rc)
        log_warn("%s: has no /hypervisor in its device tree: no room for grant tables (%d)",
                 c->node, rc);
    return rc ? NULL : node;
}

static int write_guest_tree(const struct domain_config *c, const struct domain_layout *l,
                            const uint8_t *seed, const struct hypervisor_node *hypervisor,
                            void *fdt, uint32_t room, uint32_t *bytes)
{
    struct domain_places p;
    void *partial;
    struct guest_tree t = { c, l, &p, host_cpu_compatible(host_fdt), NULL, seed, hypervisor };
    int rc = passthrough_open(c, &partial);

    if (rc)
        return rc;
    find_places(c, &p);
    t.partial = partial;
    rc = guest_tree_write(&t, fdt, room, bytes);
    heap_free(partial);
    return rc;
}

static int write_tree(struct domain *d, const struct domain_config *c,
                      const struct domain_layout *l, void *fdt)
{
    uint8_t numbers[SEED_BYTES], *seed = seed_derive(host_fdt, numbers) ? numbers : NULL;
    struct hypervisor_node node;
    const struct hypervisor_node *hypervisor = find_hypervisor(d, c, l, &node);
    const struct host_tree host = { &host_view, c, l, seed, hypervisor };
    uint32_t bytes, room = (uint32_t)l->tables_bytes;
    int rc = c->hardware ? host_tree_write(&host, fdt, room, &bytes)
                         : write_guest_tree(c, l, seed, hypervisor, fdt, room, &bytes);

    if (rc)
        log_err("%s: its device tree %s", c->node,
                rc == -ENOSPC ? "is too large" : "cannot be written");
    return rc ? rc : p2m_copy_to(d, l->tables, fdt, bytes);
}

int arch_domain_build_tables(struct domain *d, const struct domain_config *c,
                             const struct domain_layout *l, const struct kernel_image *k)
{
    void *fdt = heap_alloc(l->tables_bytes);
    int rc = fdt ? write_tree(d, c, l, fdt) : -ENOMEM;

    heap_free(fdt);
    if (rc)
        return rc;
    d->vcpus[0]->regs = (struct cpu_regs){
        .x = { l->tables.v },
        .pc = k->entry.v,
        .pstate = PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F,
    };
    return 0;
}
