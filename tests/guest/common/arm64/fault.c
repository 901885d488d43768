/* SPDX-License-Identifier: MIT */
/* Exceptions (Arm DDI 0487, D1.3): those that a probe provokes end it, IRQs go to the hook, others
 * end the guest. */
#include "guest.h"

#define RET            0xd65f03c0u
#define SPSR_EL1H_DAIF UINT64_C(0x3c5)
#define ESR_WNR        (UINT64_C(1) << 6)
#define MOST_REFUSED   100u

void (*volatile irq_hook)(struct frame *f);
volatile uint64_t last_far, last_elr;

static unsigned int refused;

void exception(struct frame *f, unsigned int kind);

void exception(struct frame *f, unsigned int kind)
{
    struct cpu *cpu = (struct cpu *)sysreg_read(tpidr_el1);
    unsigned int type = kind & 3; /* synchronous, IRQ, FIQ, SError */

    if ((type == 1 || type == 2) && irq_hook) {
        irq_hook(f);
        return;
    }
    if ((type == 0 || type == 3) && cpu->probe_sp != 0) {
        last_far = f->far;
        last_elr = f->elr;
        f->x[19] = type == 0 ? f->esr : PROBE_SERROR;
        f->elr = (uint64_t)probe_resume;
        f->spsr = SPSR_EL1H_DAIF;
        return;
    }
    if (type == 0 && ESR_EC(f->esr) == EC_DABT && f->far < GIB && refused < MOST_REFUSED) {
        /* A register that the hypervisor does not have: a failure, read as 0, and on. */
        uint32_t insn = *(const uint32_t *)f->elr;
        refused++;
        check(false, "access to 0x%lx at 0x%lx is refused", f->far, f->elr - machine.image.base);
        if ((insn & 31) < 31 && !(f->esr & ESR_WNR))
            f->x[insn & 31] = 0;
        f->elr += 4;
        return;
    }
    put("exception kind %u on cpu %u: esr 0x%lx elr 0x%lx far 0x%lx spsr 0x%lx x30 0x%lx\n", kind,
        cpu->id, f->esr, f->elr - machine.image.base, f->far, f->spsr,
        f->x[30] - machine.image.base);
    check(false, "unexpected exception");
    finish();
}

void clean_dcache(const void *p, size_t bytes)
{
    for (uint64_t a = (uint64_t)p & ~UINT64_C(15); a < (uint64_t)p + bytes; a += 16)
        __asm__ volatile("dc civac, %0" ::"r"(a) : "memory");
    barrier();
}

void sync_code(const void *code, size_t bytes)
{
    for (uint64_t a = (uint64_t)code & ~UINT64_C(15); a < (uint64_t)code + bytes; a += 16)
        __asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb ish" ::: "memory");
    for (uint64_t a = (uint64_t)code & ~UINT64_C(15); a < (uint64_t)code + bytes; a += 16)
        __asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
    barrier();
}

uint64_t probe_code(const uint32_t *insn, unsigned int n, uint64_t x[18])
{
    static uint32_t code[MAX_CPUS][16] __attribute__((aligned(64)));
    uint64_t none[18] = { 0 };
    uint32_t *mine = code[cpu_id()];
    uint64_t daif = sysreg_read(daif), esr;

    for (unsigned int i = 0; i < n; i++)
        mine[i] = insn[i];
    mine[n] = RET;
    sync_code(mine, (n + 1) * sizeof(*mine));
    esr = probe_run(mine, x ? x : none, 0);
    sysreg_write(daif, daif); /* an exception sets it, and some instructions do */
    return esr;
}

uint64_t probe_insn(uint32_t insn, uint64_t x[18])
{
    return probe_code(&insn, 1, x);
}

static unsigned int log2_of(unsigned int bytes)
{
    return bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0;
}

uint64_t probe_read(uint64_t addr, unsigned int bytes, uint64_t *value)
{
    uint64_t x[18] = { 0, addr };
    uint64_t esr = probe_insn(0x39400020u | log2_of(bytes) << 30, x); /* LDR[B|H] x0, [x1] */

    if (value)
        *value = x[0];
    return esr;
}

uint64_t probe_write(uint64_t addr, unsigned int bytes, uint64_t value)
{
    uint64_t x[18] = { value, addr };

    return probe_insn(0x39000020u | log2_of(bytes) << 30, x); /* STR[B|H] x0, [x1] */
}

uint64_t probe_jump(uint64_t addr)
{
    uint64_t x[18] = { 0 };
    uint64_t daif = sysreg_read(daif);
    uint64_t esr = probe_run((const void *)addr, x, 0);

    sysreg_write(daif, daif);
    return esr;
}

bool is_memory(uint64_t addr)
{
    uint64_t value;

    return probe_read(addr, 8, &value) == 0;
}
