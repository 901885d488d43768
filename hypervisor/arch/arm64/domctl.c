/* SPDX-License-Identifier: MIT */
/* arm64's part of what a toolstack does with domains and asks of the machine. */
#include <asm/clock.h>
#include <asm/gic.h>
#include <asm/gic_regs.h>
#include <asm/guest_layout.h>
#include <asm/stage2.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <asm/vpl011.h>
#include <hospes/domain.h>
#include <hospes/domctl.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/sysctl.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>

/* --- domains ---------------------------------------------------------------------------------- */

static uint8_t host_gic(void)
{
    return gic.driver->version == 3 ? XEN_DOMCTL_CONFIG_GIC_V3 : XEN_DOMCTL_CONFIG_GIC_V2;
}

/* The timer's rate where the tree gives it, because firmware did not set CNTFRQ_EL0: guests are
 * told the same way. 0: not there. */
static uint32_t clock_frequency(void)
{
    int node = dt_find_compatible(host_fdt, -1, "arm,armv8-timer");
    uint64_t hz;

    return node >= 0 && !dt_number(host_fdt, node, "clock-frequency", &hz) ? (uint32_t)hz : 0;
}

int arch_domctl_check(struct xen_domctl_createdomain *c)
{
    uint32_t most_vcpus = gic.driver->version == 3 ? GUEST_MAX_VCPUS : VGIC_V2_VCPUS;

    if (c->arch.gic_version == XEN_DOMCTL_CONFIG_GIC_NATIVE)
        c->arch.gic_version = host_gic();
    if (c->arch.gic_version != host_gic() || c->arch.sve_vl ||
        c->arch.tee_type != XEN_DOMCTL_CONFIG_TEE_NONE || c->arch.nr_spis > VGIC_MAX_SPIS)
        return -EINVAL;
    if (!c->max_vcpus || c->max_vcpus > min(most_vcpus, (uint32_t)DOMAIN_MAX_VCPUS))
        return -EINVAL;
    c->arch.clock_frequency = clock_frequency();
    return 0;
}

int arch_domctl_create(struct domain *d, const struct xen_domctl_createdomain *c)
{
    int rc = vgic_init(d, c->arch.nr_spis);

    if (rc)
        return rc;
    if (d->arch.vgic.version == 3)
        return vgic_map(d, GADDR(GUEST_GICV3_GICD_BASE), GADDR(GUEST_GICV3_GICR0_BASE),
                        GUEST_GICV3_GICR0_SIZE);
    return vgic_map(d, GADDR(GUEST_GICD_BASE), GADDR(GUEST_GICC_BASE), GUEST_GICC_SIZE);
}

void arch_domctl_info(struct xen_domctl_getdomaininfo *info)
{
    info->gpaddr_bits = (uint8_t)stage2_address_bits();
    info->arch_config.gic_version = host_gic();
}

/* --- vCPUs ------------------------------------------------------------------------------------ */

#define NR_X 31u

_Static_assert(offsetof(struct vcpu_guest_core_regs, pc64) == NR_X * sizeof(uint64_t),
               "x0 to x30 stand in a row");

static bool is_guest_mode(uint64_t pstate)
{
    uint64_t mode = pstate & (PSTATE_NRW | PSTATE_MODE);

    return mode == PSR_MODE_EL1h || mode == PSR_MODE_EL1t || mode == PSR_MODE_EL0t;
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct vcpu_guest_core_regs *r = &c->user_regs;
    struct vcpu_sysregs *s = &v->arch.sysregs;

    if (!is_guest_mode(r->cpsr))
        return -EINVAL;
    memcpy(v->regs.x, &r->x0, sizeof(v->regs.x));
    v->regs.pc = r->pc64;
    v->regs.pstate = r->cpsr;
    s->spsr_el1 = r->spsr_el1;
    s->sp_el0 = r->sp_el0;
    s->sp_el1 = r->sp_el1;
    s->elr_el1 = r->elr_el1;
    s->sctlr_el1 = c->sctlr;
    s->tcr_el1 = c->ttbcr;
    s->ttbr0_el1 = c->ttbr0;
    s->ttbr1_el1 = c->ttbr1;
    return 0;
}

void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct vcpu_sysregs *s = &v->arch.sysregs;
    struct vcpu_guest_core_regs *r = &c->user_regs;

    *c = (struct vcpu_guest_context){ .flags = v->online ? VGCF_online : 0,
                                      .sctlr = s->sctlr_el1,
                                      .ttbcr = s->tcr_el1,
                                      .ttbr0 = s->ttbr0_el1,
                                      .ttbr1 = s->ttbr1_el1 };
    memcpy(&r->x0, v->regs.x, sizeof(v->regs.x));
    r->pc64 = v->regs.pc;
    r->cpsr = v->regs.pstate;
    r->spsr_el1 = s->spsr_el1;
    r->sp_el0 = s->sp_el0;
    r->sp_el1 = s->sp_el1;
    r->elr_el1 = s->elr_el1;
}

