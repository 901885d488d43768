/* SPDX-License-Identifier: MIT */
/* What must hold between any two hypercalls, whatever guests do. */
#ifndef HYPERCALL_INVARIANTS_H
#define HYPERCALL_INVARIANTS_H

#include <hospes/types.h>

struct domain;

/* A check begins; then comes each reference to a domain that only the caller knows of. */
void begin_check(void);
void note_reference(struct domain *d);

/*
 * Ends the program where frames [first, first + nr), all there are in banks, or domains are not as
 * they have to be: owner and count of each frame as page tables, pins, grants and tables say; each
 * grant in use as often as it is mapped; each port with its other end; references of domains,
 * claims, lists of handles.
 */
void check_invariants(mfn_t first, uint64_t nr);

/* Ends the program and says why. */
#define CHECK(good, ...)                                          \
    do {                                                          \
        if (!(good))                                              \
            check_failed(__FILE__, __LINE__, #good, __VA_ARGS__); \
    } while (0)

__attribute__((noreturn, format(printf, 4, 5))) void check_failed(const char *file, int line,
                                                                  const char *what, const char *fmt,
                                                                  ...);

#endif
