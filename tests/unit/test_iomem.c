/* SPDX-License-Identifier: MIT */
// sources: core/vnuma.c
// sources: core/iomem.c core/boot.c core/memory_op.c core/reservation.c core/physmap.c
// sources: core/resource.c core/claim.c core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c
// sources: core/frame.c core/frame_free.c core/spinlock.c arch/arm64/stage2_format.c
/* Devices' registers for guests: who has which, what is mapped, and that all comes back. */
#include "memory_world.h"

#include <hospes/boot.h>
#include <hospes/iomem.h>

void arch_p2m_init(struct domain *d)
{
}

void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames)
{
}

#define DEVICES    0x9000u /* frames of registers from here on */
#define NR_DEVICES 0x1000u
#define UART       0x9000u /* which Hospes keeps */
#define GUEST      0x50000u

static struct boot_ranges own;

static int begin(void **state)
{
    memset(&own, 0, sizeof(own));
    assert_int_equal(boot_range_add(&own, UART << FRAME_SHIFT, (UART + 1) << FRAME_SHIFT, "uart"),
                     0);
    iomem_init(NULL);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        create(i);
        domains[i].lock = SPINLOCK_INIT(LOCK_DOMAIN);
        domains[i].state = DOMAIN_RUNNING;
    }
    iomem_init(&own);
    return 0;
}

static int end(void **state)
{
    for (uint32_t i = 0; i < DOMAINS; i++) {
        if (gone[i])
            continue;
        destroy(i);
        iomem_take_all(&domains[i]);
    }
    assert_int_equal(frame_free_count(), all_free);
    return 0;
}

static int permit(uint32_t n, uint64_t mfn, uint64_t frames)
{
    return iomem_permit(&domains[n], MFN(mfn), frames);
}

static int deny(uint32_t n, uint64_t mfn, uint64_t frames)
{
    return iomem_deny(&domains[n], MFN(mfn), frames);
}

static int map(uint32_t n, uint64_t gfn, uint64_t mfn, uint64_t frames)
{
    return iomem_map(&domains[n], GFN(gfn), MFN(mfn), frames);
}

static int unmap(uint32_t n, uint64_t gfn, uint64_t mfn, uint64_t frames)
{
    return iomem_unmap(&domains[n], GFN(gfn), MFN(mfn), frames);
}

/* A guest would not get the device that its configuration names, or keep it when it may no longer.
 */
static void given(void **state)
{
    enum p2m_type type;

    assert_int_equal(permit(1, 0x9010, 4), 0);
    assert_int_equal(permit(1, 0x9010, 4), 0);
    assert_int_equal(map(1, GUEST, 0x9011, 2), 0);
    assert_int_equal(look(1, GUEST + 1, &type).v, 0x9012);
    assert_int_equal(type, P2M_DEVICE);
    assert_int_equal(look(1, GUEST + 2, &type).v, MFN_NONE.v);
    assert_int_equal(deny(1, 0x9010, 4), -EBUSY);
    assert_int_equal(unmap(1, GUEST, 0x9011, 2), 0);
    assert_int_equal(look(1, GUEST, &type).v, MFN_NONE.v);
    assert_int_equal(deny(1, 0x9010, 4), 0);
    assert_int_equal(deny(1, 0x9010, 4), 0);
    assert_int_equal(map(1, GUEST, 0x9011, 2), -EPERM);
}

/* A guest would have the hypervisor's UART, or others' memory. */
static void refused(void **state)
{
    assert_int_equal(permit(1, UART, 1), -EPERM);
    assert_int_equal(permit(1, UART - 1, 4), -EPERM);
    assert_int_equal(boot_range_add(&boot_ram, RAM, RAM + RAM_BYTES, NULL), 0);
    assert_int_equal(permit(1, RAM >> FRAME_SHIFT, 1), -EPERM);
    assert_int_equal(permit(1, (RAM >> FRAME_SHIFT) - 1, 2), -EPERM);
    assert_int_equal(boot_range_remove(&boot_ram, RAM, RAM + RAM_BYTES), 0);
    assert_int_equal(permit(1, 0x9010, 0), -EINVAL);
    assert_int_equal(permit(1, UINT64_MAX, 1), -EINVAL);
    assert_int_equal(permit(1, 0x9010, UINT64_MAX - 0x9010), -EINVAL);
    assert_int_equal(permit(1, UINT64_C(1) << 52, 1), -EINVAL);
    assert_int_equal(deny(1, UINT64_MAX, 2), -EINVAL);
    assert_int_equal(deny(1, 0x9010, 0), -EINVAL);
    iomem_init(NULL); /* as long as nobody said what Hospes keeps */
    assert_int_equal(permit(1, 0x9010, 1), -EPERM);
    iomem_init(&own);
    domains[1].state = DOMAIN_DYING;
    assert_int_equal(permit(1, 0x9010, 1), -EINVAL);
}

