/* SPDX-License-Identifier: MIT */
/*
 * The processor as a guest has it (AMD APM 1 to 3): every model-specific register, leaf of CPUID,
 * control register and port works or gives the fault that it should, what must not be there is
 * undefined, and single steps, breakpoints and XSAVE work across what exits.
 */
#include "guest.h"

#define CODE_BYTES 64u

#define MSR_APIC_BASE 0x1bu
#define MSR_EFER      0xc0000080u
#define MSR_GS_BASE   0xc0000101u

#define EFER_SVME (1u << 12)
#define CR0_NW    (1u << 29)
#define CR0_PG    (1u << 31)
#define CR4_PGE   (1u << 7)
#define CR4_LA57  (1u << 12)
#define CR4_VMXE  (1u << 13)
#define CR4_XSAVE (1u << 18)
#define CR4_CET   (1u << 23)
#define RFLAGS_TF (1u << 8)
#define RFLAGS_RF (1u << 16)
#define DR6_B0    (1u << 0)
#define DR6_BS    (1u << 14)

const char guest_name[] = "cpu";

static uint8_t code[CODE_BYTES] __attribute__((aligned(64)));

/* Executes these bytes, which may use rax, rcx, rdx and r8 to r10. 0, or the exception. */
static uint64_t execute(const void *bytes, unsigned int nr)
{
    memcpy(code, bytes, nr);
    code[nr] = 0xc3;
    return probe_jump((uint64_t)(uintptr_t)code) & PROBE_MASK;
}

#define EXECUTE(bytes) execute(bytes, sizeof(bytes) - 1)

/* ---- model-specific registers ---- */
/* Written with anything but what they hold, these end the guest by its own doing. */
static bool is_own_doing(uint32_t msr)
{
    return msr == MSR_GS_BASE || msr == MSR_APIC_BASE || (msr >= 0x800 && msr < 0x900);
}

static void every_msr(uint32_t first, uint32_t count)
{
    unsigned int there = 0, faults = 0, bad = 0;

    for (uint32_t msr = first; msr - first < count; msr++) {
        uint64_t value = 0, ones = UINT64_MAX, read, wrote;

        read = probe_rdmsr(msr, &value) & PROBE_MASK;
        there += read == 0;
        faults += read == PROBED(EXCEPTION_GP);
        bad += read != 0 && read != PROBED(EXCEPTION_GP);
        if (is_own_doing(msr))
            continue;
        wrote = probe_wrmsr(msr, &ones) & PROBE_MASK;
        bad += wrote != 0 && wrote != PROBED(EXCEPTION_GP);
        if (read == 0 && wrote == 0)
            (void)probe_wrmsr(msr, &value);
    }
    note("MSRs from 0x%x: %u there, %u faults", first, there, faults);
    check_eq(bad, 0, "MSRs from 0x%x: other exceptions", first);
    check(faults > there, "MSRs from 0x%x: most are not there", first);
}

static void check_msrs(void)
{
    uint64_t value = EFER_SVME | rdmsr(MSR_EFER);

    check_eq(probe_wrmsr(MSR_EFER, &value) & PROBE_MASK, PROBED(EXCEPTION_GP), "EFER.SVME");
    value = 0;
    check_eq(probe_wrmsr(MSR_EFER, &value) & PROBE_MASK, PROBED(EXCEPTION_GP),
             "EFER.LME while paging is on");
    value = rdmsr(MSR_EFER);
    check_eq(value & EFER_SVME, 0, "EFER does not show SVME");
    every_msr(0, 0x2000);
    every_msr(0x40000000, 0x100);
    every_msr(0xc0000000, 0x2000);
    every_msr(0xc0010000, 0x2000);
    check_eq(rdmsr(MSR_EFER), value, "EFER is as it was");
}

/* ---- CPUID ---- */
static void every_leaf(void)
{
    unsigned int seen = 0;

    for (uint32_t leaf = 0; leaf < 4 * 0x40; leaf++)
        for (uint32_t subleaf = 0; subleaf < 66; subleaf += subleaf < 3 ? 1 : 31) {
            uint32_t r[4];

            cpuid(leaf % 4 << 30 | leaf / 4, subleaf, r);
            seen += r[0] || r[1] || r[2] || r[3];
        }
    note("CPUID: %u leaves have something", seen);
}

