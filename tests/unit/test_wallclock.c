/* SPDX-License-Identifier: MIT */
// sources: core/wallclock.c core/platform_op.c core/spinlock.c
/* The time of day that guests are told. */
#include "unit.h"

#include <hospes/abi.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/vcpu.h>
#include <hospes/wallclock.h>
#include <xen/platform.h>
#include <xen/xen.h>

#define SECOND UINT64_C(1000000000)

static struct shared_info shared[2];
static struct domain doms[2];
static struct vcpu caller = { .domain = &doms[0] };

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

void domain_for_all(void (*fn)(struct domain *d, void *arg), void *arg)
{
    fn(&doms[0], arg);
    fn(&doms[1], arg);
}

static int start(void **state)
{
    for (unsigned int i = 0; i < 2; i++) {
        memset(&shared[i], 0, sizeof(shared[i]));
        doms[i] = (struct domain){ .lock = SPINLOCK_INIT(LOCK_DOMAIN), .shared_info = &shared[i] };
    }
    doms[0].control = true;
    return 0;
}

static int64_t set(uint64_t secs, uint32_t nsecs, uint64_t system_time)
{
    struct xen_platform_op op = { .cmd = XENPF_settime64,
                                  .interface_version = XENPF_INTERFACE_VERSION,
                                  .u.settime64 = { secs, nsecs, 0, system_time } };
    uint64_t arg[6] = { (uint64_t)(uintptr_t)&op };

    return platform_op(&caller, arg);
}

/* What a guest takes the time of day for that reads `clock` from the clock that it has. */
static uint64_t now_in(unsigned int i, uint64_t clock)
{
    const struct shared_info *s = &shared[i];

    assert_int_equal(s->wc_version % 2, 0);
    return (((uint64_t)s->wc_sec_hi << 32) + s->wc_sec) * SECOND + s->wc_nsec + clock;
}

/* Every guest knows it, whenever its own clock began: else files in a guest that was made later are
 * dated too early. */
static void same_for_all(void **state)
{
    const uint64_t noon = UINT64_C(0x123456789);

    doms[1].began_ns = 900 * SECOND + 7;
    assert_int_equal(set(noon, 5, 1000 * SECOND), 0);
    assert_int_equal(now_in(0, 1000 * SECOND), noon * SECOND + 5);
    assert_int_equal(now_in(1, 100 * SECOND - 7), noon * SECOND + 5);
    wallclock_tell(&doms[1]);
    assert_int_equal(now_in(1, 100 * SECOND - 7), noon * SECOND + 5);
}

/* A guest may live in another time. */
static void ahead(void **state)
{
    doms[1].time_offset = -3600;
    assert_int_equal(set(100000, 0, 0), 0);
    assert_int_equal(now_in(0, 0), 100000 * SECOND);
    assert_int_equal(now_in(1, 0), 96400 * SECOND);
}

/* Only a control domain sets it. */
static void refused(void **state)
{
    assert_int_equal(set(100000, 0, 0), 0);
    doms[0].control = false;
    assert_int_equal(set(5, 0, 0), -EPERM);
    assert_int_equal(now_in(1, 0), 100000 * SECOND);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(same_for_all, start),
        cmocka_unit_test_setup(ahead, start),
        cmocka_unit_test_setup(refused, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
