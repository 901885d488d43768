/* SPDX-License-Identifier: MIT */
/*
 * Firmware calls by HVC and SMC: PSCI 1.1 (Arm DEN0022), SMCCC 1.2 (DEN0028): exact answers,
 * registers that a call leaves alone, every immediate, wild arguments.
 */
#include "guest.h"

const char guest_name[] = "calls";

#define NOT_SUPPORTED   (-1)
#define INVALID         (-2)
#define DENIED          (-3)
#define ALREADY_ON      (-4)
#define ON_PENDING      (-5)
#define INVALID_ADDRESS (-9)
#define HVC             0xd4000002u
#define SMC             0xd4000003u
#define XEN_TAG         0xea1u
#define XEN_ENOSYS      (-38)
/* The compiler is told not to use FP registers, which the assembler then refuses. */
#define FP    ".arch_extension fp\n\t"
#define SMC64 0x40000000u
#define FAST  0x80000000u

static bool domu;

/*
 * Runs the instruction at call_site with x0..x30 from x[], which gets them back. Then the CPU that
 * CPU_ON starts at `witness`: it writes what it finds to its context and turns itself off.
 */
__asm__(".text\n"
        "call_all:\n"
        "    stp x29, x30, [sp, #-112]!\n"
        "    stp x19, x20, [sp, #16]\n    stp x21, x22, [sp, #32]\n    stp x23, x24, [sp, #48]\n"
        "    stp x25, x26, [sp, #64]\n    stp x27, x28, [sp, #80]\n    str x0, [sp, #96]\n"
        "    mov x30, x0\n"
        "    ldp x0, x1, [x30]\n          ldp x2, x3, [x30, #16]\n     ldp x4, x5, [x30, #32]\n"
        "    ldp x6, x7, [x30, #48]\n     ldp x8, x9, [x30, #64]\n     ldp x10, x11, [x30, #80]\n"
        "    ldp x12, x13, [x30, #96]\n   ldp x14, x15, [x30, #112]\n  ldp x16, x17, [x30, #128]\n"
        "    ldp x18, x19, [x30, #144]\n  ldp x20, x21, [x30, #160]\n  ldp x22, x23, [x30, #176]\n"
        "    ldp x24, x25, [x30, #192]\n  ldp x26, x27, [x30, #208]\n  ldp x28, x29, [x30, #224]\n"
        "    ldr x30, [x30, #240]\n"
        "call_site:\n"
        "    hvc #0\n"
        "    str x30, [sp, #104]\n        ldr x30, [sp, #96]\n"
        "    stp x0, x1, [x30]\n          stp x2, x3, [x30, #16]\n     stp x4, x5, [x30, #32]\n"
        "    stp x6, x7, [x30, #48]\n     stp x8, x9, [x30, #64]\n     stp x10, x11, [x30, #80]\n"
        "    stp x12, x13, [x30, #96]\n   stp x14, x15, [x30, #112]\n  stp x16, x17, [x30, #128]\n"
        "    stp x18, x19, [x30, #144]\n  stp x20, x21, [x30, #160]\n  stp x22, x23, [x30, #176]\n"
        "    stp x24, x25, [x30, #192]\n  stp x26, x27, [x30, #208]\n  stp x28, x29, [x30, #224]\n"
        "    ldr x0, [sp, #104]\n         str x0, [x30, #240]\n"
        "    ldp x19, x20, [sp, #16]\n    ldp x21, x22, [sp, #32]\n    ldp x23, x24, [sp, #48]\n"
        "    ldp x25, x26, [sp, #64]\n    ldp x27, x28, [sp, #80]\n    ldp x29, x30, [sp], #112\n"
        "    ret\n"
        "witness:\n"
        "    mrs x1, CurrentEL\n          mrs x2, DAIF\n               mrs x3, SPSel\n"
        "    mrs x4, sctlr_el1\n          mrs x5, mpidr_el1\n"
        "    stp x1, x2, [x0]\n           stp x3, x4, [x0, #16]\n      stp x5, x0, [x0, #32]\n"
        "    dsb sy\n"
        "    movz x0, #2\n                movk x0, #0x8400, lsl #16\n"
        "    ldr x1, conduit_smc\n        cbnz x1, 1f\n"
        "    hvc #0\n"
        "1:  smc #0\n"
        "    b 1b\n"
        "    .balign 8\n"
        "conduit_smc: .quad 0\n");
