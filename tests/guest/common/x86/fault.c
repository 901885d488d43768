/* SPDX-License-Identifier: MIT */
/* Exceptions (AMD APM 2, chapter 8): those that a probe provokes end it, interrupts are counted and
 * go to the hook, others end the guest. */
#include "guest.h"

struct gate {
    uint16_t low, selector;
    uint8_t ist, type;
    uint16_t middle;
    uint32_t high, reserved;
};

#define GATE_INTERRUPT  0x8eu
#define FIRST_INTERRUPT 32u

void (*volatile irq_hook)(struct frame *f);
volatile uint64_t last_cr2;
volatile uint64_t taken[MAX_CPUS][256];

extern const uint8_t vectors[];
static struct gate idt[256];

void exception(struct frame *f);

void vector_set(unsigned int vector, const void *handler)
{
    uint64_t entry = (uint64_t)(uintptr_t)handler;

    idt[vector] = (struct gate){ .low = (uint16_t)entry,
                                 .selector = CODE64,
                                 .type = GATE_INTERRUPT,
                                 .middle = (uint16_t)(entry >> 16),
                                 .high = (uint32_t)(entry >> 32) };
}

void exceptions_init(void)
{
    struct {
        uint16_t pad[3];
        uint16_t limit;
        uint64_t base;
    } pointer = { .limit = sizeof(idt) - 1, .base = (uint64_t)(uintptr_t)idt };

    for (unsigned int i = 0; i < 256 && cpu_id() == 0; i++)
        vector_set(i, vectors + 16 * i);
    __asm__ volatile("lidt %0" ::"m"(pointer.limit), "m"(pointer));
}

void exception(struct frame *f)
{
    struct cpu *cpu = this_cpu();
    uint64_t cr2;

    if (f->vector >= FIRST_INTERRUPT) {
        taken[cpu->id][f->vector]++;
        if (irq_hook)
            irq_hook(f);
        if (f->vector != VECTOR_SPURIOUS)
            apic_eoi();
        return;
    }
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    if (cpu->probe_at != 0) {
        last_cr2 = cr2;
        f->rax = PROBED(f->vector) | f->error << 32;
        f->rip = cpu->probe_at;
        return;
    }
    put("exception %lu on cpu %u: error 0x%lx rip 0x%lx cr2 0x%lx rsp 0x%lx rflags 0x%lx\n",
        f->vector, cpu->id, f->error, f->rip - machine.image.base, cr2, f->rsp, f->rflags);
    check(false, "unexpected exception");
    finish();
}

uint64_t probe_read1(uint64_t addr, uint64_t *value);
uint64_t probe_read2(uint64_t addr, uint64_t *value);
uint64_t probe_read4(uint64_t addr, uint64_t *value);
uint64_t probe_read8(uint64_t addr, uint64_t *value);
uint64_t probe_write1(uint64_t addr, uint64_t *value);
uint64_t probe_write2(uint64_t addr, uint64_t *value);
uint64_t probe_write4(uint64_t addr, uint64_t *value);
uint64_t probe_write8(uint64_t addr, uint64_t *value);
uint64_t probe_call(uint64_t addr, uint64_t *value);

uint64_t probe_read(uint64_t addr, unsigned int bytes, uint64_t *value)
{
    uint64_t got = 0, result;

    result = bytes == 1   ? probe_read1(addr, &got)
             : bytes == 2 ? probe_read2(addr, &got)
             : bytes == 4 ? probe_read4(addr, &got)
                          : probe_read8(addr, &got);
    if (value)
        *value = got;
    return result;
}

uint64_t probe_write(uint64_t addr, unsigned int bytes, uint64_t value)
{
    return bytes == 1   ? probe_write1(addr, &value)
           : bytes == 2 ? probe_write2(addr, &value)
           : bytes == 4 ? probe_write4(addr, &value)
                        : probe_write8(addr, &value);
}

uint64_t probe_jump(uint64_t addr)
{
    uint64_t none = 0;

    return probe_call(addr, &none);
}

/* What is nothing reads as ones, or as what the machine's bus makes of it: it keeps nothing. */
bool is_memory(uint64_t addr)
{
    uint64_t was, now_is;
    bool kept;

    if (probe_read(addr, 8, &was) != 0 || probe_write(addr, 8, ~was) != 0)
        return false;
    kept = probe_read(addr, 8, &now_is) == 0 && now_is == ~was;
    probe_write(addr, 8, was);
    return kept;
}
