/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: found under /cpus, started one at a time by PSCI or a spin table (Devicetree
 * Specification 3.8, Linux Documentation/arch/arm64/booting.rst). Each sets its EL2 up as the first
 * did and goes to run vCPUs.
 */
#include <asm/clock.h>
#include <asm/cpu.h>
#include <asm/early.h>
#include <asm/gic.h>
#include <asm/mm.h>
#include <asm/psci.h>
#include <asm/smp.h>
#include <asm/sysreg.h>
#include <asm/vtimer.h>
#include <hospes/cpu.h>
#include <hospes/dt.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/init.h>
#include <hospes/io.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <string.h>

/* A CPU that does not answer within this long is left alone. Generous: emulators are slow. */
#define START_TIMEOUT_NS 10000000000ull

extern const char secondary_entry[], spin_entry[], vectors[];

struct secondary_boot secondary_boots[MAX_PCPUS] __aligned(64);
static uint32_t nr_boots; /* used */
static bool some_late;    /* a CPU may still come */

_Static_assert(sizeof(secondary_boots) == 8192, "spin_entry in boot.S looks through all");

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

    if (!decide(p, START_ARRIVED))
        arch_cpu_halt(); /* another CPU may have its number by now */
    cpu_init_features();
    cpu_init_traps();
    firmware_init_pcpu();
    if (gic_pcpu_init()) {
        store_release(p->arch.start_state, START_FAILED);
        arch_cpu_halt();
    }
    clock_pcpu_init();
    vtimer_pcpu_init();
    bitmap_atomic_set(pcpus_online, p->id);
    vcpu_run_loop();
}

static bool is_cpu(const void *fdt, int node)
{
    const char *type = dt_string(fdt, node, "device_type");

    return type && !strcmp(type, "cpu") && dt_enabled(fdt, node);
}

/* The affinity in a CPU's reg, which has #address-cells of /cpus. */
static bool cpu_mpidr(const void *fdt, int node, uint64_t *mpidr)
{
    return !dt_number(fdt, node, "reg", mpidr) && !(*mpidr & ~MPIDR_AFFINITY);
}

/* Writes where to go for a CPU that waits in a spin table. */
static int spin_table_on(const void *fdt, int node, uint64_t entry)
{
    uint64_t release;
    volatile void *p;

    if (dt_number(fdt, node, "cpu-release-addr", &release))
        return PSCI_INVALID_PARAMETERS;
    p = device_map(MADDR(release), 8);
    if (!p)
        return PSCI_INTERNAL_FAILURE;
    mmio_write64(p, entry);
    dsb(sy);
    __asm__ volatile("sev");
    device_unmap(p, 8);
    return PSCI_SUCCESS;
}

static int64_t cpu_on(const void *fdt, int node, const struct secondary_boot *b)
{
    const char *method = dt_string(fdt, node, "enable-method");

    arch_cache_clean(b, sizeof(*b));
    if (method && !strcmp(method, "spin-table"))
        return spin_table_on(fdt, node, arch_virt_to_maddr(spin_entry).v);
    return firmware_cpu_on(b->mpidr, arch_virt_to_maddr(secondary_entry).v,
                           arch_virt_to_maddr(b).v);
}

/* Waits for a CPU that was told to start; false if it does not come in time, or cannot work. */
static bool wait_for(struct pcpu *p)
{
    uint64_t deadline = clock_ns() + START_TIMEOUT_NS;

    while (!bitmap_test(pcpus_online, p->id)) {
        if (load_acquire(p->arch.start_state) == START_FAILED)
            return false;
        if (clock_ns() >= deadline && decide(p, START_TOO_LATE)) {
            some_late = true;
            return false;
        }
        arch_cpu_relax();
    }
    return true;
}

/* Starts one; it becomes pCPU number `id`. */
static bool start(const void *fdt, int node, uint32_t id, uint64_t mpidr)
{
    void *stack = nr_boots < MAX_PCPUS ? hypmap_alloc_stack(false) : NULL;
    struct pcpu *p = stack ? pcpu_create(id) : NULL;
    struct secondary_boot *b = &secondary_boots[nr_boots];
    int64_t err;

    if (!p || hypmap_pcpu_init(p, id)) {
        log_err("CPU %u: no memory to start it", id);
        pcpus[id] = NULL;
        return false;
    }
    p->arch.mpidr = mpidr;
    p->arch.stack_top = (uint64_t)(uintptr_t)stack;
    *b = (struct secondary_boot){
        .stack = p->arch.stack_top,
        .pcpu = (uint64_t)(uintptr_t)p,
        .root = hypmap_root().v,
        .start = (uint64_t)(uintptr_t)secondary_start,
        .vectors = (uint64_t)(uintptr_t)vectors,
        .tcr = early_tcr,
        .mpidr = mpidr,
    };
    nr_boots++;
    err = cpu_on(fdt, node, b);
    if (!err && wait_for(p))
        return true;
    log_err("CPU %u (reg %#llx): did not start (%lld): it is left unused", id,
            (unsigned long long)mpidr, (long long)err);
    pcpus[id] = NULL; /* the structure stays: the CPU may still come and look */
    return false;
}

uint32_t arch_count_pcpus(void)
{
    int cpus = dt_find(host_fdt, "/cpus"), node;
    uint32_t n = 0;

    dt_for_each_child (node, host_fdt, cpus)
        n += is_cpu(host_fdt, node);
    return n;
}

void arch_start_pcpus(uint32_t max)
{
    uint64_t self = read_sysreg(mpidr_el1) & MPIDR_AFFINITY, mpidr;
    int cpus = dt_find(host_fdt, "/cpus"), node;

    max = max && max < MAX_PCPUS ? max : MAX_PCPUS;
    dt_for_each_child (node, host_fdt, cpus) {
        if (!is_cpu(host_fdt, node) || nr_pcpus >= max)
            continue;
        if (!cpu_mpidr(host_fdt, node, &mpidr)) {
            log_err("/cpus/%s: reg: not a CPU's affinity: it is left unused",
                    dt_name(host_fdt, node));
        } else if (mpidr != self) {
            /* A CPU that starts late must find its number taken into account. */
            nr_pcpus++;
            if (!start(host_fdt, node, nr_pcpus - 1, mpidr))
                nr_pcpus--;
        }
    }
    if (!some_late)
        mm_drop_identity();
}
