/* SPDX-License-Identifier: MIT */
/* A toolstack's calls, for guests that are the control domain. */
#ifndef CONTROL_H
#define CONTROL_H

#include "hypercall.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

/* Of the calls below: argument and result. */
extern struct xen_domctl op;
extern struct xen_sysctl sys;

int64_t domctl(uint32_t cmd, uint16_t id);
int64_t sysctl(uint32_t cmd);

/* Makes a domain without memory or vCPUs: op.domain. `arch` NULL: NEW_DOMAIN_ARCH. */
int64_t create_domain(uint32_t max_vcpus, const struct xen_arch_domainconfig *arch);

/* Pages of the machine that are free; 0: not told. */
uint64_t free_pages(void);

#define check_answer(got, want, ...) \
    check_eq((uint64_t)(int64_t)(got), (uint64_t)(int64_t)(want), __VA_ARGS__)

#endif
