/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables, and exceptions of the hypervisor itself. Those at an instruction that may
 * fault go on at its fixup; all others are bugs of ours. AMD APM volume 2, 4.7 and 8.
 */
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/layout.h>
#include <asm/machine_check.h>
#include <asm/trap.h>
#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/types.h>
#include <lib/bits.h>

#define GATE_INTERRUPT   0x8eu /* present, 64 bits, interrupts off */
#define DOUBLE_FAULT     8
#define NMI              2
#define MACHINE_CHECK    18
#define IST_DOUBLE_FAULT 1
#define LAST_STACK       2048u

struct gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset16;
    uint32_t offset32, unused;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __packed;

struct tss {
    uint32_t unused0;
    uint64_t rsp[3];
    uint64_t unused1;
    uint64_t ist[7]; /* number n at n - 1 */
    uint64_t unused2;
    uint16_t unused3, io_map;
} __packed;

/* A pCPU's own. */
struct descriptors {
    uint64_t gdt[5];
    struct tss tss;
    /* For a fault on a stack that is used up. Only found while no guest's task register is loaded.
     */
    uint8_t last_stack[LAST_STACK] __aligned(16);
};

struct fixup {
    int32_t from, to; /* relative to themselves */
};

extern const char interrupt_stubs[], exception_stubs[], nmi_stub[];
extern const char _image_start[], _text_end[];
extern const struct fixup _fixups_start[], _fixups_end[];

/* Two of them: the second is without the last stack, which no guest's task register leads to. */
static struct gate idt[2][256] __aligned(16);
static struct descriptors first_descriptors;

void trap(struct trap_frame *f);

static void set_gate(unsigned int vector, const char *stub)
{
    uint64_t at = (uint64_t)(uintptr_t)stub;

    idt[0][vector] = idt[1][vector] = (struct gate){
        .offset0 = (uint16_t)at,
        .selector = SELECTOR_CODE,
        .type = GATE_INTERRUPT,
        .offset16 = (uint16_t)(at >> 16),
        .offset32 = (uint32_t)(at >> 32),
    };
}

static void init_idt(void)
{
    for (unsigned int i = 0; i < 32; i++)
        set_gate(i, exception_stubs + (size_t)i * 16);
    set_gate(NMI, nmi_stub);
    for (unsigned int i = 32; i < 256; i++)
        set_gate(i, interrupt_stubs + (size_t)(i - 32) * 16);
    idt[0][DOUBLE_FAULT].ist = IST_DOUBLE_FAULT;
}

