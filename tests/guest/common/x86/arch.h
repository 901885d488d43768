/* SPDX-License-Identifier: MIT */
/*
 * x86-64's part of the runtime: PVH start info, ACPI's list of CPUs, exceptions, the local APIC,
 * the counter. All up to 511 GiB is mapped flat, to be read, written and executed.
 */
#ifndef GUEST_ARCH_H
#define GUEST_ARCH_H

#include <xen/arch-x86/hvm/start_info.h>

/* ---- what the start info and ACPI say ---- */
struct machine {
    struct range mem[4]; /* without what is below 1 MiB */
    unsigned int mems;
    unsigned int cpus;
    uint32_t apic_id[MAX_CPUS];
    const char *bootargs;
    struct range image;
    uint64_t start;
    const struct hvm_start_info *info;
    uint32_t xen_leaves; /* the first of Xen's leaves of CPUID */
    uint64_t tsc_khz;
};
void machine_read(const struct hvm_start_info *info); /* without the CPUs */
void machine_read_cpus(void);                         /* acpi.c */

#define DEVICE     UINT64_C(0xfee00000)         /* a device of every guest: the local APIC */
#define UNMAPPED   (UINT64_C(511) << 30)        /* an address that translates to nothing, */
#define NO_ADDRESS UINT64_C(0x00f0000000000000) /* and one that cannot: not canonical */

#define IO_ACCESS(bits)                                               \
    static inline uint##bits##_t read##bits(uint64_t a)               \
    {                                                                 \
        return *(volatile uint##bits##_t *)(uintptr_t)a;              \
    }                                                                 \
    static inline void write##bits(uint64_t a, uint64_t v)            \
    {                                                                 \
        *(volatile uint##bits##_t *)(uintptr_t)a = (uint##bits##_t)v; \
    }
IO_ACCESS(8)
IO_ACCESS(16)
IO_ACCESS(32)
IO_ACCESS(64)

static inline void barrier(void)
{
    __asm__ volatile("mfence" ::: "memory");
}
static inline void relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
static inline void irq_on(void)
{
    __asm__ volatile("sti" ::: "memory");
}
static inline void irq_off(void)
{
    __asm__ volatile("cli" ::: "memory");
}
static inline void wfi(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}
/* Takes the interrupts that are pending. */
static inline void irq_window(void)
{
    __asm__ volatile("sti\n\tnop\n\tcli" ::: "memory");
}
static inline uint64_t now(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(subleaf));
}
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}
static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}
static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

/* ---- exceptions (fault.c) ---- */
struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
/* What a probe gives: this, the vector, the error code above it. */
#define PROBE_VECTOR   0x100u
#define PROBED(vector) (PROBE_VECTOR | (vector))
#define PROBE_MASK     0x1ffu /* without the error code */
#define PROBE_ERROR(p) ((uint32_t)((p) >> 32))
#define EXCEPTION_UD   6u
#define EXCEPTION_GP   13u
#define EXCEPTION_PF   14u
extern volatile uint64_t last_cr2; /* of the last page fault that a probe took */
void exceptions_init(void);
void vector_set(unsigned int vector, const void *handler); /* in place of exception() */
uint64_t probe_rdmsr(uint64_t msr, uint64_t *value);
uint64_t probe_wrmsr(uint64_t msr, uint64_t *value);

/* ---- CPUs ---- */
struct cpu {
    struct cpu *self;       /* offsets.h */
    uint64_t stack;         /* likewise */
    uint64_t probe_at;      /* likewise: != 0: where an exception goes on */
    volatile uint64_t when; /* likewise: the guest's own */
    unsigned int id;
    void (*run)(unsigned int id);
    volatile bool arrived, left;
};
static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}
static inline unsigned int cpu_id(void)
{
    return this_cpu()->id;
}
_Noreturn void secondary_start(struct cpu *cpu);

/* ---- the local APIC (apic.c): x2APIC where CPUID has it, unless bootarg xapic=1 ---- */
#define VECTOR_ALARM    0x40u
#define VECTOR_UPCALL   0x50u
#define VECTOR_SPURIOUS 0xffu
#define APIC_ID         0x02u
#define APIC_TPR        0x08u
#define APIC_EOI        0x0bu
#define APIC_SVR        0x0fu
#define APIC_ICR        0x30u
#define APIC_LVT_TIMER  0x32u
#define APIC_INITIAL    0x38u
#define APIC_CURRENT    0x39u
#define APIC_DIVIDE     0x3eu
#define APIC_SELF_IPI   0x3fu
void apic_init_cpu(void); /* once on each CPU before it uses it */
uint32_t apic_read(unsigned int reg);
void apic_write(unsigned int reg, uint32_t value);
void apic_send(unsigned int cpu, uint32_t command); /* the low half of ICR */
void apic_eoi(void);
/* Counts interrupts of a vector on this CPU, and ends them; irq_hook, if there is one, is called
 * too. */
extern volatile uint64_t taken[MAX_CPUS][256];

#endif
