/* SPDX-License-Identifier: MIT */
/*
 * What a guest gets for its memory, for addresses where there is none, and for odd ways to access
 * an emulated device: zeroed RAM that holds what is written; an external abort (Arm DDI 0487,
 * D17.2.37: EC 0x25 or 0x21, FSC 0x10) that the guest can handle; never its end. Arguments: short=1
 * leaves the whole-RAM tests out; again=1 fills RAM and starts again.
 */
#include "guest.h"

const char guest_name[] = "memory";

#define ESR_EC_IL_FSC  UINT64_C(0xfe00003f) /* EC, IL and fault status */
#define ESR_FNV        (UINT64_C(1) << 10)
#define ESR_WNR        (UINT64_C(1) << 6)
#define GICD_TYPER     4
#define GICD_ICFGR0    0xc00
#define GICD_IPRIORITY 0x400
#define SPSR_EL0T      UINT64_C(0x3c0)
#define SPSR_USR32     UINT64_C(0x1d0)
#define SPSR_USR32_T   UINT64_C(0x1f0)

static uint64_t ram_end;
static bool domu; /* in Xen's guest layout: addresses below 1 GiB are known */

static uint64_t external(unsigned int ec)
{
    return (uint64_t)ec << 26 | UINT64_C(1) << 25 | FSC_EXTERNAL;
}

/* The exception was an external abort at addr, or (FSC aside) one on the walk that led there. */
static void check_abort(uint64_t esr, unsigned int ec, uint64_t addr, unsigned int bytes,
                        const char *name, const char *where)
{
    bool far = (esr & ESR_FNV) || (last_far >= addr && last_far < addr + bytes);

    if ((esr & ESR_EC_IL_FSC) == external(ec) && !far)
        check_eq(last_far, addr, "%s %s: FAR", name, where);
    else
        check_eq(esr & ESR_EC_IL_FSC, external(ec), "%s %s", name, where);
}

/* ---- RAM ---- */
static bool in(struct range r, uint64_t page)
{
    return page + 4096 > r.base && page < r.base + r.bytes;
}

enum pass { ZERO, FILL, VERIFY };

/* One pass over all RAM but the guest's image and tree: address of the first word that is wrong, or
 * 0. */
static uint64_t ram_pass(enum pass pass, uint64_t key)
{
    for (unsigned int m = 0; m < machine.mems; m++) {
        uint64_t end = machine.mem[m].base + machine.mem[m].bytes;
        for (uint64_t page = machine.mem[m].base; page < end; page += 4096) {
            if (in(machine.image, page) || in(machine.dtb, page) ||
                (!domu && page < machine.image.base))
                continue;
            for (uint64_t a = page; a < page + 4096; a += 8) {
                if (pass == FILL)
                    write64(a, a ^ key);
                else if (read64(a) != (pass == ZERO ? 0 : a ^ key))
                    return a;
            }
        }
    }
    return 0;
}

static void ram_tests(void)
{
    if (bootarg_number("short", 0))
        return;
    check_eq(ram_pass(ZERO, 0), 0, "all RAM is zero at first");
    if (bootarg_number("again", 0)) {
        ram_pass(FILL, 0x77);
        smccc(PSCI_SYSTEM_RESET, 0, 0, 0);
    }
    for (unsigned int i = 0; i < 2; i++) {
        uint64_t key = i ? ~UINT64_C(0) : UINT64_C(0x5a5a1234c3c38765);
        ram_pass(FILL, key);
        check_eq(ram_pass(VERIFY, key), 0, "all RAM holds pattern %u", i);
    }
}

/* ---- where there is nothing ---- */
struct form {
    const char *name;
    uint32_t insn; /* of x1 */
    uint32_t flags;
};
#define NEEDS_LSE   1u
#define NEEDS_LRCPC 2u
#define MAY_PASS    4u /* cache maintenance and prefetch need not fault */
#define NO_FAULT    8u

static const struct form forms[] = {
    { "ldp", 0xa9400c22, 0 },
    { "stp", 0xa9000c22, 0 },
    { "ldnp", 0xa8400c22, 0 },
    { "ldpsw", 0x69400c22, 0 },
    { "ldr pre-index", 0xf8408c20, 0 },
    { "ldr post-index", 0xf8408420, 0 },
    { "str pre-index", 0xf8008c20, 0 },
    { "str post-index", 0xf8008420, 0 },
    { "ldxr", 0xc85f7c20, 0 },
    { "ldaxp", 0xc87f8c22, 0 },
    { "ldar", 0xc8dffc20, 0 },
    { "stlr", 0xc89ffc20, 0 },
    { "ldr q", 0x3dc00020, 0 },
    { "str q", 0x3d800020, 0 },
    { "ld4", 0x4c400020, 0 },
    { "st4", 0x4c000020, 0 },
    { "dc zva", 0xd50b7421, 0 },
    { "ldadd", 0xf8200022, NEEDS_LSE },
    { "swp", 0xf8208022, NEEDS_LSE },
    { "cas", 0xc8a07c22, NEEDS_LSE },
    { "casp", 0x48227c24, NEEDS_LSE },
    { "ldapr", 0xf8bfc020, NEEDS_LRCPC },
    { "dc ivac", 0xd5087621, MAY_PASS },
    { "dc civac", 0xd50b7e21, MAY_PASS },
    { "dc cvac", 0xd50b7a21, MAY_PASS },
    { "dc cvau", 0xd50b7b21, MAY_PASS },
    { "ic ivau", 0xd50b7521, MAY_PASS },
    { "prfm", 0xf9800020, NO_FAULT },
    { "at s1e1r", 0xd5087801, NO_FAULT },
};