static void check_cpuid(void)
{
    uint32_t r[4];

    every_leaf();
    cpuid(1, 0, r);
    check(r[2] >> 31, "CPUID says that there is a hypervisor");
    check_eq(r[2] & (1u << 3 | 1u << 5), 0, "CPUID without MWAIT and VMX");
    cpuid(0x80000001, 0, r);
    check_eq(r[2] & 1u << 2, 0, "CPUID without SVM");
    cpuid(0x80000008, 0, r);
    check((r[0] & 0xff) >= 36 && (r[0] & 0xff) <= 52, "CPUID: address bits");
    /* push rbx; xor eax, eax; cpuid with prefixes that mean nothing, but belong to it; pop rbx */
    check_eq(EXECUTE("\x53\x31\xc0\x66\x2e\x0f\xa2\x5b"), 0, "CPUID with prefixes");
}

/* ---- instructions ---- */
struct instruction {
    const char *name;
    uint8_t nr;
    uint8_t bytes[8];
    uint16_t want; /* 0, or PROBED() */
};

static const struct instruction instructions[] = {
    { "vmrun of 0", 5, { 0x31, 0xc0, 0x0f, 0x01, 0xd8 }, PROBED(EXCEPTION_UD) },
    { "vmload of 0", 5, { 0x31, 0xc0, 0x0f, 0x01, 0xda }, PROBED(EXCEPTION_UD) },
    { "vmsave of 0", 5, { 0x31, 0xc0, 0x0f, 0x01, 0xdb }, PROBED(EXCEPTION_UD) },
    { "stgi", 3, { 0x0f, 0x01, 0xdc }, PROBED(EXCEPTION_UD) },
    { "clgi", 3, { 0x0f, 0x01, 0xdd }, PROBED(EXCEPTION_UD) },
    { "skinit", 3, { 0x0f, 0x01, 0xde }, PROBED(EXCEPTION_UD) },
    { "invlpga", 3, { 0x0f, 0x01, 0xdf }, PROBED(EXCEPTION_UD) },
    { "vmcall", 3, { 0x0f, 0x01, 0xc1 }, PROBED(EXCEPTION_UD) },
    { "monitor", 3, { 0x0f, 0x01, 0xc8 }, PROBED(EXCEPTION_UD) },
    { "mwait", 3, { 0x0f, 0x01, 0xc9 }, PROBED(EXCEPTION_UD) },
    { "rdpru", 3, { 0x0f, 0x01, 0xfd }, PROBED(EXCEPTION_UD) },
    { "getsec", 2, { 0x0f, 0x37 }, PROBED(EXCEPTION_UD) },
    { "ud2", 2, { 0x0f, 0x0b }, PROBED(EXCEPTION_UD) },
    { "rdpmc", 2, { 0x0f, 0x33 }, PROBED(EXCEPTION_GP) },
    { "wbinvd", 2, { 0x0f, 0x09 }, 0 },
    { "invd", 2, { 0x0f, 0x08 }, 0 },
    { "pause", 2, { 0xf3, 0x90 }, 0 },
    { "clts", 2, { 0x0f, 0x06 }, 0 },
    { "smsw eax; lmsw ax", 6, { 0x0f, 0x01, 0xe0, 0x0f, 0x01, 0xf0 }, 0 },
};

static void check_instructions(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++)
        check_eq(execute(instructions[i].bytes, instructions[i].nr), instructions[i].want, "%s",
                 instructions[i].name);
}

