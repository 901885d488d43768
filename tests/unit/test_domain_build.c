/* SPDX-License-Identifier: MIT */
/*
 * The builder: where things go in a domain's memory, that it works in steps, and that whatever
 * fails leaves nothing behind. If these fail a guest's ramdisk lies over its kernel, or a domain
 * that cannot start again leaks its memory.
 */
// sources: core/domain_build.c
#include "unit.h"

#include <asm/host.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <xen/hvm/params.h>

static struct domain_config config;
static struct domain domain;
static struct domain_layout banks, seen;
static struct kernel_image seen_kernel;
static uint64_t kernel_bytes, tables_bytes;
static enum domain_build_stage fail_at;
static uint32_t kernels_closed;
static uint64_t tables_limit;
static bool no_ports;
static uint32_t created, destroyed, torn_down, vcpus, copies, loads_ended;

/* --- fakes: each stage can be told to fail --------------------------------------------------- */

static int result(enum domain_build_stage stage)
{
    return stage == fail_at ? -EINVAL : 0;
}

int kernel_probe_step(struct kernel_image *k, const struct boot_module *m)
{
    if (k->from_bytes++ < 3)
        return 1;
    k->nr_segments = 1;
    k->segment[0].bytes = kernel_bytes;
    return result(BUILD_PROBE);
}

void kernel_close(struct kernel_image *k)
{
    kernels_closed++;
}

int kernel_place(struct kernel_image *k, gaddr_t bank, uint64_t bytes)
{
    k->start = GADDR(align_up(bank.v, MIB(2)));
    k->end = gaddr_add(k->start, kernel_bytes);
    k->entry = k->start;
    return k->end.v > bank.v + bytes ? -ENOSPC : 0;
}

void kernel_load_begin(struct kernel_load *l, struct domain *d, const struct boot_module *m,
                       const struct kernel_image *k)
{
    *l = (struct kernel_load){ .d = d, .k = k };
}

int kernel_load_step(struct kernel_load *l)
{
    return ++copies % 3 ? 1 : result(BUILD_KERNEL);
}

void kernel_load_end(struct kernel_load *l)
{
    loads_ended++;
}

int module_copy_step(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes, uint64_t *done)
{
    *done += min(bytes - *done, MIB(1));
    return fail_at == BUILD_RAMDISK ? -EFAULT : *done < bytes;
}

int domain_create(uint16_t id, uint32_t max_vcpus, struct domain **out)
{
    if (fail_at == BUILD_CREATE)
        return -ENOMEM;
    created++;
    memset(&domain, 0, sizeof(domain));
    domain.id = id;
    *out = &domain;
    return 0;
}

int domain_create_vcpus(struct domain *d)
{
    vcpus++;
    return 0;
}

int p2m_set_pool(struct domain *d, uint64_t bytes)
{
    d->p2m.pool = bytes;
    return 0;
}

int gnttab_domain_init(struct domain *d, int max_frames, int max_maptrack_frames,
                       unsigned int max_version)
{
    d->gnttab.max_frames = 1;
    return 0;
}

int evtchn_alloc_unbound(struct domain *d, uint16_t remote_domid, uint32_t *port)
{
    assert_int_equal(remote_domid, DOMAIN_HARDWARE);
    *port = 7;
    return no_ports ? -ENOMEM : 0;
}

bool domain_release_step(struct domain *d)
{
    return ++torn_down % 4 != 0;
}

void domain_destroy(struct domain *d)
{
    destroyed++;
}

int domain_build_memory(struct domain *d, const struct domain_config *c, struct domain_layout *l)
{
    uint32_t n = l->nr_banks;
    *l = banks;
    l->nr_banks = n < banks.nr_banks ? n + 1 : n;
    if (l->nr_banks < banks.nr_banks)
        return 1;
    return result(BUILD_MEMORY);
}

int arch_domain_build_devices(struct domain *d, const struct domain_config *c)
{
    return result(BUILD_DEVICES);
}

const char arch_domain_tables_name[] = "tables";

uint64_t arch_domain_tables_bytes(const struct domain_config *c, uint64_t *limit)
{
    *limit = tables_limit;
    return tables_bytes;
}

int arch_domain_build_tables(struct domain *d, const struct domain_config *c,
                             const struct domain_layout *l, const struct kernel_image *k)
{
    seen = *l;
    seen_kernel = *k;
    return result(BUILD_TABLES);
}

/* --- tests ----------------------------------------------------------------------------------- */

static int start(void **state)
{
    memset(&config, 0, sizeof(config));
    strcpy(config.node, "/chosen/d");
    strcpy(config.name, "d");
    config.id = 3;
    config.vcpus = 2;
    config.trap_unmapped = false;
    memset(&banks, 0, sizeof(banks));
    banks.nr_banks = 1;
    banks.bank[0].start = GADDR(0x40000000);
    banks.bank[0].bytes = banks.memory_bytes = MIB(512);
    kernel_bytes = MIB(40);
    tables_bytes = KIB(64);
    fail_at = BUILD_DONE;
    no_ports = false;
    created = destroyed = torn_down = vcpus = copies = loads_ended = 0;
    kernels_closed = 0;
    tables_limit = 0;
    host_log_clear();
    return 0;
}

