/* SPDX-License-Identifier: MIT */
// sources: core/mmio.c
/* Accesses to emulated devices: each goes to the right one, or to none. */
#include "unit.h"

#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/mmio.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define REGIONS 40u
#define STRIDE  0x3000u

static struct domain dom;
static struct vcpu vcpu;
static void *found;

static enum exit_action note(struct vcpu *v, struct mmio_access *a, void *device)
{
    assert_ptr_equal(a, &v->access);
    found = device;
    return EXIT_HANDLED;
}

/* What answers at this address; NULL for nothing. */
static void *who(uint64_t addr, uint8_t size)
{
    vcpu.access = (struct mmio_access){ .addr = GADDR(addr), .size = size };
    found = NULL;
    enum exit_action action = mmio_dispatch(&vcpu);
    assert_int_equal(action, found ? EXIT_HANDLED : EXIT_FAULT);
    if (found)
        assert_true(mmio_was_last(&vcpu, GADDR(addr)) &&
                    mmio_was_last(&vcpu, GADDR(addr + size - 1)));
    return found;
}

static int setup(void **state)
{
    (void)state;
    memset(&dom, 0, sizeof(dom));
    vcpu = (struct vcpu){ .domain = &dom };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mmio_destroy(&dom);
    return 0;
}

/* Else a guest's access to one device is done by another, or reaches past its end. */
static void edges(void **state)
{
    static char devices[2];

    (void)state;
    assert_null(who(0, 1));
    assert_false(mmio_was_last(&vcpu, GADDR(0)));
    assert_int_equal(mmio_add(&dom, GADDR(0x2000), 0x1000, note, &devices[0]), 0);
    assert_ptr_equal(who(0x2000, 4), &devices[0]);
    assert_false(mmio_was_last(&vcpu, GADDR(0x1fff)));
    assert_false(mmio_was_last(&vcpu, GADDR(0x3000)));
    assert_int_equal(mmio_add(&dom, GADDR(0x3000), 0x10, note, &devices[1]), 0);
    for (uint8_t size = 1; size <= 8; size *= 2) {
        assert_null(who(0x1fff, size));
        assert_ptr_equal(who(0x2000, size), &devices[0]);
        assert_int_equal(vcpu.access.offset, 0);
        assert_ptr_equal(who(0x3000U - size, size), &devices[0]);
        assert_int_equal(vcpu.access.offset, 0x1000 - size);
        assert_ptr_equal(who(0x3000, size), &devices[1]);
        assert_ptr_equal(who(0x3010U - size, size), &devices[1]);
        assert_null(who(0x3010U - size + 1, size));
        assert_null(who(0x3010, size));
        assert_null(who(UINT64_MAX, 1));
        assert_null(who(UINT64_MAX - 7, 8));
    }
    assert_null(who(0x2fff, 2)); /* across the edge: nobody's */
}

/* Else one device of a domain hides another. */
static void overlaps(void **state)
{
    (void)state;
    assert_int_equal(mmio_add(&dom, GADDR(0x2000), 0x1000, note, &dom), 0);
    assert_int_equal(mmio_add(&dom, GADDR(0x2ff8), 0x1000, note, &dom), -EEXIST);
    assert_int_equal(mmio_add(&dom, GADDR(0x1000), 0x1001, note, &dom), -EEXIST);
    assert_int_equal(mmio_add(&dom, GADDR(0x1000), 0x3000, note, &dom), -EEXIST);
    assert_int_equal(mmio_add(&dom, GADDR(0x5000), 0, note, &dom), -EINVAL);
    assert_int_equal(mmio_add(&dom, GADDR(0x5000), 7, note, &dom), -EINVAL);
    assert_int_equal(mmio_add(&dom, GADDR(UINT64_MAX - 7), 0x1000, note, &dom), -EINVAL);
    assert_int_equal(dom.mmio.nr, 1);
}

/* Else a domain with many devices loses some, in whatever order they were added and are used. */
static void many(void **state)
{
    static char devices[REGIONS];

    (void)state;
    for (uint32_t i = 0; i < REGIONS; i++) {
        uint32_t n = i * 7 % REGIONS;
        assert_int_equal(mmio_add(&dom, GADDR(n * STRIDE), 0x1000, note, &devices[n]), 0);
    }
    unit_random_seed(5);
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t addr = unit_random64() % (REGIONS * STRIDE);
        uint8_t size = (uint8_t)(1u << unit_random64() % 4);
        bool inside = addr % STRIDE <= 0x1000u - size;
        assert_ptr_equal(who(addr, size), inside ? &devices[addr / STRIDE] : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(edges, setup, teardown),
        cmocka_unit_test_setup_teardown(overlaps, setup, teardown),
        cmocka_unit_test_setup_teardown(many, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