static bool cpu_has(const struct form *f)
{
    if (f->flags & NEEDS_LSE)
        return sysreg_read(id_aa64isar0_el1) >> 20 & 0xf;
    if (f->flags & NEEDS_LRCPC)
        return sysreg_read(id_aa64isar1_el1) >> 20 & 0xf;
    return true;
}

static uint64_t run_form(const struct form *f, uint64_t addr)
{
    uint64_t x[18] = { 0, addr };

    return probe_insn(f->insn, x);
}

static void hole_tests(uint64_t addr, const char *where)
{
    for (unsigned int bytes = 1; bytes <= 8; bytes *= 2) {
        uint64_t esr = probe_read(addr, bytes, NULL);
        check_abort(esr, EC_DABT, addr, bytes, "read", where);
        check_eq(esr & ESR_WNR, 0, "read %u %s: WnR", bytes, where);
        esr = probe_write(addr, bytes, ~UINT64_C(0));
        check_abort(esr, EC_DABT, addr, bytes, "write", where);
        check_eq(esr & ESR_WNR, ESR_WNR, "write %u %s: WnR", bytes, where);
    }
    check_abort(probe_read(addr + 1, 8, NULL), EC_DABT, addr, 16, "unaligned read", where);
    check_abort(probe_write(addr + 0xffc, 8, 0), EC_DABT, addr, 0x2000, "write across pages",
                where);
    check_abort(probe_jump(addr), EC_IABT, addr, 4, "jump", where);
    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
        const struct form *f = &forms[i];
        uint64_t esr;
        if (!cpu_has(f))
            continue;
        esr = run_form(f, addr);
        if (f->flags & NO_FAULT)
            check_eq(esr, 0, "%s %s", f->name, where);
        else if (!(f->flags & MAY_PASS) || esr != 0)
            check_abort(esr, EC_DABT, addr, 64, f->name, where);
    }
}

static void edge_tests(void)
{
    uint64_t value = 0;

    write64(ram_end - 8, UINT64_C(0x1122334455667788));
    check_eq(probe_read(ram_end - 8, 8, &value), 0, "last word of RAM is there");
    check_eq(value, UINT64_C(0x1122334455667788), "last word of RAM holds");
    check_abort(probe_read(ram_end - 4, 8, NULL), EC_DABT, ram_end - 4, 8, "read",
                "across the end of RAM");
    check_abort(probe_write(ram_end - 1, 2, 0), EC_DABT, ram_end - 1, 2, "write",
                "across the end of RAM");
    /* A branch to the last instruction of RAM runs on into nothing. */
    write32(ram_end - 4, 0xd503201f /* NOP */);
    sync_code((const void *)(ram_end - 4), 4);
    check_abort(probe_jump(ram_end - 4), EC_IABT, ram_end, 4, "run", "over the end of RAM");
    check_eq(last_elr, ram_end, "run over the end of RAM: ELR");
}

/* ---- devices that the hypervisor emulates, by unusual ways ---- */
static void mmio_forms(uint64_t addr, const char *where)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
        uint64_t esr;
        if (!cpu_has(&forms[i]))
            continue;
        /* Done, or an abort, or refused by the MMU as an exclusive access or DC ZVA to Device
         * memory. */
        esr = run_form(&forms[i], addr);
        check(esr == 0 || ESR_EC(esr) == EC_DABT, "%s %s is survived (esr 0x%lx)", forms[i].name,
              where, esr);
    }
}

