/* SPDX-License-Identifier: MIT */
/*
 * The strings by which a test pulls the stand-in architecture: time, pCPUs, memory, and what the
 * hypervisor did.
 *
 * What the real hypervisor defines outside the file under test (log, panic, options, pCPUs, a heap
 * over calloc()) has a weak definition here: a test that names the real source gets that instead.
 */
#ifndef ASM_HOST_H
#define ASM_HOST_H

#include <hospes/compiler.h>
#include <hospes/types.h>

/* --- time -------------------------------------------------------------------------------- */

/* Simulated time moves by these only, and by arch_cpu_idle(), which sleeps until this pCPU's timer.
 */
void host_clock_set(uint64_t now_ns);
void host_clock_advance(uint64_t ns);

/* --- pCPUs ------------------------------------------------------------------------------- */

/*
 * `n` pCPUs, all zeroes but for their number, online, without timers; this thread is number 0 then.
 * Simulated time is 0 again. Forgets what came before: the start of every test.
 */
void host_pcpus_init(uint32_t n);

/* Which pCPU this thread is from now on. */
void host_set_pcpu(uint32_t id);

/* --- memory ------------------------------------------------------------------------------ */

#define HOST_RAM_LIMIT ((uint64_t)1 << 40)

/*
 * A machine without RAM; then a bank of it, 2 MiB-aligned, below HOST_RAM_LIMIT, zeroed, sparse:
 * tens of GiB cost nothing until they are touched. host_ram_add() puts it in boot_ram too when the
 * test links core/boot.c's lists in.
 */
void host_ram_reset(void);
void host_ram_add(uint64_t start, uint64_t bytes);

/* Simulated RAM at `a`, as a device or a guest would see it. */
void *host_ram(maddr_t a);

/*
 * arch_guest_map() calls it first, and does nothing in it unless the test defines it: so may
 * others, on other pCPUs, change what the guest says while a call looks at it.
 */
struct vcpu;
void host_guest_access(struct vcpu *v);

/* frame_pin()s until one fails; 0: none does. */
extern uint32_t host_pin_fails;

/* An address that no short mapping may cover. */
extern uint64_t host_forbidden;

/* Number of arch_heap_map_chunk() less arch_heap_unmap_chunk(); and how many of the former shall
 * succeed yet. */
extern uint32_t host_heap_chunks;
extern uint32_t host_heap_chunks_left;

/* --- devices ----------------------------------------------------------------------------- */

struct host_mmio {
    uint64_t (*read)(void *arg, const volatile void *p, unsigned int bytes);
    void (*write)(void *arg, volatile void *p, unsigned int bytes, uint64_t value);
    void *arg;
};

/* All device register accesses go there; NULL: to memory. */
void host_set_mmio(const struct host_mmio *m);

/* device_map() of [start, start + bytes) gives `p` from now on: a test's registers. At most 8. */
void host_device_add(uint64_t start, uint64_t bytes, void *p);

/* --- interrupts -------------------------------------------------------------------------- */

#define HOST_IRQS 256

struct host_irq {
    bool enabled;
    bool edge;
    uint32_t pcpu;
    uint32_t finished; /* arch_irq_finish() calls */
    uint32_t tied;     /* virq, 0: none */
};

extern struct host_irq host_irqs[HOST_IRQS];

/* --- the end ----------------------------------------------------------------------------- */

/*
 * Calls fn(arg). True if it stopped the machine (panic, halt, reset, off), why is then in
 * host_stop_reason. A stop outside this ends the test program.
 */
bool host_stops(void (*fn)(void *arg), void *arg);
extern char host_stop_reason[512];

/* What a contract's function does to stop the machine. */
__noreturn void host_stop(const char *reason);

/* --- the log (of the weak log functions) ------------------------------------------------- */

/* Everything logged since host_log_clear(), a line each; cut off when full. */
extern char host_log[16384];
void host_log_clear(void);

#endif