bool arch_context_is_online(const struct vcpu_guest_context *c)
{
    return c->flags & VGCF_online;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Guests are AArch64 at EL1. */
static int64_t set_address_size(const struct domctl *c)
{
    return c->op->u.address_size.size == 64 ? 0 : -EINVAL;
}

/* Lines have the machine's number in the guest too. */
static int check_pt_irq(const struct domctl *c)
{
    const struct xen_domctl_bind_pt_irq *op = &c->op->u.bind_pt_irq;

    if (op->irq_type != PT_IRQ_TYPE_SPI)
        return -EOPNOTSUPP;
    if (op->u.spi.spi != op->machine_irq || op->machine_irq < GIC_FIRST_SPI)
        return -EINVAL;
    return op->machine_irq < c->d->arch.vgic.nr_banks * 32 ? 0 : -EINVAL;
}

/* A line that nobody has; the guest's own setting says what triggers it, once it is switched on. */
static int64_t bind_pt_irq(const struct domctl *c)
{
    uint32_t irq = c->op->u.bind_pt_irq.machine_irq;
    int rc = check_pt_irq(c);

    if (rc)
        return rc;
    /* Its end takes back what it has, once. */
    spin_lock(&c->d->lock);
    if (c->d->state == DOMAIN_DYING)
        rc = -EINVAL;
    else if (c->d->arch.vuart && irq == GUEST_VPL011_SPI)
        rc = -EBUSY;
    else
        rc = irq_give(irq, IRQ_LEVEL, c->d, irq);
    spin_unlock(&c->d->lock);
    return rc;
}

static int64_t unbind_pt_irq(const struct domctl *c)
{
    int rc = check_pt_irq(c);

    return rc ? rc : irq_take(c->op->u.bind_pt_irq.machine_irq, c->d);
}

/* Under d->lock: nobody looks at the domain's devices, nor will before it is let go. */
static bool is_still(const struct domain *d)
{
    return d->state == DOMAIN_RUNNING && d->control_pauses && domain_is_quiet(d);
}

static int add_vuart(struct domain *d, struct xen_domctl_vuart_op *op, uint16_t by)
{
    int rc = -EINVAL;

    if (d->arch.vgic.nr_banks * 32 <= GUEST_VPL011_SPI || op->gfn >> (64 - FRAME_SHIFT))
        return -EINVAL;
    spin_lock(&d->lock);
    if (!is_still(d))
        rc = -EPERM;
    else if (!d->arch.vuart)
        rc = vpl011_create_served(d, GADDR(GUEST_PL011_BASE), GUEST_VPL011_SPI, GFN(op->gfn), by,
                                  &op->evtchn);
    spin_unlock(&d->lock);
    return rc;
}

/* A UART at the guest layout's place. Its memory and number of lines are the toolstack's to give.
 */
static int64_t vuart_op(const struct domctl *c)
{
    struct xen_domctl_vuart_op *op = &c->op->u.vuart_op;
    struct domain *by;
    int rc;

    if (op->cmd != XEN_DOMCTL_VUART_OP_INIT || op->pad[0] || op->pad[1])
        return -EINVAL;
    if (c->d == c->caller->domain)
        return -EPERM;
    if (op->type != XEN_DOMCTL_VUART_TYPE_VPL011)
        return -EOPNOTSUPP;
    by = domain_get(op->console_domid);
    if (!by)
        return -ESRCH;
    rc = add_vuart(c->d, op, by->id);
    domain_put(by);
    return rc;
}

int64_t arch_domctl(struct domctl *c)
{
    switch (c->op->cmd) {
    case XEN_DOMCTL_bind_pt_irq:
        return bind_pt_irq(c);
    case XEN_DOMCTL_unbind_pt_irq:
        return unbind_pt_irq(c);
    case XEN_DOMCTL_set_address_size:
        return set_address_size(c);
    case XEN_DOMCTL_vuart_op:
        return vuart_op(c);
    case XEN_DOMCTL_soft_reset:
        return c->d == c->caller->domain ? -EINVAL : -ENOSYS;
    case XEN_DOMCTL_dt_overlay:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

/* --- the machine ------------------------------------------------------------------------------ */

/* As Xen does on arm: the rate of the timers stands for the CPUs'. */
void arch_sysctl_physinfo(struct xen_sysctl_physinfo *info)
{
    info->cpu_khz = (uint32_t)(clock_info.hz / 1000);
}

int64_t arch_sysctl(struct sysctl *s)
{
    switch (s->op->cmd) {
    case XEN_SYSCTL_dt_overlay:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
