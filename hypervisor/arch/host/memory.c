/* SPDX-License-Identifier: MIT */
/*
 * The stand-in's memory: <hospes/map.h> and the architecture's part of <hospes/heap.h> and
 * <hospes/frame.h>.
 *
 * Simulated RAM is a sparse file in memory. It is mapped twice at fixed distances from the machine
 * address: in `ram` as tests and frame_map() see it, whole; and in `window` as the heap sees it,
 * where a chunk can be accessed only between arch_heap_map_chunk() and arch_heap_unmap_chunk().
 * What is no RAM cannot be accessed at all.
 */
#include <asm/host.h>
#include <hospes/boot.h>
#include <hospes/cpu.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/pgtable.h>
#include <lib/bits.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES MIB(2)

static int ram_file = -1;
static uint8_t *ram, *window;
static struct frame *frame_table;

uint32_t host_heap_chunks;
uint32_t host_heap_chunks_left;

/* Without core/boot.c the lists are there, and empty. */
__attribute__((weak)) struct boot_ranges boot_ram, boot_reserved;
__attribute__((weak)) int boot_range_add(struct boot_ranges *list, uint64_t start, uint64_t end,
                                         const char *what)
{
    (void)list;
    (void)start;
    (void)end;
    (void)what;
    return 0;
}

__attribute__((weak)) bool boot_range_overlaps(const struct boot_ranges *list, uint64_t start,
                                               uint64_t end, const struct boot_range **hit)
{
    (void)list, (void)start, (void)end, (void)hit;
    return false;
}

/* Addresses that cannot be accessed: at `at`, or where there is room, aligned to 1 GiB. */
static uint8_t *reserve(uint8_t *at, uint64_t bytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at != NULL ? MAP_FIXED : 0);
    void *p = mmap(at, at != NULL ? bytes : bytes + GIB(1), PROT_NONE, flags, -1, 0);

    assert(p != MAP_FAILED);
    return at != NULL ? at : (uint8_t *)align_up((uintptr_t)p, GIB(1));
}

void host_ram_reset(void)
{
    uint64_t table_bytes = (HOST_RAM_LIMIT >> FRAME_SHIFT) * sizeof(struct frame);

    ram = reserve(ram, HOST_RAM_LIMIT);
    window = reserve(window, HOST_RAM_LIMIT);
    frame_table = (struct frame *)(void *)reserve((uint8_t *)frame_table, table_bytes);
    if (ram_file >= 0)
        close(ram_file);
    ram_file = memfd_create("ram", 0);
    assert(ram_file >= 0 && ftruncate(ram_file, (off_t)HOST_RAM_LIMIT) == 0);
    memset(&boot_ram, 0, sizeof(boot_ram));
    memset(&boot_reserved, 0, sizeof(boot_reserved));
    host_heap_chunks = 0;
    host_heap_chunks_left = UINT32_MAX;
}

static void *map_file(void *at, uint64_t offset, uint64_t bytes)
{
    return mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ram_file, (off_t)offset);
}

void host_ram_add(uint64_t start, uint64_t bytes)
{
    assert((start | bytes) % CHUNK_BYTES == 0 && start + bytes <= HOST_RAM_LIMIT);
    assert(map_file(ram + start, start, bytes) == ram + start);
    assert(boot_range_add(&boot_ram, start, start + bytes, NULL) == 0);
}

void *host_ram(maddr_t a)
{
    assert(a.v < HOST_RAM_LIMIT);
    return ram + a.v;
}

/* --- the frame table --------------------------------------------------------------------- */

int arch_frame_table_map(mfn_t start, mfn_t end, void *meta, uint64_t bytes)
{
    uint64_t offset = arch_virt_to_maddr(meta).v;
    struct frame *first = frame_table + start.v;

    assert(((uintptr_t)first | offset | bytes) % FRAME_SIZE == 0);
    assert((end.v - start.v) * sizeof(struct frame) <= bytes);
    assert(map_file(first, offset, bytes) == first);
    return 0;
}

struct frame *arch_frame_table(void)
{
    return frame_table;
}

/* --- the heap's window ------------------------------------------------------------------- */

void *arch_heap_map_chunk(mfn_t m)
{
    uint64_t offset = mfn_to_maddr(m).v;

    if (host_heap_chunks_left == 0)
        return NULL;
    host_heap_chunks_left--;
    assert(offset % CHUNK_BYTES == 0 && offset < HOST_RAM_LIMIT);
    assert(map_file(window + offset, offset, CHUNK_BYTES) == window + offset);
    host_heap_chunks++;
    return window + offset;
}

