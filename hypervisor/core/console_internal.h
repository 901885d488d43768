/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the console share. From above to below: console_input.c (keys); console.c
 * (focus); console_queue.c (domains' output), console_budget.c (how much of it); console_wire.c
 * (lines); console_tx.c (transmit ring). console_ring.c (log ring) and console_screen.c (a display)
 * stand aside.
 */
#ifndef CORE_CONSOLE_INTERNAL_H
#define CORE_CONSOLE_INTERNAL_H

#include <hospes/console.h>
#include <hospes/spinlock.h>
#include <hospes/types.h>

/* --- console.c --- */

extern struct spinlock console_lock; /* LOCK_CONSOLE */

/* The domain that has the focus, NULL: the hypervisor. Under console_lock. */
extern struct console_domain *console_focus;

/* All domains, by number. Under console_lock. */
extern struct console_domain *console_domains;

/* Moves the focus on, as the user asks. No lock held. */
void console_focus_next(void);

/* Gives the focus (which may be none's) a byte. False: the hypervisor has the focus. No lock held.
 */
bool console_focus_receive(uint8_t byte);

/* Sets the timer for one period from now, unless it is set. No lock beyond LOCK_VUART held. */
void console_timer_arm(void);

/* --- console_queue.c --- */

/* Writes lines that are ready, calls room() where it is owed. True while someone still waits. No
 * lock held. */
bool console_serve(void);

/* The same if a line is ready or there is word of dropped bytes. Cheap if not. No lock held. */
void console_serve_ready(void);

/* Under console_lock: writes all that `c` has, out of turn; its unfinished line too. */
void console_queue_flush(struct console_domain *c);

/* Under console_lock: `c` has got the focus: writes all that it has as it stands. */
void console_queue_show(struct console_domain *c);

/* --- console_wire.c: under console_lock --- */

#define CONSOLE_PREFIX "(hospes) "

/* A whole line, or nothing when there is no space. */
void console_wire_line(const char *prefix, const char *text, uint32_t n);

/* Bytes of the domain in focus, at most to the end of a line; or nothing. */
void console_wire_raw(const char *text, uint32_t n);

/* True while the domain in focus is writing a line: it has begun it a short time ago. */
bool console_wire_held(void);

/* Says what was dropped, if there is anything to say and space to say it. */
void console_wire_dropped(void);

/* True if there is. At any time. */
bool console_wire_has_dropped(void);

/* --- console_budget.c: all under console_lock --- */

/* True if `c` may write a byte, after giving it tokens if there are any. False: it is hungry from
 * now on. */
bool budget_ask(struct console_domain *c);

/* Shares out among the hungry what came since. */
void budget_share(void);

/* It no longer asks. */
void budget_leave(struct console_domain *c);

/* --- console_ring.c: under console_lock --- */

/* Adds text to the log ring, over the oldest. */
void console_ring_put(const char *text, uint32_t n);

/* Goes over to this memory, a power of two of bytes; what is in the ring comes along. */
void console_ring_move(char *to, uint64_t bytes);

/* Calls fn with each of the ring's lines that is whole, without its '\n'. */
void console_ring_for_lines(void (*fn)(const char *line, uint32_t n));

/* --- console_screen.c --- */

/* Under console_lock: a line of the hypervisor. */
void console_screen_line(const char *prefix, const char *text, uint32_t n);

/* Raw text of a panic. */
void console_screen_panic(const char *text);

/* --- console_tx.c --- */

#define CONSOLE_TX_BYTES 32768u
#define CONSOLE_TX_LOW   512u /* domains add to the ring when it holds less */

/* The UART that bytes go to from now on. Once. */
void console_tx_bind(struct uart *u);

/* Bytes that wait for the UART, and bytes that fit; without UART: 0 and all. At any time. */
uint32_t console_tx_backlog(void);
uint32_t console_tx_space(void);

/* Under console_lock: adds `n` bytes; those beyond the space are lost. */
void console_tx_put(const char *text, uint32_t n);

/* Moves bytes from the ring to the UART, as many as it takes. LOCK_UART not held. */
void console_tx_pump(void);

/* Waits until all that was added has left on the wire. LOCK_UART not held. */
void console_tx_flush(void);

/* Reads at most `most` bytes that the UART has received. LOCK_UART not held. */
uint32_t console_tx_receive(uint8_t *to, uint32_t most);

/* From now on nobody waits for the UART. How it is served from here. */
enum console_tx_mode { CONSOLE_TX_NONE, CONSOLE_TX_POLLED, CONSOLE_TX_INTERRUPT };
enum console_tx_mode console_tx_start(void);

#endif
