/* SPDX-License-Identifier: MIT */
/* Between domain_config.c and domain_modules.c: the files that a boot loader lists under /chosen.
 */
#ifndef HOSPES_DOMAIN_MODULES_H
#define HOSPES_DOMAIN_MODULES_H

#include <hospes/domain_config.h>
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

/* Reads a module's place: 0, or -EINVAL after a line that tells why not. `quiet` leaves the line
 * out. */
int module_read(struct dt_walk *w, struct boot_module *m, bool quiet);

/*
 * Reads the modules among the children of the node at *parent. PLAIN ones are the kernel and the
 * ramdisk, in this order, where no other module says to be that. *bootargs becomes the kernel's own
 * command line if it has one. -EINVAL after a line for each that is wrong; -ENOENT if there is no
 * kernel.
 */
int modules_read(const struct dt_walk *parent, struct domain_config *c, const char **bootargs);

#endif
