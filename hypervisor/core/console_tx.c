/* SPDX-License-Identifier: MIT */
/*
 * The transmit ring between the console and its UART, and the UART's driver. Owns the binding of
 * the UART.
 *
 * The ring has one writer at a time (console_lock) and one reader at a time (uart_lock), `head` and
 * `tail` count bytes without end. Whoever adds bytes pumps; who finds another pCPU at it leaves the
 * bytes to that one, so nobody waits for a lock while a device is being written.
 */
#include "console_internal.h"
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/log.h>

/* Bytes moved at a time, where the UART takes them without end; at about 1 us for each of two
 * accesses. */
#define PUMP_BYTES 256u
/* Turns in a row for bytes that others add while we pump. */
#define PUMP_TURNS 4u
/* A UART that is not ready after as many looks is given up waiting for: a second or so. */
#define DEAD_LOOKS 2000000u
/* A FIFO of 64 bytes at 9600 baud takes 67 ms. */
#define DONE_LOOKS 200000u

static struct spinlock uart_lock = SPINLOCK_INIT(LOCK_UART);

static struct {
    struct uart *uart; /* NULL until bound */
    bool async;        /* nobody waits */
    bool tx_irq;       /* the UART's transmit interrupt may be used; constant once async */
    bool tx_irq_on;    /* under uart_lock */
    bool dead;         /* it was not ready for very long: do not wait for it again */
    bool panicking;    /* one pCPU has it for itself */
    uint32_t head;     /* bytes ever added; under console_lock */
    uint32_t tail;     /* bytes ever taken; under uart_lock */
    char ring[CONSOLE_TX_BYTES];
} tx;

_Static_assert((CONSOLE_TX_BYTES & (CONSOLE_TX_BYTES - 1)) == 0, "positions wrap around");

uint32_t console_tx_backlog(void)
{
    return read_once(tx.head) - load_acquire(tx.tail);
}

uint32_t console_tx_space(void)
{
    return CONSOLE_TX_BYTES - console_tx_backlog();
}

void console_tx_put(const char *text, uint32_t n)
{
    uint32_t space = console_tx_space();

    if (!tx.uart)
        return;
    if (n > space)
        n = space;
    for (uint32_t i = 0; i < n; i++)
        tx.ring[(tx.head + i) % CONSOLE_TX_BYTES] = text[i];
    store_release(tx.head, tx.head + n);
}

/* Under uart_lock. Moves bytes up to position `head`, at most `most`; true if all of them went. */
static bool move(struct uart *u, uint32_t head, uint32_t most)
{
    uint32_t tail = tx.tail;

    while (tail != head && most-- > 0 && u->driver->tx_ready(u)) {
        u->driver->tx(u, (uint8_t)tx.ring[tail % CONSOLE_TX_BYTES]);
        tail++;
    }
    store_release(tx.tail, tail);
    return tail == head;
}

/* Waits until the UART takes a byte. False: it does not, or has not before. */
static bool wait_ready(struct uart *u)
{
    for (uint32_t looks = 0; !u->driver->tx_ready(u); looks++) {
        if (tx.dead || looks > DEAD_LOOKS) {
            tx.dead = true;
            return false;
        }
        arch_cpu_relax();
    }
    return true;
}

/* The machine may stop next, and with it what is still in the FIFO. */
static void wait_done(struct uart *u)
{
    for (uint32_t looks = 0; !u->driver->tx_done(u) && looks < DONE_LOOKS; looks++)
        arch_cpu_relax();
}

/* As move(), waiting for the UART. */
static void move_all(struct uart *u, uint32_t head)
{
    while (!move(u, head, UINT32_MAX) && wait_ready(u))
        ;
}

static void set_tx_irq(struct uart *u, bool on)
{
    if (tx.tx_irq && tx.tx_irq_on != on) {
        tx.tx_irq_on = on;
        u->driver->tx_irq(u, on);
    }
}

void console_tx_pump(void)
{
    struct uart *u = load_acquire(tx.uart);

    /* With its like below: who adds bytes while another pumps gets the lock, or the other sees the
     * bytes. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t turn = 1; u && turn <= PUMP_TURNS; turn++) {
        if (read_once(tx.panicking) || !spin_trylock(&uart_lock))
            return;
        uint32_t head = load_acquire(tx.head);
        if (read_once(tx.async))
            set_tx_irq(u, !move(u, head, PUMP_BYTES) || turn == PUMP_TURNS);
        else
            move_all(u, head);
        spin_unlock(&uart_lock);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (load_acquire(tx.head) == head)
            return;
    }
}

void console_tx_flush(void)
{
    struct uart *u = load_acquire(tx.uart);

    if (!u || read_once(tx.panicking))
        return;
    spin_lock(&uart_lock);
    move_all(u, load_acquire(tx.head));
    wait_done(u);
    spin_unlock(&uart_lock);
}

uint32_t console_tx_receive(uint8_t *to, uint32_t most)
{
    struct uart *u = load_acquire(tx.uart);
    uint32_t n = 0;

    if (!u || read_once(tx.panicking))
        return 0;
    spin_lock(&uart_lock);
    u->driver->irq_ack(u);
    while (n < most && u->driver->rx(u, &to[n]))
        n++;
    spin_unlock(&uart_lock);
    return n;
}

void console_tx_bind(struct uart *u)
{
    store_release(tx.uart, u);
}

enum console_tx_mode console_tx_start(void)
{
    struct uart *u = tx.uart;
    int err = -ENODEV;

    if (u && u->irq) {
        err = irq_request(u->irq, u->edge ? IRQ_EDGE : IRQ_LEVEL, console_interrupt, NULL);
        if (err)
            log_warn("console: cannot have the UART's interrupt %u (%d), polling it", u->irq, err);
    }
    spin_lock(&uart_lock);
    tx.tx_irq = !err && u->driver->tx_irq;
    if (!err)
        u->driver->irq_enable(u);
    write_once(tx.async, true);
    spin_unlock(&uart_lock);
    return !u ? CONSOLE_TX_NONE : err ? CONSOLE_TX_POLLED : CONSOLE_TX_INTERRUPT;
}

void console_panic_begin(void)
{
    /* A pCPU that is pumping now is given some time to stop; its byte may be the last it ever
     * writes. */
    write_once(tx.panicking, true);
    for (uint32_t i = 0; i < 100000u && !spin_trylock(&uart_lock); i++)
        arch_cpu_relax();
    if (tx.uart) {
        tx.uart->credit = 0;
        move_all(tx.uart, load_acquire(tx.head));
    }
}

static void panic_put(struct uart *u, char c)
{
    if (wait_ready(u))
        u->driver->tx(u, (uint8_t)c);
}

void console_panic_write(const char *text)
{
    struct uart *u = tx.uart;

    console_screen_panic(text);
    for (; u && *text; text++) {
        if (*text == '\n')
            panic_put(u, '\r');
        panic_put(u, *text);
    }
    if (u)
        wait_done(u);
}
