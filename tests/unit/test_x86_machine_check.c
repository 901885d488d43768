/* SPDX-License-Identifier: MIT */
// sources: arch/x86/machine_check.c
/* Banks of errors, as machines have them: emulators deliver #MC to a guest whatever is asked for.
 */
#include "unit.h"

#include <asm/cpu.h>
#include <asm/host.h>
#include <asm/machine_check.h>
#include <asm/msr.h>

#include <string.h>

#define VALID     (1ull << 63)
#define UNCURED   (1ull << 61)
#define ADDRESSED (1ull << 58)
#define CORRUPT   (1ull << 57)

struct cpu_info cpu_info;

static uint64_t mcg_cap, mcg_status, mcg_ctl;
static uint64_t banks[32][4];

static uint64_t *find(uint32_t msr)
{
    if (msr == MSR_MCG_CAP)
        return &mcg_cap;
    if (msr == MSR_MCG_STATUS)
        return &mcg_status;
    if (msr == MSR_MCG_STATUS + 1)
        return mcg_cap & 0x100 ? &mcg_ctl : NULL;
    if (msr - MSR_MC0_CTL < 4 * (mcg_cap & 0xff))
        return &banks[(msr - MSR_MC0_CTL) / 4][msr % 4];
    fail_msg("MSR %#x is not there", msr);
    return NULL;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    const uint64_t *at = find(msr);

    *value = at ? *at : 0;
    return at;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    uint64_t *at = find(msr);

    if (at)
        *at = value;
    return at;
}

static int setup(void **state)
{
    host_pcpus_init(1);
    host_log_clear();
    memset(banks, 0, sizeof(banks));
    memset(&cpu_info, 0xff, sizeof(cpu_info));
    mcg_cap = 0x106;
    mcg_status = mcg_ctl = 0;
    return 0;
}

/* What happened before the start is told, and reporting is on for every bank there is. */
static void test_init(void **state)
{
    banks[3][1] = VALID | 0x135;
    banks[3][2] = 0x1234; /* not said to be valid */
    machine_check_init();
    assert_non_null(
        strstr(host_log, "bank 3: status 0x8000000000000135, address 0, misc 0 (corrected)"));
    assert_int_equal(banks[3][1], 0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(banks[i][0], UINT64_MAX);
    assert_int_equal(mcg_ctl, UINT64_MAX);
}

/* Without the registers none is touched. */
static void test_none(void **state)
{
    memset(&cpu_info, 0, sizeof(cpu_info));
    machine_check_init();
    assert_int_equal(mcg_ctl, 0);
    assert_int_equal(banks[0][0], 0);
}

/* A guest's memory is lost, and no more: the processor goes on, and is ready for the next. */
static void test_goes_on(void **state)
{
    mcg_status = 5;
    banks[0][1] = VALID | UNCURED | ADDRESSED | 0x135;
    banks[0][2] = 0xdeadb000;
    assert_true(machine_check_pending());
    assert_true(machine_check_take(false));
    assert_non_null(strstr(host_log, "address 0xdeadb000, misc 0 (not corrected)"));
    assert_false(machine_check_pending());
    assert_int_equal(banks[0][1], 0);
}

/* The processor itself is broken, does not say where it was, or has no word of what it is. */
static void test_is_lost(void **state)
{
    mcg_status = 5;
    banks[5][1] = VALID | UNCURED | CORRUPT;
    assert_false(machine_check_take(false));
    assert_non_null(strstr(host_log, "bank 5"));
    mcg_status = 4;
    assert_false(machine_check_take(false));
    mcg_cap = 0;
    mcg_status = 5;
    assert_false(machine_check_take(false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_init, setup),
        cmocka_unit_test_setup(test_none, setup),
        cmocka_unit_test_setup(test_goes_on, setup),
        cmocka_unit_test_setup(test_is_lost, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
