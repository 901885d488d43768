/* SPDX-License-Identifier: MIT */
/* What is said of the registers in the area that XSAVE wrote. */
#include "unit.h"

#include "x86_vcpu.h"

#include <hospes/errno.h>

#include "../../hypervisor/arch/x86/fpu.c"

#define IN_USE (XCR0_X87 | XCR0_SSE | XCR0_AVX)

static uint64_t area[128];

static uint64_t marked(void)
{
    area[AT_XSTATE_BV / 8] = IN_USE;
    mark_initial_x87((uint8_t *)area);
    return area[AT_XSTATE_BV / 8];
}

static void make_initial(void)
{
    struct vcpu v = { .arch.xstate = area };

    state_bytes = sizeof(area);
    fpu_vcpu_reset(&v);
}

/* An emulator says that all is in use, always: then x87 would be loaded at each switch. */
static void x87_initial(void **state)
{
    make_initial();
    assert_int_equal(marked(), IN_USE & ~XCR0_X87);
    /* What the other bits are for is not looked at. */
    area[AT_MXCSR / 8] = UINT64_MAX;
    area[AT_XMM / 8] = UINT64_MAX;
    assert_int_equal(marked(), IN_USE & ~XCR0_X87);
}

/* Else a guest loses what it calculates. */
static void x87_in_use(void **state)
{
    for (uint32_t bit = 0; bit < AT_XMM * 8; bit++) {
        if (bit / 64 == AT_MXCSR / 8)
            continue;
        make_initial();
        area[bit / 64] ^= BIT(bit % 64);
        assert_int_equal(marked(), IN_USE);
    }
}

/* What the processor tracks stays as it says. */
static void x87_tracked(void **state)
{
    make_initial();
    area[AT_ST / 8] = 1;
    area[AT_XSTATE_BV / 8] = XCR0_SSE;
    mark_initial_x87((uint8_t *)area);
    assert_int_equal(area[AT_XSTATE_BV / 8], XCR0_SSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x87_initial),
        cmocka_unit_test(x87_in_use),
        cmocka_unit_test(x87_tracked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
