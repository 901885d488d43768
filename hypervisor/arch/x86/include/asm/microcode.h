/* SPDX-License-Identifier: MIT */
/*
 * Microcode: found in a file that a boot loader gave (`ucode=`), and loaded on each CPU before its
 * features are looked at. doc/boot-x86.md.
 */
#ifndef ASM_MICROCODE_H
#define ASM_MICROCODE_H

#include <hospes/option.h>
#include <hospes/types.h>

struct ucode_options {
    bool scan;      /* look for it at the head of each module */
    bool by_number; /* this module is it, counted from the last for negative ones: */
    int32_t number;
    bool ignored; /* a word that means nothing here */
};

/* Reads `ucode=` into struct ucode_options: <hospes/option.h>. microcode_option.c */
bool microcode_read_option(struct option_reader *r, void *to);

/*
 * The first pCPU, once memory is managed: finds what there is for it and loads it; cpu_info is what
 * the CPU has then.
 */
void microcode_init(void);

/* Each other pCPU, before cpu_init_features(). */
void microcode_pcpu_load(void);

/* What a pCPU that is online works with. */
uint32_t microcode_revision(uint32_t pcpu);

/* --- AMD's container, microcode_amd.c -------------------------------------------------------- */

struct microcode {
    const void *patch; /* in the file */
    uint32_t bytes;
    uint32_t revision;
};

/*
 * The newest patch in `file`, of `bytes`, for a CPU whose CPUID leaf 1 has `signature` in EAX. 0;
 * -ENOENT: none is for it; -EINVAL: not such a file, or not to its end.
 */
int microcode_amd_find(const void *file, uint64_t bytes, uint32_t signature,
                       struct microcode *found);

#endif
