/* SPDX-License-Identifier: MIT */
/*
 * Access to device registers: one access of the width named, in program order with respect to other
 * device accesses; mmio_write*() is also ordered after earlier writes to memory, mmio_read*()
 * before later reads.
 */
#ifndef HOSPES_IO_H
#define HOSPES_IO_H

#include <asm/io.h>

#endif