extern uint32_t call_site[];
extern const char call_all[], witness[];
extern uint64_t conduit_smc[];

static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t wild(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* What the instruction gives: ESR if it is undefined. x[] in and out. */
static uint64_t call(uint32_t insn, uint64_t x[31])
{
    if (*call_site != insn) {
        *(volatile uint32_t *)call_site = insn;
        sync_code(call_site, 4);
    }
    return probe_run(call_all, (uint64_t[18]){ (uint64_t)x }, 0);
}

static int64_t psci(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3)
{
    uint64_t v = smccc(fn, a1, a2, a3);

    return (uint32_t)fn & SMC64 ? (int64_t)v : (int32_t)v;
}

#define check_answer(got, want, ...) \
    check_eq((uint64_t)(int64_t)(got), (uint64_t)(int64_t)(want), __VA_ARGS__)

/* ---- registers that a call leaves alone ---- */
static void preserved(uint32_t insn, uint64_t fn, const char *name)
{
    uint64_t x[31], before[31], d[3] = { 0 }, esr;
    unsigned int i;

    for (i = 1; i < 31; i++)
        x[i] = before[i] = wild();
    x[0] = fn;
    __asm__ volatile(FP "fmov d0, %0\n\tfmov d9, %1\n\tfmov d31, %2" ::"r"(x[1]), "r"(x[2]),
                     "r"(x[3]));
    esr = call(insn, x);
    __asm__ volatile(FP "fmov %0, d0\n\tfmov %1, d9\n\tfmov %2, d31"
                     : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]));
    if (esr != 0) {
        check(insn == SMC && ESR_EC(esr) == EC_UNKNOWN && !domu, "%s 0x%lx is a call (esr 0x%lx)",
              name, fn, esr);
        return;
    }
    for (i = 4; i < 31 && x[i] == before[i]; i++)
        ;
    check_eq(i, 31, "%s 0x%lx preserves x4 to x30", name, fn);
    check(d[0] == before[1] && d[1] == before[2] && d[2] == before[3],
          "%s 0x%lx preserves FP registers", name, fn);
}

static void preserved_tests(void)
{
    static const uint64_t fns[] = { PSCI_VERSION,       SMCCC_VERSION,     PSCI_FEATURES,
                                    PSCI_AFFINITY_INFO, PSCI_MIGRATE_INFO, 0x84001234,
                                    0xc6001234,         0x8600ff01,        0x12345678 };

    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++) {
        preserved(HVC, fns[i], "HVC");
        preserved(SMC, fns[i], "SMC");
    }
}

