/* SPDX-License-Identifier: MIT */
/* What an input says: numbers near to something that there is, and hypercalls. */
#ifndef HYPERCALL_REQUESTS_H
#define HYPERCALL_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;
struct op;

extern bool tell; /* HYPERCALLS_TELL is set: says what it does, and checks after each step */
extern _Thread_local char request_is[512]; /* what the last one was, for that */
extern _Thread_local const struct op *request_op;

void input_begin(const uint8_t *data, size_t bytes);
bool input_ends(void);

/* The next bytes as a number; zeroes at its end. */
uint64_t take(uint32_t bytes);

uint64_t some_gfn(const struct domain *d);
uint64_t some_domid(void);
uint64_t some_number(uint32_t near); /* mostly from the `near` lowest */

/* What the domain has at `gfn` to write to, or NULL. */
uint8_t *guest_page(struct domain *d, uint64_t gfn);

/*
 * Both put what a call takes into the caller's memory at `gfn` (and after) as far as it can be
 * written, and fill in its arguments, of which there are six. Number of the hypercall.
 */
uint64_t make_request(struct domain *d, uint64_t gfn, uint64_t *arg);
uint64_t make_multicall(struct domain *d, uint64_t gfn, uint64_t *arg);

#endif
