/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what looks at kernel modules, places them and brings them into a domain's memory. An input
 * is a module: an Image, an ELF file, a bzImage, a gzip file, an EFI zboot image, or anything.
 * Linked with the formats of one architecture.
 */
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/kernel_image.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUEST 0x40000000ull
#define ROOM  MIB(8)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const uint8_t *module;
static size_t module_bytes;
static uint8_t guest[ROOM];

static void check(bool good)
{
    if (!good)
        abort();
}

void log_line(enum log_level level, const char *fmt, ...)
{
    static char text[512];
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
}

void *heap_alloc(uint64_t size)
{
    return calloc(1, size);
}

/* A few bytes can claim to be gigabytes: machines have no more than this. */
void *heap_alloc_dirty(uint64_t size)
{
    return size <= MIB(64) ? malloc(size) : NULL;
}

void *heap_calloc(uint64_t n, uint64_t size)
{
    return calloc(n, size);
}

void heap_free(void *p)
{
    free(p);
}

/* The module's addresses begin at 0: reading beyond it is an overrun that the sanitizer sees. */
void maddr_read(void *to, maddr_t from, uint64_t n)
{
    check(from.v <= module_bytes && n <= module_bytes - from.v);
    memcpy(to, module + from.v, n);
}

int p2m_copy_to(struct domain *d, gaddr_t to, const void *from, uint64_t n)
{
    (void)d;
    if (to.v < GUEST || to.v - GUEST > ROOM || n > ROOM - (to.v - GUEST))
        return -EFAULT;
    memcpy(guest + (to.v - GUEST), from, n);
    return 0;
}

int p2m_copy_module(struct domain *d, gaddr_t to, maddr_t from, uint64_t n)
{
    check(from.v <= module_bytes && n <= module_bytes - from.v);
    return p2m_copy_to(d, to, module + from.v, n);
}

int p2m_fill(struct domain *d, gaddr_t to, maddr_t from, uint64_t n)
{
    (void)d, (void)to;
    check(from.v <= module_bytes && n <= module_bytes - from.v);
    return 0;
}

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned int *order)
{
    (void)d;
    *type = gfn.v % 3 ? P2M_RAM : P2M_RESERVED;
    if (order)
        *order = gfn.v % 2 ? 0 : 9;
    return MFN(gfn.v);
}

int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type)
{
    (void)d, (void)mfn, (void)type;
    gaddr_t a = gfn_to_gaddr(gfn);
    check(a.v >= GUEST && a.v + (frames << FRAME_SHIFT) <= GUEST + ROOM);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct boot_module m = { .start = MADDR(0), .bytes = bytes, .node = "/chosen/d/k" };
    struct kernel_image k = { .from_bytes = 0 };
    struct kernel_load load;
    int rc;

    if (bytes == 0)
        return 0;
    module = data;
    module_bytes = bytes;
    do
        rc = kernel_probe_step(&k, &m);
    while (rc == 1);
    if (!rc)
        check(k.nr_segments <= KERNEL_SEGMENTS && k.from.v + k.from_bytes <= bytes);
    if (rc || kernel_place(&k, GADDR(GUEST), ROOM)) {
        kernel_close(&k);
        return 0;
    }
    check(k.start.v >= GUEST && k.end.v >= k.start.v && k.end.v <= GUEST + ROOM);
    kernel_load_begin(&load, NULL, &m, &k);
    do
        rc = kernel_load_step(&load);
    while (rc == 1);
    kernel_load_end(&load);
    kernel_close(&k);
    check(rc != -EFAULT); /* what was placed fits */
    return 0;
}