/* ---- versions and features ---- */
static void version_tests(void)
{
    static const struct {
        uint64_t fn;
        bool must;
    } fns[] = {
        { PSCI_VERSION, true },    { 0x84000001, true },         { PSCI_CPU_SUSPEND, true },
        { PSCI_CPU_OFF, true },    { 0x84000003, true },         { PSCI_CPU_ON, true },
        { 0x84000004, true },      { PSCI_AFFINITY_INFO, true }, { PSCI_MIGRATE_INFO, false },
        { PSCI_SYSTEM_OFF, true }, { PSCI_SYSTEM_RESET, true },  { PSCI_FEATURES, true },
        { SMCCC_VERSION, true },
    };
    int64_t v;

    check_answer(psci(PSCI_VERSION, 0, 0, 0), 0x10001, "PSCI_VERSION");
    check_answer(psci(UINT64_C(0xdeadbeef) << 32 | PSCI_VERSION, 0, 0, 0), 0x10001,
                 "PSCI_VERSION: the upper half of x0 means nothing");
    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++) {
        v = psci(PSCI_FEATURES, fns[i].fn, 0, 0);
        check(v == 0 || (!fns[i].must && v == NOT_SUPPORTED), "PSCI_FEATURES 0x%lx (%ld)",
              fns[i].fn, v);
    }
    check_answer(psci(PSCI_FEATURES, 0x84000077, 0, 0), NOT_SUPPORTED, "PSCI_FEATURES of nothing");
    check_answer(psci(PSCI_FEATURES, 0, 0, 0), NOT_SUPPORTED, "PSCI_FEATURES of 0");
    v = psci(PSCI_MIGRATE_INFO, 0, 0, 0);
    check(v == 2 || v == NOT_SUPPORTED, "MIGRATE_INFO_TYPE (%ld)", v);
    if (!domu)
        return; /* QEMU's own firmware knows no SMCCC_ARCH calls */
    check_answer(psci(SMCCC_VERSION, 0, 0, 0), 0x10002, "SMCCC_VERSION");
    check_answer(psci(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0), 0,
                 "ARCH_FEATURES of SMCCC_VERSION");
    check_answer(psci(SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES, 0, 0), 0,
                 "ARCH_FEATURES of itself");
    check_answer(psci(SMCCC_ARCH_FEATURES, 0x8000abcd, 0, 0), NOT_SUPPORTED,
                 "ARCH_FEATURES of nothing");
    for (uint32_t fn = 0x80007fff; fn <= 0x80008000; fn++) {
        v = psci(SMCCC_ARCH_FEATURES, fn, 0, 0);
        check(v >= -1 && v <= 1, "ARCH_FEATURES of workaround 0x%x (%ld)", fn, v);
    }
}

/* ---- who serves them ---- */
#define UNTOUCHED UINT64_C(0x1234567812345678)

/* Each answer in its registers, and no more of these touched. */
static void query(uint32_t insn, uint32_t fn, unsigned int results, const uint32_t want[4])
{
    uint64_t x[31] = { fn, UNTOUCHED, UNTOUCHED, UNTOUCHED };

    check_eq(call(insn, x), 0, "0x%x is a call", fn);
    for (unsigned int i = 0; i < 4; i++)
        check_eq(x[i], i < results ? want[i] : UNTOUCHED, "0x%x: x%u", fn, i);
}

static void service_tests(void)
{
    static const uint32_t standard[] = { 0x6f3863f8, 0xbd4c394b, 0x16ce2092, 0x6f9fe541 },
                          xen[] = { 0xdc1218a7, 0x694398c6, 0xd179cf9a, 0x67e6de8d },
                          revision[] = { 0, 1, 0, 0 };
    uint32_t calls = 0;

    for (unsigned int smc = 0; smc < 2; smc++) {
        query(smc ? SMC : HVC, 0x8400ff01, 4, standard);
        query(smc ? SMC : HVC, 0x8400ff03, 2, revision);
        query(smc ? SMC : HVC, 0x8500ff01, 4, xen);
        query(smc ? SMC : HVC, 0x8500ff03, 2, revision);
    }
    check(psci(0x8500ff00, 0, 0, 0) >= 3, "the hypervisor's calls are counted");
    for (uint32_t n = 0; n < 0x40; n++) {
        calls += psci(PSCI_FEATURES, 0x84000000 | n, 0, 0) != NOT_SUPPORTED;
        calls += psci(PSCI_FEATURES, 0xc4000000 | n, 0, 0) != NOT_SUPPORTED;
    }
    check_answer(psci(0x8400ff00, 0, 0, 0), calls + 3, "PSCI's calls are counted");
}

