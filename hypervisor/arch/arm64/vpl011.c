/* SPDX-License-Identifier: MIT */
/*
 * The UART that a domain sees: Arm PrimeCell PL011 (Arm DDI 0183G, chapter 3), with FIFOs of 32
 * bytes.
 *
 * Its other end is Hospes's console, or (vpl011_create_served()) a ring that a console daemon of
 * another domain empties and fills: "console" below is either.
 *
 * Transmit: bytes go to the console at once. When it takes no more they stay in the FIFO, TXFF and
 * BUSY show, and console_room() goes on. The transmit interrupt rises when a byte leaves and the
 * FIFO is not above its trigger level, so a driver may write as many bytes as the level promises
 * without looking. Receive: behind the FIFO there is a longer queue, for a user who pastes text
 * into a busy guest; flags and levels are those of a FIFO of 32. A receive timeout is raised with
 * each byte, as if time passed at once. There are no modem lines (all present), no errors but
 * overrun, no DMA, no loopback, and the baud rate is a number. What waits in a ring stays there
 * until the FIFO has room.
 *
 * The flag register is kept ready in `fr`, so that its reading, which guests do all the time, takes
 * no lock.
 */
#include <asm/vgic.h>
#include <asm/vpl011.h>
#include <hospes/console.h>
#include <hospes/console_io.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/evtchn.h>
#include <hospes/heap.h>
#include <hospes/mmio.h>
#include <hospes/spinlock.h>
#include <hospes/xencons.h>
#include <lib/bits.h>

#define PL011_BYTES 0x1000u
#define FIFO_BYTES  32u
#define QUEUE_BYTES 1024u

#define UARTDR    0x000u
#define UARTRSR   0x004u
#define UARTFR    0x018u
#define UARTILPR  0x020u
#define UARTRIS   0x03cu
#define UARTICR   0x044u
#define UARTDMACR 0x048u
#define UARTID    0xfe0u

#define DR_OE BIT(11)

#define RSR_OE BIT(3)

#define FR_CTS  BIT(0)
#define FR_DSR  BIT(1)
#define FR_DCD  BIT(2)
#define FR_BUSY BIT(3)
#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define FR_RXFF BIT(6)
#define FR_TXFE BIT(7)

#define LCRH_FEN BIT(4)

#define IFLS_TX MASK(2, 0)
#define IFLS_RX MASK(5, 3)

/* UARTIMSC, UARTRIS, UARTMIS, UARTICR */
#define INT_RX BIT(4)
#define INT_TX BIT(5)
#define INT_RT BIT(6)
#define INT_OE BIT(10)

/* The registers from UARTILPR to UARTIMSC only hold what is written. In their order. */
enum { ILPR, IBRD, FBRD, LCRH, CR, IFLS, IMSC, NR_SETTINGS };

static const uint16_t setting_bits[NR_SETTINGS] = {
    [ILPR] = 0xff, [IBRD] = 0xffff, [FBRD] = 0x3f,  [LCRH] = 0xff,
    [CR] = 0xff87, [IFLS] = 0x3f,   [IMSC] = 0x7ff,
};
#define CR_AT_RESET   0x0300u
#define IFLS_AT_RESET 0x0012u

/* UARTPeriphID0..3: part 0x011 of designer 0x41, revision 3 (FIFOs of 32); UARTPCellID0..3. */
static const uint8_t ids[8] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

struct vpl011 {
    struct spinlock lock; /* LOCK_VUART, guards all but reads of `fr` */
    struct domain *domain;
    uint32_t virq;
    uint32_t fr;  /* UARTFR; written under the lock, read without */
    uint32_t ris; /* UARTRIS */
    uint32_t rsr; /* UARTRSR */
    uint32_t dmacr;
    bool line;    /* the interrupt's level, as told to the vGIC */
    bool overrun; /* a byte was dropped after the last in the queue */
    bool served;  /* by the ring; else the console is Hospes's */
    bool tell;    /* the ring has changed: its other end is to be told */
    struct xencons ring;
    uint32_t settings[NR_SETTINGS];
    uint32_t rx_first, rx_count;
    uint32_t tx_first, tx_count;
    uint8_t tx[FIFO_BYTES];
    uint16_t rx[QUEUE_BYTES]; /* as UARTDR gives them */
};

