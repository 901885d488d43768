/* SPDX-License-Identifier: MIT */
/*
 * How domains get their RAM, with the real allocator and page tables. If these fail a guest's
 * memory is not where its device tree says, dom0's devices cannot reach it, or a restart finds less
 * memory than before.
 */
// sources: core/frame_free.c core/spinlock.c core/p2m.c core/p2m_batch.c core/pgtable.c
// sources: core/domain_memory.c arch/arm64/domain_memory.c
#include "../../hypervisor/arch/arm64/domain_tree.h"
#include "unit.h"

#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

/* core/frame.c starts anew for each test. */
#include "../../hypervisor/core/frame.c"

#define META       GIB(64)
#define LOW        GIB(1) /* two banks, as on a board with a hole below 4 GiB */
#define LOW_BYTES  GIB(2)
#define HIGH       GIB(8)
#define HIGH_BYTES GIB(8)
#define STATIC     (LOW + MIB(256)) /* reserved at boot, 64 MiB */

static struct domain domain;
static struct domain_config config;
static struct domain_layout layout;

static int start(void **state)
{
    memset(banks, 0, sizeof(banks));
    nr_banks = 0;
    nr_total = nr_free = nr_scrubbing = 0;
    host_ram_reset();
    host_pcpus_init(1);
    host_ram_add(META, MIB(256));
    host_ram_add(LOW, LOW_BYTES);
    host_ram_add(HIGH, HIGH_BYTES);
    assert_int_equal(
        frame_bank_add(MFN(LOW >> 12), MFN((LOW + LOW_BYTES) >> 12), host_ram(MADDR(META))), 0);
    assert_int_equal(frame_bank_add(MFN(HIGH >> 12), MFN((HIGH + HIGH_BYTES) >> 12),
                                    host_ram(MADDR(META + MIB(128)))),
                     0);
    frame_bank_release(MFN(LOW >> 12), MFN(STATIC >> 12));
    frame_bank_release(MFN((STATIC + MIB(64)) >> 12), MFN((LOW + LOW_BYTES) >> 12));
    frame_bank_release(MFN(HIGH >> 12), MFN((HIGH + HIGH_BYTES) >> 12));
    memset(&config, 0, sizeof(config));
    strcpy(config.node, "/chosen/d");
    config.vcpus = 1;
    host_log_clear();
    return 0;
}

static int build(uint64_t bytes)
{
    int rc;

    config.memory_bytes = bytes;
    memset(&layout, 0, sizeof(layout));
    memset(&domain, 0, sizeof(domain));
    domain.id = 7;
    domain.lock = SPINLOCK_INIT(LOCK_DOMAIN);
    assert_int_equal(p2m_init(&domain), 0);
    assert_int_equal(p2m_set_pool(&domain, P2M_POOL_UNLIMITED), 0);
    while ((rc = domain_build_memory(&domain, &config, &layout)) == 1)
        ;
    return rc;
}

static void destroy(void)
{
    while (p2m_teardown_step(&domain))
        ;
    assert_int_equal(domain.tot_pages, 0);
    p2m_destroy(&domain);
}

/* Every frame of the banks is there, owned by the domain, once, of the type given; returns the
 * highest machine address. */
static uint64_t check(uint64_t bytes, enum p2m_type wanted, bool direct)
{
    uint64_t sum = 0, highest = 0;

    for (uint32_t i = 0; i < layout.nr_banks; i++) {
        uint64_t at = layout.bank[i].start.v, end = at + layout.bank[i].bytes;
        sum += layout.bank[i].bytes;
        if (i)
            assert_true(at > layout.bank[i - 1].start.v + layout.bank[i - 1].bytes);
        for (; at < end; at += FRAME_SIZE) {
            enum p2m_type type;
            mfn_t m = p2m_lookup(&domain, gaddr_to_gfn(GADDR(at)), &type, NULL);
            if (type != wanted || frame_owner(frame_of(m)) != 7 ||
                (direct && mfn_to_maddr(m).v != at))
                fail_msg("at %lx: type %d, frame %lx", (unsigned long)at, type, (unsigned long)m.v);
            highest = max(highest, mfn_to_maddr(m).v);
        }
    }
    assert_int_equal(sum, bytes);
    assert_int_equal(layout.memory_bytes, bytes);
    assert_int_equal(domain.tot_pages, bytes >> FRAME_SHIFT);
    return highest;
}

