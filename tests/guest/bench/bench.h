/* SPDX-License-Identifier: MIT */
/* What the parts of the measuring guest share. */
#ifndef BENCH_H
#define BENCH_H

#include "guest.h"

#define SAMPLES 33u /* the median counts: something may come in between, like a host's timer */
#define ROUNDS  64u /* of what is repeated within one sample */

/* The architecture's: a guest-physical address where nothing is. */
extern const uint64_t nowhere;

/* Prints the samples' median, least and greatest, each of so many rounds; sorts them for that. */
void report(const char *name, uint64_t *t, unsigned int n, unsigned int per);

/* True while this measurement is the one to be repeated for ever (trace=NAME). */
bool is_traced(const char *name);

/* True while another measurement is: there is no need for this one. */
bool is_left_out(const char *name);

/* What gives two times: to the handler, and until all is over. */
void events(const char *name, const char *whole, void (*f)(uint64_t, uint64_t t[2]),
            uint64_t value);

/* The architecture's: the interrupt of events, to measure.S's handler. */
void enable_events(void);

/* measure.S: `call` is the number and five arguments; so many times with the
 * hypercall, and without. */
uint64_t time_calls(const uint64_t call[6], uint64_t rounds);
uint64_t time_no_calls(const uint64_t call[6], uint64_t rounds);
/* Sends an event: sent to handler; sent to back behind the handler. */
void time_event(uint64_t send, uint64_t t[2]);

/* xen.c: the calls of Xen's interface that a guest can make of its own. */
void measure_xen(void);

/* control.c: the calls of a toolstack, if this is the control domain. */
void measure_control(void);

#endif