void trap_use_last_stack(bool use)
{
    const struct table_pointer pointer = { .limit = sizeof(idt[0]) - 1,
                                           .base = (uint64_t)(uintptr_t)idt[use ? 0 : 1] };

    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

static void fill(struct descriptors *d)
{
    uint64_t tss = (uint64_t)(uintptr_t)&d->tss;

    d->tss.ist[IST_DOUBLE_FAULT - 1] = (uint64_t)(uintptr_t)&d->last_stack[LAST_STACK];
    d->tss.io_map = sizeof(d->tss);
    d->gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
    d->gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
    d->gdt[SELECTOR_TSS / 8] =
        (sizeof(d->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    d->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
}

int trap_pcpu_prepare(struct pcpu *p)
{
    p->arch.descriptors = heap_alloc(sizeof(struct descriptors));
    return p->arch.descriptors ? 0 : -ENOMEM;
}

void trap_pcpu_init(void)
{
    struct pcpu *p = this_pcpu();
    struct table_pointer pointer;

    if (p->id == 0) {
        init_idt();
        p->arch.descriptors = &first_descriptors;
    }
    fill(p->arch.descriptors);
    pointer = (struct table_pointer){ .limit = sizeof(p->arch.descriptors->gdt) - 1,
                                      .base = (uint64_t)(uintptr_t)p->arch.descriptors->gdt };
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%ss\n\t"
                     "mov %3, %%fs\n\t"
                     "mov %3, %%gs\n\t"
                     "lldt %w3\n\t"
                     "ltr %w4"
                     :
                     : "m"(pointer), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(0),
                       "r"(SELECTOR_TSS)
                     : "rax", "memory");
    trap_use_last_stack(true);
}

static bool fix_up(struct trap_frame *f)
{
    for (const struct fixup *x = _fixups_start; x < _fixups_end; x++) {
        if ((uint64_t)(uintptr_t)&x->from + (uint64_t)x->from == f->rip) {
            f->rip = (uint64_t)(uintptr_t)&x->to + (uint64_t)x->to;
            return true;
        }
    }
    return false;
}

static void print_registers(const struct trap_frame *f)
{
    const struct {
        const char *name;
        uint64_t value;
    } regs[] = {
        { "rax", f->rax }, { "rbx", f->rbx }, { "rcx", f->rcx }, { "rdx", f->rdx },
        { "rsi", f->rsi }, { "rdi", f->rdi }, { "rbp", f->rbp }, { "rsp", f->rsp },
        { "r8 ", f->r8 },  { "r9 ", f->r9 },  { "r10", f->r10 }, { "r11", f->r11 },
        { "r12", f->r12 }, { "r13", f->r13 }, { "r14", f->r14 }, { "r15", f->r15 },
    };

    for (unsigned int i = 0; i < array_size(regs); i += 4)
        panic_print("%s %016llx  %s %016llx  %s %016llx  %s %016llx", regs[i].name,
                    (unsigned long long)regs[i].value, regs[i + 1].name,
                    (unsigned long long)regs[i + 1].value, regs[i + 2].name,
                    (unsigned long long)regs[i + 2].value, regs[i + 3].name,
                    (unsigned long long)regs[i + 3].value);
}

/*
 * Nothing of ours sets breakpoints or single-steps. A trap that was pending for a guest when it
 * exited, and that the processor did not take back, comes at our next instruction: it is lost.
 */
static bool is_stray(const struct trap_frame *f)
{
    return f->vector == EXC_DB;
}

void trap(struct trap_frame *f)
{
    static const char *const names[32] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL, "#TS",
        "#NP", "#SS", "#GP", "#PF", NULL,  "#MF", "#AC", "#MC", "#XF", NULL, "#CP",
        NULL,  NULL,  NULL,  NULL,  NULL,  NULL,  "#HV", "#VC", "#SX", NULL,
    };
    const char *name = f->vector < 32 ? names[f->vector] : NULL;

    if (fix_up(f) || is_stray(f))
        return;
    if (f->vector == MACHINE_CHECK)
        (void)machine_check_take(true);
    print_registers(f);
    panic_print("rip %016llx  is image + %#llx; rflags %llx cr3 %llx", (unsigned long long)f->rip,
                (unsigned long long)(f->rip - (uint64_t)(uintptr_t)_image_start),
                (unsigned long long)f->rflags, (unsigned long long)read_cr3());
    panic("%s (%llu) in the hypervisor: error %#llx, cr2 %#llx, rip %#llx", name ? name : "trap",
          (unsigned long long)f->vector, (unsigned long long)f->error,
          (unsigned long long)read_cr2(), (unsigned long long)f->rip);
}

/* By rbp where functions keep it: what looks like a return address is told as one. */
void arch_dump_stack(void)
{
    uint64_t base = (uint64_t)(uintptr_t)_image_start, text = (uint64_t)(_text_end - _image_start);
    uint64_t top = this_pcpu()->arch.stack_top, told = 0;
    const uint64_t *p = __builtin_frame_address(0);

    panic_print("image at %#llx; return addresses on the stack (offsets into it), perhaps:",
                (unsigned long long)base);
    for (; (uint64_t)(uintptr_t)p < top && told < 24; p++)
        if (*p - base < text && *p - base >= FRAME_SIZE) {
            panic_print("  %#llx", (unsigned long long)(*p - base));
            told++;
        }
}
