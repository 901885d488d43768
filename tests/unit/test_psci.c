/* SPDX-License-Identifier: MIT */
// sources: core/spinlock.c
/* The calls that guests make of their firmware: what they get is what Arm DEN 0022D and DEN 0028E
 * say, whatever they ask. */
#include "unit.h"

#include "fake_sysreg.h"

#include <asm/host.h>

#include "../../hypervisor/arch/arm64/psci.c"

#define VCPUS 18 /* more than one cluster of 16 */

static struct vcpu vcpu[VCPUS];
static struct vcpu *list[VCPUS];
static struct domain dom;

/* --- who is asked --------------------------------------------------------------------------------
 */

static uint32_t blocked, stopped, reset;
static enum domain_stop stop_reason;
static struct vcpu *down, *up;

void vcpu_block(struct vcpu *v)
{
    blocked++;
}

void vcpu_down(struct vcpu *v)
{
    assert_int_equal(this_pcpu()->nr_locks_held, 1);
    v->online = false;
    down = v;
}

void vcpu_up(struct vcpu *v)
{
    assert_int_equal(this_pcpu()->nr_locks_held, 1);
    v->online = true;
    up = v;
}

void arch_vcpu_reset(struct vcpu *v)
{
    assert_false(v->online);
    assert_false(v->sched.held);
    v->regs = (struct cpu_regs){ .pstate = PSTATE_EL1H };
    reset++;
}

int64_t pv_time_features(const struct domain *d, uint32_t function)
{
    return function == PV_TIME_FEATURES || function == PV_TIME_ST ? 0 : -1;
}

int64_t pv_time_stolen(struct vcpu *v)
{
    return 0x3a000000 + 64 * (int64_t)v->id;
}

void domain_stop(struct domain *d, enum domain_stop reason)
{
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    stopped++;
    stop_reason = reason;
}

static int64_t workaround; /* what firmware says of each */
static uint32_t worked_around;

int64_t firmware_has_workaround(uint32_t function)
{
    return workaround;
}

void firmware_workaround(uint32_t function)
{
    worked_around = function;
}

/* 1 GiB of RAM from 1 GiB on, the second half of it not touched yet; then a read-only page, then a
 * device. */
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned int *order)
{
    *type = P2M_NONE;
    if (gfn.v >= 0x40000 && gfn.v < 0x60000)
        *type = P2M_RAM;
    else if (gfn.v >= 0x60000 && gfn.v < 0x80000)
        *type = P2M_RESERVED;
    else if (gfn.v == 0x80000)
        *type = P2M_RAM_RO;
    else if (gfn.v == 0x80001)
        *type = P2M_DEVICE;
    return *type == P2M_NONE ? MFN_NONE : MFN(gfn.v);
}

/* --- set-up --------------------------------------------------------------------------------------
 */

static int start(void **state)
{
    host_pcpus_init(1);
    dom = (struct domain){ .max_vcpus = VCPUS, .vcpus = list, .lock = SPINLOCK_INIT(LOCK_DOMAIN) };
    for (uint32_t i = 0; i < VCPUS; i++) {
        vcpu[i] = (struct vcpu){ .domain = &dom, .id = i };
        vcpu[i].arch.vmpidr_el2 = BIT(31) | (uint64_t)(i / 16) << 8 | i % 16;
        list[i] = &vcpu[i];
    }
    vcpu[0].online = vcpu[0].sched.held = true;
    blocked = stopped = reset = worked_around = 0;
    workaround = PSCI_NOT_SUPPORTED;
    down = up = NULL;
    return 0;
}