static void mmio_extension(void)
{
    uint64_t icfgr = machine.gicd.base + GICD_ICFGR0,
             prio = machine.gicd.base + GICD_IPRIORITY + 32;
    uint64_t x[18] = { ~UINT64_C(0), icfgr }, sp = sysreg_read(sp_el0);
    static const struct {
        const char *name;
        uint32_t insn;
        uint64_t want;
        bool byte;
    } loads[] = {
        { "ldr w", 0xb9400020, 0xaaaaaaaa, false },
        { "ldrsw", 0xb9800020, UINT64_C(0xffffffffaaaaaaaa), false },
        { "ldrb", 0x39400020, 0xa0, true },
        { "ldrsb x", 0x39800020, UINT64_C(0xffffffffffffffa0), true },
        { "ldrsb w", 0x39c00020, UINT64_C(0xffffffa0), true },
    };

    if (machine.gic == 2)
        write32(machine.gicd.base, 1);
    else
        write32(machine.gicd.base, 0x12);
    write8(prio, 0xa0);
    for (unsigned int i = 0; i < ARRAY_SIZE(loads); i++) {
        x[0] = UINT64_C(0x5555555555555555);
        x[1] = loads[i].byte ? prio : icfgr;
        if (machine.gic == 3 && !loads[i].byte)
            x[1] = gic_base(0) + GICD_ICFGR0;
        check_eq(probe_insn(loads[i].insn, x), 0, "%s of a device", loads[i].name);
        check_eq(x[0], loads[i].want, "%s of a device: value", loads[i].name);
    }
    x[1] = machine.gicd.base + GICD_TYPER;
    check_eq(probe_insn(0xb940003f, x), 0, "ldr wzr of a device");
    x[1] = prio;
    check_eq(probe_insn(0x3900003f, x), 0, "strb wzr to a device");
    check_eq(read8(prio), 0, "strb wzr writes zero");
    check_eq(sysreg_read(sp_el0), sp, "register 31 is not SP in an access to a device");
}

static void mmio_tests(void)
{
    uint64_t v = 0, window, typer = read32(machine.gicd.base + GICD_TYPER);
    static const uint64_t nothing[] = { 0x18, 0x58 }; /* past PrimeCell's IDs in no case */

    mmio_extension();
    mmio_forms(machine.gicd.base + GICD_TYPER, "on the distributor");
    mmio_forms(machine.uart.base + nothing[0], "on the UART");
    window = mmu_window(machine.gicd.base, MAP_NORMAL);
    check_eq(probe_read(window + GICD_TYPER, 4, &v), 0, "distributor through Normal memory");
    check_eq(v, typer, "distributor through Normal memory: value");
    mmio_forms(window + GICD_TYPER, "on the distributor as Normal memory");
    v = probe_read(window + GICD_TYPER + 1, 4, NULL);
    check(v == 0 || ESR_EC(v) == EC_DABT, "unaligned distributor read is survived");
    if (!domu)
        return;
    check_abort(probe_jump(window + GICD_TYPER), EC_IABT, window + GICD_TYPER, 4, "jump",
                "into the distributor");
    window = mmu_window(machine.uart.base, MAP_NORMAL);
    check_abort(probe_jump(window), EC_IABT, window, 4, "jump", "into the UART");
    mmio_forms(window + 0x18, "on the UART as Normal memory");
    v = probe_read(window + 0xffc, 8, NULL);
    check(ESR_EC(v) == EC_DABT, "read across the end of the UART (esr 0x%lx)", v);
    v = probe_write(window + 0xffe, 4, 0);
    check(ESR_EC(v) == EC_DABT, "write across the end of the UART (esr 0x%lx)", v);
    hole_tests(window + 0x1000, "behind the UART");
}

/* ---- stage 1 that leads astray ---- */
static void check_walk(uint64_t esr, unsigned int ec, const char *name, const char *where)
{
    unsigned int fsc = ESR_FSC(esr);

    check(ESR_EC(esr) == ec && (FSC_IS_WALK(fsc) || fsc == FSC_EXTERNAL),
          "%s through a table in %s (esr 0x%lx)", name, where, esr);
}