void arch_heap_unmap_chunk(void *chunk)
{
    assert(((uint8_t *)chunk - window) % (ptrdiff_t)CHUNK_BYTES == 0 && host_heap_chunks > 0);
    reserve(chunk, CHUNK_BYTES);
    host_heap_chunks--;
}

/*
 * What is outside both mappings, such as calloc()ed memory that stands for the heap's, is its own
 * machine address: it is above HOST_RAM_LIMIT, so that both ways are told apart.
 */
maddr_t arch_virt_to_maddr(const void *p)
{
    uintptr_t in_window = (uintptr_t)p - (uintptr_t)window, in_ram = (uintptr_t)p - (uintptr_t)ram;

    if (window != NULL && in_window < HOST_RAM_LIMIT)
        return MADDR(in_window);
    if (ram != NULL && in_ram < HOST_RAM_LIMIT)
        return MADDR(in_ram);
    return MADDR((uintptr_t)p);
}

void *arch_heap_maddr_to_virt(maddr_t a)
{
    return a.v < HOST_RAM_LIMIT ? window + a.v : (void *)(uintptr_t)a.v;
}

/* --- short mappings ---------------------------------------------------------------------- */

uint64_t host_forbidden = UINT64_MAX;

/* How many are used at once is checked, and that each is given back. */
static void *map_slots(maddr_t a, uint64_t bytes)
{
    struct arch_pcpu *p = &this_pcpu()->arch;

    assert(a.v % bytes == 0 && a.v + bytes <= HOST_RAM_LIMIT);
    assert(host_forbidden < a.v || host_forbidden >= a.v + bytes);
    assert(p->nr_mapped < HOST_MAP_SLOTS);
    p->mapped[p->nr_mapped++] = ram + a.v;
    return ram + a.v;
}

static void unmap_slots(const void *mapped)
{
    struct arch_pcpu *p = &this_pcpu()->arch;

    uint32_t n = 0;

    while (n < p->nr_mapped && p->mapped[n] != mapped)
        n++;
    assert(n < p->nr_mapped);
    p->mapped[n] = p->mapped[--p->nr_mapped];
}

void *frame_map(mfn_t m)
{
    return map_slots(mfn_to_maddr(m), FRAME_SIZE);
}

uint32_t host_pin_fails;

/* All of RAM is mapped for good. */
void *frame_pin(mfn_t m)
{
    if (host_pin_fails && --host_pin_fails == 0)
        return NULL;
    return host_ram(mfn_to_maddr(m));
}

void frame_unpin(void *page)
{
    (void)page;
}

void frame_unmap(void *page)
{
    unmap_slots(page);
}

void *frame_map_instead(void *page, mfn_t m)
{
    frame_unmap(page);
    return frame_map(m);
}

void *frame_map_2m(mfn_t m)
{
    return map_slots(mfn_to_maddr(m), CHUNK_BYTES);
}

void frame_unmap_2m(void *block)
{
    unmap_slots(block);
}

__attribute__((weak)) bool map_may_block(maddr_t a)
{
    (void)a;
    return true;
}

__attribute__((weak)) void maddr_read(void *to, maddr_t from, uint64_t bytes)
{
    memcpy(to, host_ram(from), bytes);
}

__attribute__((weak)) void maddr_write(maddr_t to, const void *from, uint64_t bytes)
{
    memcpy(host_ram(to), from, bytes);
}

__attribute__((weak)) void maddr_copy(maddr_t to, maddr_t from, uint64_t bytes)
{
    memcpy(host_ram(to), host_ram(from), bytes);
}

const void *ram_map_readonly(maddr_t start, uint64_t bytes)
{
    return bytes <= HOST_RAM_LIMIT && start.v <= HOST_RAM_LIMIT - bytes ? ram + start.v : NULL;
}

void ram_unmap(const void *p, uint64_t bytes)
{
    (void)p;
    (void)bytes;
}

void arch_zero_pages(void *p, uint64_t pages)
{
    memset(p, 0, pages << FRAME_SHIFT);
}

void arch_clear_pages(void *p, uint64_t pages)
{
    memset(p, 0, pages << FRAME_SHIFT);
}

__attribute__((weak)) void arch_cache_clean(const void *p, uint64_t bytes)
{
    (void)p;
    (void)bytes;
}

void arch_icache_invalidate(void)
{
}

void arch_pgtable_publish(const void *p, uint64_t bytes)
{
    (void)p;
    (void)bytes;
}
