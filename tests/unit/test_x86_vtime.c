/* SPDX-License-Identifier: MIT */
/*
 * Time as x86's guests have it. If these fail a guest's clock stands, jumps, or its timer comes
 * decades early.
 */
// sources: core/spinlock.c arch/x86/clock_scale.c
#include "unit.h"

#include "../../hypervisor/arch/x86/include/asm/domain.h"
#include "../../hypervisor/arch/x86/include/asm/vcpu.h"

#include "../../hypervisor/arch/x86/vtime.c"

#include <asm/host.h>
#include <hospes/types.h>

struct clock_scale clock_scale;

static struct domain dom;
static struct vcpu vcpus[2];
static struct vcpu_info infos[2];
static uint64_t page[512] __attribute__((aligned(4096)));
static uint32_t mapped, unmapped;

uint64_t clock_from_tsc(uint64_t tsc)
{
    return tsc > clock_scale.tsc_base ? clock_scale_ns(&clock_scale, tsc - clock_scale.tsc_base)
                                      : 0;
}

int guest_area_map_virtual(struct vcpu *caller, uint64_t va, struct guest_area *out)
{
    if (va >> 12 != 5)
        return -EINVAL;
    mapped++;
    *out = (struct guest_area){ (uint8_t *)page + (va & FRAME_MASK), MFN(1) };
    return 0;
}

void guest_area_unmap(struct guest_area *a)
{
    unmapped += a->p != NULL;
    a->p = NULL;
}

static int setup(void **state)
{
    host_pcpus_init(1);
    memset(&dom, 0, sizeof(dom));
    memset(vcpus, 0, sizeof(vcpus));
    memset(infos, 0, sizeof(infos));
    memset(page, 0, sizeof(page));
    mapped = unmapped = 0;
    dom.lock = SPINLOCK_INIT(LOCK_DOMAIN);
    for (uint32_t i = 0; i < 2; i++) {
        vcpus[i].domain = &dom;
        vcpus[i].info = &infos[i];
    }
    clock_scale = clock_scale_of(2500000000);
    clock_scale.tsc_base = rdtsc();
    vtime_domain_init(&dom);
    return 0;
}

/* What the guest computes by <xen/xen.h>'s rule is what the hypervisor's clock says. */
static uint64_t told_ns(const struct vcpu_time_info *t, uint64_t guest_tsc)
{
    uint64_t ticks = guest_tsc - t->tsc_timestamp;

    ticks = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    return t->system_time + (uint64_t)((unsigned __int128)ticks * t->tsc_to_system_mul >> 32);
}

static void test_told(void **state)
{
    const struct vcpu_time_info *t = &infos[0].time;

    infos[0].time.version = 7; /* a guest's own scribble */
    vtime_tell(&vcpus[0]);
    assert_int_equal(t->version % 2, 0);
    assert_true(t->flags & XEN_PVCLOCK_TSC_STABLE_BIT);
    for (uint64_t ahead = 0; ahead < 1ull << 40; ahead = 3 * ahead + 1000) {
        uint64_t tsc = vtime_tsc(&dom) + ahead;

        assert_int_equal(told_ns(t, tsc), vtime_ns_of_tsc(&dom, tsc));
    }
    vtime_tell(&vcpus[0]);
    assert_int_equal(t->version % 2, 0);
}

/* A new domain's TSC begins at 0, however long the machine has run. */
static void test_begin(void **state)
{
    assert_true(vtime_tsc(&dom) < 1ull << 40);
}

/* Deadlines of any value: one that is past is past, one that is far away does not come now. */
static void test_any_deadline(void **state)
{
    static const int64_t offsets[] = { 0, -1, -(1ll << 40), 1ll << 40, INT64_MAX, INT64_MIN };

    for (uint32_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        uint64_t now, now_ns;

        dom.arch.tsc_offset = offsets[i];
        now = vtime_tsc(&dom);
        now_ns = clock_from_tsc(now - (uint64_t)offsets[i]);
        for (unsigned int bit = 0; bit < 64; bit++) {
            uint64_t ahead = 1ull << bit, ns;

            if (now + ahead < now)
                continue;
            ns = vtime_ns_of_tsc(&dom, now + ahead);
            /* 2.5 ticks a ns. */
            assert_true(ns >= now_ns + ahead / 3);
            assert_true(bit == 60 || (ns == TIMER_NEVER) == (bit > 60));
        }
        assert_true(vtime_ns_of_tsc(&dom, now) <= clock_from_tsc(rdtsc()));
    }
    dom.arch.tsc_offset = 0;
    assert_int_equal(vtime_ns_of_tsc(&dom, 1), 0);
    assert_int_equal(vtime_ns_of_tsc(&dom, UINT64_MAX), TIMER_NEVER);
}

/* A copy for programs: within a page, in one place at a time. */
static void test_place(void **state)
{
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], 0x5004), -EINVAL);
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], 0x5fe8), -EINVAL);
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], UINT64_MAX - 7), -EINVAL);
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], 0x7000), -EINVAL);
    assert_int_equal(mapped, 0);
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], 0x5fe0), 0);
    assert_int_equal(((struct vcpu_time_info *)&page[508])->tsc_to_system_mul, clock_scale.mul);
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], 0x5000), 0);
    assert_int_equal(unmapped, 1);
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], 0), 0);
    assert_int_equal(unmapped, 2);
    assert_int_equal(vtime_place(&vcpus[1], &vcpus[0], 0x5000), 0);
    vtime_vcpu_destroy(&vcpus[1]);
    assert_int_equal(unmapped, mapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_told, setup),
        cmocka_unit_test_setup(test_begin, setup),
        cmocka_unit_test_setup(test_any_deadline, setup),
        cmocka_unit_test_setup(test_place, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
