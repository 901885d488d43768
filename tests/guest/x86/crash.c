/* SPDX-License-Identifier: MIT */
/*
 * Ends, restarts or goes astray in the way that mode= names. Nobody is asserted here but by the
 * neighbour, or by the hypervisor's last line. Modes that end in a triple fault, or by what Hospes
 * does then: idt, idtnowhere, stack, tables, tabledev; in being switched off: sleep. Those that
 * never end: all others.
 */
#include "hypercall.h"

#define APIC_ALL_BUT_SELF (3u << 18)
#define APIC_NMI          (4u << 8)
#define APIC_INIT         (5u << 8)
#define WILD_BYTES        32u

const char guest_name[] = "crash";

static void set_cr3(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(value) : "memory");
}

static void load_idt(uint64_t base, uint16_t limit)
{
    struct {
        uint16_t pad[3];
        uint16_t limit;
        uint64_t base;
    } pointer = { .limit = limit, .base = base };

    __asm__ volatile("lidt %0\n\tint3" ::"m"(pointer.limit), "m"(pointer));
}

/* Takes these exceptions, and does nothing about them. */
static void ignore(unsigned int vector)
{
    struct {
        uint16_t pad[3];
        uint16_t limit;
        uint64_t base;
    } idt;
    volatile uint16_t *gate;
    uint64_t at;

    __asm__ volatile("sidt %0" : "=m"(idt.limit), "=m"(idt.base));
    __asm__ volatile("lea 1f(%%rip), %0\n\tjmp 2f\n1:\tiretq\n2:" : "=r"(at));
    gate = (volatile uint16_t *)(uintptr_t)(idt.base + 16 * vector);
    gate[0] = (uint16_t)at;
    gate[3] = (uint16_t)(at >> 16);
    gate[4] = (uint16_t)(at >> 32);
    gate[5] = (uint16_t)(at >> 48);
}

static void no_idt(unsigned int id)
{
    (void)id;
    load_idt(0, 0);
}

static void idt_nowhere(unsigned int id)
{
    (void)id;
    load_idt(UNMAPPED - 4096, 4095);
}

static void stack_nowhere(unsigned int id)
{
    (void)id;
    __asm__ volatile("mov %0, %%rsp\n\tint3" ::"r"(UNMAPPED - 64) : "memory");
}

static void tables_nowhere(unsigned int id)
{
    (void)id;
    set_cr3(UNMAPPED - 4096);
}

static void tables_in_device(unsigned int id)
{
    (void)id;
    set_cr3(DEVICE);
}

/* A table that is its own next level for all addresses. */
static void tables_in_loop(unsigned int id)
{
    static uint64_t table[512] __attribute__((aligned(4096)));

    (void)id;
    for (unsigned int i = 0; i < ARRAY_SIZE(table); i++)
        table[i] = (uint64_t)(uintptr_t)table | 7;
    set_cr3((uint64_t)(uintptr_t)table);
}

static void jump_nowhere(unsigned int id)
{
    (void)id;
    for (;;)
        probe_jump(UNMAPPED - 4096);
}

static void exception_storm(unsigned int id)
{
    (void)id;
    for (;;)
        probe_read(NO_ADDRESS, 8, NULL);
}

static void nothing_storm(unsigned int id)
{
    (void)id;
    for (;;)
        probe_write(UNMAPPED - 4096, 4, probe_read(UNMAPPED - 4096, 8, NULL));
}

static void call_storm(unsigned int id)
{
    (void)id;
    for (uint64_t n = 0;; n++)
        hypercall(n & 63, n, n << 3, n << 5, n, n);
}

static void device_storm(unsigned int id)
{
    (void)id;
    for (;;)
        for (uint64_t a = 0; a < 0x1000; a += 4)
            if (a != 0xb0 && a != 0x300) /* EOI of nothing, and messages: another mode's */
                probe_write(DEVICE + a, 4, probe_read(DEVICE + a, 4, NULL));
}

static void message_storm(unsigned int id)
{
    if (id)
        apic_init_cpu();
    for (uint32_t n = 0;; n++)
        apic_write(APIC_ICR, APIC_ALL_BUT_SELF | (n & 0x7f) | 0x80);
}

static void nmi_storm(unsigned int id)
{
    if (id)
        apic_init_cpu();
    ignore(2);
    for (;;)
        apic_write(APIC_ICR, APIC_ALL_BUT_SELF | APIC_NMI);
}

static void init_storm(unsigned int id)
{
    (void)id;
    for (;;)
        apic_write(APIC_ICR, APIC_ALL_BUT_SELF | APIC_INIT);
}

static void port_storm(unsigned int id)
{
    (void)id;
    for (uint32_t port = 0;; port++)
        if ((port & 0xffff) != 0xe9)
            outb((uint16_t)port, inb((uint16_t)port));
}

static void control_storm(unsigned int id)
{
    (void)id;
    for (;;)
        __asm__ volatile("mov %%cr4, %%rax\n\txor $0x80, %%rax\n\tmov %%rax, %%cr4" ::
                             : "rax", "memory");
}

static void invalidate_storm(unsigned int id)
{
    (void)id;
    for (;;)
        __asm__ volatile("wbinvd\n\tinvlpg (%0)" ::"r"(DEVICE) : "memory");
}

static void spin_for_ever(unsigned int id)
{
    (void)id;
    __asm__ volatile("cli\n1: jmp 1b");
}

static void sleep_for_ever(unsigned int id)
{
    (void)id;
    __asm__ volatile("cli\n1: hlt\n\tjmp 1b");
}

static void step_for_ever(unsigned int id)
{
    (void)id;
    ignore(1);
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n1: cpuid\n\tjmp 1b" ::
                         : "rax", "rbx", "rcx", "rdx");
}

/* Whatever instructions come by: the guest ends one way or another, the others go on. */
static void wild_code(unsigned int id)
{
    static uint8_t code[MAX_CPUS][WILD_BYTES];
    uint64_t seed = 0x853c49e6748fea9bu + id;

    for (uint64_t n = 0;; n++) {
        for (unsigned int i = 0; i < WILD_BYTES; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            code[id][i] = (uint8_t)seed;
        }
        probe_jump((uint64_t)(uintptr_t)code[id]);
        if (n % 1000 == 0)
            put("wild %lu\n", n);
    }
}

static const struct {
    const char *name;
    void (*run)(unsigned int id);
} modes[] = {
    { "idt", no_idt },
    { "idtnowhere", idt_nowhere },
    { "stack", stack_nowhere },
    { "tables", tables_nowhere },
    { "tabledev", tables_in_device },
    { "tableloop", tables_in_loop },
    { "jump", jump_nowhere },
    { "faults", exception_storm },
    { "nothing", nothing_storm },
    { "calls", call_storm },
    { "device", device_storm },
    { "messages", message_storm },
    { "nmis", nmi_storm },
    { "inits", init_storm },
    { "ports", port_storm },
    { "control", control_storm },
    { "invalidate", invalidate_storm },
    { "spin", spin_for_ever },
    { "sleep", sleep_for_ever },
    { "step", step_for_ever },
    { "wild", wild_code },
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
            for (unsigned int id = 1; id < machine.cpus && modes[i].run != init_storm; id++)
                cpu_start(id, modes[i].run);
            modes[i].run(0);
        }
    put("crash is over\n");
}