/* ---- control registers ---- */
#define CONTROL(n)                                                     \
    static inline uint64_t get_cr##n(void)                             \
    {                                                                  \
        uint64_t value;                                                \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value));          \
        return value;                                                  \
    }                                                                  \
    static inline void set_cr##n(uint64_t value)                       \
    {                                                                  \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory"); \
    }
CONTROL(4)
CONTROL(8)

static inline uint64_t get_cr0(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

/* movabs r9, value; mov crN, r9 */
static uint64_t write_control(unsigned int cr, uint64_t value)
{
    uint8_t bytes[] = { 0x49, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0x0f, 0x22, 0xc1 };

    memcpy(bytes + 2, &value, sizeof(value));
    bytes[10] = cr == 8 ? 0x45 : 0x41;
    bytes[13] = (uint8_t)(0xc1 | (cr & 7) << 3);
    return execute(bytes, sizeof(bytes));
}

static void check_control(void)
{
    uint64_t cr0 = get_cr0(), cr4 = get_cr4();

    check_eq(write_control(0, cr0 & ~1ull), PROBED(EXCEPTION_GP), "CR0.PG without PE");
    check_eq(write_control(0, cr0 | CR0_NW), PROBED(EXCEPTION_GP), "CR0.NW without CD");
    check_eq(write_control(0, cr0 & ~(uint64_t)CR0_PG), PROBED(EXCEPTION_GP),
             "CR0.PG off in 64-bit code");
    check_eq(get_cr0(), cr0, "CR0 is as it was");
    check_eq(write_control(4, cr4 | CR4_VMXE), PROBED(EXCEPTION_GP), "CR4.VMXE");
    check_eq(write_control(4, cr4 | CR4_LA57), PROBED(EXCEPTION_GP), "CR4.LA57");
    check_eq(write_control(4, cr4 | CR4_CET), PROBED(EXCEPTION_GP), "CR4.CET");
    check_eq(write_control(4, cr4 | 1ull << 40), PROBED(EXCEPTION_GP), "CR4, upper half");
    check_eq(write_control(4, cr4 & ~(1ull << 5)), PROBED(EXCEPTION_GP), "CR4.PAE off");
    check_eq(get_cr4(), cr4, "CR4 is as it was");
    for (unsigned int i = 0; i < 100; i++)
        set_cr4(get_cr4() ^ CR4_PGE);
    check_eq(get_cr4(), cr4, "CR4.PGE on and off");
    set_cr8(9);
    check_eq(get_cr8(), 9, "CR8");
    set_cr8(0);
}

/* ---- debug registers ---- */
struct interrupt_frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

static volatile uint64_t debug_rip, debug_dr6, debug_count;

/* Ends single-stepping, and lets the instruction at a breakpoint be executed. */
__attribute__((interrupt)) static void on_debug(struct interrupt_frame *f)
{
    uint64_t dr6;

    __asm__ volatile("mov %%db6, %0" : "=r"(dr6));
    debug_rip = f->rip;
    debug_dr6 = dr6;
    debug_count++;
    f->rflags = (f->rflags & ~(uint64_t)RFLAGS_TF) | RFLAGS_RF;
    __asm__ volatile("mov %0, %%db6" : : "r"(0xffff0ff0ull));
}

static void set_debug_gate(void)
{
    struct {
        uint16_t pad[3];
        uint16_t limit;
        uint64_t base;
    } idt;
    uint64_t at = (uint64_t)(uintptr_t)on_debug;
    volatile uint16_t *gate;

    __asm__ volatile("sidt %0" : "=m"(idt.limit), "=m"(idt.base));
    gate = (uint16_t *)(uintptr_t)(idt.base + 16);
    gate[0] = (uint16_t)at;
    gate[3] = (uint16_t)(at >> 16);
    gate[4] = (uint16_t)(at >> 32);
    gate[5] = (uint16_t)(at >> 48);
}

static void check_debug(void)
{
    uint64_t at = (uint64_t)(uintptr_t)code, back;

    set_debug_gate();
    /* push rbx; xor eax, eax; pushf; or dword [rsp], TF; popf; cpuid; nop; pop rbx */
    check_eq(EXECUTE("\x53\x31\xc0\x9c\x81\x0c\x24\x00\x01\x00\x00\x9d\x0f\xa2\x90\x5b"), 0,
             "single step over CPUID");
    check_eq(debug_rip - at, 14, "single step: after CPUID");
    check(debug_dr6 & DR6_BS, "single step: DR6.BS");
    check_eq(debug_count, 1, "single step: once");

    __asm__ volatile("mov %0, %%db0" : : "r"(at + 1));
    __asm__ volatile("mov %%db0, %0" : "=r"(back));
    check_eq(back, at + 1, "DR0");
    __asm__ volatile("mov %0, %%db7" : : "r"(0x402ull));
    check_eq(EXECUTE("\x90\x90\x90"), 0, "breakpoint");
    check_eq(debug_count, 2, "breakpoint: once");
    check_eq(debug_rip - at, 1, "breakpoint: where");
    check(debug_dr6 & DR6_B0, "breakpoint: DR6.B0");
    __asm__ volatile("mov %0, %%db7" : : "r"(0x400ull));
}

/* ---- XSAVE ---- */
static uint64_t write_xcr(uint32_t number, uint64_t value)
{
    uint8_t bytes[] = { 0xb9, 0, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xba, 0, 0, 0, 0, 0x0f, 0x01, 0xd1 };

    memcpy(bytes + 1, &number, 4);
    memcpy(bytes + 6, &value, 4);
    memcpy(bytes + 11, (const uint8_t *)&value + 4, 4);
    return execute(bytes, sizeof(bytes));
}

static void check_xsave(void)
{
    uint32_t leaf[4], all[4];

    cpuid(1, 0, leaf);
    if (!(leaf[2] >> 26 & 1)) {
        note("no XSAVE");
        return;
    }
    check_eq(write_xcr(0, 1), PROBED(EXCEPTION_UD), "XSETBV before CR4.OSXSAVE");
    set_cr4(get_cr4() | CR4_XSAVE);
    cpuid(1, 0, leaf);
    check(leaf[2] >> 27 & 1, "CPUID shows OSXSAVE");
    cpuid(0xd, 0, all);
    check_eq(write_xcr(0, 0), PROBED(EXCEPTION_GP), "XCR0 without x87");
    check_eq(write_xcr(0, 5), PROBED(EXCEPTION_GP), "XCR0: AVX without SSE");
    check_eq(write_xcr(0, 1ull << 63 | 1), PROBED(EXCEPTION_GP), "XCR0, reserved");
    check_eq(write_xcr(0, ~all[0]), PROBED(EXCEPTION_GP), "XCR0: more than there is");
    check_eq(write_xcr(1, 1), PROBED(EXCEPTION_GP), "XCR1");
    check_eq(write_xcr(0, 3), 0, "XCR0: SSE");
    cpuid(0xd, 0, leaf);
    check_eq(leaf[1], 576, "CPUID: area of x87 and SSE");
    check_eq(write_xcr(0, all[0]), 0, "XCR0: all");
    cpuid(0xd, 0, leaf);
    check_eq(leaf[1], leaf[2], "CPUID: area of all");
    check_eq(write_xcr(0, 1), 0, "XCR0: x87");
    set_cr4(get_cr4() & ~(uint64_t)CR4_XSAVE);
}

/* ---- ports ---- */
#define NOBODYS_PORT 0x5ff0u

static void check_ports(void)
{
    static const uint8_t out[] = "to nobody";
    const void *from = out;
    uint64_t count = 6;
    uint8_t in[4] = { 0 };
    void *to = in;

    check_eq(inb(NOBODYS_PORT), 0xff, "a port that nobody has reads as ones");
    outb(NOBODYS_PORT, 1);
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(NOBODYS_PORT) : "memory");
    check_eq(count, 0, "rep outsb: count");
    check_eq((uint64_t)(uintptr_t)from - (uint64_t)(uintptr_t)out, 6, "rep outsb: pointer");
    count = 3;
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(NOBODYS_PORT) : "memory");
    check_eq((uint64_t)in[0] + in[1] + in[2], 3 * 0xff, "rep insb: what is read");
    check_eq(in[3], 0, "rep insb: no more");
    check_eq(count, 0, "rep insb: count");
}

