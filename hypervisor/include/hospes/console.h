/* SPDX-License-Identifier: MIT */
/*
 * The console: one physical UART shared by the hypervisor's log and every domain. doc/console.md
 * tells more.
 *
 * Output: log lines go to the log ring (`conring_size=`) and the UART. A domain's bytes go straight
 * out while it has the focus; otherwise they are collected to lines, and written whole, prefixed
 * "(dN) ". All domains share a budget of bytes in a second: one that floods is held back
 * (console_domain_write() says false, its UART stays busy) without delaying others.
 * Input: to the domain that has the focus. Ctrl-A three times moves it on: DOM0, DOM1, ..., the
 * hypervisor, DOM0, saying "*** Serial input to DOM1 (type 'CTRL-a' three times to switch input)".
 * With the focus on the hypervisor each key runs the handler registered for it by console_key().
 *
 * Locks: LOCK_CONSOLE guards rings, focus and line buffers, LOCK_UART the device. Nobody calls a
 * domain's `receive` or `room` with either held.
 */
#ifndef HOSPES_CONSOLE_H
#define HOSPES_CONSOLE_H

#include <hospes/types.h>

struct domain;
struct uart;

/* Characters of a domain's line; longer ones are cut into several. */
#define CONSOLE_LINE_MAX 256u
/* Bytes of a domain that wait for their turn, and the line that it is writing. */
#define CONSOLE_QUEUE_BYTES 2048u

/*
 * A driver of a physical UART. `probe`d from the device tree; one is bound. Functions are called
 * with LOCK_UART held and must not wait for anything but the device itself.
 */
struct uart_driver {
    const char *const *compatible; /* NULL-terminated */
    /* Takes over the device at `regs`; line settings stay as firmware left them. 0 or -errno. */
    int (*init)(struct uart *u);
    bool (*tx_ready)(struct uart *u);          /* can take a byte now */
    void (*tx)(struct uart *u, uint8_t byte);  /* after tx_ready() said yes */
    bool (*tx_done)(struct uart *u);           /* all bytes have left on the wire */
    bool (*rx)(struct uart *u, uint8_t *byte); /* false: nothing received */
    void (*irq_enable)(struct uart *u);        /* receive interrupts on */
    void (*irq_ack)(struct uart *u); /* clears what is latched; comes before rx() and tx() */
    void (*tx_irq)(struct uart *u, bool on); /* interrupt when tx_ready; NULL: cannot */
};

struct uart {
    const struct uart_driver *driver;
    volatile uint8_t *regs;
    uint64_t regs_size;
    uint32_t reg_shift; /* 8250: registers stand 2^reg_shift bytes apart */
    uint32_t reg_width; /* 8250: bytes to an access, 1 or 4 */
    uint32_t clock_hz;  /* 0: not known */
    uint64_t phys;      /* for messages */
    uint32_t irq;       /* hypervisor interrupt number, 0: none, polled by a timer */
    bool edge;          /* how it comes in */
    /* 8250: where its registers are not in memory, how they are reached, by number */
    uint8_t (*get)(const struct uart *u, uint32_t reg);
    void (*set)(const struct uart *u, uint32_t reg, uint8_t value);
    uint32_t credit; /* driver's own, 0 at first: bytes it takes without being asked again */
};

extern const struct uart_driver uart_ns16550;

/* Every driver, for probing in order, and NULL. drivers/uart.c */
extern const struct uart_driver *const uart_drivers[];

/*
 * Binds the UART, initialised by its driver's init(); from here lines are written out, the ring's
 * content first. *u stays.
 */
void console_bind(struct uart *u);

/*
 * Shows text, '\n' between lines; waits for nothing. One caller at a time, but in a panic.
 */
typedef void console_screen_fn(const char *text, uint32_t n);

/*
 * A display that shows the hypervisor's lines beside the UART, those in the ring first. Domains
 * that start take it away, and console_release_screen() says so, unless the user wants to `keep`
 * it. Boot only.
 */
void console_bind_screen(console_screen_fn *write, bool keep);
void console_release_screen(void);

/*
 * With memory, timers and interrupts up: ring of conring_size, input, output by interrupts. What
 * cannot be had is said and done without. Once, on the pCPU that booted.
 */
void console_init(void);

/* The UART's interrupt, or its poll timer. */
void console_interrupt(void *unused);

/* Writes a line of the hypervisor: `text` has neither prefix nor '\n'. Callable as log_line() is,
 * which it serves. */
void console_line(const char *text);

/* A domain's console end. The creator fills in all but what console.c says is its own, which is
 * zero at first. */
struct console_domain {
    uint16_t domid;
    void *device;   /* the creator's own: its UART */
    bool unlimited; /* the hardware domain's: it writes as much as the UART takes */
    /* Gives the domain a byte that the user typed. False: its buffer is full, the byte is lost. */
    bool (*receive)(struct console_domain *c, uint8_t byte);
    /* A console_domain_write() was refused, it is worth trying again. Any pCPU, no lock held. */
    void (*room)(struct console_domain *c);

    /* console.c's, under LOCK_CONSOLE: */
    struct console_domain *next; /* in the list of all, by domid */
    uint32_t first, queued;      /* where in `queue` what waits begins, and its bytes */
    uint32_t lines;              /* '\n' in it; while it has the focus they are not counted */
    uint32_t column;             /* characters behind the last one */
    uint32_t calls;              /* of receive() or room() that run now */
    int32_t tokens;              /* bytes it may still write; below 0: it owes for prefixes */
    uint8_t escape;              /* enum escape_state: how far into an escape sequence it is */
    bool ready;                  /* has something to write, and waits for its turn */
    bool hungry;                 /* waits for tokens */
    bool starved;                /* room() is owed */
    bool cut;                    /* its last line was longer than a line may be */
    char queue[CONSOLE_QUEUE_BYTES];
};

/* Joins and leaves. Removal writes out an unfinished line, and waits for receive() and room() to
 * return. */
void console_domain_add(struct console_domain *c);
void console_domain_remove(struct console_domain *c);

/* How many bytes console_domain_write() would take now, for all it knows. */
uint32_t console_domain_room(struct console_domain *c);

/* Takes one byte of the domain's; false: no room for it, room() will be called when there is. Locks
 * up to LOCK_VUART may be held. */
bool console_domain_write(struct console_domain *c, uint8_t byte);

/* Runs fn, with no lock held, when the user types `key` at the hypervisor. Boot only. */
void console_key(char key, const char *help, void (*fn)(void));

/* As if the user had typed it there. No lock held. */
void console_press(char key);

/* Registers the hypervisor's own keys. core/debug_keys.c */
void debug_keys_init(void);

/* Waits until all that was written before, domains' last words too, has left on the wire: before
 * the machine stops. No lock held. */
void console_flush(void);

/*
 * For panic(): console_panic_begin() keeps all others from the UART and writes out what waits in
 * the ring. console_panic_write() writes raw text ('\n' as "\r\n") and waits until it has left.
 * Both take no lock.
 */
void console_panic_begin(void);
void console_panic_write(const char *text);

/* Copies the ring's text, oldest first, from position *pos (0 at first) on; returns bytes. For `xl
 * dmesg`. */
uint64_t console_ring_read(uint64_t *pos, char *to, uint64_t bytes);

/* The position behind the newest. */
uint64_t console_ring_end(void);

#endif