/* Functions whose effect this test asks for elsewhere, or never. */
static bool has_effect(uint32_t fn)
{
    uint32_t n = fn & 0xffff;
    bool is_psci = (fn & ~SMC64 & 0xff000000) == 0x84000000;

    return (is_psci && ((n >= 1 && n <= 3) || n == 5 || n == 7 || n == 8 || n == 9 ||
                        (n >= 0xb && n <= 0xf) || (n >= 0x12 && n <= 0x15))) ||
           fn <= 3 /* PSCI 0.1, at these numbers in the trees of Xen */;
}

static void unknown_tests(void)
{
    static const uint32_t none[] = {
        0x84000077, 0xc4000077, 0xc4000000, 0xc400000a, 0x8000ffff, 0xc000ffff, 0x81000000,
        0x82000000, 0x83000000, 0x8500abcd, 0xc500abcd, 0x86000000, 0xc6000000, 0xb0000000,
        0xb2000000, 0xbf00ff01, 0xffffffff, 0x00000100, 0x01ffffff, 0x40000000, 0x7fffffff,
        0x84ff0000, 0x8400ffff, 0x8400ff02, 0x8500ff02, 0x8500ff04, 0x8600ff00, 0x8600ff01,
        0x8600ff03, 0xc500ff01, 0xc400ff03, 0x8000ff01, 0x0500ff01,
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(none) && domu; i++) {
        for (unsigned int smc = 0; smc < 2; smc++) {
            uint64_t x[31] = { none[i] };
            check_eq(call(smc ? SMC : HVC, x), 0, "%s 0x%x is a call", smc ? "SMC" : "HVC",
                     none[i]);
            check(none[i] & SMC64 ? x[0] == ~UINT64_C(0) : (uint32_t)x[0] == ~0u,
                  "%s 0x%x is not supported (0x%lx)", smc ? "SMC" : "HVC", none[i], x[0]);
        }
    }
    /* A function is there if PSCI_FEATURES says so, and only then. */
    for (uint32_t n = 0; n < 0x40; n++) {
        for (uint32_t wide = 0; wide <= SMC64; wide += SMC64) {
            uint32_t fn = 0x84000000 | wide | n;
            if (!has_effect(fn) && psci(PSCI_FEATURES, fn, 0, 0) == NOT_SUPPORTED &&
                psci(fn, 0, 0, 0) != NOT_SUPPORTED && fn != PSCI_VERSION)
                check(false, "0x%x answers %ld but is no feature", fn, psci(fn, 0, 0, 0));
        }
    }
}

static void wild_tests(void)
{
    static const char *const name[] = { "HVC", "SMC" };

    for (unsigned int smc = 0; smc < 2; smc++) {
        unsigned int kept = 0, n = 0;
        for (unsigned int i = 0; i < 20000; i++) {
            uint64_t x[31], before[31];
            unsigned int r;
            for (r = 0; r < 31; r++)
                x[r] = before[r] = wild();
            if (i & 1) /* near to real functions */
                x[0] = FAST | (x[0] & (SMC64 | 0x0600ff1f));
            if (has_effect((uint32_t)x[0]))
                continue;
            n++;
            if (call(smc ? SMC : HVC, x) != 0)
                memcpy(x, before, sizeof(x)); /* bare QEMU: undefined */
            for (r = 4; r < 31 && x[r] == before[r]; r++)
                ;
            kept += r == 31;
        }
        check_eq(kept, n, "%u wild calls by %s leave x4 to x30 alone", n, name[smc]);
    }
    for (unsigned int smc = 0; smc < 2; smc++) {
        unsigned int odd = 0, undefined = 0;
        for (uint32_t imm = 1; imm < 0x10000; imm++) {
            uint64_t x[31] = { 0x84001234, ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0) }, esr;
            if (imm == XEN_TAG)
                continue;
            esr = call((smc ? SMC : HVC) | imm << 5, x);
            if (esr != 0 && ESR_EC(esr) == EC_UNKNOWN)
                undefined++;
            else if (esr != 0 || ((int64_t)x[0] != -1 && x[0] != ~0u))
                odd++;
        }
        check_eq(odd, 0, "%s with any immediate is undefined or not supported (%u undefined)",
                 name[smc], undefined);
    }
    for (unsigned int i = 0; i < 4 && domu; i++) {
        static const uint64_t number[] = { 63, 64, 0xffff, ~UINT64_C(0) };
        uint64_t x[31] = { 0 };
        x[16] = number[i];
        check_eq(call(HVC | XEN_TAG << 5, x), 0, "hypercall %ld is a call", (int64_t)number[i]);
        check_answer((int64_t)x[0], XEN_ENOSYS, "hypercall %ld does not exist", (int64_t)number[i]);
    }
}

