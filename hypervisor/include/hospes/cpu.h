/* SPDX-License-Identifier: MIT */
/* Small things that each architecture does with its own instructions. */
#ifndef HOSPES_CPU_H
#define HOSPES_CPU_H

#include <hospes/compiler.h>
#include <hospes/types.h>

/* In a spin loop: lets the other thread, or the emulator, run. */
void arch_cpu_relax(void);

/* Sleeps until an interrupt is pending for this pCPU, which is then served by the caller. */
void arch_cpu_idle(void);

/* Serves interrupts that are pending for this pCPU, if any. */
void arch_irq_poll(void);

/* True if there are any, or may be. */
bool arch_irq_is_pending(void);

/* Interrupts pCPU `id`: it leaves its guest, or its sleep, and looks at `pending`. */
void arch_send_kick(uint32_t id);

/* Writes dirty lines back to the point of coherency, and forgets them: who has its caches off may
 * write there next. */
void arch_cache_clean(const void *p, uint64_t bytes);

/* Makes instructions just written there visible to instruction fetch of all pCPUs. */
void arch_icache_invalidate(void);

/* Zeroes page-aligned memory; clear: and cleans it to the point of coherency, as guests want it. */
void arch_zero_pages(void *p, uint64_t pages);
void arch_clear_pages(void *p, uint64_t pages);

/* Resets, or switches off, the machine. Return only if firmware cannot. */
void arch_machine_reset(void);
void arch_machine_off(void);

/* For panic(): tells where this pCPU is, registers and a trace of its stack, by panic_print(). At
 * most 60 lines. */
void arch_dump_stack(void);

/* Stops this pCPU for good. */
__noreturn void arch_cpu_halt(void);

#endif
