/* SPDX-License-Identifier: MIT */
/* What the parts of the gnttab guest share: the table, and calls with one element. */
#ifndef GNTTAB_GUEST_H
#define GNTTAB_GUEST_H

#include "hypercall.h"

#include <xen/grant_table.h>

#define PAGE UINT64_C(4096)

/* The table's first frame. */
extern volatile grant_entry_v1_t table[512];
/* Guest-physical addresses with nothing behind them, where grants can be mapped. */
extern uint64_t hole;

static inline uint64_t address(const volatile void *p)
{
    return (uint64_t)(uintptr_t)p;
}

void grant(uint32_t ref, domid_t to, const volatile void *page, uint16_t flags);

/* Each gives the status, or -1000 and the error that the hypercall itself had. */
int op_status(uint32_t command, void *op, const int16_t *status);
int map(domid_t granter, uint32_t ref, uint64_t to, uint32_t flags, uint32_t *handle);
int unmap(uint32_t handle, uint64_t from);
int copy_from(domid_t granter, uint32_t ref, uint16_t offset, const volatile void *to,
              uint16_t len);
int copy_to(domid_t granter, uint32_t ref, const volatile void *from, uint16_t offset,
            uint16_t len);

bool is_xen(void);

/* A write there faults. (Xen does not inject the fault, but tries again for ever.) */
bool refuses_write(uint64_t to);

void loopback(domid_t self);
void granter(domid_t mapper);
void mapper(domid_t granter);

#endif
