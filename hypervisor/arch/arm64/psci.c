/* SPDX-License-Identifier: MIT */
/*
 * The calls that guests make of their firmware: PSCI 1.1 and the SMC Calling Convention 1.2, by HVC #0 or SMC #0 alike.
 * Only x0 carries a result; x1 and up are preserved. Arm DEN 0022D chapter 5, DEN 0028E chapters 2 and 7.
 */
#include <asm/exit.h>
#include <asm/psci.h>
#include <asm/sysreg.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>

#define VERSION_PSCI_1_1  0x10001
#define VERSION_SMCCC_1_2 0x10002
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

static int64_t cpu_on(struct domain *d, uint64_t mpidr, uint64_t entry, uint64_t context)
{
    struct vcpu *target = find_target(d, mpidr);
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

static int64_t cpu_off(struct vcpu *v)
{
    spin_lock(&v->domain->lock);
    vcpu_down(v);
    spin_unlock(&v->domain->lock);
    return PSCI_SUCCESS; /* never seen */
}

static int64_t affinity_info(struct domain *d, uint64_t mpidr, uint64_t level)
{
    struct vcpu *v;
    uint32_t i;

    if (level > 3 || (mpidr & ~MPIDR_AFFINITY))
        return PSCI_INVALID_PARAMETERS;
    if (level == 0) {
        v = find_target(d, mpidr);
        if (!v)
            return PSCI_INVALID_PARAMETERS;
        return read_once(v->online) ? PSCI_AFFINITY_ON : PSCI_AFFINITY_OFF;
    } else {
        uint64_t mask = level == 3 ? 0xff00000000ull : MPIDR_AFFINITY & ~0ull << 8 * level;
        bool found = false;

        domain_for_each_vcpu (d, v, i) {
            if ((v->arch.vmpidr_el2 & mask) != (mpidr & mask))
                continue;
            found = true;
            if (read_once(v->online))
                return PSCI_AFFINITY_ON;
        }
        return found ? PSCI_AFFINITY_OFF : PSCI_INVALID_PARAMETERS;
    }
}

static int64_t features(uint32_t function)
{
    switch (function) {
    case PSCI_VERSION:
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_SUSPEND | SMCCC_64:
    case PSCI_CPU_OFF:
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | SMCCC_64:
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | SMCCC_64:
    case PSCI_MIGRATE_INFO_TYPE:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_SYSTEM_RESET2:
    case PSCI_SYSTEM_RESET2 | SMCCC_64:
    case PSCI_FEATURES:
    case SMCCC_VERSION:
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* Only SYSTEM_WARM_RESET is asked of a guest's SYSTEM_RESET2; vendor's types are its own. */
static int64_t system_reset2(struct vcpu *v, uint32_t type)
{
    if (type != 0)
        return type & 0x80000000u ? PSCI_NOT_SUPPORTED : PSCI_INVALID_PARAMETERS;
    domain_stop(v->domain, DOMAIN_REBOOT);
    return PSCI_SUCCESS;
}

enum exit_action smccc_call(struct vcpu *v)
{
    uint64_t *x = v->regs.x;
    uint32_t function = (uint32_t)x[0];
    /* SMC32 calls have 32-bit arguments. */
    uint64_t mask = function & SMCCC_64 ? UINT64_MAX : UINT32_MAX;
    int64_t result = PSCI_NOT_SUPPORTED;

    switch (function) {
    case PSCI_VERSION:
        result = VERSION_PSCI_1_1;
        break;
    case SMCCC_VERSION:
        result = VERSION_SMCCC_1_2;
        break;
    case SMCCC_ARCH_FEATURES:
        result = (uint32_t)x[1] == SMCCC_VERSION || (uint32_t)x[1] == SMCCC_ARCH_FEATURES
                     ? PSCI_SUCCESS
                     : PSCI_NOT_SUPPORTED;
        break;
    case PSCI_FEATURES:
        result = features((uint32_t)x[1]);
        break;
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | SMCCC_64:
        result = cpu_on(v->domain, x[1] & mask, x[2] & mask, x[3] & mask);
        break;
    case PSCI_CPU_OFF:
        result = cpu_off(v);
        break;
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_SUSPEND | SMCCC_64:
        /* Every state is treated as standby: returns to the caller at the next interrupt. */
        vcpu_block(v);
        result = PSCI_SUCCESS;
        break;
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | SMCCC_64:
        result = affinity_info(v->domain, x[1] & mask, x[2] & mask);
        break;
    case PSCI_MIGRATE_INFO_TYPE:
        result = MIGRATE_NOT_NEEDED;
        break;
    case PSCI_SYSTEM_OFF:
        domain_stop(v->domain, DOMAIN_POWEROFF);
        break;
    case PSCI_SYSTEM_RESET:
        domain_stop(v->domain, DOMAIN_REBOOT);
        break;
    case PSCI_SYSTEM_RESET2:
    case PSCI_SYSTEM_RESET2 | SMCCC_64:
        result = system_reset2(v, (uint32_t)x[1]);
        break;
    default:
        break;
    }
    x[0] = (uint64_t)result;
    return EXIT_HANDLED;
}