/* Guests have Xen's two banks; their frames come from the high end, are not cleared, and all come
 * back. */
static void guest(void **state)
{
    uint64_t before = frame_free_count();

    assert_int_equal(build(MIB(515) + KIB(4)), 0);
    assert_int_equal(layout.nr_banks, 1);
    assert_int_equal(layout.bank[0].start.v, 0x40000000);
    assert_true(check(MIB(515) + KIB(4), P2M_RESERVED, false) >= HIGH);
    assert_int_equal(before - frame_free_count(), (MIB(515) + KIB(4)) >> FRAME_SHIFT);
    destroy();
    assert_int_equal(frame_free_count(), before);

    assert_int_equal(build(GIB(5)), 0);
    assert_int_equal(layout.nr_banks, 2);
    assert_int_equal(layout.bank[0].bytes, GIB(3));
    assert_int_equal(layout.bank[1].start.v, 0x200000000);
    check(GIB(5), P2M_RESERVED, false);
    destroy();
    assert_int_equal(frame_free_count(), before);
}

/* With devices that could read it, memory is clear before the guest starts. */
static void guest_with_devices(void **state)
{
    memset(host_ram(MADDR(HIGH + HIGH_BYTES - MIB(16))), 0xaa, MIB(16));
    config.passthrough = true;
    assert_int_equal(build(MIB(8)), 0);
    check(MIB(8), P2M_RAM, false);
    for (uint64_t at = 0x40000000; at < 0x40800000; at += FRAME_SIZE) {
        enum p2m_type type;
        mfn_t m = p2m_lookup(&domain, gaddr_to_gfn(GADDR(at)), &type, NULL);
        const uint64_t *p = host_ram(mfn_to_maddr(m));
        assert_true(p[0] == 0 && p[511] == 0);
    }
    destroy();
}

