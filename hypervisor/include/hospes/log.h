/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's log: what a user reads on the console and what `xl dmesg` will show.
 *
 * Formats are those of <lib/format.h>. Each message is one line without its '\n', written whole
 * under the console lock, prefixed "(hospes) "; cut at LOG_LINE_MAX, and control characters in it
 * are shown as '?'. Callable from anywhere in the hypervisor, with any lock but the console's held,
 * from the first line of C on; before console_bind() lines go to the ring only, and from
 * console_init() on nobody waits for the UART.
 */
#ifndef HOSPES_LOG_H
#define HOSPES_LOG_H

#include <hospes/compiler.h>
#include <hospes/types.h>

#define LOG_LINE_MAX 400u /* characters of a line, prefix not counted */

/* LOG_NONE is a bound only: `loglvl=none` lets nothing through. */
enum log_level { LOG_NONE = -1, LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Writes a line if `level` is within `loglvl=`. */
void log_line(enum log_level level, const char *fmt, ...) __printf(2, 3);

/*
 * Writes a line that a guest can cause, if `level` is within `guest_loglvl=`. Lines are limited in
 * rate for all domains together, with half of what is possible at once kept for errors; what was
 * dropped is counted and said once. The line begins with "dN: ".
 */
void log_guest(uint16_t domid, enum log_level level, const char *fmt, ...) __printf(3, 4);

/*
 * Writes a line about what becomes of a domain, which its guest can cause again and again: within
 * `loglvl=`, and under the same limit as log_guest().
 */
void log_limited(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define log_err(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * Stops the machine: prints the message, registers and a stack trace, stops every pCPU, and resets
 * unless `noreboot` was given. For bugs of ours and for a machine that cannot work; never reachable
 * by a guest.
 */
__noreturn __cold void panic(const char *fmt, ...) __printf(1, 2);

/* For panic(), in it or before it: one line of what it tells, without '\n'. From the first on the
 * UART is this pCPU's alone. Takes no lock and waits for the UART. */
__cold void panic_print(const char *fmt, ...) __printf(1, 2);

/*
 * Between log_unlimited(true) and (false) nothing is left out, neither by level nor by rate: a
 * debug key's output. Counted.
 */
void log_unlimited(bool on);

/* Panics if `cond` is false. For what only a bug of ours can make false. */
#define assert(cond)                                                         \
    do {                                                                     \
        if (unlikely(!(cond)))                                               \
            panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond); \
    } while (0)

#endif
