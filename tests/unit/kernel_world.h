/* SPDX-License-Identifier: MIT */
/* A module and a domain's memory for the tests of kernels' formats. One test each includes this. */
#ifndef KERNEL_WORLD_H
#define KERNEL_WORLD_H

#include "unit.h"

#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/kernel_image.h>
#include <hospes/p2m.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <zlib.h>

#define MODULE 0x100000ull   /* where files are in the simulated machine */
#define GUEST  0x40000000ull /* the domain's RAM, in its addresses */
#define ROOM   MIB(32)
#define BEHIND MIB(512) /* machine address of the domain's RAM */

static struct boot_module module;
static struct kernel_image k;
static enum p2m_type types[ROOM / MIB(2)]; /* of each 2 MiB */
static uint32_t cleared; /* blocks that were cleared as the guest would cause it */

/* --- the domain's memory --------------------------------------------------------------------- */

static bool inside(gaddr_t a, uint64_t bytes)
{
    return a.v >= GUEST && a.v - GUEST <= ROOM && bytes <= ROOM - (a.v - GUEST);
}

static uint8_t *guest(uint64_t a)
{
    return (uint8_t *)host_ram(MADDR(BEHIND)) + (a - GUEST);
}

static struct {
    gaddr_t to;
    maddr_t from;
    uint64_t bytes;
} fills[P2M_FILLS];
static uint32_t nr_fills;

int p2m_fill(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes)
{
    assert_in_range(nr_fills, 0, P2M_FILLS - 1);
    fills[nr_fills].to = to;
    fills[nr_fills].from = from;
    fills[nr_fills++].bytes = bytes;
    return 0;
}

/* The guest touches all of its memory. */
static void touch_all(void)
{
    for (uint64_t i = 0; i < ROOM / MIB(2); i++) {
        uint64_t start = GUEST + i * MIB(2), end = start + MIB(2);
        if (types[i] != P2M_RESERVED)
            continue;
        memset(guest(start), 0, MIB(2));
        for (uint32_t n = 0; n < nr_fills; n++) {
            uint64_t first = max(start, fills[n].to.v);
            uint64_t last = min(end, fills[n].to.v + fills[n].bytes);
            if (first < last)
                memcpy(guest(first), host_ram(maddr_add(fills[n].from, first - fills[n].to.v)),
                       last - first);
        }
    }
}

int p2m_copy_to(struct domain *d, gaddr_t to, const void *from, uint64_t bytes)
{
    if (!inside(to, bytes))
        return -EFAULT;
    for (uint64_t i = (to.v - GUEST) / MIB(2); i <= (to.v + bytes - 1 - GUEST) / MIB(2); i++) {
        if (types[i] == P2M_RESERVED) {
            memset(guest(GUEST + i * MIB(2)), 0, MIB(2));
            cleared++;
        }
        types[i] = P2M_RAM;
    }
    memcpy(guest(to.v), from, bytes);
    return 0;
}

int p2m_copy_module(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes)
{
    return p2m_copy_to(d, to, host_ram(from), bytes);
}

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned int *order)
{
    gaddr_t a = gfn_to_gaddr(gfn);
    *type = inside(a, 1) ? types[(a.v - GUEST) / MIB(2)] : P2M_NONE;
    if (order)
        *order = 9;
    return MFN((a.v - GUEST + BEHIND) >> FRAME_SHIFT);
}

int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type)
{
    gaddr_t a = gfn_to_gaddr(gfn);
    assert_true(inside(a, frames << FRAME_SHIFT) && frames == 512 && type == P2M_RAM);
    types[(a.v - GUEST) / MIB(2)] = type;
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

static uint8_t file[MIB(16)];
static uint64_t file_bytes;

static void put32(uint64_t at, uint32_t v)
{
    memcpy(file + at, &v, 4);
}
static void put64(uint64_t at, uint64_t v)
{
    memcpy(file + at, &v, 8);
}
static void put16(uint64_t at, uint16_t v)
{
    memcpy(file + at, &v, 2);
}

static void fill(uint64_t bytes)
{
    file_bytes = bytes;
    for (uint64_t i = 0; i < bytes; i++)
        file[i] = (uint8_t)(i * 31 + (i >> 12) + 1);
}

static void gzip_file(void)
{
    static uint8_t packed[sizeof(file)];
    z_stream z = { .next_in = file,
                   .avail_in = (uInt)file_bytes,
                   .next_out = packed,
                   .avail_out = sizeof(packed) };
    assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    file_bytes = z.total_out;
    deflateEnd(&z);
    memcpy(file, packed, file_bytes);
}

static int probe(void)
{
    int rc;

    memcpy(host_ram(MADDR(MODULE)), file, file_bytes);
    module.start = MADDR(MODULE);
    module.bytes = file_bytes;
    strcpy(module.node, "/chosen/d/k");
    host_log_clear();
    kernel_close(&k);
    memset(&k, 0, sizeof(k));
    do
        rc = kernel_probe_step(&k, &module);
    while (rc == 1);
    if (rc)
        kernel_close(&k);
    return rc;
}

static int load(void)
{
    struct kernel_load l;
    int rc, steps = 0;

    nr_fills = 0;
    kernel_load_begin(&l, NULL, &module, &k);
    while ((rc = kernel_load_step(&l)) == 1)
        assert_true(++steps < 3000);
    kernel_load_end(&l);
    if (!rc)
        touch_all();
    return rc;
}

static void expect_line(const char *line)
{
    if (!strstr(host_log, line))
        fail_msg("no \"%s\" in:\n%s", line, host_log);
}

static int let_go(void **state)
{
    kernel_close(&k);
    return 0;
}

static int setup(void **state)
{
    host_pcpus_init(1);
    host_ram_reset();
    host_ram_add(0, MIB(64));
    host_ram_add(BEHIND, ROOM);
    for (size_t i = 0; i < ROOM / MIB(2); i++)
        types[i] = P2M_RESERVED;
    memset(host_ram(MADDR(BEHIND)), 0xaa, ROOM);
    cleared = 0;
    return 0;
}

#endif