/* Small pieces will do when there are no large ones. */
static void guest_in_pieces(void **state)
{
    static mfn_t taken[20000];
    uint32_t n = 0;
    uint64_t before;
    mfn_t m;

    /* Everything but every second 2 MiB of the low bank is gone. */
    for (unsigned int order = FRAME_MAX_ORDER + 1; order-- > FRAME_ORDER_2M;) {
        while (frame_alloc(9, order, FRAME_DIRTY_OK, &m, NULL) == 0) {
            for (uint64_t i = 0; i < (uint64_t)1 << order; i += 512)
                taken[n++] = mfn_add(m, i);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (taken[i].v < HIGH >> 12 && taken[i].v / 512 % 2)
            frame_free(taken[i], 512);
    }
    before = frame_free_count();
    assert_int_equal(build(MIB(900)), 0);
    check(MIB(900), P2M_RESERVED, false);
    destroy();
    assert_int_equal(frame_free_count(), before);
}

/* dom0's memory is where it is, low, and in few pieces; it stays out of what was reserved. */
static void hardware(void **state)
{
    config.hardware = config.direct_map = true;
    assert_int_equal(build(GIB(1)), 0);
    assert_true(check(GIB(1), P2M_RAM, true) < GIB(4));
    assert_in_range(layout.nr_banks, 1, 2);
    destroy();

    /* More than there is below 4 GiB: the rest is above. */
    assert_int_equal(build(GIB(4) + KIB(12)), 0);
    assert_true(check(GIB(4) + KIB(12), P2M_RAM, true) > GIB(4));
    assert_true(layout.nr_banks <= DOMAIN_LAYOUT_BANKS);
    for (uint32_t i = 0; i < layout.nr_banks; i++) {
        uint64_t at = layout.bank[i].start.v;
        assert_true(at >= STATIC + MIB(64) || at + layout.bank[i].bytes <= STATIC);
    }
    destroy();
}

/* Low memory in more pieces than a device tree should list: dom0 starts all the same. */
static void hardware_in_pieces(void **state)
{
    uint64_t before;

    for (uint64_t at = STATIC + MIB(64); at < LOW + LOW_BYTES; at += MIB(8))
        assert_int_equal(frame_alloc_at(MFN(at >> 12), 512, 9), 0);
    before = frame_free_count();
    config.hardware = config.direct_map = true;
    assert_int_equal(build(GIB(2)), 0);
    assert_true(check(GIB(2), P2M_RAM, true) > GIB(4));
    assert_true(layout.bank[0].start.v < GIB(4));
    destroy();
    assert_int_equal(frame_free_count(), before);
}

/* xen,static-mem: these frames, before and after a restart, whatever others take in between. */
static void static_memory(void **state)
{
    for (int direct = 0; direct < 2; direct++) {
        uint64_t before = frame_free_count();
        config.nr_static_mem = 2;
        config.static_mem[0] = (struct domain_bank){ STATIC + MIB(32), MIB(8) };
        config.static_mem[1] = (struct domain_bank){ STATIC, MIB(16) };
        config.direct_map = direct;
        for (int again = 0; again < 3; again++) {
            enum p2m_type type;
            assert_int_equal(build(MIB(24)), 0);
            check(MIB(24), P2M_RESERVED, direct);
            assert_int_equal(layout.nr_banks, direct ? 2 : 1);
            if (!direct) {
                mfn_t m =
                    p2m_lookup(&domain, gaddr_to_gfn(GADDR(0x40000000 + MIB(8))), &type, NULL);
                assert_int_equal(mfn_to_maddr(m).v, STATIC);
            }
            assert_int_equal(frame_free_count(), before);
            destroy();
            assert_int_equal(frame_free_count(), before);
        }
    }
    /* The hardware domain's is clear and there at once: its devices may write to it at any time. */
    config.hardware = config.direct_map = true;
    assert_int_equal(build(MIB(24)), 0);
    check(MIB(24), P2M_RAM, true);
    destroy();
    config.hardware = config.direct_map = false;

    /* Memory that another domain holds is refused. */
    frame_bank_claim(MFN((STATIC + MIB(48)) >> 12), MFN((STATIC + MIB(50)) >> 12), 3);
    config.nr_static_mem = 1;
    config.static_mem[0] = (struct domain_bank){ STATIC + MIB(40), MIB(24) };
    assert_int_equal(build(MIB(24)), -EBUSY);
    assert_non_null(
        strstr(host_log, "/chosen/d: xen,static-mem: 0x53000000, 0x200000 bytes: others still"));
    destroy();
    assert_int_equal(frame_owner(frame_of(MFN((STATIC + MIB(48)) >> 12))), 3);
}

/* More than there is: said, and nothing is lost. */
static void too_much(void **state)
{
    uint64_t before = frame_free_count();

    for (int hw = 0; hw < 2; hw++) {
        config.hardware = config.direct_map = hw;
        host_log_clear();
        assert_int_equal(build(GIB(11)), -ENOMEM);
        assert_non_null(
            strstr(host_log, "/chosen/d: memory = <11534336> KiB: more than there is: "));
        assert_ptr_equal(strchr(host_log, '\n'), host_log + strlen(host_log) - 1);
        destroy();
        assert_int_equal(frame_free_count(), before);
    }
    assert_int_not_equal(build(GIB(2000)), 0);
    destroy();
    assert_int_equal(frame_free_count(), before);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        TEST(guest),    TEST(guest_with_devices), TEST(guest_in_pieces),
        TEST(hardware), TEST(hardware_in_pieces), TEST(static_memory),
        TEST(too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