/* ---- devices' memory, by other instructions than loads and stores ---- */
#define APIC_VERSION (DEVICE + 0x30)
#define APIC_TPR_AT  (DEVICE + 0x80)

/* push rsi; push rdi; mov rdi, to; mov rsi, from; mov ecx, count; mov edx, a port; instruction; pop
 * rdi; pop rsi */
static uint64_t string(const char *instruction, uint64_t to, uint64_t from, uint32_t count)
{
    uint8_t bytes[CODE_BYTES - 1] = { 0x56, 0x57, 0x48, 0xbf };
    const uint32_t port = NOBODYS_PORT;
    unsigned int n = 34;

    memcpy(bytes + 4, &to, 8);
    memcpy(bytes + 12, "\x48\xbe", 2);
    memcpy(bytes + 14, &from, 8);
    bytes[22] = 0xb9;
    memcpy(bytes + 23, &count, 4);
    bytes[27] = 0xba;
    memcpy(bytes + 28, &port, 4);
    memcpy(bytes + 32, "\x90\x90", 2);
    while (*instruction)
        bytes[n++] = (uint8_t)*instruction++;
    bytes[n++] = 0x5f;
    bytes[n++] = 0x5e;
    return execute(bytes, n);
}

#define REP_MOVSD "\xf3\xa5"
#define REP_STOSD "\xf3\xab"
#define REP_INSD  "\xf3\x6d"
#define REP_OUTSD "\xf3\x6f"
#define CMPSD     "\xa7"

