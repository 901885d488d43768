/* SPDX-License-Identifier: MIT */
/* The end: for bugs of ours, and machines that cannot work. Takes no lock. */
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/cpu.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <lib/format.h>
#include <stdarg.h>

/* How far the panic is, so that one within it goes on with the next step. Atomic. */
enum panic_step { PANIC_NONE, PANIC_BEGUN, PANIC_MESSAGE, PANIC_OTHERS, PANIC_STACK, PANIC_END };
static uint32_t step;
static struct pcpu *panicking; /* this_pcpu(), which is NULL when it comes early */

static void print(const char *fmt, va_list args)
{
    char text[LOG_LINE_MAX + 1];

    format_v(text, sizeof(text), fmt, args);
    console_panic_write("(hospes) ");
    console_panic_write(text);
    console_panic_write("\n");
}

/* True for each step once, on the pCPU that panicked first. */
static bool begin(uint32_t next)
{
    if (step >= next)
        return false;
    step = next;
    return true;
}

/* Takes the UART for this pCPU, unless it has it; of several that panic, one tells. */
static void take(void)
{
    struct pcpu *self = this_pcpu();
    uint32_t none = PANIC_NONE;

    if (__atomic_compare_exchange_n(&step, &none, PANIC_BEGUN, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        panicking = self;
        console_panic_begin();
        console_panic_write("\n");
        if (self)
            panic_print("*** PANIC on CPU %u:", self->id);
        else
            panic_print("*** PANIC:");
    } else if (panicking != self) {
        arch_cpu_halt();
    }
}

void panic_print(const char *fmt, ...)
{
    va_list args;

    take();
    va_start(args, fmt);
    print(fmt, args);
    va_end(args);
}

void panic(const char *fmt, ...)
{
    va_list args;

    take();
    if (!begin(PANIC_MESSAGE))
        panic_print("*** PANIC within it:");
    va_start(args, fmt);
    print(fmt, args);
    va_end(args);

    if (begin(PANIC_OTHERS))
        pcpu_stop_others();
    if (begin(PANIC_STACK))
        arch_dump_stack();
    if (begin(PANIC_END) && !options.noreboot) {
        panic_print("*** Resetting the machine");
        arch_machine_reset();
    }
    panic_print("*** Stopped%s", options.noreboot ? " (noreboot)" : "");
    arch_cpu_halt();
}