static int64_t call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    struct cpu_regs *r = &vcpu[0].regs;

    for (uint64_t i = 0; i < 31; i++)
        r->x[i] = 0x1111111100000000 + i;
    r->x[0] = function;
    r->x[1] = a;
    r->x[2] = b;
    r->x[3] = c;
    r->pc = 0x40001004;
    r->pstate = PSTATE_EL1H;
    assert_int_equal(smccc_call(&vcpu[0]), EXIT_HANDLED);
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    /* Only x0 is the answer's: the rest belongs to the guest. */
    assert_int_equal(r->x[1], a);
    assert_int_equal(r->x[2], b);
    assert_int_equal(r->x[3], c);
    for (uint64_t i = 4; i < 31; i++)
        assert_int_equal(r->x[i], 0x1111111100000000 + i);
    assert_int_equal(r->pc, 0x40001004);
    return (int64_t)r->x[0];
}

/* --- tests ---------------------------------------------------------------------------------------
 */

/* A kernel asks what there is before it uses it. */
static void versions(void **state)
{
    assert_int_equal(call(PSCI_VERSION, 0, 0, 0), 0x10001);
    assert_int_equal(call(SMCCC_VERSION, 0, 0, 0), 0x10002);
    /* The function is the lower half of x0 only. */
    assert_int_equal(call(PSCI_VERSION | 0xabcdull << 32, 0, 0, 0), 0x10001);
    assert_int_equal(call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0), 0);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES, 0, 0), 0);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, 0x80008000, 0, 0), -1);
}

/* A kernel learns from the hypervisor whether its CPUs need help against speculation, and gets it:
 * it would call itself vulnerable, and be. */
static void workarounds_for_guests(void **state)
{
    static const int64_t says[] = { PSCI_NOT_SUPPORTED, PSCI_SUCCESS, SMCCC_CPU_NOT_AFFECTED,
                                    SMCCC_NOT_REQUIRED };
    static const uint32_t called[] = { SMCCC_ARCH_WORKAROUND_1, SMCCC_ARCH_WORKAROUND_3 };

    for (size_t i = 0; i < array_size(says); i++) {
        workaround = says[i];
        for (size_t n = 0; n < array_size(called); n++) {
            worked_around = 0;
            assert_int_equal(call(SMCCC_ARCH_FEATURES, called[n], 0, 0), says[i]);
            assert_int_equal(worked_around, 0);
            assert_int_equal(call(called[n], 0, 0, 0), says[i] < 0 ? -1 : 0);
            assert_int_equal(worked_around, says[i] < 0 ? 0 : called[n]);
        }
        /* Always on: there is nothing to switch. */
        worked_around = 0;
        assert_int_equal(call(SMCCC_ARCH_FEATURES, SMCCC_ARCH_WORKAROUND_2, 0, 0),
                         says[i] == -1 ? -1 : SMCCC_NOT_REQUIRED);
        assert_int_equal(call(SMCCC_ARCH_WORKAROUND_2, 0, 0, 0), -1);
        assert_int_equal(worked_around, 0);
    }
}

/* What PSCI_FEATURES says is there is there, and nothing else. */
static void features(void **state)
{
    static const uint32_t there[] = {
        PSCI_VERSION,
        PSCI_CPU_SUSPEND,
        PSCI_CPU_OFF,
        PSCI_CPU_ON,
        PSCI_AFFINITY_INFO,
        PSCI_MIGRATE_INFO_TYPE,
        PSCI_SYSTEM_OFF,
        PSCI_SYSTEM_RESET,
        PSCI_FEATURES,
        PSCI_SYSTEM_RESET2,
        SMCCC_VERSION,
        PSCI_CPU_SUSPEND | SMCCC_64,
        PSCI_CPU_ON | SMCCC_64,
        PSCI_AFFINITY_INFO | SMCCC_64,
        PSCI_SYSTEM_RESET2 | SMCCC_64,
    };

    for (uint64_t f = 0x83ffff00; f < 0x84000100; f++) {
        for (uint64_t wide = 0; wide <= SMCCC_64; wide += SMCCC_64) {
            uint32_t function = (uint32_t)(f | wide);
            bool is = false;

            for (size_t i = 0; i < array_size(there); i++)
                is |= there[i] == function;
            assert_int_equal(call(PSCI_FEATURES, function, 0, 0), is ? 0 : -1);
            if (!is)
                assert_int_equal(call(function, 0, 0, 0), -1);
        }
    }
    assert_int_equal(call(PSCI_FEATURES, SMCCC_VERSION, 0, 0), 0);
    assert_int_equal(stopped + blocked, 0);
}