/* The level that a field of UARTIFLS selects, in bytes; without FIFOs: `single`. */
static uint32_t trigger(const struct vpl011 *u, uint64_t field, uint32_t single)
{
    static const uint8_t levels[8] = { 4, 8, 16, 24, 28, 28, 28, 28 };
    return (u->settings[LCRH] & LCRH_FEN) != 0 ? levels[field] : single;
}

/* Under the lock, after any change: flags, and the interrupt's line. */
static void update(struct vpl011 *u)
{
    uint64_t fr = FR_CTS | FR_DSR | FR_DCD;

    fr |= u->tx_count == 0 ? FR_TXFE : FR_BUSY;
    fr |= u->tx_count == FIFO_BYTES ? FR_TXFF : 0;
    fr |= u->rx_count == 0 ? FR_RXFE : 0;
    fr |= u->rx_count >= FIFO_BYTES ? FR_RXFF : 0;
    write_once(u->fr, (uint32_t)fr);

    bool line = (u->ris & u->settings[IMSC]) != 0;
    if (line != u->line) {
        u->line = line;
        vgic_set_line(u->domain, NULL, u->virq, line);
    }
}

static bool pass_on(struct vpl011 *u, uint8_t byte)
{
    if (!u->served)
        return console_domain_write(&u->domain->console, byte);
    if (!xencons_put(&u->ring, byte))
        return false;
    u->tell = true;
    return true;
}

/* Under the lock: passes on what the console takes. */
static void drain(struct vpl011 *u)
{
    uint32_t before = u->tx_count;

    while (u->tx_count > 0 && pass_on(u, u->tx[u->tx_first])) {
        u->tx_first = (u->tx_first + 1) % FIFO_BYTES;
        u->tx_count--;
    }
    uint32_t level = trigger(u, field_get(IFLS_TX, u->settings[IFLS]), 0);
    if (u->tx_count > level)
        u->ris &= ~(uint32_t)INT_TX;
    else if (u->tx_count < before)
        u->ris |= (uint32_t)INT_TX;
}

/* Under the lock: a byte came into the FIFO. */
static void received(struct vpl011 *u)
{
    u->ris |= (uint32_t)INT_RT;
    if (u->rx_count >= trigger(u, field_get(IFLS_RX, u->settings[IFLS]), 1))
        u->ris |= (uint32_t)INT_RX;
}

/* Under the lock: there is room. */
static void receive(struct vpl011 *u, uint8_t byte)
{
    uint16_t entry = (uint16_t)(byte | (u->overrun ? DR_OE : 0));

    u->rx[(u->rx_first + u->rx_count++) % QUEUE_BYTES] = entry;
    u->overrun = false;
    received(u);
}

/* Under the lock: what waits in the ring, as far as the FIFO goes. */
static void collect(struct vpl011 *u)
{
    uint8_t byte;

    while (u->rx_count < FIFO_BYTES && xencons_get(&u->ring, &byte)) {
        receive(u, byte);
        u->tell = true;
    }
}

/* Lets the lock go, and tells the ring's other end what has become of it. */
static void unlock(struct vpl011 *u)
{
    bool tell = u->tell;

    u->tell = false;
    spin_unlock(&u->lock);
    if (unlikely(tell))
        evtchn_serve_send(u->domain);
}

/* The ring's other end has taken bytes from it, or put some there. */
static void ring_changed(struct domain *d)
{
    struct vpl011 *u = load_acquire(d->arch.vuart);

    if (!u)
        return;
    spin_lock(&u->lock);
    collect(u);
    drain(u);
    update(u);
    unlock(u);
}

static bool console_receive(struct console_domain *c, uint8_t byte)
{
    struct vpl011 *u = c->device;

    if (console_io_receive(u->domain, byte))
        return true;
    spin_lock(&u->lock);
    bool room = u->rx_count < QUEUE_BYTES;
    if (room) {
        receive(u, byte);
    } else {
        u->overrun = true;
        u->ris |= (uint32_t)INT_OE;
    }
    update(u);
    spin_unlock(&u->lock);
    return room;
}

