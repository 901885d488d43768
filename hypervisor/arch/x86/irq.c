/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of this machine: the windows in which they come, their vectors, and lines.
 *
 * The hypervisor runs with interrupts off. Where it looks for them it opens a window of one
 * instruction; exception.S notes the vectors that come there, for this pCPU, and here they are
 * served and ended, the highest first, as they nested. So nothing is ever interrupted while it has
 * a lock.
 */
#include <asm/apic.h>
#include <asm/apic_regs.h>
#include <asm/clock.h>
#include <asm/ioapic.h>
#include <asm/irq.h>
#include <asm/layout.h>
#include <asm/mm.h>
#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/spinlock.h>
#include <lib/bits.h>

#define NR_VECTORS  256u
#define NOTED_WORDS 4u
#define IRQ_MAX     (GSI_MAX + 256u + MSI_MAX)
#define NO_IRQ      UINT32_MAX /* what a 0 in vector_irq[] is */

/* What MSIs are written to: the local APIC's page, by number; Intel SDM volume 3, 11.11. */
#define MSI_ADDRESS      0xfee00000u
#define MSI_ADDRESS_DEST MASK(19, 12)

struct line {
    uint8_t vector; /* 0: none yet */
    uint8_t pcpu;
    bool level, low, enabled;
    bool polarity_set; /* else as tables say */
    bool allocated;    /* MSI */
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_VECTOR); /* guards all below */
static struct line lines[IRQ_MAX];
static uint32_t vector_irq[NR_VECTORS]; /* plus 1, 0: nobody's; read without the lock */

static uint64_t *noted_words(void)
{
    return (uint64_t *)(uintptr_t)(this_pcpu()->arch.stack_top + STACK_TOP_NOTED);
}

static bool any_noted(void)
{
    const volatile uint64_t *w = noted_words();

    return w[0] | w[1] | w[2] | w[3];
}

static void open_window(void)
{
    __asm__ volatile("sti\n\tnop\n\tcli" ::: "memory");
}

/* --- what comes ------------------------------------------------------------------------------ */

static void serve_line(uint8_t vector)
{
    uint32_t irq = read_once(vector_irq[vector]) - 1;

    if (irq == NO_IRQ) {
        apic_eoi();
        log_limited(LOG_WARN, "interrupt with vector %#x, which is nobody's", vector);
        return;
    }
    if (irq < nr_gsis && read_once(lines[irq].level))
        ioapic_mask(irq, true);
    apic_eoi();
    irq_dispatch(irq);
}

static void serve_error(void)
{
    uint32_t errors;

    apic_write(APIC_ESR, 0);
    errors = apic_read(APIC_ESR);
    apic_eoi();
    log_limited(LOG_WARN, "CPU %u: the local APIC reports errors %#x", this_pcpu()->id, errors);
}

static void serve(uint8_t vector)
{
    switch (vector) {
    case VECTOR_KICK:
        apic_eoi();
        pin_catch_up();
        break;
    case VECTOR_TIMER:
        apic_eoi();
        clock_interrupt();
        break;
    case VECTOR_ERROR:
        serve_error();
        break;
    case VECTOR_SPURIOUS:
        break; /* is not being served, as far as the APIC knows */
    default:
        serve_line(vector);
        break;
    }
}

void arch_irq_poll(void)
{
    uint64_t *w = noted_words();

    open_window();
    for (uint32_t i = NOTED_WORDS; i-- > 0;) {
        while (w[i]) {
            unsigned int bit = bit_highest(w[i]);

            w[i] &= ~BIT(bit);
            serve((uint8_t)(i * 64 + bit));
        }
    }
}

/*
 * Without a window: what came through it would be in service, and held others back, until it is
 * served, which the caller may not do before a guest runs. What only waits makes that guest exit.
 */
bool arch_irq_is_pending(void)
{
    return any_noted() || apic_has_pending();
}

void arch_cpu_idle(void)
{
    if (!any_noted())
        __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}

void arch_send_kick(uint32_t id)
{
    apic_send(id, VECTOR_KICK);
}

/* --- lines ----------------------------------------------------------------------------------- */

