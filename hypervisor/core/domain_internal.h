/* SPDX-License-Identifier: MIT */
/* Between domain_config.c, domain_modules.c and domain_properties.c: what each reads of /chosen. */
#ifndef CORE_DOMAIN_INTERNAL_H
#define CORE_DOMAIN_INTERNAL_H

#include <hospes/domain_config.h>
#include <hospes/domain_modules.h>
#include <hospes/dt.h>
#include <hospes/log.h>

/* A line that names node, property and, looked up at *w, its value. */
void domain_say(enum log_level level, const struct dt_walk *w, const char *node,
                const char *property, const char *why);

/* Reads the properties of the xen,domain node at *w into *c, which has its name. False after lines
 * that tell why. */
bool domain_properties_read(struct dt_walk *w, struct domain_config *c);

/* Reads xen,static-mem only, silently, as it is; none where it makes no sense. */
void domain_properties_static_mem(struct dt_walk *w, struct domain_config *c);

/* Who has the places of xen,static-mem, in boot_reserved. */
extern const char domain_static_memory[];

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
