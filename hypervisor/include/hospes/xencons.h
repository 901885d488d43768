/* SPDX-License-Identifier: MIT */
/*
 * A console by a page of a domain's memory that a console daemon in another domain has mapped too:
 * the rings of <xen/io/console.h>, seen from the domain's side for a UART that Hospes emulates.
 * Both others may write anything there at any time: at worst bytes of that console are lost. Who
 * tells whom of changes is the user's to do. The user's lock guards all of it.
 */
#ifndef HOSPES_XENCONS_H
#define HOSPES_XENCONS_H

#include <hospes/guest_area.h>
#include <hospes/types.h>

struct domain;

struct xencons {
    struct guest_area area; /* struct xencons_interface */
    uint32_t out_prod, in_cons;
};

/* The page at `gfn`, RAM of the domain's own. 0 or as guest_area_map(). */
int xencons_map(struct domain *d, gfn_t gfn, struct xencons *x);
void xencons_unmap(struct xencons *x);

/* False: there is no room. */
bool xencons_put(struct xencons *x, uint8_t byte);
/* False: there is nothing. */
bool xencons_get(struct xencons *x, uint8_t *byte);

#endif
