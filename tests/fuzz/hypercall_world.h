/* SPDX-License-Identifier: MIT */
/*
 * The machine that fuzz_hypercalls.c makes calls on: real domains, tables, frames and channels; the
 * heap, deferred work and what has to do with consoles are the fuzzer's own.
 */
#ifndef HYPERCALL_WORLD_H
#define HYPERCALL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers that are used: four domains from the start, others by createdomain. */
#define DOMAINS 6u

#define VCPUS 2u
#define PAGES 32u
#define FIRST 0x100u /* where their memory is, */
#define BLOCK 0x200u /* a block that is reserved, */
#define HOLE  0x800u /* and nothing */

extern uint64_t first_gfn[DOMAINS]; /* FIRST, unless it is at machine addresses */

/* Of a thread each, if there are several: */
extern _Thread_local uint32_t heap_fails;   /* allocations until one fails; 0: none does */
extern _Thread_local uint32_t stop_after;   /* looks for interrupts until there is one; 0: none */
extern _Thread_local bool stop_soon;        /* there is always one */
extern _Thread_local uint32_t others_after; /* looks at guests' memory until others act; 0: none */

void make_machine(uint32_t pcpus);

/* A piece of deferred work; false: there is none. */
bool work_step(void);

/* The domains that are there from the start; `kind` tells which have memory of which manner. */
void add_domains(uint64_t kind);

void check_all(void);

/* Takes all domains down. Everything is free again then. */
void end_all(void);

#endif
