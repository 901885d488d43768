/* SPDX-License-Identifier: MIT */
/*
 * Archives of cpio's format "newc" (magic 070701), as they stand in front of Linux' ramdisks.
 */
#ifndef LIB_CPIO_H
#define LIB_CPIO_H

#include <stdint.h>

/*
 * The file `name` of the archive that begins at `archive`, of which `bytes` can be read: its
 * content, which lies within them, and its size. NULL: it is not there before the archive ends, is
 * not well-formed, or cannot be read any further.
 */
const void *cpio_find(const void *archive, uint64_t bytes, const char *name, uint64_t *size);

#endif
