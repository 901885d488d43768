/* SPDX-License-Identifier: MIT */
/*
 * The processor in states, and with addresses, that no system would use: what mode= names. Nobody
 * is asserted here but by the neighbour. Modes that end in a triple fault: stackdev, idtdev,
 * tableshared, task. Those that never end, unless they end so by themselves: all others.
 */
#include "hypercall.h"

#include <xen/memory.h>

#define APIC_INIT    0x4500u
#define APIC_STARTUP 0x4600u

#define MSR_GS_BASE 0xc0000101u
#define CODE_BYTES  128u

const char guest_name[] = "modes";

extern uint32_t trampoline_cr3; /* start.S */

static uint64_t seeds[MAX_CPUS];

/* The same way each time, so that a failure can be looked at again; `seed=0`: by the counter,
 * another one each time. */
static uint64_t any(unsigned int id)
{
    uint64_t s = seeds[id];

    if (!s) {
        s = bootarg_number("seed", 1);
        s = (s ? s + id : now()) * 2 + 1;
        put("cpu %u: seed 0x%lx\n", id, s);
    }
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    seeds[id] = s;
    return s;
}

static unsigned int below(unsigned int id, unsigned int n)
{
    return (unsigned int)((any(id) >> 32) % n);
}

/* ---- code that is written here ---- */
struct code {
    uint8_t *start, *at;
};

static void emit(struct code *c, const void *bytes, unsigned int nr)
{
    memcpy(c->at, bytes, nr);
    c->at += nr;
}

#define EMIT(c, bytes) emit(c, bytes, sizeof(bytes) - 1)

static void emit_value(struct code *c, uint64_t value, unsigned int nr)
{
    emit(c, &value, nr);
}

static uint8_t buffers[MAX_CPUS][CODE_BYTES] __attribute__((aligned(64)));

/* ---- registers ---- */
/* Any register, with any value: those of the table, few bits, all bits. */
static void wild_msrs(unsigned int id)
{
    static const struct {
        uint32_t first, count;
    } ranges[] = {
        { 0, 0x2000 },     { 0x800, 0x100 },       { 0x200, 0x100 },      { 0x1b, 1 },
        { 0x6e0, 1 },      { 0x1d9, 1 },           { 0xc0000080, 1 },     { 0x40000000, 0x100 },
        { 0xc0000080, 8 }, { 0xc0000000, 0x2000 }, { 0xc0010000, 0x2000 }
    };

    for (uint64_t n = 0;; n++) {
        unsigned int i = below(id, ARRAY_SIZE(ranges));
        uint32_t msr = ranges[i].first + below(id, ranges[i].count);
        uint64_t value = any(id);

        if (msr == MSR_GS_BASE)
            continue;
        if (n & 1)
            value = 1ull << (value & 63) | 1ull << (value >> 8 & 63);
        if (n & 2)
            value ^= rdmsr(0xc0000080);
        probe_wrmsr(msr, &value);
        probe_rdmsr(msr, &value);
        if (n % 5000 == 0 && id == 0)
            put("msrs %lu\n", n);
    }
}

/* ---- states of control registers, in code of 16, 32 and 64 bits ---- */
static void set_control(struct code *c, unsigned int cr, uint32_t value)
{
    uint8_t mod = (uint8_t)(0xc0 | cr << 3);

    EMIT(c, "\x66\xb8"); /* mov eax, value */
    emit_value(c, value, 4);
    EMIT(c, "\x0f\x22"); /* mov crN, eax */
    emit(c, &mod, 1);
}

static void one_step(struct code *c)
{
    uint32_t value = (uint32_t)any(0);

    switch (below(0, 6)) {
    case 0: /* mostly bits that there are */
        set_control(c, 0, below(0, 4) ? value & 0xe005003f : value);
        break;
    case 1:
        set_control(c, 4, below(0, 4) ? value & 0x003707ff : value);
        break;
    case 2:
        set_control(c, 3, below(0, 2) ? trampoline_cr3 : below(0, 2) ? (uint32_t)DEVICE : value);
        break;
    case 3: /* mov ecx, EFER; mov eax, value; xor edx, edx; wrmsr */
        EMIT(c, "\x66\xb9\x80\x00\x00\xc0\x66\xb8");
        emit_value(c, below(0, 4) ? value & 0x4901 : value, 4);
        EMIT(c, "\x66\x31\xd2\x0f\x30");
        break;
    case 4: /* cpuid, vmmcall, hlt of a moment, in, lmsw */
        EMIT(c, "\x0f\xa2\x0f\x01\xd9\xe4\x80\x0f\x01\xf0");
        break;
    default: /* jmp far */
        EMIT(c, "\x66\xea");
        emit_value(c, TRAMPOLINE + CODE_BYTES, 4);
        emit_value(c, below(0, 5) * 8, 2);
        break;
    }
}

