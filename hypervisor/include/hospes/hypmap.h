/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: the windows of <asm/layout.h>, filled and emptied. One tree
 * for all pCPUs, made by boot code, adopted here. What others need of it is declared where they
 * look: <hospes/map.h>, <hospes/heap.h>, <hospes/frame.h>.
 *
 * Lock: LOCK_HYPMAP for all but the slots of frame_map(), which belong to one pCPU each.
 */
#ifndef HOSPES_HYPMAP_H
#define HOSPES_HYPMAP_H

#include <asm/layout.h>
#include <asm/mm.h>
#include <hospes/pgtable.h>
#include <hospes/types.h>

struct pcpu;

/* Adopts the tables whose root is there, in the image, which stands at `image`. The first thing
 * that may map. */
void hypmap_init_early(maddr_t root, maddr_t image);

/* Once boot_ram is known and before frame_bank_add(): takes memory for all tables that the windows
 * will need. */
void hypmap_init_pool(void);

/* Maps [va, va + bytes), where nothing is, to `ma` onwards; takes it away. Whole pages. 0 or
 * -ENOMEM. */
int hypmap_map(uint64_t va, maddr_t ma, uint64_t bytes, uint32_t flags);
void hypmap_unmap(uint64_t va, uint64_t bytes);

/* The caller's page becomes the last table for the 2 MiB around `va`, which had none. 0 or -ENOMEM.
 */
int hypmap_link(uint64_t va, maddr_t table);

/* The slots of `p`, which is pCPU `id`, before it runs. 0 or -ENOMEM. */
int hypmap_pcpu_init(struct pcpu *p, uint32_t id);

/*
 * A pCPU's stack, STACK_SIZE bytes, aligned to that if `aligned`, with an unmapped page below it:
 * its upper end. NULL without memory.
 */
void *hypmap_alloc_stack(bool aligned);

/* Machine address of the root. */
maddr_t hypmap_root(void);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

/* Its entries. Numbers of flags and levels as <hospes/pgtable.h> has them; `type` is not kept. */
extern const struct pgtable_format arch_hypmap_format;

/*
 * What was mapped at [va, va + bytes) is not any more. No pCPU is asked for what it still
 * remembers unless the machine can do so by itself: who gives addresses to something else sees to
 * that (pins; no other window does).
 */
void arch_hypmap_flush(uint64_t va, uint64_t bytes);

/*
 * And in <asm/mm.h>: ARCH_MADDR_END, behind the last address that the machine can have; inline
 * arch_slot_page(maddr) and arch_slot_block(maddr), the entry of a slot that maps RAM, a page or a
 * block of 2 MiB, for data; arch_slot_written(), so that this pCPU sees it; arch_slot_cleared(va),
 * an entry was cleared, which this pCPU forgets.
 */

#endif
