/* SPDX-License-Identifier: MIT */
// sources: core/heap.c core/frame.c core/frame_free.c core/spinlock.c
/* The hypervisor's heap, on top of the real frame allocator, in a window where only its chunks can
 * be accessed. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

#define RAM   MIB(64)
#define LIVES 700

static struct {
    uint8_t *p;
    uint64_t size;
    uint8_t fill;
} held[LIVES];

static uint64_t frames_free;

/* One bank for all tests: the frame allocator's state is there once. */
static int start_all(void **state)
{
    host_pcpus_init(1);
    host_ram_reset();
    host_ram_add(GIB(1), RAM + MIB(2));
    uint64_t frames = RAM >> FRAME_SHIFT, first = GIB(1) >> FRAME_SHIFT;
    void *meta = host_ram(MADDR(GIB(1) + RAM));
    memset(host_ram(MADDR(GIB(1))), 0xee, RAM);
    if (frame_bank_add(MFN(first), MFN(first + frames), meta) != 0)
        return -1;
    frame_bank_release(MFN(first), MFN(first + frames));
    frames_free = frame_free_count();
    heap_init();
    return 0;
}

/* After each test all is free again, but for the one chunk that the heap keeps. */
static int end(void **state)
{
    uint64_t taken, used;

    heap_usage(&taken, &used);
    assert_int_equal(used, 0);
    assert_true(taken <= MIB(2));
    assert_int_equal(host_heap_chunks, taken / MIB(2));
    assert_int_equal(frames_free - frame_free_count(), taken >> FRAME_SHIFT);
    assert_int_equal(frame_owned_count(OWNER_HOSPES), taken >> FRAME_SHIFT);
    return 0;
}

static uint64_t cost(uint64_t size)
{
    /* Whole chunks, and a note about them. */
    if (size > MIB(1))
        return BIT(log2_ceil(size)) + 32;
    return size > 2048 ? align_up(size, FRAME_SIZE) : BIT(log2_ceil(max(size, (uint64_t)16)));
}

static void check_new(const uint8_t *p, uint64_t size)
{
    uint64_t align = size > 2048 ? FRAME_SIZE : cost(size);

    assert_non_null(p);
    assert_true(is_aligned((uintptr_t)p, align));
    for (uint64_t i = 0; i < size; i++)
        assert_int_equal(p[i], 0);
    assert_ptr_equal(arch_heap_maddr_to_virt(arch_virt_to_maddr(p)), p);
}

/* Every byte of what is held is still as its holder wrote it. */
static void check_held(uint32_t i)
{
    for (uint64_t k = 0; k < held[i].size; k++)
        assert_int_equal(held[i].p[k], held[i].fill);
}

static uint64_t random_size(void)
{
    switch (unit_random(8)) {
    case 0:
        return 2048 + unit_random(20 * 4096);
    case 1:
        return unit_random(50) ? 4096 : MIB(1) / 2 + unit_random((uint32_t)MIB(1));
    default:
        return unit_random(unit_random(2) ? 100 : 2300);
    }
}

/*
 * Two structures in the same memory are a hypervisor that does what a guest wrote into its own;
 * memory that is not given back is a machine that can start no more domains after a while.
 */
static void random_life(void **state)
{
    uint64_t expected = 0, taken, used;

    for (int step = 0; step < 12000; step++) {
        uint32_t i = unit_random(LIVES);
        /* Now it grows, now it shrinks. */
        bool grow = unit_random(10) < (step % 4000 < 2000 ? 7u : 3u);

        if (held[i].p == NULL && grow) {
            uint64_t size = random_size();
            uint8_t *p = unit_random(2) ? heap_alloc(size) : heap_calloc(size, 1);

            if (size == 0)
                size = 1;
            check_new(p, size);
            held[i].p = p;
            held[i].size = size;
            held[i].fill = (uint8_t)(1 + unit_random(255));
            memset(p, held[i].fill, size);
            expected += cost(size);
        } else if (held[i].p != NULL && !grow) {
            check_held(i);
            heap_free(held[i].p);
            expected -= cost(held[i].size);
            held[i].p = NULL;
        }
        heap_usage(&taken, &used);
        assert_int_equal(used, expected);
        assert_int_equal(frames_free - frame_free_count(), taken >> FRAME_SHIFT);
    }
    for (uint32_t i = 0; i < LIVES; i++) {
        if (held[i].p != NULL)
            check_held(i);
        heap_free(held[i].p);
        held[i].p = NULL;
    }
}

