/* SPDX-License-Identifier: MIT */
/* Banks of machine check registers: <asm/machine_check.h>. AMD APM volume 2, 9.3; Intel SDM volume
 * 3, 17.3. Where they are is what processors have in common, with or without AMD's scalable ones.
 */
#include <asm/cpu.h>
#include <asm/machine_check.h>
#include <asm/msr.h>
#include <hospes/cpu.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/types.h>
#include <lib/format.h>

#define MCG_CAP_BANKS   0xffull
#define MCG_CAP_CONTROL (1ull << 8) /* MCG_CTL is there */
#define MCG_STATUS_RIPV (1ull << 0) /* the instruction that was interrupted can be gone back to */
#define MCG_STATUS_MCIP (1ull << 2) /* in progress */
#define MSR_MCG_CTL     0x17bu
#define BANKS           32u

/* Of bank n, at MSR_MC0_CTL + 4 * n */
#define CTL    0u
#define STATUS 1u
#define ADDR   2u
#define MISC   3u

#define STATUS_VALID      (1ull << 63)
#define STATUS_CORRECTED  (1ull << 61) /* if clear */
#define STATUS_MISC_VALID (1ull << 59)
#define STATUS_ADDR_VALID (1ull << 58)
#define STATUS_CORRUPT    (1ull << 57) /* the processor's context */

static uint64_t read_bank(uint32_t bank, uint32_t reg)
{
    uint64_t value;

    (void)rdmsr_safe(MSR_MC0_CTL + 4 * bank + reg, &value);
    return value;
}

static uint32_t count_banks(void)
{
    uint64_t cap;

    if (!cpu_has(CPU_MCE) || !cpu_has(CPU_MCA) || !rdmsr_safe(MSR_MCG_CAP, &cap))
        return 0;
    return (cap & MCG_CAP_BANKS) < BANKS ? (uint32_t)(cap & MCG_CAP_BANKS) : BANKS;
}

/* Tells of a bank's error, if it has one, and empties it. False: the processor's state is lost. */
static bool take_bank(uint32_t bank, bool panicking)
{
    char text[160];
    uint64_t status = read_bank(bank, STATUS);

    if (!(status & STATUS_VALID))
        return true;
    format(text, sizeof(text),
           "machine check: CPU %u, bank %u: status %#llx, address %#llx, misc %#llx (%s)",
           this_pcpu()->id, bank, (unsigned long long)status,
           (unsigned long long)(status & STATUS_ADDR_VALID ? read_bank(bank, ADDR) : 0),
           (unsigned long long)(status & STATUS_MISC_VALID ? read_bank(bank, MISC) : 0),
           status & STATUS_CORRUPT     ? "the processor's state is lost"
           : status & STATUS_CORRECTED ? "not corrected"
                                       : "corrected");
    if (panicking)
        panic_print("%s", text);
    else
        log_err("%s", text);
    (void)wrmsr_safe(MSR_MC0_CTL + 4 * bank + STATUS, 0);
    return !(status & STATUS_CORRUPT);
}

void machine_check_init(void)
{
    uint32_t nr = count_banks();
    uint64_t cap = 0;

    for (uint32_t i = 0; i < nr; i++)
        (void)take_bank(i, false);
    (void)rdmsr_safe(MSR_MCG_CAP, &cap);
    if (nr && cap & MCG_CAP_CONTROL)
        (void)wrmsr_safe(MSR_MCG_CTL, UINT64_MAX);
    for (uint32_t i = 0; i < nr; i++)
        (void)wrmsr_safe(MSR_MC0_CTL + 4 * i + CTL, UINT64_MAX);
}

bool machine_check_pending(void)
{
    uint64_t status;

    return rdmsr_safe(MSR_MCG_STATUS, &status) && status & MCG_STATUS_MCIP;
}

bool machine_check_take(bool panicking)
{
    uint32_t nr = count_banks();
    uint64_t status = 0;
    bool good = true;

    (void)rdmsr_safe(MSR_MCG_STATUS, &status);
    for (uint32_t i = 0; i < nr; i++)
        good &= take_bank(i, panicking);
    /* A second one would be a shutdown else. */
    (void)wrmsr_safe(MSR_MCG_STATUS, 0);
    return good && nr && status & MCG_STATUS_RIPV;
}