/* Two guests would program one device. */
static void one_owner(void **state)
{
    assert_int_equal(permit(1, 0x9010, 4), 0);
    assert_int_equal(permit(2, 0x9013, 4), -EBUSY);
    assert_int_equal(permit(2, 0x900f, 2), -EBUSY);
    assert_int_equal(permit(2, 0x9014, 4), 0);
    assert_int_equal(map(2, GUEST, 0x9013, 2), -EPERM);
    assert_int_equal(map(2, GUEST, 0x9013, 1), -EPERM);
    assert_int_equal(deny(2, 0x9010, 4), 0); /* another's stays */
    assert_int_equal(map(1, GUEST, 0x9010, 4), 0);
    /* It goes with the domain, wherever it is mapped. */
    destroy(1);
    iomem_take_all(&domains[1]);
    assert_int_equal(permit(2, 0x9010, 4), 0);
    assert_int_equal(map(2, GUEST, 0x9010, 4), 0);
}

/* A toolstack's mistake would take a guest's memory away, or the wrong device. */
static void misplaced(void **state)
{
    assert_int_equal(populate_one(1, 1, 0x40000, 9), 1);
    assert_int_equal(permit(1, 0x9010, 16), 0);
    assert_int_equal(map(1, 0x40000 + 511, 0x9010, 1), -EEXIST);
    assert_int_equal(map(1, 0x40000 - 1, 0x9010, 2), -EEXIST);
    assert_int_equal(map(1, GUEST, 0x9010, 0), -EINVAL);
    assert_int_equal(map(1, UINT64_MAX, 0x9010, 1), -EINVAL);
    assert_int_equal(map(1, UINT64_C(1) << 40, 0x9010, 1), -EINVAL);
    assert_int_equal(map(1, GUEST, 0x901f, 2), -EPERM);
    assert_int_equal(map(1, GUEST, 0x9010, 4), 0);
    assert_int_equal(map(1, GUEST + 3, 0x9010, 1), -EEXIST);
    assert_int_equal(unmap(1, GUEST, 0x9011, 2), -ENOENT);
    assert_int_equal(unmap(1, GUEST, 0x9010, 5), -ENOENT);
    assert_int_equal(unmap(1, 0x40000, 0x9010, 1), -ENOENT);
    assert_int_equal(unmap(2, GUEST, 0x9010, 1), -EPERM);
    assert_int_equal(unmap(1, GUEST, 0x9010, 0), -EINVAL);
    assert_int_equal(deny(1, 0x9010, 8), -EINVAL);
    assert_int_equal(deny(1, 0x9000, 0x100), -EBUSY);
    assert_int_equal(unmap(1, GUEST, 0x9010, 4), 0);
    assert_int_equal(deny(1, 0x9000, 0x100), 0);
    assert_int_equal(domains[1].tot_pages, 512);
}

/* A toolstack would fill the hypervisor's memory. */
static void bounded(void **state)
{
    for (uint64_t i = 0; i < IOMEM_MAX_RANGES; i++)
        assert_int_equal(permit(1, 0x9010 + 2 * i, 1), 0);
    assert_int_equal(permit(1, 0x9f00, 1), -ENOSPC);
    assert_int_equal(permit(1, 0x9010, 1), 0);
    assert_int_equal(permit(2, 0x9f00, 1), 0);
    assert_int_equal(deny(1, DEVICES, NR_DEVICES), 0);
    assert_int_equal(permit(1, 0x9f01, 1), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(given), TEST(refused), TEST(one_owner), TEST(misplaced), TEST(bounded),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