/* A CPU comes on where the kernel wants it, with what it is to know, and no other. */
static void cpu_comes_on(void **state)
{
    uint64_t on = PSCI_CPU_ON | SMCCC_64;

    assert_int_equal(call(on, 3, 0x40080000, 0x123456789abcdef0), 0);
    assert_ptr_equal(up, &vcpu[3]);
    assert_int_equal(vcpu[3].regs.pc, 0x40080000);
    assert_int_equal(vcpu[3].regs.x[0], 0x123456789abcdef0);
    assert_int_equal(vcpu[3].regs.x[1], 0);
    assert_int_equal(call(on, 3, 0x40080000, 0), PSCI_ALREADY_ON);
    assert_int_equal(call(on, 0, 0x40080000, 0), PSCI_ALREADY_ON);
    assert_int_equal(reset, 1);
    assert_int_equal(call(on, 0x101, 0x7ffffffc, 0), 0);
    assert_ptr_equal(up, &vcpu[17]);
    /* By the 32-bit convention arguments have 32 bits. */
    assert_int_equal(call(PSCI_CPU_ON, 0xff00000004, 0x40080000, 0xffffffff12345678), 0);
    assert_ptr_equal(up, &vcpu[4]);
    assert_int_equal(vcpu[4].regs.x[0], 0x12345678);

    static const uint64_t nobody[] = { 0x10,        0x102,       0x200,       BIT(16),   BIT(24),
                                       BIT(31) | 5, BIT(32) | 5, BIT(40) | 5, UINT64_MAX };
    for (size_t i = 0; i < array_size(nobody); i++)
        assert_int_equal(call(on, nobody[i], 0x40080000, 0), PSCI_INVALID_PARAMETERS);
    static const uint64_t nowhere[] = { 0,          0x3ffffffc,         0x80001000,
                                        0x80002000, UINT64_MAX & ~3ull, BIT(52) + 0x40080000,
                                        0x40080001, 0x40080002 };
    for (size_t i = 0; i < array_size(nowhere); i++)
        assert_int_equal(call(on, 5, nowhere[i], 0), PSCI_INVALID_ADDRESS);
    assert_false(vcpu[5].online);
    assert_int_equal(call(on, 5, 0x80000ffc, 0), 0);
    assert_int_equal(reset, 4);
}

/*
 * CPU hotplug: a CPU goes off, another waits until it is off, and switches it on again. While it
 * leaves it is neither: if it counted as off too early, its registers would be set while it still
 * runs, or its kernel be told an error.
 */
static void off_and_on(void **state)
{
    assert_int_equal(call(PSCI_CPU_OFF, 0, 0, 0), 0);
    assert_ptr_equal(down, &vcpu[0]);
    assert_int_equal(call(PSCI_AFFINITY_INFO, 0, 0, 0), PSCI_AFFINITY_ON);
    assert_int_equal(call(PSCI_CPU_ON | SMCCC_64, 0, 0x40080000, 0), PSCI_ON_PENDING);
    assert_int_equal(reset, 0);
    vcpu[0].sched.held = false;
    assert_int_equal(call(PSCI_AFFINITY_INFO, 0, 0, 0), PSCI_AFFINITY_OFF);
}