uint32_t arch_irq_count(void)
{
    return min(nr_gsis + MSI_MAX, IRQ_MAX);
}

/* A vector for the line, the least that is free. False: none is. Under the lock. */
static bool take_vector(uint32_t irq)
{
    for (uint32_t v = VECTOR_FIRST; !lines[irq].vector && v <= VECTOR_LAST; v++) {
        if (vector_irq[v])
            continue;
        write_once(vector_irq[v], irq + 1);
        lines[irq].vector = (uint8_t)v;
    }
    return lines[irq].vector;
}

static void drop_vector(uint32_t irq)
{
    if (lines[irq].vector)
        write_once(vector_irq[lines[irq].vector], 0);
    lines[irq].vector = 0;
}

static uint64_t entry_of(uint32_t irq)
{
    const struct line *l = &lines[irq];
    bool low = l->polarity_set ? l->low : ioapic_is_low(irq);

    return l->vector | (low ? APIC_POLARITY_LOW : 0) | (l->level ? APIC_TRIGGER : 0) |
           (l->enabled ? 0 : APIC_MASKED) | (uint64_t)pcpus[l->pcpu]->arch.apic_id << 56;
}

void arch_irq_enable(uint32_t irq, enum irq_trigger trigger, uint32_t pcpu)
{
    struct line *l = &lines[irq];
    bool good;

    spin_lock(&lock);
    l->level = trigger == IRQ_LEVEL && irq < nr_gsis;
    l->pcpu = (uint8_t)pcpu;
    good = take_vector(irq);
    l->enabled = good;
    if (good && irq < nr_gsis)
        ioapic_write_entry(irq, entry_of(irq));
    spin_unlock(&lock);
    if (!good)
        log_err("interrupt %u: there is no vector left for it: it will not come", irq);
}

void arch_irq_disable(uint32_t irq)
{
    spin_lock(&lock);
    lines[irq].enabled = false;
    if (irq < nr_gsis)
        ioapic_mask(irq, true);
    spin_unlock(&lock);
}

void arch_irq_set_affinity(uint32_t irq, uint32_t pcpu)
{
    spin_lock(&lock);
    lines[irq].pcpu = (uint8_t)pcpu;
    if (irq < nr_gsis && lines[irq].enabled)
        ioapic_write_entry(irq, entry_of(irq));
    spin_unlock(&lock);
}

void arch_irq_finish(uint32_t irq)
{
    if (irq >= nr_gsis || !read_once(lines[irq].level))
        return;
    spin_lock(&lock);
    if (lines[irq].enabled)
        ioapic_mask(irq, false);
    spin_unlock(&lock);
}

void irq_set_polarity(uint32_t gsi, bool low)
{
    if (gsi >= nr_gsis)
        return;
    spin_lock(&lock);
    lines[gsi].low = low;
    lines[gsi].polarity_set = true;
    if (lines[gsi].enabled)
        ioapic_write_entry(gsi, entry_of(gsi));
    spin_unlock(&lock);
}

/* --- message-signalled ----------------------------------------------------------------------- */

int irq_msi_alloc(void)
{
    int found = -ENOSPC;

    spin_lock(&lock);
    for (uint32_t i = nr_gsis; found < 0 && i < arch_irq_count(); i++) {
        if (lines[i].allocated)
            continue;
        lines[i] = (struct line){ .allocated = true };
        found = (int)i;
    }
    spin_unlock(&lock);
    return found;
}

void irq_msi_free(uint32_t irq)
{
    spin_lock(&lock);
    drop_vector(irq);
    lines[irq].allocated = lines[irq].enabled = false;
    spin_unlock(&lock);
}

bool irq_msi_message(uint32_t irq, uint64_t *address, uint32_t *data)
{
    const struct line *l = &lines[irq];
    bool good;

    spin_lock(&lock);
    good = l->enabled && l->vector;
    *address = MSI_ADDRESS | field_prep(MSI_ADDRESS_DEST, pcpus[l->pcpu]->arch.apic_id);
    *data = l->vector;
    spin_unlock(&lock);
    return good;
}
