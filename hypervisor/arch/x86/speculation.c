/* SPDX-License-Identifier: MIT */
/*
 * Speculation: what the CPU needs and has, as <asm/speculation.h> says, and as the user asks. AMD,
 * Software techniques for managing speculation; AMD APM volume 2, 3.2.9 (SPEC_CTRL,
 * PRED_CMD), 3.1.7 (automatic IBRS), 15.36.17 (SPEC_CTRL in the VMCB); AMD's bulletins 7008, 1037
 * (branch type confusion), 7005 (return predictions), 7029 (transient scheduler). Intel's controls
 * come with Intel's virtualization.
 */
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/msr.h>
#include <asm/options.h>
#include <asm/patch.h>
#include <asm/speculation.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <lib/format.h>

#define BP_CFG_SPEC_REDUCE (1ull << 4)
#define DE_CFG_LFENCE      (1ull << 1)

struct speculation speculation;

/* What this pCPU's registers have now. */
struct spec_pcpu {
    uint64_t vcpu;      /* whose predictions may be there: arch_vcpu's spec_id */
    uint64_t spec_ctrl; /* SPEC_CTRL */
};

static struct spec_pcpu spec_pcpus[MAX_PCPUS];
static uint64_t next_id; /* atomic */

/* --- decisions ------------------------------------------------------------------------------- */

static bool chosen(uint8_t choice, bool otherwise)
{
    return choice == SPEC_DEFAULT ? otherwise : choice == SPEC_ON;
}

/*
 * Returns themselves may go where a guest trained them to, whatever stack of them is filled: branch
 * type confusion (family 17h, unless BTC_NO), and up to Zen 4 without a fix (unless SRSO_NO) where
 * microcode makes the barrier strong enough.
 */
static bool returns_confused(void)
{
    if (cpu_info.family == 0x17 || cpu_info.family == 0x18)
        return !cpu_has(CPU_BTC_NO);
    return cpu_info.family == 0x19 && !cpu_has(CPU_SRSO_NO) && cpu_has(CPU_IBPB_BRTYPE);
}

static uint64_t spec_ctrl_bits(void)
{
    return (cpu_has(CPU_AMD_IBRS) ? SPEC_CTRL_IBRS : 0) |
           (cpu_has(CPU_AMD_STIBP) ? SPEC_CTRL_STIBP : 0) |
           (cpu_has(CPU_AMD_SSBD) ? SPEC_CTRL_SSBD : 0) | (cpu_has(CPU_PSFD) ? SPEC_CTRL_PSFD : 0);
}

/* From what the user said, and CPUID. */
static void decide(struct speculation *s, const struct spec_options *o)
{
    bool ibpb = cpu_has(CPU_AMD_IBPB);

    s->auto_ibrs = cpu_has(CPU_AUTO_IBRS) && chosen(o->ibrs, true);
    s->thunk = o->thunk ? (enum thunk)(o->thunk - 1) : s->auto_ibrs ? THUNK_JMP : THUNK_RETPOLINE;
    s->rsb_fill = chosen(o->rsb, !s->auto_ibrs);
    s->reduce = cpu_has(CPU_BP_SPEC_REDUCE) && chosen(o->reduce, true);
    s->ibpb_exit = ibpb && chosen(o->ibpb_entry, returns_confused() && !s->reduce);
    s->ibpb_switch = ibpb && !s->ibpb_exit && chosen(o->ibpb, true);
    s->verw = cpu_has(CPU_VERW_CLEAR) && chosen(o->verw, true);
    s->spec_ctrl_there = spec_ctrl_bits() != 0;
    s->spec_ctrl_virtual = cpu_has(CPU_SVM_SPEC_CTRL);
    s->guest_spec_ctrl = chosen(o->guests, true) ? spec_ctrl_bits() : 0;
    s->spec_ctrl = 0;
    if (cpu_has(CPU_AMD_SSBD) && chosen(o->ssbd, false))
        s->spec_ctrl |= SPEC_CTRL_SSBD;
    if (cpu_has(CPU_PSFD) && chosen(o->psfd, false))
        s->spec_ctrl |= SPEC_CTRL_PSFD;
}

static void fit_code(const struct speculation *s)
{
    if (!s->rsb_fill)
        patch_apply(PATCH_NO_RSB_FILL);
    if (!s->ibpb_exit)
        patch_apply(PATCH_NO_IBPB_EXIT);
    if (!s->verw)
        patch_apply(PATCH_NO_VERW);
    if (s->thunk == THUNK_JMP)
        patch_apply(PATCH_THUNK_JMP);
    if (s->thunk == THUNK_LFENCE)
        patch_apply(PATCH_THUNK_LFENCE);
}

/* --- what is said ---------------------------------------------------------------------------- */

struct term {
    bool is;
    const char *name;
};

/* " a b c" of those that are, or " none". */
static const char *list(char *text, size_t room, const struct term *t, uint32_t nr)
{
    size_t n = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < nr; i++)
        if (t[i].is)
            n += format(text + n, room - n, " %s", t[i].name);
    return n ? text : " none";
}