/* Page tables and stacks come by pages, aligned to their size: hardware reads them. */
static void pages(void **state)
{
    for (unsigned int order = 0; order <= 9; order++) {
        void *a = heap_alloc_pages(order), *b = heap_alloc_pages(order);

        check_new(a, FRAME_SIZE << order);
        check_new(b, FRAME_SIZE << order);
        assert_true(is_aligned(arch_virt_to_maddr(a).v, FRAME_SIZE << order));
        assert_true(is_aligned((uintptr_t)b, FRAME_SIZE << order));
        memset(a, 1, FRAME_SIZE << order);
        memset(b, 2, FRAME_SIZE << order);
        heap_free_pages(a, order);
        a = heap_alloc_pages(order);
        check_new(a, FRAME_SIZE << order);
        assert_int_equal(*(uint8_t *)b, 2);
        heap_free_pages(a, order);
        heap_free_pages(b, order);
    }
    assert_null(heap_alloc_pages(10));
}

/* Sizes that cannot be, which arithmetic on a guest's numbers may give, get nothing rather than too
 * little. */
static void impossible_sizes(void **state)
{
    assert_null(heap_alloc(UINT64_MAX));
    assert_null(heap_alloc(GIB(1) + 1));
    assert_null(heap_alloc(GIB(1)));
    assert_null(heap_calloc(UINT64_MAX / 2, 3));
    assert_null(heap_calloc((uint64_t)1 << 32, (uint64_t)1 << 32));
    heap_free(NULL);
    heap_free(heap_calloc(0, 8));
}

/* Out of memory is an answer; what there is works on, and all of it is there again afterwards. */
static void out_of_memory(void **state)
{
    static void *all[RAM / FRAME_SIZE];
    uint32_t n = 0;

    /* Frames are left, but the page tables for one more chunk are not. */
    host_heap_chunks_left = 3;
    assert_null(heap_alloc(MIB(16)));
    host_heap_chunks_left = 0;
    assert_null(heap_alloc(MIB(4)));
    host_heap_chunks_left = UINT32_MAX;

    while ((all[n] = heap_alloc_pages(0)) != NULL)
        memset(all[n++], 0x77, FRAME_SIZE);
    assert_in_range(n, RAM / FRAME_SIZE * 98 / 100, RAM / FRAME_SIZE);
    assert_null(heap_alloc(2100));
    assert_null(heap_alloc(MIB(2)));
    for (uint32_t i = 0; i < n; i += 2)
        heap_free(all[i]);
    void *p = heap_alloc(10);
    check_new(p, 10);
    heap_free(p);
    for (uint32_t i = 1; i < n; i += 2)
        heap_free(all[i]);
}

static void free_twice(void *arg)
{
    heap_free(arg);
    heap_free(arg);
}

static void free_inside(void *arg)
{
    heap_free((uint8_t *)arg + 16);
}

/* A wrong free is found where it happens. The heap's lock stays taken then: these come last. */
static void wrong_free(void **state)
{
    uint8_t *small = heap_alloc(64);

    assert_non_null(heap_alloc(64));
    assert_true(host_stops(HOSPES_DEBUG ? free_twice : free_inside, small));
    assert_contains(host_stop_reason, "assertion failed");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_life, end),
        cmocka_unit_test_teardown(pages, end),
        cmocka_unit_test_teardown(impossible_sizes, end),
        cmocka_unit_test_teardown(out_of_memory, end),
        cmocka_unit_test(wrong_free),
    };
    return cmocka_run_group_tests(tests, start_all, NULL);
}
