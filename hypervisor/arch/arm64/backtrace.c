/* SPDX-License-Identifier: MIT */
/*
 * Where the hypervisor was when it panicked: return addresses along the chain of frame records
 * (AAPCS64 6.4.6), as offsets into the image, which `addr2line -e build/arm64/hospes.elf` turns
 * into lines.
 */
#include <asm/layout.h>
#include <hospes/cpu.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

#define DEPTH 24

extern const char _image_start[], _text_end[];

struct frame_record {
    const struct frame_record *next;
    uint64_t lr;
};

static uint64_t address(const struct frame_record *f)
{
    return (uint64_t)(uintptr_t)f;
}

void arch_dump_stack(void)
{
    uint64_t top = this_pcpu()->arch.stack_top;
    uint64_t base = (uint64_t)(uintptr_t)_image_start;
    const struct frame_record *f = __builtin_frame_address(0);

    panic_print("image at %#llx; called from (offsets into it):", (unsigned long long)base);
    for (unsigned int i = 0; i < DEPTH && is_aligned(address(f), 8); i++) {
        /* Read only what is on this CPU's stack for sure, or on the stack of last resort below it
         * in the chain. */
        if (address(f) + sizeof(*f) > top || address(f) < top - STACK_SIZE)
            break;
        if (f->lr - base < (uint64_t)(_text_end - _image_start))
            panic_print("  %#llx", (unsigned long long)(f->lr - base));
        if (address(f->next) <= address(f))
            break;
        f = f->next;
    }
}
