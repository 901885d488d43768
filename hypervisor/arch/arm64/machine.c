/* SPDX-License-Identifier: MIT */
/*
 * The machine as firmware hands it over: the first C at the image's own address, memory from the
 * device tree, and the small things of <hospes/cpu.h>. doc/boot-arm64.md.
 */
#include <asm/clock.h>
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/gic.h>
#include <asm/mm.h>
#include <asm/psci.h>
#include <asm/stage2.h>
#include <asm/sysreg.h>
#include <asm/vtimer.h>
#include <hospes/boot.h>
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/cpu.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/init.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <libfdt.h>
#include <string.h>

#define FDT_MAX MIB(2)

extern char _image_start[], _image_end[], boot_stack_end[];
extern struct pcpu boot_pcpu;
extern uintptr_t __stack_chk_guard;

static uint64_t fdt_maddr; /* where firmware left it */

__noreturn void arm64_start(uint64_t load, uint64_t fdt);

__noreturn void arm64_start(uint64_t load, uint64_t fdt)
{
    (void)load;
    __stack_chk_guard ^= read_sysreg(cntpct_el0) * 0x9e3779b97f4a7c15ull ^ (uintptr_t)&boot_pcpu;
    mm_init_early();
    boot_pcpu.arch.mpidr = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
    boot_pcpu.arch.stack_top = (uint64_t)(uintptr_t)boot_stack_end;
    fdt_maddr = fdt;
    host_fdt = (const void *)(uintptr_t)(LAYOUT_FDT + fdt % MIB(2));
    if (dt_check(host_fdt, FDT_MAX))
        panic("no device tree at %#llx, where x0 pointed at entry", (unsigned long long)fdt);
    cpu_init_features();
    stage2_init();
    cpu_init_traps();
    firmware_init(host_fdt);
    firmware_init_pcpu();
    init();
}

int arch_find_uart(struct uart *u)
{
    int node;

    if (strstr(options.console, "none") || dt_find_uart(host_fdt, options.dtuart, u, &node))
        return -ENODEV;
    u->regs = device_map(MADDR(u->phys), u->regs_size);
    return u->regs ? 0 : -ENOMEM;
}

static void add_ram(int node)
{
    char path[64];
    uint64_t start, bytes;

    for (uint32_t i = 0; !dt_reg(host_fdt, node, i, &start, &bytes); i++) {
        uint64_t end = align_down(start + bytes, FRAME_SIZE);

        /* Frame 0 is not used: its address means "none". */
        start = max(align_up(start, FRAME_SIZE), FRAME_SIZE);
        if (end > start && boot_range_add(&boot_ram, start, end, NULL))
            log_warn("%s: reg: more than %u banks of RAM: the rest is not used",
                     dt_path(host_fdt, node, path, sizeof(path)), BOOT_MAX_RANGES);
    }
}

static void reserve(uint64_t start, uint64_t bytes, const char *what)
{
    uint64_t end = align_up(start + bytes, FRAME_SIZE);

    if (bytes && boot_range_add(&boot_reserved, align_down(start, FRAME_SIZE), end, what))
        panic("no room to note that %s is at %#llx", what, (unsigned long long)start);
}

/* Firmware's own, which may be secure, or not memory at all. */
static void reserve_firmware(uint64_t start, uint64_t bytes, const char *what)
{
    reserve(start, bytes, what);
    if (bytes && map_keep_off(MADDR(start), bytes))
        panic("no room to note that %s is at %#llx", what, (unsigned long long)start);
}

/* /memreserve/ entries, and /reserved-memory's nodes: those without a place are Linux's to
 * allocate. */
static void reserve_listed(void)
{
    int parent = dt_find(host_fdt, "/reserved-memory"), node;
    uint64_t start, bytes;

    for (int i = 0; i < fdt_num_mem_rsv(host_fdt); i++)
        if (!fdt_get_mem_rsv(host_fdt, i, &start, &bytes))
            reserve_firmware(start, bytes, "memory reserved by firmware");
    dt_for_each_child (node, host_fdt, parent)
        for (uint32_t i = 0; !dt_reg(host_fdt, node, i, &start, &bytes); i++)
            reserve_firmware(start, bytes, "reserved memory");
}

