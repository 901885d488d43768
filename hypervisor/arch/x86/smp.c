/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: named by the MADT, started one at a time by INIT and start-up messages (Intel SDM
 * volume 3, 9.4.4). Each is set up as the first was and goes to run vCPUs.
 */
#include <asm/apic.h>
#include <asm/clock.h>
#include <asm/cpu.h>
#include <asm/hvm.h>
#include <asm/machine.h>
#include <asm/microcode.h>
#include <asm/mm.h>
#include <asm/platform.h>
#include <asm/trampoline.h>
#include <asm/trap.h>
#include <hospes/boot.h>
#include <hospes/cpu.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/init.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <hospes/vcpu.h>
#include <string.h>

/* A CPU that does not answer within this long is left alone. Generous: emulators are slow. */
#define START_TIMEOUT_NS 10000000000ull
#define INIT_DELAY_US    200
#define AGAIN_NS         100000000ull /* a start-up message may get lost: it is sent twice */

#define LOW_MEMORY 0xa0000u

extern const char trampoline[], trampoline_end[];

static maddr_t page;   /* that it is copied to; 0: there is none */
static bool some_late; /* a CPU may still come */

/* WAITED_FOR becomes `state`; false if the other side was first. */
static bool decide(struct pcpu *p, uint32_t state)
{
    uint32_t expected = START_WAITED_FOR;

    return __atomic_compare_exchange_n(&p->arch.start_state, &expected, state, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static __noreturn void secondary_start(void)
{
    struct pcpu *p = this_pcpu();

    trap_pcpu_init();
    if (!decide(p, START_ARRIVED))
        arch_cpu_halt(); /* another CPU may have its number by now */
    microcode_pcpu_load();
    cpu_init_features();
    cpu_init_control();
    apic_pcpu_init();
    clock_pcpu_init();
    if (apic_id() != p->arch.apic_id || hvm_cpu_init()) {
        store_release(p->arch.start_state, START_FAILED);
        arch_cpu_halt();
    }
    pin_catch_up();
    bitmap_atomic_set(pcpus_online, p->id);
    vcpu_run_loop();
}

void smp_reserve(void)
{
    page = boot_alloc(FRAME_SIZE, FRAME_SIZE, LOW_MEMORY, "where CPUs start");
}

/* Writes the page that the CPU begins in. */
static void prepare(const struct pcpu *p)
{
    uint8_t *to = frame_map(maddr_to_mfn(page));
    uint64_t root = hypmap_root().v, stack = p->arch.stack_top;
    uint64_t entry = (uint64_t)(uintptr_t)secondary_start;

    assert(trampoline_end - trampoline <= TRAMPOLINE_ROOT);
    memcpy(to, trampoline, (size_t)(trampoline_end - trampoline));
    memcpy(to + TRAMPOLINE_ROOT, &root, 4);
    memcpy(to + TRAMPOLINE_STACK, &stack, 8);
    memcpy(to + TRAMPOLINE_ENTRY, &entry, 8);
    frame_unmap(to);
}

/* Waits for a CPU that was told to start; false if it does not come in time, or cannot work. */
static bool wait_for(struct pcpu *p)
{
    uint64_t began = clock_ns();
    bool again = false;

    while (!bitmap_test(pcpus_online, p->id)) {
        uint64_t passed = clock_ns() - began;

        if (load_acquire(p->arch.start_state) == START_FAILED)
            return false;
        if (!again && passed >= AGAIN_NS && load_acquire(p->arch.start_state) == START_WAITED_FOR) {
            apic_send_startup(p->arch.apic_id, (uint8_t)(page.v >> FRAME_SHIFT));
            again = true;
        }
        if (passed >= START_TIMEOUT_NS && decide(p, START_TOO_LATE)) {
            some_late = true;
            return false;
        }
        arch_cpu_relax();
    }
    return true;
}

/* Starts one; it becomes pCPU number `id`. */
static bool start(uint32_t id, uint32_t apic)
{
    void *stack = hypmap_alloc_stack(true);
    struct pcpu *p = stack ? pcpu_create(id) : NULL;

    if (!p || hypmap_pcpu_init(p, id) || trap_pcpu_prepare(p)) {
        log_err("CPU %u: no memory to start it", id);
        pcpus[id] = NULL;
        return false;
    }
    p->arch.apic_id = apic;
    mm_own_stack((uint64_t)(uintptr_t)stack, p);
    prepare(p);
    apic_send_init(apic);
    clock_delay_us(INIT_DELAY_US);
    apic_send_startup(apic, (uint8_t)(page.v >> FRAME_SHIFT));
    if (wait_for(p))
        return true;
    log_err("CPU %u (APIC %u): did not start: it is left unused", id, apic);
    pcpus[id] = NULL; /* the structure stays: the CPU may still come and look */
    return false;
}

uint32_t arch_count_pcpus(void)
{
    return platform_madt.nr_cpus;
}

static bool can_start(uint32_t max)
{
    if (platform_madt.nr_cpus <= 1 || max == 1)
        return false;
    if (!page.v || hypmap_root().v > UINT32_MAX || mm_map_trampoline(page)) {
        log_err("no page below 1 MiB for other CPUs to start in: they are left unused");
        return false;
    }
    return true;
}

void arch_start_pcpus(uint32_t max)
{
    uint32_t self = this_pcpu()->arch.apic_id;

    max = max && max < MAX_PCPUS ? max : MAX_PCPUS;
    if (!can_start(max))
        return;
    for (uint32_t i = 0; i < platform_madt.nr_cpus && nr_pcpus < max; i++) {
        uint32_t apic = platform_madt.cpus[i].apic_id;

        if (apic == self)
            continue;
        if (!apic_is_x2() && apic > 0xfe) {
            log_err("APIC %u cannot be reached: its CPU is left unused", apic);
            continue;
        }
        /* A CPU that starts late must find its number taken into account. */
        nr_pcpus++;
        if (!start(nr_pcpus - 1, apic))
            nr_pcpus--;
    }
    if (!some_late)
        mm_unmap_trampoline(page);
}
