/* SPDX-License-Identifier: MIT */
/*
 * The calls that guests make of their firmware: PSCI 1.1 and the SMC Calling Convention 1.2, by HVC
 * #0 or SMC #0 alike. Only x0 carries a result, and x1 to x3 the rest of who serves them; what
 * carries none is preserved. Arm DEN 0022D chapter 5, DEN 0028E chapters 2, 6 and 7.
 */
#include <asm/exit.h>
#include <asm/psci.h>
#include <asm/pv_time.h>
#include <asm/sysreg.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>

#define VERSION_PSCI_1_1   0x10001
#define VERSION_SMCCC_1_2  0x10002
#define MIGRATE_NOT_NEEDED 2

/* The vCPU with this affinity, or NULL. */
static struct vcpu *find_target(struct domain *d, uint64_t mpidr)
{
    struct vcpu *v;
    uint32_t i;

    if (mpidr & ~MPIDR_AFFINITY)
        return NULL;
    domain_for_each_vcpu (d, v, i)
        if ((v->arch.vmpidr_el2 & MPIDR_AFFINITY) == mpidr)
            return v;
    return NULL;
}

/* A call's argument n, as wide as the call's convention has it. */
static uint64_t argument(const struct vcpu *v, unsigned int n)
{
    return v->regs.x[0] & SMCCC_64 ? v->regs.x[n] : (uint32_t)v->regs.x[n];
}

static int64_t psci_version(struct vcpu *v)
{
    (void)v;
    return VERSION_PSCI_1_1;
}

/* Every state is treated as standby: returns to the caller at the next interrupt. */
static int64_t cpu_suspend(struct vcpu *v)
{
    vcpu_block(v);
    return PSCI_SUCCESS;
}

static int64_t cpu_off(struct vcpu *v)
{
    spin_lock(&v->domain->lock);
    vcpu_down(v);
    spin_unlock(&v->domain->lock);
    return PSCI_SUCCESS; /* never seen */
}

static int64_t cpu_on(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct vcpu *target = find_target(d, argument(v, 1));
    uint64_t entry = argument(v, 2), context = argument(v, 3);
    int64_t result = PSCI_SUCCESS;
    enum p2m_type type;

    if (!target)
        return PSCI_INVALID_PARAMETERS;
    (void)p2m_lookup(d, gaddr_to_gfn(GADDR(entry)), &type, NULL);
    if (entry & 3 || (type != P2M_RAM && type != P2M_RAM_RO && type != P2M_RESERVED))
        return PSCI_INVALID_ADDRESS;
    spin_lock(&d->lock);
    if (target->online) {
        result = PSCI_ALREADY_ON;
    } else if (sched_is_running(&target->sched)) {
        result = PSCI_ON_PENDING; /* it said CPU_OFF and has not left yet: ask again */
    } else {
        arch_vcpu_reset(target);
        target->regs.pc = entry;
        target->regs.x[0] = context;
        vcpu_up(target);
    }
    spin_unlock(&d->lock);
    return result;
}

static int64_t affinity_info(struct vcpu *v)
{
    struct domain *d = v->domain;
    uint64_t mpidr = argument(v, 1), level = argument(v, 2), mask;
    struct vcpu *other;
    bool found = false;
    uint32_t i;

    if (level > 3 || (mpidr & ~MPIDR_AFFINITY))
        return PSCI_INVALID_PARAMETERS;
    mask = level == 3 ? 0xff00000000ull : MPIDR_AFFINITY & ~0ull << 8 * level;
    domain_for_each_vcpu (d, other, i) {
        if ((other->arch.vmpidr_el2 & mask) != (mpidr & mask))
            continue;
        found = true;
        /* One that said CPU_OFF is off when it has left: who asks wants to switch it on again. */
        if (read_once(other->online) || sched_is_running(&other->sched))
            return PSCI_AFFINITY_ON;
    }
    return found ? PSCI_AFFINITY_OFF : PSCI_INVALID_PARAMETERS;
}

static int64_t migrate_info_type(struct vcpu *v)
{
    (void)v;
    return MIGRATE_NOT_NEEDED;
}

static int64_t system_off(struct vcpu *v)
{
    domain_stop(v->domain, DOMAIN_POWEROFF);
    return PSCI_SUCCESS;
}

static int64_t system_reset(struct vcpu *v)
{
    domain_stop(v->domain, DOMAIN_REBOOT);
    return PSCI_SUCCESS;
}

/* Only SYSTEM_WARM_RESET is there of the architecture's types; vendors' are theirs. */
static int64_t system_reset2(struct vcpu *v)
{
    uint32_t type = (uint32_t)v->regs.x[1];

    if (type != 0)
        return type & 0x80000000u ? PSCI_NOT_SUPPORTED : PSCI_INVALID_PARAMETERS;
    return system_reset(v);
}

static int64_t psci_features(struct vcpu *v);

typedef int64_t psci_call(struct vcpu *v);

/* By number, in the two calling conventions. */
#define PSCI_CALLS   0x13u
#define NUMBER(call) ((call) & 0x1fu)

static psci_call *const psci_calls32[PSCI_CALLS] = {
    [NUMBER(PSCI_VERSION)] = psci_version,
    [NUMBER(PSCI_CPU_SUSPEND)] = cpu_suspend,
    [NUMBER(PSCI_CPU_OFF)] = cpu_off,
    [NUMBER(PSCI_CPU_ON)] = cpu_on,
    [NUMBER(PSCI_AFFINITY_INFO)] = affinity_info,
    [NUMBER(PSCI_MIGRATE_INFO_TYPE)] = migrate_info_type,
    [NUMBER(PSCI_SYSTEM_OFF)] = system_off,
    [NUMBER(PSCI_SYSTEM_RESET)] = system_reset,
    [NUMBER(PSCI_FEATURES)] = psci_features,
    [NUMBER(PSCI_SYSTEM_RESET2)] = system_reset2,
};

