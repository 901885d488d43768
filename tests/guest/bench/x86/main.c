/* SPDX-License-Identifier: MIT */
/*
 * The measuring guest: how many instructions a hypervisor executes for what a guest asks of it. It
 * prints `bench NAME MEDIAN LEAST MOST`, in instructions; tests/bench/run starts it on each
 * hypervisor and reads that.
 *
 * Boot arguments: do=one for one vCPU alone, do=pair for two, do=xen for Xen's hypercalls
 * (fifo=1: events by FIFO), do=nothing to only say when it started. trace=NAME does one measurement
 * for ever, for tests/bench/trace to look at; delay=N: timers expire after N instructions.
 * settle=N: first others do what is left for them, until so many yields in a row are for nobody's
 * sake; end=off: at its end the guest switches itself off.
 */
#include "../bench.h"
#include "hypercall.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define PORT_PM_TIMER 0x608u /* of QEMU's q35, as its firmware places it */
#define PM_TIMER_HZ   3579545u
#define PORT_PCI      0xcf8u
#define IOAPIC        UINT64_C(0xfec00000)
#define MSR_APIC_ID   0x802u
#define VECTOR_BENCH  0x60u
#define PAGE          4096u
#define BLOCK         (2 * MIB)
#define YIELD_MOST    20000u /* instructions of a yield when nobody else wants to run */

uint64_t time_nothing(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_cpuid(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_in(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_out(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_load(uint64_t value, uint64_t rounds, uint64_t addr);
uint64_t time_rdmsr(uint64_t value, uint64_t rounds, uint64_t addr);
extern const uint8_t bench_handler[];

const char guest_name[] = "bench";
const uint64_t nowhere = 0x60000000;

static char traced[16];
static volatile uint64_t answers_left, ready, pings, stamp;

static void sort(uint64_t *t, unsigned int n)
{
    for (unsigned int i = 1; i < n; i++) {
        uint64_t v = t[i];
        unsigned int j = i;

        for (; j > 0 && t[j - 1] > v; j--)
            t[j] = t[j - 1];
        t[j] = v;
    }
}

void report(const char *name, uint64_t *t, unsigned int n, unsigned int per)
{
    sort(t, n);
    put("bench %s %lu %lu %lu\n", name, t[n / 2] / per, t[0] / per, t[n - 1] / per);
}

static bool is(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
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

/* One instruction, round and round. */
typedef uint64_t timed_insn(uint64_t value, uint64_t rounds, uint64_t addr);
static const struct {
    const char *name;
    timed_insn *insn;
    uint64_t value, addr;
} insns[] = {
    { "cpuid", time_cpuid, 0, 0 },
    { "port-pci", time_in, 0, PORT_PCI },
    { "apic-id", time_rdmsr, 0, MSR_APIC_ID },
    { "ioapic", time_load, 0, IOAPIC },
};

static void single_insns(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
        uint64_t t[SAMPLES];

        do {
            for (unsigned int n = 0; n < SAMPLES; n++)
                t[n] = insns[i].insn(insns[i].value, ROUNDS, insns[i].addr) -
                       time_nothing(insns[i].value, ROUNDS, insns[i].addr);
        } while (is(insns[i].name, traced));
        report(insns[i].name, t, SAMPLES, ROUNDS);
    }
}

/* ---- interrupts ---- */
static uint64_t await_handler(void)
{
    struct cpu *cpu = this_cpu();

    while (cpu->when == 0)
        ;
    return cpu->when;
}

static void ipi_self(uint64_t vector, uint64_t t[2])
{
    uint64_t start, handled;

    this_cpu()->when = 0;
    irq_on();
    start = now();
    wrmsr(0x800 + APIC_SELF_IPI, vector);
    handled = await_handler();
    t[0] = handled - start;
    t[1] = now() - start;
    irq_off();
}

void time_event(uint64_t send, uint64_t t[2])
{
    uint64_t start, handled, port = send;

    this_cpu()->when = 0;
    irq_on();
    start = now();
    hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (void *)(uintptr_t)port);
    handled = await_handler();
    t[0] = handled - start;
    t[1] = now() - start;
    irq_off();
}

void enable_events(void)
{
    struct xen_hvm_evtchn_upcall_vector upcall = { .vcpu = cpu_id(), .vector = VECTOR_BENCH };

    if (hypercall_op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall))
        check(false, "upcall vector");
}

/* ---- the timer, as Linux has it on Xen: VIRQ_TIMER, set for a time of the told clock ---- */
static struct {
    _Alignas(4096) uint8_t shared[PAGE];
    uint8_t info[PAGE];
} page;

static volatile struct vcpu_info *const info =
    (volatile struct vcpu_info *)(volatile void *)page.info;

static void setup_timer(void)
{
    struct vcpu_register_vcpu_info where = { (uint64_t)(uintptr_t)page.info / PAGE, 0, 0 };
    evtchn_bind_virq_t bind = { .virq = VIRQ_TIMER };

    if (hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, (uint64_t)(uintptr_t)&where,
                  0, 0) ||
        hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &bind))
        check(false, "a timer");
    enable_events();
    irq_window();
}

/* A time of the counter as the clock that the hypervisor tells, ns. */
static uint64_t system_time(uint64_t tsc)
{
    volatile struct vcpu_time_info *t = &info->time;
    uint64_t delta = tsc - t->tsc_timestamp;

    delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
    return t->system_time + (uint64_t)(((__uint128_t)delta * t->tsc_to_system_mul) >> 32);
}

