/* SPDX-License-Identifier: MIT */
/*
 * The runtime of the tiny test guests: what machine this is, output, checks, exceptions under
 * observation, interrupts, timers and CPUs. A guest is one guest_main() and a guest_name. What is
 * here is the same on every architecture; <arch.h> has what one of them alone has.
 *
 * Before guest_main() paging is on, flat, with all above the first GiB as memory that may be
 * executed; interrupts are off.
 */
#ifndef GUEST_H
#define GUEST_H

#include "offsets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_CPUS 8
#define GIB      (UINT64_C(1) << 30)
#define MIB      (UINT64_C(1) << 20)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct range {
    uint64_t base, bytes;
};

/* struct machine, struct frame, struct cpu, and inline functions as they are described below. */
#include "arch.h"

/* ---- the guest's own ---- */
extern const char guest_name[];
void guest_main(void);

/*
 * ---- what the machine is ----
 * struct machine has at least
 *     struct range mem[4]; unsigned int mems;      memory, the largest range before 4 GiB first
 *     unsigned int cpus;                           at most MAX_CPUS are counted
 *     const char *bootargs;
 *     struct range image;                          where this guest is
 *     uint64_t start;                              now() at the first instruction
 */
extern struct machine machine;
/* name=value of the boot arguments: value up to a space, or a number of any base; or the default.
 */
bool bootarg(const char *name, char *value, size_t size);
bool same_text(const char *a, const char *b);
uint64_t bootarg_number(const char *name, uint64_t otherwise);

/* ---- output: %d %u %x %lx %lu %ld %llx... %s %c %p %%, flags 0 and -, width ---- */
void put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void put_char(char c);

/* Each prints `ok NAME` or `FAIL NAME: ...` and counts. They return whether it was as expected. */
bool check(bool good, const char *name, ...) __attribute__((format(printf, 2, 3)));
bool check_eq(uint64_t got, uint64_t want, const char *name, ...)
    __attribute__((format(printf, 3, 4)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void finish(void); /* prints the totals and turns the machine off */

void *memset(void *to, int c, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);

/*
 * ---- memory-mapped registers and memory under test ----
 * read8() to read64() and write8() to write64(), by one access of that width; barrier(): all of
 * them are done.
 */
static inline volatile void *at(uint64_t addr)
{
    return (volatile void *)(uintptr_t)addr;
}

/* ---- exceptions ---- */
/* Called for interrupts; NULL: an interrupt is a failure. */
extern void (*volatile irq_hook)(struct frame *f);

/* Each gives 0, or what the exception was that the access took. `bytes` is 1, 2, 4 or 8. */
uint64_t probe_read(uint64_t addr, unsigned int bytes, uint64_t *value);
uint64_t probe_write(uint64_t addr, unsigned int bytes, uint64_t value);
uint64_t probe_jump(uint64_t addr); /* a call there */
/* Whether memory is there: what is nothing refuses the access, or keeps nothing (x86). */
bool is_memory(uint64_t addr);

/* ---- interrupts: irq_on(), irq_off(); relax() within a loop that waits ---- */
/*
 * wfi(): called with interrupts off, and so it leaves them; waits until one is pending. Where a CPU
 * cannot wait like that (x86) it takes those that are pending, so this is how to wait:
 *     while (!done) { irq_off(); if (!done) wfi(); irq_on(); }
 */

/* ---- CPUs and the end ---- */
extern struct cpu cpus[MAX_CPUS];
/* cpu_id(): this CPU's number, 0 is the first. */
/* 0 or an error. `run` may return: the CPU turns itself off then. */
int64_t cpu_start(unsigned int id, void (*run)(unsigned int id));
bool cpu_wait_off(unsigned int id); /* false: not within the patience below */
_Noreturn void system_off(void);

/* What was there before. */
static inline uint64_t atomic_add(volatile uint64_t *p, uint64_t n)
{
    return __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST);
}

/* ---- time: now() in ticks; for patience only, never for a result ---- */
uint64_t ticks_of_us(uint64_t us);
void delay_us(uint64_t us);
#define PATIENCE_US 100000000u
/* Waits until cond holds; false if that lasts more than the patience. */
#define wait_until(cond)                                      \
    ({                                                        \
        uint64_t wait_end = now() + ticks_of_us(PATIENCE_US); \
        bool wait_met;                                        \
        while (!(wait_met = (cond)) && now() < wait_end)      \
            relax();                                          \
        wait_met;                                             \
    })

/* ---- one timer of the first CPU ---- */
/* Set up once; from then on its interrupt counts `fired` and notes the time in `when`. */
void alarm_init(void);
void alarm_set(uint64_t when); /* in ticks */
extern volatile uint64_t alarm_fired, alarm_when;
/* Sleeps until then, interrupts off before and after; needs no alarm_init(). */
void sleep_until(uint64_t when);

/* ---- the interrupt that tells of events ---- */
void upcall_init(void); /* on the first CPU; then on each other that uses it: */
void upcall_init_cpu(void);
/*
 * Takes the interrupt if it has come: false, or true after evtchn_upcall_pending, which was set,
 * has been cleared. Interrupts are off.
 */
bool upcall_take(volatile uint8_t *upcall_pending);
/* The same, with wfi() until it comes. */
void upcall_wait(volatile uint8_t *upcall_pending);

#endif