/* ---- PSCI with a second CPU ---- */
struct seen {
    uint64_t el, daif, spsel, sctlr, mpidr, context;
} __attribute__((aligned(64)));
static volatile struct seen seen;

static void started_tests(uint64_t fn, const char *name)
{
    int64_t v;
    uint64_t where = (uint64_t)witness;

    memset((void *)(uintptr_t)&seen, 0xff, sizeof(seen));
    clean_dcache((const void *)(uintptr_t)&seen, sizeof(seen));
    check_answer(psci(fn, machine.mpidr[1], where, (uint64_t)&seen), 0, "%s", name);
    v = psci(PSCI_AFFINITY_INFO, machine.mpidr[1], 0, 0);
    check(v >= 0 && v <= 2, "%s: AFFINITY_INFO at once (%ld)", name, v);
    check(wait_until(psci(PSCI_AFFINITY_INFO, machine.mpidr[1], 0, 0) == 1 &&
                     seen.context != ~UINT64_C(0)),
          "%s: AFFINITY_INFO after CPU_OFF", name);
    clean_dcache((const void *)(uintptr_t)&seen, sizeof(seen));
    check_eq(seen.context, (uint64_t)&seen, "%s: context is in x0", name);
    check_eq(seen.el, 4, "%s: starts at EL1", name);
    check_eq(seen.daif, 0x3c0, "%s: starts with interrupts masked", name);
    check_eq(seen.spsel, 1, "%s: starts on SP_EL1", name);
    check_eq(seen.sctlr & 0x1005, 0, "%s: starts without MMU and caches", name);
    check_eq(seen.mpidr & MPIDR_AFFINITY, machine.mpidr[1], "%s: MPIDR", name);
}

static volatile uint64_t go, running;

static void wait_for_go(unsigned int id)
{
    running = id;
    sev();
    while (!go)
        __asm__ volatile("yield");
    running = 0;
}

static void cpu_on_tests(void)
{
    uint64_t entry = (uint64_t)witness, good = 0;
    int64_t v;
    static const uint64_t nobody[] = { 0x77,     0xff00,       UINT64_C(0x100000000),
                                       0xffffff, ~UINT64_C(0), 0x80000000 };

    check_answer(psci(PSCI_CPU_ON, machine.mpidr[0], entry, 0), ALREADY_ON, "CPU_ON of itself");
    for (unsigned int i = 0; i < ARRAY_SIZE(nobody); i++)
        check_answer(psci(PSCI_CPU_ON, nobody[i], entry, 0), INVALID, "CPU_ON of 0x%lx", nobody[i]);
    if (machine.cpus < 2)
        return;
    check_answer(psci(PSCI_AFFINITY_INFO, machine.mpidr[1], 0, 0), 1,
                 "AFFINITY_INFO of a CPU that is off");
    started_tests(PSCI_CPU_ON, "CPU_ON");
    started_tests(0x84000003, "CPU_ON (32 bit)");
    for (unsigned int i = 0; i < 50; i++) {
        go = running = 0;
        if (cpu_start(1, wait_for_go) != 0)
            break;
        v = psci(PSCI_CPU_ON, machine.mpidr[1], entry, 0);
        if (v != ALREADY_ON && v != ON_PENDING)
            break;
        if (!wait_until(running == 1) ||
            psci(PSCI_CPU_ON, machine.mpidr[1], entry, 0) != ALREADY_ON ||
            psci(PSCI_AFFINITY_INFO, machine.mpidr[1], 0, 0) != 0)
            break;
        go = 1;
        if (!cpu_wait_off(1))
            break;
        good++;
    }
    check_eq(good, 50, "a CPU goes on, is on, and off, many times");
}