static void console_room(struct console_domain *c)
{
    struct vpl011 *u = c->device;

    spin_lock(&u->lock);
    drain(u);
    update(u);
    spin_unlock(&u->lock);
    console_io_room(u->domain);
}

/* --- registers: under the lock; `index` is the offset in the table's entry --- */

/* The part of a register of 32 bits that an access at `index` reads. */
static uint64_t part(uint64_t value, uint32_t index)
{
    return value >> (8 * (index & 3));
}

/* A register with the part that an access writes replaced. */
static uint32_t merge(uint32_t old, uint32_t index, uint8_t size, uint64_t value)
{
    uint32_t shift = 8 * (index & 3);
    uint64_t bits = (((uint64_t)1 << (8 * size)) - 1) << shift;
    return (uint32_t)((old & ~bits) | ((value << shift) & bits));
}

static uint64_t read_dr(struct vcpu *v, void *device, uint32_t index, uint8_t size)
{
    struct vpl011 *u = device;

    (void)v, (void)size;
    if (u->rx_count == 0 || index != 0)
        return 0;
    uint32_t entry = u->rx[u->rx_first];
    u->rx_first = (u->rx_first + 1) % QUEUE_BYTES;
    bool more = u->rx_count-- > FIFO_BYTES; /* another comes into the FIFO */

    u->rsr = (entry & DR_OE) != 0 ? (uint32_t)RSR_OE : 0;
    if (u->rx_count < trigger(u, field_get(IFLS_RX, u->settings[IFLS]), 1))
        u->ris &= ~(uint32_t)INT_RX;
    if (u->rx_count == 0)
        u->ris &= ~(uint32_t)INT_RT;
    if (more)
        received(u);
    if (u->served)
        collect(u);
    update(u);
    return entry;
}

static void write_dr(struct vcpu *v, void *device, uint32_t index, uint8_t size, uint64_t value)
{
    struct vpl011 *u = device;

    (void)v, (void)size;
    if (index != 0 || u->tx_count == FIFO_BYTES)
        return;
    u->tx[(u->tx_first + u->tx_count++) % FIFO_BYTES] = (uint8_t)value;
    console_io_passed_over(u->domain);
    drain(u);
    update(u);
}

static uint64_t read_rsr(struct vcpu *v, void *device, uint32_t index, uint8_t size)
{
    struct vpl011 *u = device;

    (void)v, (void)size;
    return part(u->rsr, index);
}

/* UARTECR: whatever is written clears the errors. */
static void write_ecr(struct vcpu *v, void *device, uint32_t index, uint8_t size, uint64_t value)
{
    struct vpl011 *u = device;

    (void)v, (void)index, (void)size, (void)value;
    u->rsr = 0;
}

static uint64_t read_fr(struct vcpu *v, void *device, uint32_t index, uint8_t size)
{
    struct vpl011 *u = device;

    (void)v, (void)size;
    return part(u->fr, index);
}

static uint64_t read_setting(struct vcpu *v, void *device, uint32_t index, uint8_t size)
{
    struct vpl011 *u = device;

    (void)v, (void)size;
    return part(u->settings[index / 4], index);
}

static void write_setting(struct vcpu *v, void *device, uint32_t index, uint8_t size,
                          uint64_t value)
{
    struct vpl011 *u = device;
    uint32_t *setting = &u->settings[index / 4];

    (void)v;
    *setting = merge(*setting, index, size, value) & setting_bits[index / 4];
    update(u);
}

/* UARTRIS, UARTMIS */
static uint64_t read_status(struct vcpu *v, void *device, uint32_t index, uint8_t size)
{
    struct vpl011 *u = device;

    (void)v, (void)size;
    return part(index < 4 ? u->ris : u->ris & u->settings[IMSC], index);
}

static void write_icr(struct vcpu *v, void *device, uint32_t index, uint8_t size, uint64_t value)
{
    struct vpl011 *u = device;

    (void)v;
    u->ris &= ~merge(0, index, size, value);
    update(u);
}

static uint64_t read_dmacr(struct vcpu *v, void *device, uint32_t index, uint8_t size)
{
    struct vpl011 *u = device;

    (void)v, (void)size;
    return part(u->dmacr, index);
}