static void set_timer(uint64_t tsc)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = system_time(tsc) };

    info->evtchn_upcall_pending = 0;
    info->evtchn_pending_sel = 0;
    this_cpu()->when = 0;
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (uint64_t)(uintptr_t)&timer, 0,
              0);
}

static void clear_event(void)
{
    volatile shared_info_t *shared = (volatile shared_info_t *)(volatile void *)page.shared;

    shared->evtchn_pending[0] = 0;
}

static void timer(uint64_t delay, uint64_t t[2])
{
    uint64_t due = now() + delay, handled;

    clear_event();
    set_timer(due);
    irq_on();
    handled = await_handler();
    t[0] = handled - due;
    t[1] = now() - due;
    irq_off();
}

static void halt(uint64_t delay, uint64_t t[2])
{
    uint64_t due = now() + delay;

    clear_event();
    set_timer(due);
    wfi();
    t[1] = now() - due;
    t[0] = await_handler() - due;
}

static void first_touches(void)
{
    uint64_t t[SAMPLES], base = machine.mem[0].base + machine.mem[0].bytes / 2;

    base = (base + BLOCK - 1) & ~(BLOCK - 1);
    for (unsigned int n = 0; n < SAMPLES; n++)
        t[n] = time_load(0, 1, base + n * BLOCK) - time_nothing(0, 1, 0);
    report("first-touch", t, SAMPLES, 1);
}

static void map_shared(void)
{
    struct {
        uint16_t domid, size;
        uint32_t space;
        uint64_t idx, gpfn;
    } add = { DOMID_SELF, 0, 0 /* XENMAPSPACE_shared_info */, 0,
              (uint64_t)(uintptr_t)page.shared / PAGE };

    if (hypercall_op(__HYPERVISOR_memory_op, 7 /* XENMEM_add_to_physmap */, &add))
        check(false, "shared_info");
}

static void alone(void)
{
    uint64_t delay = bootarg_number("delay", 50000);

    single_insns();
    events("ipi-self", "ipi-self-whole", ipi_self, VECTOR_BENCH);
    map_shared();
    setup_timer();
    events("timer", "timer-whole", timer, delay);
    events("halt", "halt-whole", halt, delay);
    first_touches();
}

/* ---- two vCPUs ---- */
static void setup(void)
{
    apic_init_cpu();
    vector_set(VECTOR_BENCH, bench_handler);
    if (!check((apic_read(APIC_SVR) & 0x100) != 0, "the local APIC is on"))
        finish();
}

static uint64_t icr_to(unsigned int cpu)
{
    return (uint64_t)machine.apic_id[cpu] << 32 | VECTOR_BENCH;
}

/* Sleeps until it is interrupted, then interrupts the first vCPU. */
static void answer(unsigned int id)
{
    struct cpu *cpu = &cpus[id];

    setup();
    ready = 1;
    for (uint64_t n = 0; n < answers_left; n++) {
        cpu->when = 0;
        pings = n;
        while (cpu->when == 0)
            wfi();
        stamp = cpu->when;
        wrmsr(0x800 + APIC_ICR, icr_to(0));
    }
    for (;;)
        wfi();
}

static void pair(void)
{
    uint64_t t[SAMPLES], whole[SAMPLES], start, sent = 0;
    struct cpu *cpu = this_cpu();

    answers_left = is("hop", traced) ? UINT64_MAX : SAMPLES;
    check_eq((uint64_t)cpu_start(1, answer), 0, "another vCPU");
    while (ready != 1)
        relax();
    do {
        for (unsigned int n = 0; n < SAMPLES; n++) {
            while (pings != sent)
                relax();
            sent++;
            delay_us(200); /* it sleeps by then */
            cpu->when = 0;
            start = now();
            wrmsr(0x800 + APIC_ICR, icr_to(1));
            while (cpu->when == 0)
                wfi();
            whole[n] = cpu->when - start;
            t[n] = stamp - start;
        }
    } while (is("hop", traced));
    report("hop", t, SAMPLES, 1);
    report("hop-and-back", whole, SAMPLES, 1);
}

/* Instructions from the machine's reset to this guest's first one: the counter itself may start
 * with the guest. 0: the guest is not given that timer, all of whose bits then read as ones. */
static uint64_t since_reset(void)
{
    uint32_t ticks;
    uint64_t since_first = now() - machine.start;

    __asm__ volatile("inl %w1, %0" : "=a"(ticks) : "Nd"(PORT_PM_TIMER));
    if (ticks == UINT32_MAX)
        return 0;
    return (uint64_t)(ticks & 0xffffff) * 1000000000 / PM_TIMER_HZ - since_first;
}

/* Another domain on this CPU, like the one that made us, would be counted too. */
static void settle(uint64_t yields)
{
    uint64_t begin = now(), start;

    for (uint64_t n = 0; n < yields; n++) {
        start = now();
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0, 0);
        if (now() - start > YIELD_MOST)
            n = 0;
    }
    if (yields)
        note("alone after %lu instructions", now() - begin);
}

void guest_main(void)
{
    char what[16] = "nothing";
    uint64_t start;

    bootarg("do", what, sizeof(what));
    bootarg("trace", traced, sizeof(traced));
    start = since_reset();
    put("bench start %lu %lu %lu\n", start, start, start);
    setup();
    settle(bootarg_number("settle", 0));
    if (is(what, "one"))
        alone();
    if (is(what, "pair"))
        pair();
    if (is(what, "xen"))
        measure_xen();
    put("bench done 0 0 0\n");
    if (bootarg("end", what, sizeof(what)) && is(what, "off"))
        system_off();
    for (;;)
        wfi();
}