/* Which exit such an instruction makes first, the port's or the memory's, is the processor's. */
static void refused(uint64_t got, const char *what)
{
    check(got == PROBED(EXCEPTION_GP) || got == PROBED(EXCEPTION_UD), "%s: 0x%lx", what, got);
}

static void check_strings(void)
{
    uint32_t version = read32(APIC_VERSION), got[3] = { 1, 1, 1 }, prio = 0x50;
    uint64_t at = (uint64_t)(uintptr_t)got;

    check_eq(string(REP_MOVSD, at, APIC_VERSION, 1), 0, "rep movsd from a device");
    check_eq(got[0], version, "rep movsd from a device: what is read");
    check_eq(got[1], 1, "rep movsd from a device: no more");
    check_eq(string(REP_MOVSD, APIC_TPR_AT, (uint64_t)(uintptr_t)&prio, 1), 0,
             "rep movsd to a device");
    check_eq(get_cr8(), 5, "rep movsd to a device: what it did");
    set_cr8(0);
    check_eq(string("\x31\xc0" REP_STOSD, APIC_TPR_AT, 0, 3), 0, "rep stosd to a device");
    check_eq(string(REP_MOVSD, APIC_TPR_AT, APIC_VERSION, 1), PROBED(EXCEPTION_UD),
             "rep movsd from a device to a device");
    check_eq(string(CMPSD, at, APIC_VERSION, 1), PROBED(EXCEPTION_UD), "cmpsd of a device");
    refused(string(REP_INSD, DEVICE, 0, 1), "rep insd to a device");
    refused(string(REP_OUTSD, 0, DEVICE, 1), "rep outsd from a device");
    check_eq(string(REP_INSD, at, 0, 0), 0, "rep insd of none");
    check_eq(got[0], version, "rep insd of none: nothing is read");
}

/* Instructions on two pages; code where there is none. */
static void check_code(void)
{
    static uint8_t pages[3 * 4096];
    uint64_t end = ((uint64_t)(uintptr_t)pages + 8191) & ~(uint64_t)4095;
    uint64_t last = machine.mem[0].base + machine.mem[0].bytes;
    /* mov eax, [version], and back */
    uint8_t load[] = { 0xa1, 0x30, 0x00, 0xe0, 0xfe, 0, 0, 0, 0, 0xc3 };

    for (unsigned int in_first = 1; in_first < 9; in_first++) {
        memcpy((uint8_t *)(uintptr_t)end - in_first, load, sizeof(load));
        check_eq(probe_jump(end - in_first) & PROBE_MASK, 0, "mov of a device, %u bytes on a page",
                 in_first);
    }
    check_eq(probe_jump(DEVICE) & PROBE_MASK, PROBED(EXCEPTION_GP), "code in a device");
    check_eq(probe_jump(UNMAPPED - 4096) & PROBE_MASK, PROBED(EXCEPTION_GP), "code in nothing");
    if (is_memory(last)) {
        note("memory does not end at 0x%lx", last);
        return;
    }
    ((volatile uint8_t *)(uintptr_t)last)[-1] = 0x0f;
    check_eq(probe_jump(last - 1) & PROBE_MASK, PROBED(EXCEPTION_GP),
             "an instruction whose end is in nothing");
}

/* The page that the guest asks to have its hypercalls in. */
static void check_hypercall_page(void)
{
    uint32_t r[4];
    uint64_t value;

    cpuid(machine.xen_leaves + 2, 0, r);
    value = DEVICE;
    check_eq(probe_wrmsr(r[1], &value) & PROBE_MASK, PROBED(EXCEPTION_GP),
             "a hypercall page in a device");
    value = UNMAPPED - 4096;
    check_eq(probe_wrmsr(r[1], &value) & PROBE_MASK, PROBED(EXCEPTION_GP),
             "a hypercall page in nothing");
    value = UINT64_MAX << 12;
    check_eq(probe_wrmsr(r[1], &value) & PROBE_MASK, PROBED(EXCEPTION_GP),
             "a hypercall page beyond all addresses");
}

void guest_main(void)
{
    check_cpuid();
    check_msrs();
    check_instructions();
    check_control();
    check_debug();
    check_xsave();
    check_ports();
    check_strings();
    check_code();
    check_hypercall_page();
    finish();
}
