/* SPDX-License-Identifier: MIT */
/* The hardware domain's writes to registers that switch the machine off or reset it: ACPI 6.5,
 * 4.8.3; <asm/power.h> has the contract. */
#include <asm/io.h>
#include <asm/pio.h>
#include <asm/power.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/vcpu.h>

/* PM1a's or PM1b's control register, 4.8.3.2.1; `device` is which of power.pm1_control. SLP_TYP and
 * SLP_EN are both in its second byte. */
static enum exit_action access_sleep(struct vcpu *v, struct pio_access *a, void *device)
{
    const struct acpi_register *r = device;
    uint32_t shift = 8 * (a->port - (uint32_t)r->address), bits;

    if (!a->write) {
        a->value = port_read(a->port, a->size);
        return EXIT_HANDLED;
    }
    bits = a->value << shift;
    if (!(bits & SLP_EN)) {
        port_write(a->port, a->size, a->value);
    } else if ((bits & SLP_TYP) >> SLP_TYP_SHIFT == power.sleep_type[r - power.pm1_control]) {
        domain_stop(v->domain, DOMAIN_POWEROFF);
    } else {
        log_limited(LOG_WARN, "%s: the machine cannot sleep, only be switched off",
                    v->domain->name);
    }
    return EXIT_HANDLED;
}

static enum exit_action access_reset(struct vcpu *v, struct pio_access *a, void *unused)
{
    (void)unused;
    if (!a->write)
        a->value = port_read(a->port, a->size);
    else if ((uint8_t)a->value == power.reset_value)
        domain_stop(v->domain, DOMAIN_REBOOT);
    else
        port_write(a->port, a->size, a->value);
    return EXIT_HANDLED;
}

enum exit_action power_access_reset_port(struct vcpu *v, struct pio_access *a)
{
    if (!a->write)
        a->value = port_read8(POWER_RESET_PORT);
    else if (a->value & RST_CPU)
        domain_stop(v->domain, DOMAIN_REBOOT);
    else
        port_write8(POWER_RESET_PORT, (uint8_t)a->value);
    return EXIT_HANDLED;
}

static int guard_sleep(struct domain *d, struct acpi_register *r)
{
    uint16_t port = (uint16_t)r->address;

    if (!power.can_sleep || !r->address || r->space != ACPI_PORT || r->address >= UINT16_MAX)
        return 0;
    return pio_add(d, port, port + 1u, access_sleep, r);
}

static int guard_reset(struct domain *d)
{
    const struct acpi_register *r = &power.reset;

    if (!r->address || r->space != ACPI_PORT || r->address > UINT16_MAX)
        return 0;
    return pio_add(d, (uint16_t)r->address, (uint16_t)r->address, access_reset, NULL);
}

int power_guard(struct domain *d)
{
    int rc = guard_sleep(d, &power.pm1_control[0]);

    if (!rc)
        rc = guard_sleep(d, &power.pm1_control[1]);
    if (!rc)
        rc = guard_reset(d);
    return rc == -EEXIST ? 0 : rc; /* the reset register is often POWER_RESET_PORT */
}