/* The others start in code of 16 bits, and change as it comes. */
static void wild_states(unsigned int id)
{
    (void)id;
    for (uint64_t n = 0;; n++) {
        struct code c = { .start = (uint8_t *)(uintptr_t)TRAMPOLINE };

        for (unsigned int i = 0; i < 4096; i++)
            c.start[i] = (uint8_t)any(0);
        c.at = c.start;
        for (unsigned int i = 0; i < 6; i++)
            one_step(&c);
        for (unsigned int cpu = 1; cpu < machine.cpus; cpu++) {
            apic_send(cpu, APIC_INIT);
            apic_send(cpu, APIC_STARTUP | TRAMPOLINE >> 12);
        }
        delay_us(300);
        if (n % 100 == 0)
            put("states %lu\n", n);
    }
}

/*
 * Long mode is enabled, and what it needs is not: exits from there, in code of 16 bits, for ever.
 * QEMU itself does not bring its CPU back to the hypervisor from there.
 */
static void half_long_mode(unsigned int id)
{
    static const uint8_t start[] = "\x66\xb9\x80\x00\x00\xc0" /* mov ecx, EFER */
                                   "\x66\xb8\x00\x01\x00\x00" /* mov eax, LME */
                                   "\x66\x31\xd2\x0f\x30"     /* xor edx, edx; wrmsr */
                                   "\x66\x31\xc0\x0f\xa2"     /* 1: xor eax, eax; cpuid */
                                   "\xeb\xf9";                /* jmp 1b */

    (void)id;
    memcpy((uint8_t *)(uintptr_t)TRAMPOLINE, start, sizeof(start));
    apic_send(1, APIC_INIT);
    apic_send(1, APIC_STARTUP | TRAMPOLINE >> 12);
    for (;;)
        relax();
}

/* ---- strings ---- */
static uint64_t any_place(unsigned int id)
{
    static uint8_t room[8192];

    switch (below(id, 6)) {
    case 0:
        return DEVICE + below(id, 4096);
    case 1:
        return DEVICE + 4096 - below(id, 16);
    case 2:
        return UNMAPPED - 1 - below(id, 8192);
    case 3:
        return any(id);
    default:
        return (uint64_t)(uintptr_t)room + 2048 + below(id, 4096);
    }
}

/* Of all kinds and widths, forwards and backwards, between memory, devices and nothing. */
static void wild_strings(unsigned int id)
{
    static const uint8_t ops[] = { 0xa4, 0xa5, 0xaa, 0xab, 0x6c, 0x6d, 0x6e,
                                   0x6f, 0xa6, 0xa7, 0xac, 0xad, 0xae, 0xaf };
    static const uint8_t prefixes[] = { 0x66, 0x67, 0xf3, 0xf2, 0x2e, 0x64, 0x65, 0x48 };

    for (uint64_t n = 0;; n++) {
        struct code c = { buffers[id], buffers[id] };

        EMIT(&c, "\x56\x57\x48\xbf"); /* push rsi; push rdi; mov rdi, ... */
        emit_value(&c, any_place(id), 8);
        EMIT(&c, "\x48\xbe"); /* mov rsi, ... */
        emit_value(&c, any_place(id), 8);
        EMIT(&c, "\xb9"); /* mov ecx, ... */
        emit_value(&c, below(id, 16), 4);
        EMIT(&c, "\xba\xf0\x5f\x00\x00"); /* mov edx, a port that nobody has */
        emit(&c, n & 1 ? "\xfd" : "\xfc", 1);
        for (unsigned int i = below(id, 4); i; i--)
            emit(&c, &prefixes[below(id, sizeof(prefixes))], 1);
        emit(&c, &ops[below(id, sizeof(ops))], 1);
        EMIT(&c, "\xfc\x5f\x5e\xc3"); /* cld; pop rdi; pop rsi; ret */
        probe_jump((uint64_t)(uintptr_t)c.start);
        __asm__ volatile("cld");
        if (n % 5000 == 0 && id == 0)
            put("strings %lu\n", n);
    }
}

/* ---- code that changes while it is carried out ---- */
/* push rsi; mov edi, TPR; mov esi, edi; mov ecx, 1; eight bytes; pop rsi; ret */
static uint8_t changing[64] __attribute__((aligned(64))) =
    "\x56\xbf\x80\x00\xe0\xfe\x89\xfe\xb9\x01\x00\x00\x00\x90\x90\x90"
    "\x90\x90\x90\x90\x90\x90\x90\x90\x5e\xc3";

static const char forms[][9] = {
    "\x8b\x07\x90\x90\x90\x90\x90\x90", /* mov eax, [rdi] */
    "\x89\x07\x90\x90\x90\x90\x90\x90", /* mov [rdi], eax */
    "\x01\x07\x90\x90\x90\x90\x90\x90", /* add [rdi], eax */
    "\xf3\xa4\x90\x90\x90\x90\x90\x90", /* rep movsb */
    "\xf3\xaa\x90\x90\x90\x90\x90\x90", /* rep stosb */
    "\x0f\x0b\x90\x90\x90\x90\x90\x90", /* ud2 */
    "\x0f\xb6\x07\x66\x89\x07\x90\x90", /* movzx eax, byte [rdi]; mov [rdi], ax */
    "\xf0\x87\x07\x8b\x07\x90\x90\x90", /* lock xchg [rdi], eax; mov */
};