static void write_dmacr(struct vcpu *v, void *device, uint32_t index, uint8_t size, uint64_t value)
{
    struct vpl011 *u = device;

    (void)v;
    u->dmacr = merge(u->dmacr, index, size, value) & 7;
}

static uint64_t read_id(struct vcpu *v, void *device, uint32_t index, uint8_t size)
{
    (void)v, (void)device, (void)size;
    return part(ids[index / 4], index);
}

#define WIDTHS 0x7 /* 8, 16 and 32 bits */

static const struct mmio_reg registers[] = {
    { UARTDR, 4, WIDTHS, read_dr, write_dr },
    { UARTRSR, 4, WIDTHS, read_rsr, write_ecr },
    { UARTFR, 4, WIDTHS, read_fr, NULL },
    { UARTILPR, 4 * NR_SETTINGS, WIDTHS, read_setting, write_setting },
    { UARTRIS, 8, WIDTHS, read_status, NULL },
    { UARTICR, 4, WIDTHS, NULL, write_icr },
    { UARTDMACR, 4, WIDTHS, read_dmacr, write_dmacr },
    { UARTID, sizeof(ids) * 4, WIDTHS, read_id, NULL },
};

static __noinline enum exit_action access_any(struct vcpu *v, struct mmio_access *a, void *device)
{
    struct vpl011 *u = device;

    spin_lock(&u->lock);
    enum exit_action action =
        mmio_table_access(v, a, device, registers, (uint32_t)array_size(registers));
    unlock(u);
    if (a->size < 8)
        a->value &= BIT(8 * a->size) - 1;
    return action;
}

static enum exit_action access(struct vcpu *v, struct mmio_access *a, void *device)
{
    const struct vpl011 *u = device;

    /* Guests poll it. All its bits that are ever set are in the lowest byte, so any width reads the
     * same. */
    if (likely(a->offset == UARTFR && !a->write)) {
        a->value = read_once(u->fr);
        return EXIT_HANDLED;
    }
    return access_any(v, a, device);
}

/* --- coming and going --- */

/* As it is at reset, with no other end yet. */
static struct vpl011 *new_uart(struct domain *d, uint32_t virq)
{
    struct vpl011 *u = heap_alloc(sizeof(*u));

    if (!u)
        return NULL;
    u->lock = SPINLOCK_INIT(LOCK_VUART);
    u->domain = d;
    u->virq = virq;
    u->settings[CR] = CR_AT_RESET;
    u->settings[IFLS] = IFLS_AT_RESET;
    update(u);
    return u;
}

int vpl011_create(struct domain *d, gaddr_t base, uint32_t virq)
{
    struct vpl011 *u = new_uart(d, virq);
    int err;

    if (!u)
        return -ENOMEM;
    err = mmio_add(d, base, PL011_BYTES, access, u);
    if (err) {
        heap_free(u);
        return err;
    }
    d->console = (struct console_domain){
        .domid = d->id,
        .device = u,
        .unlimited = d->hardware,
        .receive = console_receive,
        .room = console_room,
    };
    console_domain_add(&d->console);
    return 0;
}

int vpl011_create_served(struct domain *d, gaddr_t base, uint32_t virq, gfn_t ring, uint16_t by,
                         uint32_t *port)
{
    struct vpl011 *u = new_uart(d, virq);
    int err;

    if (!u)
        return -ENOMEM;
    u->served = true;
    err = xencons_map(d, ring, &u->ring);
    if (err)
        goto no_ring;
    err = evtchn_serve(d, by, ring_changed, port);
    if (err)
        goto no_port;
    err = mmio_add(d, base, PL011_BYTES, access, u);
    if (err)
        goto no_place;
    store_release(d->arch.vuart, u);
    return 0;

no_place:
    evtchn_serve_end(d);
no_port:
    xencons_unmap(&u->ring);
no_ring:
    heap_free(u);
    return err;
}

void vpl011_destroy(struct domain *d)
{
    if (d->console.device) {
        console_domain_remove(&d->console);
        heap_free(d->console.device);
        d->console.device = NULL;
    }
    if (d->arch.vuart) {
        xencons_unmap(&d->arch.vuart->ring);
        heap_free(d->arch.vuart);
        d->arch.vuart = NULL;
    }
}
