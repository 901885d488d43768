/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's virtual addresses: EL2, 48 bits, one table for all pCPUs. doc/memory-map.md has
 * the picture.
 *
 * All windows lie above 2^47, so that the identity mapping of the boot code, anywhere below, never
 * meets them.
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#define UL_(x) x
#ifndef __ASSEMBLER__
#undef UL_
#define UL_(x) x##ull
#endif

/* Bits above those that are translated, as addresses have them whose bit 47 is set. */
#define LAYOUT_HIGH UL_(0)

/* The image, at a multiple of 2 MiB chosen from the seed (KASLR). */
#define LAYOUT_IMAGE       UL_(0x800000000000)
#define LAYOUT_IMAGE_SLIDE UL_(0x1000000000) /* image < LAYOUT_IMAGE + this: 64 GiB */

/* The boot device tree, until it has been copied: 4 MiB. */
#define LAYOUT_FDT UL_(0x808000000000)

/* The heap: virtual = machine address + this. */
#define LAYOUT_HEAP      UL_(0x900000000000)
#define LAYOUT_HEAP_SIZE UL_(0x100000000000) /* machine addresses below 16 TiB */

/* The frame table: entry of frame 0. */
#define LAYOUT_FRAMES UL_(0xa00000000000)

/* Slots of frame_map(): 16 MiB for each pCPU, of which 8 pages, and 4 blocks of 2 MiB from 2 MiB
 * on. */
#define LAYOUT_SLOTS          UL_(0xb00000000000)
#define LAYOUT_SLOTS_PER_PCPU UL_(0x1000000)
#define LAYOUT_PAGE_SLOTS     8
#define LAYOUT_BLOCK_SLOTS    4

/* Devices and stacks, one after another with a page unmapped between: 64 GiB. */
#define LAYOUT_DEVICES     UL_(0xb10000000000)
#define LAYOUT_DEVICES_END UL_(0xb11000000000)

/* Pages shared with guests, FRAME_PINS of them. */
#define LAYOUT_PINS UL_(0xb20000000000)

#define STACK_SIZE UL_(0x4000)

#endif