/* The places that guests of Xen know. */
static void as_xen(void **state)
{
    struct domain *d = NULL;

    config.ramdisk.bytes = 0x12ddb7;
    assert_int_equal(domain_build(&config, &d), 0);
    assert_ptr_equal(d, &domain);
    assert_int_equal(seen.tables.v, 0x48000000);
    assert_int_equal(seen.ramdisk.v, 0x48200000);
    assert_int_equal(seen.ramdisk_bytes, 0x12ddb7);
    assert_ptr_equal(d->config, &config);
    assert_string_equal(d->name, "d");
    assert_false(d->mmio.trap_unmapped);
    assert_int_equal(vcpus, 1);
    assert_true(loads_ended > 0 && kernels_closed > 0);
    assert_non_null(strstr(host_log, "d3 \"d\": 2 vCPUs, 524288 KiB, kernel 0x40000000"));
}

/* Whatever sizes and banks: kernel, tables and ramdisk are in RAM and do not meet, or one line says
 * why not. */
static void places(void **state)
{
    uint32_t built = 0;

    for (int i = 0; i < 20000; i++) {
        struct domain *d = NULL;
        uint64_t at = 0x40000000;
        start(NULL);
        banks.nr_banks = 1 + (uint32_t)unit_random(3);
        for (uint32_t b = 0; b < banks.nr_banks; b++) {
            at += unit_random(3) * MIB(1) + unit_random(256) * FRAME_SIZE;
            banks.bank[b].start = GADDR(at);
            banks.bank[b].bytes = (1 + unit_random(unit_random(2) ? 100 : 100000)) * FRAME_SIZE;
            at += banks.bank[b].bytes + FRAME_SIZE;
        }
        kernel_bytes = 1 + unit_random(unit_random(2) ? MIB(300) : KIB(300));
        config.ramdisk.bytes = unit_random(2) ? unit_random(MIB(200)) : 0;
        tables_bytes = KIB(64) << unit_random(6);
        tables_limit = unit_random(2) ? 0x40000000 + unit_random(MIB(300)) : 0;
        if (domain_build(&config, &d)) {
            assert_non_null(strstr(host_log, "/chosen/d: memory = "));
            assert_int_equal(created, destroyed);
            continue;
        }
        built++;
        const struct {
            uint64_t start, end;
        } part[] = {
            { seen_kernel.start.v, seen_kernel.end.v },
            { seen.tables.v, seen.tables.v + tables_bytes },
            { seen.ramdisk.v, seen.ramdisk.v + seen.ramdisk_bytes },
        };
        assert_int_equal(seen.tables.v % tables_bytes,
                         0); /* within 2 MiB, as the boot protocol wants */
        for (uint32_t p = 0; p < (seen.ramdisk_bytes ? 3 : 2); p++) {
            bool inside = false;
            for (uint32_t b = 0; b < banks.nr_banks; b++)
                inside |= part[p].start >= banks.bank[b].start.v &&
                          part[p].end <= banks.bank[b].start.v + banks.bank[b].bytes;
            assert_true(inside);
            assert_true(!p || !tables_limit || part[p].end <= tables_limit);
            for (uint32_t q = 0; q < p; q++)
                assert_true(part[p].end <= part[q].start || part[q].end <= part[p].start);
        }
    }
    assert_true(built > 2000);
}

/* A step at a time; a failure at any stage gives everything back, in steps too. */
static void failures(void **state)
{
    for (enum domain_build_stage stage = BUILD_PROBE; stage < BUILD_DONE; stage++) {
        struct domain_builder b;
        uint32_t steps = 0;

        start(NULL);
        fail_at = stage;
        config.ramdisk.bytes = MIB(5);
        domain_build_begin(&b, &config);
        while (domain_build_step(&b))
            assert_true(++steps < 100);
        assert_int_not_equal(b.rc, 0);
        assert_null(b.domain);
        assert_int_equal(created, destroyed);
        assert_int_equal(torn_down, stage <= BUILD_CREATE ? 0 : 4);
        assert_true(kernels_closed > 0);
        assert_false(domain_build_step(&b)); /* over is over */
        assert_int_equal(created, destroyed);
        assert_null(strstr(host_log, "vCPUs, "));
    }
}

/* A guest that is to have xenstore waits for its page at the port that it is told of; others see
 * that there is none. */
static void xenstore(void **state)
{
    struct domain *d = NULL;

    assert_int_equal(domain_build(&config, &d), 0);
    assert_int_equal(d->hvm_params[HVM_PARAM_STORE_EVTCHN], 0);
    assert_int_equal(d->hvm_params[HVM_PARAM_STORE_PFN], 0);
    config.xenstore = true;
    assert_int_equal(domain_build(&config, &d), 0);
    assert_int_equal(d->hvm_params[HVM_PARAM_STORE_EVTCHN], 7);
    assert_int_equal(d->hvm_params[HVM_PARAM_STORE_PFN], UINT64_MAX);
    no_ports = true;
    assert_int_equal(domain_build(&config, &d), -ENOMEM);
    assert_int_equal(created, 3);
    assert_int_equal(destroyed, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = { TEST(as_xen), TEST(places), TEST(failures),
                                        TEST(xenstore) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
