/* SPDX-License-Identifier: MIT */
/*
 * The measuring guest: how many instructions a hypervisor executes for what a guest asks of it. It
 * prints `bench NAME MEDIAN LEAST MOST`, in instructions; tests/bench/run starts it on each
 * hypervisor and reads that.
 *
 * Boot arguments: do=one for one vCPU alone, do=pair for two, do=xen for Xen's hypercalls
 * (fifo=1: events by FIFO), do=control for a toolstack's in dom0, do=nothing to only say when it
 * started. trace=NAME does one measurement for ever, for tests/bench/trace to look at; delay=N:
 * timers expire after N instructions.
 */
#include "../bench.h"

#define SGI         5u
#define EVENT_PPI   31u
#define SPI         40u
#define BLOCK       (2 * MIB)
#define UART_FR     0x18u
#define GICD_TYPER  0x4u
#define GICD_ENABLE 0x104u
#define NO_FUNCTION 0x82001234u /* of the silicon's vendor */
#define NO_CALL     63u         /* of Xen's hypercalls */

uint64_t time_nothing(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_hvc(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_hypercall(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_load(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_store(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_two_stores(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_sgi1r(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_cntp_ctl(uint64_t value, uint64_t rounds, uint64_t addr);
void time_sgi_self(uint64_t sgi1r, uint64_t t[2]);
void time_timer(uint64_t delay, uint64_t t[2]);
void time_wfi(uint64_t delay, uint64_t t[2]);
uint64_t time_abort(uint64_t addr);
uint64_t time_touch(uint64_t addr);
uint64_t time_hop(uint64_t sgi1r, volatile uint64_t *stamp);
uint64_t time_send(uint64_t sgi1r, volatile uint64_t *stamp);
void answer_asleep(uint64_t sgi1r, volatile uint64_t *stamp, uint64_t times);
void answer_awake(volatile uint64_t *stamp, uint64_t times);
extern const char bench_vectors[];

const char guest_name[] = "bench";
const uint64_t nowhere = 0x3c000000; /* in Xen's layout of a guest */

static char traced[16];
static volatile uint64_t stamp, answers_left, ready;

void report(const char *name, uint64_t *t, unsigned int n, unsigned int per)
{
    for (unsigned int i = 1; i < n; i++) {
        uint64_t v = t[i];
        unsigned int j = i;

        for (; j > 0 && t[j - 1] > v; j--)
            t[j] = t[j - 1];
        t[j] = v;
    }
    put("bench %s %lu %lu %lu\n", name, t[n / 2] / per, t[0] / per, t[n - 1] / per);
}

static bool is(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* One instruction, round and round. */
typedef uint64_t timed_insn(uint64_t value, uint64_t rounds, uint64_t addr);
static const struct {
    const char *name;
    timed_insn *insn;
    uint64_t value;
} insns[] = {
    { "psci-version", time_hvc, PSCI_VERSION },
    { "smccc-version", time_hvc, SMCCC_VERSION },
    { "no-function", time_hvc, NO_FUNCTION },
    { "no-hypercall", time_hypercall, NO_CALL },
    { "gicd-typer", time_load, GICD_TYPER },
    { "gicd-isenabler-0", time_store, 0 },
    { "gicd-isenabler", time_store, 1u << SPI % 32 },
    { "gicd-two-writes", time_two_stores, 1u << SPI % 32 },
    { "sgi-nobody", time_sgi1r, (uint64_t)SGI << 24 },
    { "cntp-ctl", time_cntp_ctl, 0 },
    { "uart-flags", time_load, UART_FR },
};

/* The device's register that instruction `i` is for. */
static uint64_t address(unsigned int i)
{
    if (insns[i].insn == time_store || insns[i].insn == time_two_stores)
        return machine.gicd.base + GICD_ENABLE;
    return insns[i].value == UART_FR ? machine.uart.base + UART_FR : machine.gicd.base + GICD_TYPER;
}

static void single_insns(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
        uint64_t t[SAMPLES], addr = address(i);

        do {
            for (unsigned int n = 0; n < SAMPLES; n++)
                t[n] = insns[i].insn(insns[i].value, ROUNDS, addr) -
                       time_nothing(insns[i].value, ROUNDS, addr);
        } while (is(insns[i].name, traced));
        report(insns[i].name, t, SAMPLES, ROUNDS);
    }
}

bool is_traced(const char *name)
{
    return is(name, traced);
}

bool is_left_out(const char *name)
{
    return traced[0] && !is(name, traced);
}

void events(const char *name, const char *whole, void (*f)(uint64_t, uint64_t t[2]), uint64_t value)
{
    uint64_t t[2], first[SAMPLES], second[SAMPLES];

    do {
        for (unsigned int n = 0; n < SAMPLES; n++) {
            f(value, t);
            first[n] = t[0];
            second[n] = t[1];
        }
    } while (is(name, traced));
    report(name, first, SAMPLES, 1);
    report(whole, second, SAMPLES, 1);
}

static uint64_t sgi_to(unsigned int cpu)
{
    uint64_t m = machine.mpidr[cpu];

    return (m >> 32 & 0xff) << 48 | (m >> 16 & 0xff) << 32 | (m >> 8 & 0xff) << 16 |
           (uint64_t)SGI << 24 | UINT64_C(1) << (m & 0xf);
}

/* Blocks of 2 MiB that nobody used before, from the middle of memory on. */
static void first_touches(void)
{
    uint64_t t[SAMPLES], base = machine.mem[0].base + machine.mem[0].bytes / 2;

    for (unsigned int n = 0; n < SAMPLES; n++)
        t[n] = time_touch(base + n * BLOCK);
    report("first-touch", t, SAMPLES, 1);
}

static void alone(void)
{
    uint64_t t[SAMPLES], delay = bootarg_number("delay", 50000);

    single_insns();
    events("sgi-self", "sgi-self-whole", time_sgi_self, sgi_to(0));
    events("timer", "timer-whole", time_timer, delay);
    events("wfi", "wfi-whole", time_wfi, delay);
    do {
        for (unsigned int n = 0; n < SAMPLES; n++)
            t[n] = time_abort(nowhere);
    } while (is("abort", traced));
    report("abort", t, SAMPLES, 1);
    first_touches();
}

void enable_events(void)
{
    gic_enable(EVENT_PPI);
}

static void setup(void)
{
    irq_off();
    sysreg_write(vbar_el1, bench_vectors);
    gic_init_cpu();
    gic_enable(SGI);
    gic_enable(machine.ppi_virt);
}

/* The second vCPU: one round of each measurement of pair(). */
static void answer(unsigned int id)
{
    (void)id;
    setup();
    ready = 1;
    answer_asleep(sgi_to(0), &stamp, answers_left);
    ready = 2;
    answer_asleep(0, &stamp, answers_left);
    ready = 3;
    answer_awake(&stamp, answers_left);
    for (;;)
        wfi();
}

static void await(uint64_t stage)
{
    while (ready != stage)
        __asm__ volatile("yield");
    delay_us(2000); /* it sleeps, or spins, by then */
}

static void pair(void)
{
    uint64_t t[SAMPLES], whole[SAMPLES], start;

    answers_left = SAMPLES;
    if (is("hop", traced) || is("send", traced))
        answers_left = UINT64_MAX;
    check_eq((uint64_t)cpu_start(1, answer), 0, "CPU_ON");
    await(1);
    do {
        for (unsigned int n = 0; n < SAMPLES; n++) {
            start = now();
            t[n] = time_hop(sgi_to(1), &stamp);
            whole[n] = now() - start;
        }
    } while (is("hop", traced));
    report("hop", t, SAMPLES, 1);
    report("hop-and-back", whole, SAMPLES, 1);
    if (bootarg_number("apart", 0) == 0)
        return;
    await(2);
    for (unsigned int n = 0; n < SAMPLES; n++) {
        delay_us(200);
        t[n] = time_send(sgi_to(1), &stamp);
    }
    report("send-asleep", t, SAMPLES, 1);
    await(3);
    for (unsigned int n = 0; n < SAMPLES; n++) {
        delay_us(200);
        t[n] = time_send(sgi_to(1), &stamp);
    }
    report("send-awake", t, SAMPLES, 1);
}

void guest_main(void)
{
    char what[16] = "nothing";

    bootarg("do", what, sizeof(what));
    bootarg("trace", traced, sizeof(traced));
    put("bench start %lu %lu %lu\n", machine.start_cntpct, machine.start_cntpct,
        machine.start_cntpct);
    gic_init();
    gic_set_edge(SPI, true);
    setup();
    if (is(what, "one"))
        alone();
    if (is(what, "pair"))
        pair();
    if (is(what, "xen"))
        measure_xen();
    if (is(what, "control"))
        measure_control();
    put("bench done 0 0 0\n");
    for (;;)
        wfi();
}
