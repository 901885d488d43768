/* SPDX-License-Identifier: MIT */
/* This machine's local APICs; <asm/apic.h> has the contract. Intel SDM volume 3, chapter 11. */
#include <asm/apic.h>
#include <asm/apic_regs.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

#define PAGE_BYTES 4096u

static bool x2;                /* registers are MSRs */
static volatile uint8_t *regs; /* else they are here */

bool apic_is_x2(void)
{
    return x2;
}

uint32_t apic_read(uint32_t reg)
{
    return x2 ? (uint32_t)rdmsr(APIC_MSR(reg)) : mmio_read32(regs + reg);
}

void apic_write(uint32_t reg, uint32_t value)
{
    if (x2)
        wrmsr(APIC_MSR(reg), value);
    else
        mmio_write32(regs + reg, value);
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);

    return x2 ? id : id >> 24;
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

bool apic_has_pending(void)
{
    /* The kick and the timer are in the last. */
    for (uint32_t i = 8; i-- > 1;)
        if (apic_read(APIC_IRR + i * 16))
            return true;
    return false;
}

/* A message before this one is on its way soon; the bound is for hardware that is broken. */
static void wait_sent(void)
{
    for (uint32_t i = 0; i < 100000 && (apic_read(APIC_ICR) & APIC_PENDING); i++)
        arch_cpu_relax();
}

static void send(uint32_t apic, uint32_t command)
{
    if (x2) {
        /* Such a write is not ordered behind stores; what the other is to see is stored before. */
        __asm__ volatile("mfence\n\tlfence" ::: "memory");
        wrmsr(APIC_MSR(APIC_ICR), (uint64_t)apic << 32 | command);
        return;
    }
    wait_sent();
    mmio_write32(regs + APIC_ICR_HIGH, apic << 24);
    mmio_write32(regs + APIC_ICR, command);
}

static uint32_t command(enum apic_mode mode, uint8_t vector)
{
    return (uint32_t)(field_prep(APIC_MODE, mode) | APIC_ICR_ASSERT | vector);
}

void apic_send(uint32_t id, uint8_t vector)
{
    send(pcpus[id]->arch.apic_id, command(APIC_FIXED, vector));
}

void apic_send_init(uint32_t apic)
{
    send(apic, command(APIC_INIT, 0));
}

void apic_send_startup(uint32_t apic, uint8_t page)
{
    send(apic, command(APIC_STARTUP, page));
}

int apic_init(uint64_t maddr)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    x2 = cpu_has(CPU_X2APIC);
    if (base & APIC_BASE_X2APIC && !x2)
        return -ENODEV;
    if (!x2) {
        if (!maddr)
            maddr = base & APIC_BASE_ADDRESS;
        regs = device_map(MADDR(maddr), PAGE_BYTES);
        if (!regs)
            return -ENOMEM;
    }
    log_debug("local APIC: %s", x2 ? "x2APIC" : "xAPIC");
    return 0;
}

/* Ends what was being served when we came. */
static void end_all(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t any = 0;

        for (uint32_t reg = 0; reg < 8; reg++)
            any |= apic_read(APIC_ISR + reg * 16);
        if (!any)
            return;
        apic_eoi();
    }
}

void apic_pcpu_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;
    uint32_t lvts;

    wrmsr(MSR_APIC_BASE, base);
    if (x2)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
    lvts = (uint32_t)field_get(APIC_VERSION_MAX_LVT, apic_read(APIC_VERSION)) + 1;
    apic_write(APIC_SVR, (uint32_t)APIC_SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TPR, 0);
    if (!x2) {
        apic_write(APIC_DFR, UINT32_MAX);
        apic_write(APIC_LDR, 0);
    }
    /* Timer, thermal, performance, LINT0, LINT1, error: in this order where they are at all. */
    apic_write(APIC_LVT_TIMER, APIC_MASKED | VECTOR_TIMER);
    if (lvts > 5)
        apic_write(APIC_LVT_TIMER + 0x10, APIC_MASKED | VECTOR_SPURIOUS);
    if (lvts > 4)
        apic_write(APIC_LVT_TIMER + 0x20, APIC_MASKED | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_TIMER + 0x30, APIC_MASKED | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_TIMER + 0x40, (uint32_t)field_prep(APIC_MODE, APIC_NMI));
    apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
    apic_write(APIC_ESR, 0);
    end_all();
    this_pcpu()->arch.apic_id = apic_id();
}