/* Last, for a hypervisor that starts the CPU all the same has no second one any more. */
static void nowhere_tests(void)
{
    uint64_t entry = (uint64_t)witness;
    const uint64_t nowhere[] = { entry | 1,    entry | 2,  UINT64_C(0x7f00000000),
                                 ~UINT64_C(3), 0x3f000000, machine.gicd.base };

    for (unsigned int i = 0; i < ARRAY_SIZE(nowhere) && machine.cpus > 1 && domu; i++) {
        if (!check_answer(psci(PSCI_CPU_ON, machine.mpidr[1], nowhere[i], 0), INVALID_ADDRESS,
                          "CPU_ON at nowhere, %u", i))
            return;
    }
}

static void affinity_tests(void)
{
    int64_t v;

    check_answer(psci(PSCI_AFFINITY_INFO, machine.mpidr[0], 0, 0), 0, "AFFINITY_INFO of itself");
    check_answer(psci(0x84000004, machine.mpidr[0], 0, 0), 0, "AFFINITY_INFO of itself (32 bit)");
    check_answer(psci(PSCI_AFFINITY_INFO, 0x77, 0, 0), INVALID, "AFFINITY_INFO of nobody");
    check_answer(psci(PSCI_AFFINITY_INFO, UINT64_C(0x100000000), 0, 0), INVALID,
                 "AFFINITY_INFO of Aff3 = 1");
    check_answer(psci(PSCI_AFFINITY_INFO, machine.mpidr[0], 4, 0), INVALID,
                 "AFFINITY_INFO at level 4");
    v = psci(PSCI_AFFINITY_INFO, machine.mpidr[0], 1, 0);
    check(v == 0 || v == INVALID, "AFFINITY_INFO at level 1 (%ld)", v);
}

static void suspend_tests(void)
{
    int64_t v;

    /* An SGI that is pending and masked ends the sleep as soon as it begins. */
    gic_init();
    gic_enable(1);
    gic_sgi(1, 0);
    check_answer(psci(PSCI_CPU_SUSPEND, 0, 0, 0), 0, "CPU_SUSPEND to standby");
    check_answer(psci(0x84000001, 0, 0, 0), 0, "CPU_SUSPEND to standby (32 bit)");
    v = psci(PSCI_CPU_SUSPEND, 1u << 16, 2, 0);
    check(v == 0 || v == INVALID || v == INVALID_ADDRESS || v == DENIED,
          "CPU_SUSPEND to power down at nowhere (%ld)", v);
    check_eq(gic_ack() & 0x3ff, 1, "the interrupt that ended it is still there");
    gic_eoi(1);
    v = psci(PSCI_FEATURES, PSCI_SYSTEM_RESET2, 0, 0);
    check(v == 0 || v == NOT_SUPPORTED, "PSCI_FEATURES of SYSTEM_RESET2 (%ld)", v);
    check_answer(psci(PSCI_SYSTEM_RESET2, 1, 0, 0), v == 0 ? INVALID : NOT_SUPPORTED,
                 "SYSTEM_RESET2 of a reserved type");
    check_answer(psci(PSCI_SYSTEM_RESET2, 0x7fffffff, 0, 0), v == 0 ? INVALID : NOT_SUPPORTED,
                 "SYSTEM_RESET2 of the last reserved type");
}

void guest_main(void)
{
    domu = machine.uart.base == 0x22000000 || bootarg_number("hv", 0);
    *conduit_smc = machine.smc;
    clean_dcache(conduit_smc, 8);
    version_tests();
    if (domu)
        service_tests();
    preserved_tests();
    unknown_tests();
    affinity_tests();
    cpu_on_tests();
    suspend_tests();
    wild_tests();
    nowhere_tests();
}