static void stage1_tests(void)
{
    const struct {
        uint64_t table;
        const char *where;
    } bad[] = {
        { ram_end, "nothing" },
        { machine.gicd.base, "the distributor" },
        { machine.uart.base & ~UINT64_C(0xfff), "the UART" },
    };
    uint64_t self = (sysreg_read(ttbr0_el1) & ~UINT64_C(0xfff)) | MAP_NORMAL | PTE_TABLE, v = 0;

    for (unsigned int i = 0; i < (domu ? ARRAY_SIZE(bad) : 1); i++) {
        mmu_set_window(bad[i].table | PTE_TABLE);
        check_walk(probe_read(WINDOW + 0x123450, 8, NULL), EC_DABT, "read", bad[i].where);
        check_walk(probe_write(WINDOW, 4, 1), EC_DABT, "write", bad[i].where);
        check_walk(probe_jump(WINDOW), EC_IABT, "jump", bad[i].where);
        v = probe_insn(0xd5087801 /* AT S1E1R, x1 */, (uint64_t[18]){ 0, WINDOW });
        check(v == 0 || ESR_EC(v) == EC_DABT, "AT through a table in %s is survived (esr 0x%lx)",
              bad[i].where, v);
    }
    /* The table as its own level 2 and 3: the page seen at the end is the table. */
    mmu_set_window(self);
    check_eq(probe_read(WINDOW | UINT64_C(511) << 21 | UINT64_C(511) << 12 | 511 * 8, 8, &v), 0,
             "read through a table that is its own next level");
    check_eq(v, self, "the table's own entry");
    v = probe_read(WINDOW | UINT64_C(511) << 21 | UINT64_C(1) << 12, 8, NULL);
    check(ESR_EC(v) == EC_DABT, "its block entry as a page is refused (esr 0x%lx)", v);
    mmu_set_window(0);
    v = probe_read(WINDOW + 0x1238, 8, NULL);
    check_eq(v & ESR_EC_IL_FSC, (uint64_t)EC_DABT << 26 | UINT64_C(1) << 25 | 5,
             "translation fault of its own");
    check_eq(last_far, WINDOW + 0x1238, "translation fault: FAR");
    v = probe_insn(0xc85f7c20 /* LDXR x0, [x1] */, (uint64_t[18]){ 0, ram_end - 20 });
    check_eq(v & ESR_EC_IL_FSC, (uint64_t)EC_DABT << 26 | UINT64_C(1) << 25 | 0x21,
             "alignment fault of its own");
    v = probe_jump(ram_end + 2);
    check_eq(ESR_EC(v), 0x22, "jump to a misaligned address");
    v = probe_jump(UINT64_C(1) << 50);
    check_eq(v & ESR_EC_IL_FSC, (uint64_t)EC_IABT << 26 | UINT64_C(1) << 25 | 4,
             "jump beyond the address space");
}

/* ---- the same from EL0, in either instruction set ---- */
static uint64_t run_user(uint32_t insn, uint64_t spsr, uint64_t target)
{
    static uint32_t code[16] __attribute__((aligned(64)));
    uint64_t x[18] = { 0, target };
    uint64_t where = mmu_window((uint64_t)code, MAP_USER);

    code[0] = insn;
    sync_code(code, sizeof(code));
    return probe_run((const void *)where, x, spsr);
}

static void user_tests(void)
{
    uint64_t hole = WINDOW | (ram_end & (GIB - 1));
    bool has_a32 = (sysreg_read(id_aa64pfr0_el1) & 0xf) == 2;

    if (machine.image.base >> 30 != ram_end >> 30)
        return;
    check_eq(ESR_EC(run_user(0xd4000021, SPSR_EL0T, hole)), 0x15, "SVC from EL0");
    check_abort(run_user(0xf9400020, SPSR_EL0T, hole), EC_DABT - 1, hole, 8, "EL0 read",
                "of nothing");
    check_abort(run_user(0xa9000c22, SPSR_EL0T, hole), EC_DABT - 1, hole, 16, "EL0 stp",
                "to nothing");
    check_abort(run_user(0xd61f0020, SPSR_EL0T, hole), EC_IABT - 1, hole, 4, "EL0 jump",
                "to nothing");
    check_eq(ESR_EC(run_user(0xd4000002, SPSR_EL0T, 0)), EC_UNKNOWN, "HVC from EL0 is undefined");
    check_eq(ESR_EC(run_user(0xd4000003, SPSR_EL0T, 0)), EC_UNKNOWN, "SMC from EL0 is undefined");
    if (!has_a32)
        return;
    /* 32-bit addresses: the window itself is out of reach, what lies at its start is not mapped for
     * EL0. */
    check_eq(ESR_EC(run_user(0xef000000, SPSR_USR32, hole)), EC_IABT - 1, "AArch32 beyond 4 GiB");
}

void guest_main(void)
{
    domu = machine.uart.base == 0x22000000;
    ram_end = machine.mem[machine.mems - 1].base + machine.mem[machine.mems - 1].bytes;
    ram_tests();
    hole_tests(ram_end, "at the end of RAM");
    hole_tests(UINT64_C(0x7f00000000), "far from RAM");
    if (domu) {
        hole_tests(mmu_window(0, MAP_NORMAL) + 0x3f000000, "below RAM");
        hole_tests(UINT64_C(0x200000000), "in the second bank's place");
        hole_tests(mmu_window((UINT64_C(1) << 40) - GIB, MAP_NORMAL) + GIB - 4096 * 4,
                   "below 1 TiB");
    }
    if ((sysreg_read(id_aa64mmfr0_el1) & 0xf) >= 4)
        check_abort(probe_read(mmu_window(UINT64_C(1) << 43, MAP_NORMAL), 8, NULL), EC_DABT, WINDOW,
                    8, "read", "at 8 TiB");
    edge_tests();
    mmio_tests();
    stage1_tests();
    user_tests();
}
