/* SPDX-License-Identifier: MIT */
/*
 * One option of the command line, as core/cmdline.c has them in a table and each architecture in
 * another; and what reads values. <hospes/cmdline.h> has the line as a whole.
 */
#ifndef HOSPES_OPTION_H
#define HOSPES_OPTION_H

#include <hospes/types.h>

/* A value while it is read. */
struct option_reader {
    const char *at;  /* what is left of it, terminated; on failure, what could not be read */
    const char *why; /* on failure, if there is more to say than that */
};

struct option {
    const char *name;
    /* Reads all of the value; false: it is not one, and *to is as it was. */
    bool (*read)(struct option_reader *r, void *to);
    void *to;
    const char *expected;
};

/* Moves on behind `word` if it is next and ends there; behind `text` if it is next. */
bool option_accept_word(struct option_reader *r, const char *word);
bool option_accept(struct option_reader *r, const char *text);

/* A switch: an option with this reader may stand alone, or behind "no-". */
bool option_read_bool(struct option_reader *r, void *to);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

/* Its own options; the last has no name. Their values keep their defaults if they are not given. */
extern const struct option arch_options[];

/* Xen's options on this architecture for which there is nothing to switch here; NULL at the end. */
extern const char *const arch_without_effect[];

/* What console= may name besides "none", NULL at the end; which of them it is unless told, and all
 * of it for a message. */
extern const char *const arch_consoles[];
extern const char arch_console_default[];
extern const char arch_console_expected[];

#endif
