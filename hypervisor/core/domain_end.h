/* SPDX-License-Identifier: MIT */
/* Between domain.c and domain_end.c. */
#ifndef CORE_DOMAIN_END_H
#define CORE_DOMAIN_END_H

#include <hospes/domain.h>

/* The step of domain->work. */
bool domain_end_step(struct work *w);

#endif
