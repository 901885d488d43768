/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's life on arm64: its first state, and the switch of what stays in the hardware between its
 * exits.
 *
 * Save and load run on the pCPU concerned, with no vCPU entered in between; the order within does
 * not matter, since the guest's translation is not in use at EL2.
 */
#include <asm/context.h>
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <asm/vtimer.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define SCTLR_EL1_RESET 0x30d00800ull /* RES1 bits; MMU and caches off */
#define CPUS_PER_GROUP  16            /* of one SGI target list: affinity level 0 */

/* Lists, which the formatter would indent anew each time. */
/* clang-format off */
#define EACH_SYSREG(DO) \
    DO(sp_el0) DO(sp_el1) DO(elr_el1) DO(spsr_el1) DO(sctlr_el1) DO(cpacr_el1) DO(tcr_el1) \
    DO(ttbr0_el1) DO(ttbr1_el1) DO(mair_el1) DO(amair_el1) DO(esr_el1) DO(far_el1) DO(afsr0_el1) \
    DO(afsr1_el1) DO(vbar_el1) DO(contextidr_el1) DO(par_el1) DO(tpidr_el0) DO(tpidr_el1) \
    DO(tpidrro_el0) DO(csselr_el1) DO(cntkctl_el1)
#define EACH_PAUTH_KEY(DO) \
    DO(apia, APIAKEYLO_EL1, APIAKEYHI_EL1) \
    DO(apib, APIBKEYLO_EL1, APIBKEYHI_EL1) \
    DO(apda, APDAKEYLO_EL1, APDAKEYHI_EL1) \
    DO(apdb, APDBKEYLO_EL1, APDBKEYHI_EL1) \
    DO(apga, APGAKEYLO_EL1, APGAKEYHI_EL1)
/* clang-format on */

#define SAVE(reg) s->reg = read_sysreg(reg);
#define LOAD(reg) write_sysreg(s->reg, reg);
#define SAVE_KEY(k, lo, hi)    \
    s->k[0] = read_sysreg(lo); \
    s->k[1] = read_sysreg(hi);
#define LOAD_KEY(k, lo, hi)    \
    write_sysreg(s->k[0], lo); \
    write_sysreg(s->k[1], hi);

int arch_vcpu_init(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    int err;

    a->vmpidr_el2 = 1ull << 31 | (v->id / CPUS_PER_GROUP) << 8 | v->id % CPUS_PER_GROUP;
    err = vgic_vcpu_init(v);
    if (!err)
        vgic_set_pulse(v, v->domain->arch.evtchn_ppi);
    return err ? err : vtimer_vcpu_init(v);
}

void arch_vcpu_destroy(struct vcpu *v)
{
    vtimer_vcpu_destroy(v);
}

void arch_vcpu_reset(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    v->regs =
        (struct cpu_regs){ .pstate = PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F };
    a->sysregs = (struct vcpu_sysregs){ .sctlr_el1 = SCTLR_EL1_RESET };
    a->fp = (struct vcpu_fp){ 0 };
    a->hcr_el2 = cpu_guest_hcr(); /* no SError pends any more */
    a->mdscr = 0;
    a->os_lock = false;
    a->clean_next = GFN(0);
    vgic_vcpu_reset(v);
    vtimer_vcpu_reset(v);
}

void arch_vcpu_save(struct vcpu *v, bool more)
{
    (void)more;
    struct vcpu_sysregs *s = &v->arch.sysregs;

    EACH_SYSREG(SAVE)
    if (cpu_has_pauth()) {
        EACH_PAUTH_KEY(SAVE_KEY)
    }
    v->arch.hcr_el2 = read_sysreg(hcr_el2); /* a virtual SError that was taken has gone from it */
    (void)serror_settle(v);
    fp_save(&v->arch.fp);
    vtimer_save(v);
    vgic_save(v);
}

void arch_vcpu_load(struct vcpu *v)
{
    const struct vcpu_sysregs *s = &v->arch.sysregs;

    EACH_SYSREG(LOAD)
    if (cpu_has_pauth()) {
        EACH_PAUTH_KEY(LOAD_KEY)
    }
    write_sysreg(v->arch.mdscr & (1ull << 13 | 1), mdscr_el1);
    write_sysreg(v->arch.vmpidr_el2, vmpidr_el2);
    write_sysreg(v->arch.hcr_el2, hcr_el2);
    write_sysreg(v->domain->arch.vttbr, vttbr_el2);
    write_sysreg(v->domain->arch.cntvoff, cntvoff_el2);
    fp_load(&v->arch.fp);
    vgic_load(v);
    vtimer_load(v);
    isb();
}

void arch_vcpu_deliver(struct vcpu *v)
{
    vgic_deliver(v);
}

bool arch_vcpu_has_interrupt(struct vcpu *v)
{
    return vgic_has_interrupt(v) || vtimer_fires(v);
}

void arch_vcpu_dump(const struct vcpu *v)
{
    uint16_t id = v->domain->id;
    const struct cpu_regs *r = &v->regs;

    for (unsigned int i = 0; i < 30; i += 3)
        log_guest(id, LOG_ERR, "x%-2u %016llx  x%-2u %016llx  x%-2u %016llx", i,
                  (unsigned long long)r->x[i], i + 1, (unsigned long long)r->x[i + 1], i + 2,
                  (unsigned long long)r->x[i + 2]);
    log_guest(id, LOG_ERR, "lr  %016llx  pc  %016llx  pstate %08llx", (unsigned long long)r->x[30],
              (unsigned long long)r->pc, (unsigned long long)r->pstate);
}
