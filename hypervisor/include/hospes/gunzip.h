/* SPDX-License-Identifier: MIT */
/*
 * Unpacking gzip (RFC 1952) from machine memory, piece by piece. Runs zlib, which uses
 * floating-point registers: see domain_build_step().
 */
#ifndef HOSPES_GUNZIP_H
#define HOSPES_GUNZIP_H

#include <hospes/types.h>

struct gunzip;

/* Begins with the file at [from, from + bytes). NULL without memory (about 64 KiB). */
struct gunzip *gunzip_begin(maddr_t from, uint64_t bytes);

/*
 * Unpacks the next bytes, as many as are asked for but at the end. *got = 0 there, when lengths and
 * checksum were found right. 0, -EINVAL: damaged or cut short.
 */
int gunzip_read(struct gunzip *g, void *to, uint32_t bytes, uint32_t *got);

void gunzip_end(struct gunzip *g); /* NULL is fine */

#endif
