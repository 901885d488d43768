/* SPDX-License-Identifier: MIT */
/* Initialisation, in order: read init() first. */
#include <hospes/boot.h>
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/domain_build.h>
#include <hospes/domain_config.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/init.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/work.h>
#include <lib/bits.h>
#include <string.h>

/* The console's UART. Without one the log is kept in memory only. */
static void init_uart(void)
{
    static struct uart uart;

    if (!arch_find_uart(&uart) && !uart.driver->init(&uart))
        console_bind(&uart);
}

/* What lies in boot_ram and not in boot_reserved, bank by bank, goes to the frame allocator. */
static void release_bank(const struct boot_range *bank)
{
    uint64_t from = bank->start;

    for (uint32_t i = 0; i < boot_reserved.nr && from < bank->end; i++) {
        const struct boot_range *r = &boot_reserved.r[i];

        if (r->end <= from || r->start >= bank->end)
            continue;
        if (r->start > from)
            frame_bank_release(maddr_to_mfn(MADDR(from)), maddr_to_mfn(MADDR(r->start)));
        from = r->end;
    }
    if (from < bank->end)
        frame_bank_release(maddr_to_mfn(MADDR(from)), maddr_to_mfn(MADDR(bank->end)));
}

/* What is around RAM, and would be mapped with it, is not known. */
static void keep_off_edges(const struct boot_range *bank)
{
    uint64_t start = align_down(bank->start, MIB(2)), end = align_up(bank->end, MIB(2));

    if ((start < bank->start && map_keep_off(MADDR(start), bank->start - start)) ||
        (bank->end < end && map_keep_off(MADDR(bank->end), end - bank->end)))
        panic("RAM is in too many pieces");
}

/* A bank's table is mapped in pages that hold the entries of 2 MiB: banks are rounded to that, and
 * merged. */
static void init_frames(void)
{
    static void *meta[FRAME_MAX_BANKS];
    static struct boot_range banks[FRAME_MAX_BANKS];
    uint32_t nr = 0;

    for (uint32_t i = 0; i < boot_ram.nr && nr < FRAME_MAX_BANKS; i++) {
        uint64_t start = align_down(boot_ram.r[i].start, MIB(2));
        uint64_t end = align_up(boot_ram.r[i].end, MIB(2));

        keep_off_edges(&boot_ram.r[i]);
        if (nr && start <= banks[nr - 1].end)
            banks[nr - 1].end = end;
        else
            banks[nr++] = (struct boot_range){ .start = start, .end = end };
    }
    for (uint32_t i = 0; i < nr; i++) {
        uint64_t frames = (banks[i].end - banks[i].start) >> FRAME_SHIFT;
        uint64_t bytes = align_up(frame_bank_meta_size(frames), FRAME_SIZE);
        /* What is large is mapped by blocks. */
        uint64_t align = bytes >= MIB(2) ? MIB(2) : FRAME_SIZE;
        maddr_t where = boot_alloc(bytes, align, UINT64_MAX, "frame table");

        meta[i] = where.v ? arch_init_map(where, bytes) : NULL;
        if (!meta[i])
            panic("no memory for the table of %llu MiB of RAM at %#llx",
                  (unsigned long long)(banks[i].end - banks[i].start) >> 20,
                  (unsigned long long)banks[i].start);
    }
    for (uint32_t i = 0; i < nr; i++)
        if (frame_bank_add(maddr_to_mfn(MADDR(banks[i].start)), maddr_to_mfn(MADDR(banks[i].end)),
                           meta[i]))
            log_warn("RAM at %#llx is not used: too many banks",
                     (unsigned long long)banks[i].start);
    for (uint32_t i = 0; i < boot_ram.nr; i++)
        release_bank(&boot_ram.r[i]);
}

static void build_domains(void)
{
    struct domain *built[DOMAIN_CONFIG_MAX];
    uint32_t nr = 0;

    for (uint32_t i = 0; i < domain_configs.nr; i++)
        if (!domain_build(&domain_configs.d[i], &built[nr]))
            nr++;
    if (!nr)
        log_err("no domain could be started: see the lines above, and /chosen in the device tree");
    domain_config_release(host_fdt, &domain_configs);
    if (nr)
        console_release_screen();
    for (uint32_t i = 0; i < nr; i++)
        domain_start(built[i]);
}

static void report_machine(void)
{
    log_info("%u CPU%s, %llu MiB of RAM, of which %llu MiB for domains", nr_pcpus,
             nr_pcpus == 1 ? "" : "s", (unsigned long long)frame_total() >> 8,
             (unsigned long long)frame_free_count() >> 8);
}

void init(void)
{
    cmdline_parse(domain_config_hypervisor_cmdline(host_fdt));
    init_uart();
    log_info("Hospes, a hypervisor that speaks the Xen ABI");
    cmdline_report();

    arch_init_memory_map();
    domain_config_reserve(host_fdt);
    arch_init_page_tables();
    init_frames();
    heap_init();
    arch_init_keep_tree();

    sched_init();
    if (!pcpu_create(0))
        panic("no memory for the first CPU");
    bitmap_set(pcpus_online, 0);
    arch_init_machine();
    if (irq_init())
        panic("no memory for the interrupts");
    console_init();
    debug_keys_init();
    arch_start_pcpus(options.maxcpus);
    work_init();
    report_machine();

    domain_config_parse(host_fdt, nr_pcpus, &domain_configs);
    build_domains();
    if (options.bootscrub)
        work_set_idle(frame_scrub_step);
    vcpu_run_loop();
}