void arch_init_memory_map(void)
{
    int depth = 0;

    for (int node = dt_next_node(host_fdt, -1, &depth); node >= 0;
         node = dt_next_node(host_fdt, node, &depth)) {
        const char *type = dt_string(host_fdt, node, "device_type");

        if (type && !strcmp(type, "memory") && dt_enabled(host_fdt, node))
            add_ram(node);
    }
    if (!boot_ram.nr)
        panic("no RAM: the device tree has no node with device_type = \"memory\"");
    reserve_listed();
    reserve(arch_virt_to_maddr(_image_start).v, (uint64_t)(_image_end - _image_start), "Hospes");
    reserve(fdt_maddr, fdt_totalsize(host_fdt), "the device tree");
}

void arch_init_page_tables(void)
{
    hypmap_init_pool();
}

/* Boot loaders leave room at the end of a tree, QEMU a megabyte: only what is used is kept. */
void arch_init_keep_tree(void)
{
    uint64_t structure = fdt_off_dt_struct(host_fdt) + (uint64_t)fdt_size_dt_struct(host_fdt);
    uint64_t strings = fdt_off_dt_strings(host_fdt) + (uint64_t)fdt_size_dt_strings(host_fdt);
    uint64_t bytes = max(structure, strings);
    void *copy = heap_alloc(bytes);

    if (!copy)
        panic("no memory for a copy of the device tree, %llu bytes", (unsigned long long)bytes);
    memcpy(copy, host_fdt, bytes);
    fdt_set_totalsize(copy, (uint32_t)bytes);
    host_fdt = copy;
    mm_drop_tree();
}

void arch_init_machine(void)
{
    if (clock_init())
        panic("no timer: arm,armv8-timer");
    if (gic_init() || gic_pcpu_init())
        panic("no interrupt controller that virtualization needs: a GICv2 or GICv3");
    clock_pcpu_init();
    vtimer_pcpu_init();
}

void arch_cpu_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

void arch_cpu_idle(void)
{
    struct vcpu *v = this_pcpu()->current;

    dsb(sy);
    __asm__ volatile("wfi" ::: "memory");
    /* An SError ends WFI as long as it pends. The vCPU that went to sleep here may have caused it.
     */
    if (likely(!(read_sysreg(isr_el1) & ISR_A)))
        return;
    if (v && serror_settle(v))
        vcpu_kick(v);
    else if (!v && serror_came())
        log_limited(LOG_ERR, "CPU %u: SError, of no guest that could be told", this_pcpu()->id);
}

void arch_cpu_halt(void)
{
    for (;;)
        __asm__ volatile("wfi" ::: "memory");
}

/* Out of the caches too: see arch_clear_pages(). */
void arch_cache_clean(const void *p, uint64_t bytes)
{
    uint64_t line = 4ull << (read_sysreg(ctr_el0) >> 16 & 0xf);
    uint64_t a = align_down((uint64_t)(uintptr_t)p, line);
    uint64_t end = (uint64_t)(uintptr_t)p + bytes;

    /* Four at a time: most are megabytes. */
    for (; a + 3 * line < end; a += 4 * line)
        __asm__ volatile("dc civac, %0\n\tdc civac, %1\n\tdc civac, %2\n\tdc civac, %3"
                         :
                         : "r"(a), "r"(a + line), "r"(a + 2 * line), "r"(a + 3 * line)
                         : "memory");
    for (; a < end; a += line)
        __asm__ volatile("dc civac, %0" : : "r"(a) : "memory");
    dsb(sy);
}

void arch_icache_invalidate(void)
{
    dsb(ish);
    __asm__ volatile("ic ialluis" ::: "memory");
    dsb(ish);
    isb();
}

void arch_vcpu_enter_first(struct vcpu *v)
{
    guest_enter_first(v, this_pcpu()->arch.stack_top);
}
