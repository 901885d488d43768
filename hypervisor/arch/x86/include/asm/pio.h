/* SPDX-License-Identifier: MIT */
/*
 * I/O ports as guests have them. A port that a domain has for itself (the hardware domain: nearly
 * all) does not exit; any other comes to pio_dispatch(), which knows the few that are emulated.
 * What nobody answers reads as ones and ignores writes, as on a bus.
 */
#ifndef ASM_PIO_H
#define ASM_PIO_H

#include <hospes/exit.h>
#include <hospes/types.h>
#include <stdbool.h>
#include <stdint.h>

struct domain;
struct vcpu;

#define PIO_PORTS 65536u
#define PIO_BITMAP_PAGES \
    3u /* a bit a port, set: exits; and what wide accesses at the end look at */

struct pio_access {
    uint16_t port;
    uint8_t size; /* bytes: 1, 2, 4 */
    bool write;
    uint32_t value; /* written, zero-extended; or read: filled in */
};

/* EXIT_HANDLED, or EXIT_RETRY: the vCPU sleeps, or has to come again. */
typedef enum exit_action pio_handler_fn(struct vcpu *v, struct pio_access *a, void *device);

#define PIO_REGIONS 8u

struct pio_region {
    uint16_t first, last;
    pio_handler_fn *handler;
    void *device;
};

/* One for each domain; set up before it runs, constant then. */
struct pio_space {
    uint8_t *bitmap; /* PIO_BITMAP_PAGES pages; shared by all to whom nothing was passed */
    struct pio_region regions[PIO_REGIONS];
    uint32_t nr;
};

/* All ports exit. 0 or -ENOMEM. */
int pio_domain_init(struct domain *d);
void pio_domain_destroy(struct domain *d);

/* Ports first..last do not exit any more; or, taken back, do. Before it runs. 0 or -ENOMEM. */
int pio_pass(struct domain *d, uint16_t first, uint16_t last);
void pio_trap(struct domain *d, uint16_t first, uint16_t last);
bool pio_is_passed(const struct domain *d, uint16_t port);

/* An emulated device at these ports. 0, -ENOSPC, -EEXIST. */
int pio_add(struct domain *d, uint16_t first, uint16_t last, pio_handler_fn *handler, void *device);

/* One access, of the vCPU that runs here; for strings, one element. What a handler returns. */
enum exit_action pio_dispatch(struct vcpu *v, struct pio_access *a);

/* The address that the hardware wants of the bitmap. */
maddr_t pio_bitmap_maddr(const struct domain *d);

#endif
