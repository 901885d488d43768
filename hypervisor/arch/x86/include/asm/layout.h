/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's virtual addresses: long mode, 48 bits, one tree for all pCPUs. doc/memory-map.md
 * has the picture.
 *
 * All windows lie in the upper half, so that the identity mappings of the boot code, anywhere in
 * the lower, never meet them.
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

/* Numbers that assembly and C have in common: 64 bits, 32 bits. */
#ifdef __ASSEMBLER__
#define UL_(x) x
#define U_(x)  x
#else
#define UL_(x) x##ull
#define U_(x)  x##u
#endif

/* Where multiboot and PVH loaders put the image: all that boot.S does in 32 bits relies on it. */
#define LOAD_ADDRESS 0x200000

/* Bits above those that are translated, as addresses have them whose bit 47 is set. */
#define LAYOUT_HIGH UL_(0xffff000000000000)

/* The image, at a multiple of 2 MiB chosen at random (KASLR). */
#define LAYOUT_IMAGE       UL_(0xffff800000000000)
#define LAYOUT_IMAGE_SLIDE UL_(0x1000000000) /* image < LAYOUT_IMAGE + this: 64 GiB */

/* The heap: virtual = machine address + this. */
#define LAYOUT_HEAP      UL_(0xffff900000000000)
#define LAYOUT_HEAP_SIZE UL_(0x100000000000) /* machine addresses below 16 TiB */

/* The frame table: entry of frame 0. */
#define LAYOUT_FRAMES UL_(0xffffa00000000000)

/* Slots of frame_map(): 16 MiB for each pCPU, of which 8 pages, and 4 blocks of 2 MiB from 2 MiB
 * on. */
#define LAYOUT_SLOTS          UL_(0xffffb00000000000)
#define LAYOUT_SLOTS_PER_PCPU UL_(0x1000000)
#define LAYOUT_PAGE_SLOTS     8
#define LAYOUT_BLOCK_SLOTS    4

/* Devices and stacks, one after another with a page unmapped between: 64 GiB. */
#define LAYOUT_DEVICES     UL_(0xffffb10000000000)
#define LAYOUT_DEVICES_END UL_(0xffffb11000000000)

/* Pages shared with guests, twice FRAME_PINS of them: pin.c tells why. */
#define LAYOUT_PINS UL_(0xffffb20000000000)

/*
 * A pCPU's stack is aligned to its size. Its topmost STACK_TOP bytes say whose it is and what came
 * for it; an empty stack begins below them. There, from STACK_TOP bytes below the end on:
 */
#define STACK_SIZE UL_(0x8000)
#define STACK_TOP  UL_(0x40)

#define STACK_TOP_PCPU  0x00 /* points to its struct pcpu */
#define STACK_TOP_NMIS  0x08 /* how many NMIs came */
#define STACK_TOP_NOTED 0x20 /* a bit for each vector that came, and was not served yet */

#endif