static psci_call *const psci_calls64[PSCI_CALLS] = {
    [NUMBER(PSCI_CPU_SUSPEND)] = cpu_suspend,
    [NUMBER(PSCI_CPU_ON)] = cpu_on,
    [NUMBER(PSCI_AFFINITY_INFO)] = affinity_info,
    [NUMBER(PSCI_SYSTEM_RESET2)] = system_reset2,
};

/* NULL for what is not a PSCI call of ours. */
static inline psci_call *psci_find(uint32_t function)
{
    uint32_t number = (function & ~SMCCC_64) - PSCI_VERSION;

    if (number >= PSCI_CALLS)
        return NULL;
    return function & SMCCC_64 ? psci_calls64[number] : psci_calls32[number];
}

static int64_t psci_features(struct vcpu *v)
{
    uint32_t function = (uint32_t)v->regs.x[1];

    return function == SMCCC_VERSION || psci_find(function) ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

/*
 * Firmware's workarounds for faults of CPUs are there for guests as they are for us. The second is
 * switched on by firmware when a CPU starts and never off, so no guest has to ask for it.
 */
static int64_t arch_features(const struct domain *d, uint32_t asked)
{
    switch (asked) {
    case SMCCC_VERSION:
    case SMCCC_ARCH_FEATURES:
        return PSCI_SUCCESS;
    case PV_TIME_FEATURES:
        return pv_time_features(d, asked);
    case SMCCC_ARCH_WORKAROUND_1:
    case SMCCC_ARCH_WORKAROUND_3:
        return firmware_has_workaround(asked);
    case SMCCC_ARCH_WORKAROUND_2:
        return firmware_has_workaround(asked) == PSCI_NOT_SUPPORTED ? PSCI_NOT_SUPPORTED
                                                                    : SMCCC_NOT_REQUIRED;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* Of the architecture's own calls those that are less common. */
static int64_t __noinline arch_call(const struct vcpu *v, uint32_t function)
{
    if (function == SMCCC_ARCH_FEATURES)
        return arch_features(v->domain, (uint32_t)v->regs.x[1]);
    if ((function != SMCCC_ARCH_WORKAROUND_1 && function != SMCCC_ARCH_WORKAROUND_3) ||
        firmware_has_workaround(function) < 0)
        return PSCI_NOT_SUPPORTED;
    firmware_workaround(function);
    return PSCI_SUCCESS;
}

/* --- who serves calls: a service is the upper half of its calls' numbers --- */

#define SERVICE_QUERIES 3 /* those below */
#define PV_TIME_CALLS   2

/* As Xen has them (its <xen/arch-arm/smccc.h> needs its own sources): by the second one's UID
 * guests tell that this is Xen's interface. */
static const struct service {
    uint32_t major, minor;
    uint32_t uid[4]; /* as it is in registers */
} standard_service = { 0, 1, { 0x6f3863f8, 0xbd4c394b, 0x16ce2092, 0x6f9fe541 } },
  hypervisor_service = { 0, 1, { 0xdc1218a7, 0x694398c6, 0xd179cf9a, 0x67e6de8d } };

static uint32_t count_calls(const struct service *s)
{
    uint32_t n = SERVICE_QUERIES;

    if (s == &hypervisor_service)
        return n + PV_TIME_CALLS;
    for (uint32_t i = 0; i < PSCI_CALLS; i++)
        n += (psci_calls32[i] ? 1u : 0) + (psci_calls64[i] ? 1u : 0);
    return n;
}

static int64_t tell_uid(struct vcpu *v, const uint32_t uid[4])
{
    for (uint32_t i = 1; i < 4; i++)
        v->regs.x[i] = uid[i];
    return uid[0];
}

static int64_t service_query(struct vcpu *v, const struct service *s, uint32_t function)
{
    switch (function & ~SMCCC_SERVICE_MASK) {
    case SMCCC_CALL_COUNT:
        return count_calls(s);
    case SMCCC_CALL_UID:
        return tell_uid(v, s->uid);
    case SMCCC_REVISION:
        v->regs.x[1] = s->minor;
        return s->major;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

static int64_t pv_time_call(struct vcpu *v, uint32_t function)
{
    switch (function) {
    case PV_TIME_FEATURES:
        return pv_time_features(v->domain, (uint32_t)v->regs.x[1]);
    case PV_TIME_ST:
        return pv_time_stolen(v);
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* --- all of them --- */

/* What is not PSCI: the calling convention's own calls, and a hypervisor's. */
static int64_t __noinline smccc_other(struct vcpu *v, uint32_t function)
{
    switch (function & SMCCC_SERVICE_MASK) {
    case SMCCC_ARCH:
        return function == SMCCC_VERSION ? VERSION_SMCCC_1_2 : arch_call(v, function);
    case SMCCC_STANDARD:
        return service_query(v, &standard_service, function);
    case SMCCC_HYPERVISOR:
        return service_query(v, &hypervisor_service, function);
    case SMCCC_HYPERVISOR | SMCCC_64:
        return pv_time_call(v, function);
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

enum exit_action smccc_call(struct vcpu *v)
{
    uint32_t function = (uint32_t)v->regs.x[0];
    psci_call *call = psci_find(function);

    v->regs.x[0] = (uint64_t)(likely(call) ? call(v) : smccc_other(v, function));
    return EXIT_HANDLED;
}
