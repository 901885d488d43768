/* SPDX-License-Identifier: MIT */
/*
 * Error numbers: Xen's, as <xen/errno.h> lists them, under their usual names. Functions return 0 or
 * a negative one of these; the same value goes to a guest unchanged.
 */
#ifndef HOSPES_ERRNO_H
#define HOSPES_ERRNO_H

#ifndef EPERM
enum hospes_errno {
#define XEN_ERRNO(name, value) name = (value),
#include <xen/errno.h>
    ERESTART = 85, /* a hypercall goes on later; a number that no guest sees */
};
#endif

#endif