static void affinity(void **state)
{
    uint64_t info = PSCI_AFFINITY_INFO | SMCCC_64;

    assert_int_equal(call(info, 0, 0, 0), PSCI_AFFINITY_ON);
    assert_int_equal(call(info, 1, 0, 0), PSCI_AFFINITY_OFF);
    assert_int_equal(call(info, 0x100, 0, 0), PSCI_AFFINITY_OFF);
    assert_int_equal(call(info, 0x102, 0, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(info, 0x10, 0, 0), PSCI_INVALID_PARAMETERS);
    /* Of clusters: on if one of them is. */
    assert_int_equal(call(info, 5, 1, 0), PSCI_AFFINITY_ON);
    assert_int_equal(call(info, 0x100, 1, 0), PSCI_AFFINITY_OFF);
    assert_int_equal(call(info, 0x200, 1, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(info, 0x200, 2, 0), PSCI_AFFINITY_ON);
    assert_int_equal(call(info, 0x10000, 2, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(info, 0x10000, 3, 0), PSCI_AFFINITY_ON);
    assert_int_equal(call(info, BIT(32), 3, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(info, 0, 4, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(info, 0, UINT64_MAX, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(info, BIT(24), 3, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(PSCI_AFFINITY_INFO, 0, BIT(40), 0), PSCI_AFFINITY_ON);
}

/* Off and reset end the domain, sleep lets it sleep. */
static void system_calls(void **state)
{
    assert_int_equal(call(PSCI_CPU_SUSPEND, 0x10000, 0x40080000, 7), 0);
    assert_int_equal(call(PSCI_CPU_SUSPEND | SMCCC_64, 0, 0, 0), 0);
    assert_int_equal(blocked, 2);
    (void)call(PSCI_SYSTEM_OFF, 0, 0, 0);
    assert_int_equal(stop_reason, DOMAIN_POWEROFF);
    (void)call(PSCI_SYSTEM_RESET, 0, 0, 0);
    assert_int_equal(stop_reason, DOMAIN_REBOOT);
    assert_int_equal(stopped, 2);
    assert_int_equal(call(PSCI_SYSTEM_RESET2, 1, 0, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(PSCI_SYSTEM_RESET2 | SMCCC_64, 0x80000000, 0, 0), PSCI_NOT_SUPPORTED);
    assert_int_equal(stopped, 2);
    (void)call(PSCI_SYSTEM_RESET2 | SMCCC_64, 0, 5, 0);
    assert_int_equal(stopped, 3);
    assert_int_equal(call(0x84000008 | SMCCC_64, 0, 0, 0),
                     PSCI_NOT_SUPPORTED); /* no such in 64 bits */
    assert_int_equal(stopped, 3);
}

/* Whatever is asked: an answer, no lock left, nothing touched but what the call is for. */
static void anything(void **state)
{
    static const uint64_t likely_args[] = { 0,          1,          0x100,   0x40080000,
                                            0x60000000, UINT64_MAX, BIT(63), 0x84000003 };

    for (uint32_t i = 0; i < 300000; i++) {
        uint64_t f = unit_random64(), arg[3];

        if (unit_random(4))
            f = 0x84000000 + unit_random(0x20) + (unit_random(2) ? SMCCC_64 : 0);
        for (uint32_t n = 0; n < 3; n++)
            arg[n] = unit_random(2) ? likely_args[unit_random(array_size(likely_args))]
                                    : unit_random64();
        start(state);
        for (uint32_t n = 1; n < VCPUS; n++) {
            vcpu[n].online = unit_random(2);
            vcpu[n].sched.held = unit_random(2);
            if (unit_random(10) == 0)
                list[n] = NULL;
        }
        (void)call(f, arg[0], arg[1], arg[2]);
        for (uint32_t n = 1; n < VCPUS; n++)
            assert_true(up == &vcpu[n] || vcpu[n].regs.pc == 0);
    }
}

#define TEST(fn) cmocka_unit_test_setup(fn, start)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(versions),     TEST(workarounds_for_guests),
        TEST(features),     TEST(cpu_comes_on),
        TEST(off_and_on),   TEST(affinity),
        TEST(system_calls), TEST(anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