static void changing_code(unsigned int id)
{
    uint64_t form;

    if (id) {
        for (;;) {
            memcpy(&form, forms[below(id, ARRAY_SIZE(forms))], 8);
            *(volatile uint64_t *)(void *)(changing + 16) = form;
        }
    }
    for (uint64_t n = 0;; n++) {
        probe_jump((uint64_t)(uintptr_t)changing);
        if (n % 5000 == 0)
            put("changing %lu\n", n);
    }
}

/* ---- what is where it must not be ---- */
static void code_in_device(unsigned int id)
{
    for (;;)
        probe_jump(DEVICE + below(id, 4096));
}

static void stack_in_device(unsigned int id)
{
    (void)id;
    __asm__ volatile("mov %0, %%rsp\n\tint3" ::"r"(DEVICE + 0x800) : "memory");
}

static void idt_in_device(unsigned int id)
{
    struct {
        uint16_t pad[3];
        uint16_t limit;
        uint64_t base;
    } pointer = { .limit = 4095, .base = DEVICE };

    (void)id;
    __asm__ volatile("lidt %0\n\tint3" ::"m"(pointer.limit), "m"(pointer));
}

/* Page tables in a page that is Hospes': the one of shared information. */
static void tables_in_shared(unsigned int id)
{
    static uint8_t room[8192];
    uint64_t at = ((uint64_t)(uintptr_t)room + 4095) & ~(uint64_t)4095;
    struct xen_add_to_physmap x = { .domid = DOMID_SELF,
                                    .space = XENMAPSPACE_shared_info,
                                    .gpfn = at >> 12 };

    (void)id;
    put("shared information: %ld\n",
        (int64_t)hypercall_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &x));
    *(volatile uint64_t *)(uintptr_t)at = at | 7;
    __asm__ volatile("mov %0, %%cr3" ::"r"(at) : "memory");
}

/* A switch to a task whose state is in a device, and to one in nothing. */
static void task_in_device(unsigned int id)
{
    static uint64_t gdt[8] __attribute__((aligned(8)));
    /* lgdt [TRAMPOLINE + 64]; mov eax, 1; mov cr0, eax; jmp 8:next; next: mov ax, 16; mov ds, ax;
     * mov ax, 24; ltr ax; jmp far 32:0 */
    static const uint8_t start[] = {
        0x2e,
        0x66,
        0x0f,
        0x01,
        0x16,
        0x40,
        0x00,
        0x66,
        0xb8,
        0x01,
        0x00,
        0x00,
        0x00,
        0x0f,
        0x22,
        0xc0,
        0x66,
        0xea,
        0x18,
        (TRAMPOLINE >> 8) & 0xff,
        (TRAMPOLINE >> 16) & 0xff,
        0x00,
        0x08,
        0x00,
        0x66,
        0xb8,
        0x10,
        0x00,
        0x8e,
        0xd8,
        0x66,
        0xb8,
        0x18,
        0x00,
        0x0f,
        0x00,
        0xd8,
        0xea,
        0x00,
        0x00,
        0x00,
        0x00,
        0x20,
        0x00,
    };
    uint8_t *low = (uint8_t *)(uintptr_t)TRAMPOLINE;
    uint64_t base = (uint64_t)(uintptr_t)low + 0x100;
    uint32_t gdt_at = (uint32_t)(uintptr_t)gdt;
    uint16_t limit = sizeof(gdt) - 1;

    (void)id;
    gdt[1] = 0x00cf9b000000ffff;
    gdt[2] = 0x00cf93000000ffff;
    gdt[3] = 0x0000890000000067 | (base & 0xffffff) << 16;
    gdt[4] = 0x0000890000000067 | (DEVICE & 0xffffff) << 16 | (DEVICE >> 24) << 56;
    memcpy(low, start, sizeof(start));
    memcpy(low + 64, &limit, 2);
    memcpy(low + 66, &gdt_at, 4);
    apic_send(1, APIC_INIT);
    apic_send(1, APIC_STARTUP | TRAMPOLINE >> 12);
    for (;;)
        relax();
}

static const struct {
    const char *name;
    void (*run)(unsigned int id);
    bool alone; /* the others are not started */
} modes[] = {
    { "msrs", wild_msrs, false },
    { "states", wild_states, true },
    { "halflong", half_long_mode, true },
    { "strings", wild_strings, false },
    { "changing", changing_code, false },
    { "codedev", code_in_device, false },
    { "stackdev", stack_in_device, true },
    { "idtdev", idt_in_device, true },
    { "tableshared", tables_in_shared, true },
    { "task", task_in_device, true },
};

void guest_main(void)
{
    char mode[16] = "";

    bootarg("mode", mode, sizeof(mode));
    hypercall_init();
    apic_init_cpu();
    for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++)
        if (same_text(mode, modes[i].name)) {
            put("crash begins: %s\n", mode);
            for (unsigned int id = 1; id < machine.cpus && !modes[i].alone; id++)
                cpu_start(id, modes[i].run);
            modes[i].run(0);
        }
    put("crash is over\n");
}
