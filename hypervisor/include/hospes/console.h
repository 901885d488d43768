/* SPDX-License-Identifier: MIT */
/*
 * The console: one physical UART shared by the hypervisor's log and every domain. doc/console.md tells more.
 *
 * Output: log lines go to the ring (`conring_size=`) and the UART. A domain's bytes go straight out while it has
 * the focus; otherwise they are collected to lines, and written whole, prefixed "(dN) ". Each domain has a budget
 * of bytes in a period: one that floods is held back (console_domain_room() says 0, its UART stays busy)
 * without delaying others.
 * Input: to the domain that has the focus. Ctrl-A three times moves it on: DOM0, DOM1, ..., the hypervisor, DOM0,
 * saying "*** Serial input to DOM1 (type 'CTRL-a' three times to switch input)". With the focus on the hypervisor
 * each key runs the handler registered for it by console_key().
 *
 * Locks: LOCK_CONSOLE guards rings, focus and line buffers, LOCK_UART the device. Nobody calls a domain's
 * `receive` with either held.
 */
#ifndef HOSPES_CONSOLE_H
#define HOSPES_CONSOLE_H

#include <hospes/types.h>

struct domain;
struct uart;

/*
 * A driver of a physical UART. `probe`d from the device tree; one is bound. Functions are called with LOCK_UART
 * held and must not wait for anything but the device itself.
 */
struct uart_driver {
    const char *const *compatible; /* NULL-terminated */
    /* Takes over the device whose registers are at `regs`; line settings stay as firmware left them. */
    int (*init)(struct uart *u);
    bool (*tx_ready)(struct uart *u);           /* can take a byte now */
    void (*tx)(struct uart *u, uint8_t byte);
    bool (*rx)(struct uart *u, uint8_t *byte);  /* false: nothing received */
    void (*irq_enable)(struct uart *u);         /* receive interrupts on */
    void (*irq_ack)(struct uart *u);            /* clears what is latched */
    void (*tx_irq)(struct uart *u, bool on);    /* interrupt when tx_ready; NULL: cannot */
};

struct uart {
    const struct uart_driver *driver;
    volatile uint8_t *regs;
    uint64_t regs_size;
    uint32_t reg_shift;  /* 8250: registers stand 2^reg_shift bytes apart */
    uint32_t reg_width;  /* 8250: bytes to an access, 1 or 4 */
    uint32_t clock_hz;   /* 0: not known */
    uint64_t phys;       /* for messages */
    uint32_t irq;        /* hypervisor interrupt number, 0: none, polled by a timer */
};

/* Every driver, for probing in order. drivers/uart.c */
extern const struct uart_driver *const uart_drivers[];

/* The ring only. Usable as the first thing that boot does. */
void console_init_early(void);

/* Binds the UART; from here lines are written out, the ring's content first. */
void console_bind(struct uart *u);

/* With memory and interrupts up: ring of conring_size, input, budgets. 0 or -errno. */
int console_init(void);

/* The UART's interrupt, or its poll timer. */
void console_interrupt(void *unused);

/* A domain's console end. The creator fills in all but what console.c says is its own. */
struct console_domain {
    struct domain *domain;
    uint16_t domid;
    /* Gives the domain a byte that the user typed. False: its buffer is full, the byte is dropped. */
    bool (*receive)(struct console_domain *c, uint8_t byte);
    /* It had no room (console_domain_room() was 0) and has now. Any pCPU, no lock held. */
    void (*room)(struct console_domain *c);

    /* console.c's: */
    struct console_domain *next;
    char line[256];
    uint32_t line_len;
    uint32_t tokens;           /* bytes it may still write in this period */
    uint64_t refilled_ns;
    bool starved;              /* room() is owed */
};

void console_domain_add(struct console_domain *c);
void console_domain_remove(struct console_domain *c); /* writes out an unfinished line */

/* How many bytes the domain may write now. */
uint32_t console_domain_room(struct console_domain *c);

/* Writes one byte of the domain's. One beyond console_domain_room() is dropped. */
void console_domain_write(struct console_domain *c, uint8_t byte);

/* Runs fn, with no lock held, when the user types `key` at the hypervisor. */
void console_key(char key, const char *help, void (*fn)(void));

/* Writes raw text, ungated, for panic(): takes no lock and waits for the UART. */
void console_panic_write(const char *text);

/* Copies the ring's text, oldest first, from position *pos (0 at first) on; returns bytes. For `xl dmesg`. */
uint64_t console_ring_read(uint64_t *pos, char *to, uint64_t bytes);

#endif