static void report(const struct speculation *s, const struct spec_options *o)
{
    static const char *const thunks[] = { "retpolines", "lfence", "plain" };
    const struct term has[] = {
        { cpu_has(CPU_AMD_IBPB), "IBPB" },
        { cpu_has(CPU_AMD_IBRS), "IBRS" },
        { cpu_has(CPU_AMD_STIBP), "STIBP" },
        { cpu_has(CPU_AMD_SSBD), "SSBD" },
        { cpu_has(CPU_PSFD), "PSFD" },
        { cpu_has(CPU_AUTO_IBRS), "AutoIBRS" },
        { cpu_has(CPU_VERW_CLEAR), "VERW-clears" },
        { cpu_has(CPU_BP_SPEC_REDUCE), "BP-spec-reduce" },
        { cpu_has(CPU_IBPB_BRTYPE), "IBPB-brtype" },
        { cpu_has(CPU_SVM_SPEC_CTRL), "virtual-SPEC_CTRL" },
        { cpu_has(CPU_BTC_NO), "BTC-no" },
        { cpu_has(CPU_SRSO_NO), "SRSO-no" },
    };
    const struct term does[] = {
        { s->auto_ibrs, "AutoIBRS" },
        { s->rsb_fill, "RSB-fill" },
        { s->ibpb_exit, "IBPB-at-exits" },
        { s->ibpb_switch, "IBPB-between-vCPUs" },
        { s->verw, "VERW-at-entries" },
        { s->reduce, "BP-spec-reduce" },
        { s->spec_ctrl & SPEC_CTRL_SSBD, "SSBD" },
        { s->spec_ctrl & SPEC_CTRL_PSFD, "PSFD" },
    };
    const struct term guests[] = {
        { cpu_has(CPU_AMD_IBPB) && o->guests != SPEC_OFF, "PRED_CMD" },
        { s->guest_spec_ctrl, "SPEC_CTRL" },
    };
    char a[160], b[160], c[32];

    log_info("speculation: the CPU has%s", list(a, sizeof(a), has, array_size(has)));
    log_info("speculation: indirect branches %s; used:%s; for guests:%s", thunks[s->thunk],
             list(b, sizeof(b), does, array_size(does)),
             list(c, sizeof(c), guests, array_size(guests)));
    if (returns_confused() && !s->ibpb_exit && !s->reduce)
        log_warn("speculation: guests can train this CPU's predictions of returns: microcode that "
                 "has a barrier is missing, or it was switched off");
    if (o->ignored)
        log_warn("spec-ctrl: some of its words mean nothing here: see doc/speculation.md");
}

/* ---------------------------------------------------------------------------------------------- */

void speculation_init(void)
{
    decide(&speculation, &x86_options.spec);
    fit_code(&speculation);
    report(&speculation, &x86_options.spec);
}

void speculation_pcpu_init(void)
{
    const struct speculation *s = &speculation;
    uint64_t value;

    if (s->auto_ibrs)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AIBRSE);
    if (s->spec_ctrl_there)
        wrmsr(MSR_SPEC_CTRL, s->spec_ctrl);
    spec_pcpus[this_pcpu()->id].spec_ctrl = s->spec_ctrl;
    if (s->reduce && rdmsr_safe(MSR_BP_CFG, &value))
        (void)wrmsr_safe(MSR_BP_CFG, value | BP_CFG_SPEC_REDUCE);
    /* LFENCE waits for all before it, as code against speculation takes for granted. */
    if (!cpu_has(CPU_LFENCE_ALWAYS) && rdmsr_safe(MSR_DE_CFG, &value) && !(value & DE_CFG_LFENCE))
        (void)wrmsr_safe(MSR_DE_CFG, value | DE_CFG_LFENCE);
}

void speculation_vcpu_init(struct vcpu *v)
{
    v->arch.spec_id = __atomic_add_fetch(&next_id, 1, __ATOMIC_RELAXED);
}

static void set_spec_ctrl(struct spec_pcpu *p, uint64_t value)
{
    if (p->spec_ctrl == value)
        return;
    wrmsr(MSR_SPEC_CTRL, value);
    p->spec_ctrl = value;
}

/*
 * The guest's bits stay set while the hypervisor runs for it: each of them only makes the CPU more
 * careful. So neither exits nor entries cost anything for them.
 */
void speculation_vcpu_load(struct vcpu *v)
{
    struct spec_pcpu *p = &spec_pcpus[this_pcpu()->id];

    if (p->vcpu != v->arch.spec_id) {
        p->vcpu = v->arch.spec_id;
        if (speculation.ibpb_switch)
            wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
    }
    if (!speculation.spec_ctrl_virtual)
        set_spec_ctrl(p, speculation.spec_ctrl | v->arch.spec_ctrl);
}

/* What the guest's CPUID tells it of. */
static uint64_t guest_bits(const struct vcpu *v)
{
    const struct cpu_policy *p = v->domain->arch.policy;
    uint64_t bits = (cpu_policy_has(p, CPU_AMD_IBRS) ? SPEC_CTRL_IBRS : 0) |
                    (cpu_policy_has(p, CPU_AMD_STIBP) ? SPEC_CTRL_STIBP : 0) |
                    (cpu_policy_has(p, CPU_AMD_SSBD) ? SPEC_CTRL_SSBD : 0) |
                    (cpu_policy_has(p, CPU_PSFD) ? SPEC_CTRL_PSFD : 0);

    return bits & speculation.guest_spec_ctrl;
}

bool speculation_read_guest(const struct vcpu *v, uint64_t *value)
{
    *value = v->arch.spec_ctrl;
    return guest_bits(v) != 0;
}

bool speculation_write_guest(struct vcpu *v, uint64_t value)
{
    uint64_t bits = guest_bits(v);

    if (!bits || value & ~bits)
        return false;
    v->arch.spec_ctrl = value;
    set_spec_ctrl(&spec_pcpus[this_pcpu()->id], speculation.spec_ctrl | value);
    return true;
}
