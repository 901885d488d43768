/* SPDX-License-Identifier: MIT */
/* Boot modules' nodes, for who reads or makes them before the domains are known (the EFI entry). */
#ifndef HOSPES_DOMAIN_MODULES_H
#define HOSPES_DOMAIN_MODULES_H

#include <hospes/dt.h>

enum module_kind {
    MODULE_NONE,
    MODULE_KERNEL,
    MODULE_RAMDISK,
    MODULE_DTB,
    MODULE_OTHER,
    MODULE_PLAIN
};

/* What the node at *w is. PLAIN: a module that does not tell. */
enum module_kind module_kind(const struct dt_walk *w);

#endif
