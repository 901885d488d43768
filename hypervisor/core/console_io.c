/* SPDX-License-Identifier: MIT */
/* console_io; <hospes/console_io.h> tells how it shares the console with a UART. <xen/xen.h> */
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/console.h>
#include <hospes/console_io.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/evtchn.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <limits.h>
#include <xen/xen.h>

#define PIECE 64u

/* Made at the first read. */
struct console_io {
    struct spinlock lock; /* LOCK_VUART */
    uint32_t first, count;
    uint8_t in[CONSOLE_IO_BYTES];
};

void console_io_passed_over(struct domain *d)
{
    if (unlikely(read_once(d->console_by_call)))
        write_once(d->console_by_call, false);
}

void console_io_destroy(struct domain *d)
{
    heap_free(d->console_io);
    d->console_io = NULL;
}

/* --- input ----------------------------------------------------------------------------------- */

bool console_io_receive(struct domain *d, uint8_t byte)
{
    struct console_io *io = load_acquire(d->console_io);

    if (!io || !read_once(d->console_by_call))
        return false;
    spin_lock(&io->lock);
    if (io->count < CONSOLE_IO_BYTES)
        io->in[(io->first + io->count++) % CONSOLE_IO_BYTES] = byte;
    spin_unlock(&io->lock);
    evtchn_send_global_virq(VIRQ_CONSOLE);
    return true;
}

static uint32_t take(struct console_io *io, uint8_t *to, uint32_t room)
{
    uint32_t n;

    spin_lock(&io->lock);
    n = min(room, io->count);
    for (uint32_t i = 0; i < n; i++)
        to[i] = io->in[(io->first + i) % CONSOLE_IO_BYTES];
    io->first = (io->first + n) % CONSOLE_IO_BYTES;
    io->count -= n;
    spin_unlock(&io->lock);
    return n;
}

/* Two vCPUs may read first at the same time. */
static struct console_io *get_io(struct domain *d)
{
    struct console_io *io = load_acquire(d->console_io), *none = NULL;

    if (likely(io))
        return io;
    io = heap_alloc(sizeof(*io));
    if (!io)
        return NULL;
    io->lock = SPINLOCK_INIT(LOCK_VUART);
    if (__atomic_compare_exchange_n(&d->console_io, &none, io, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return io;
    heap_free(io);
    return none;
}

static int64_t read(struct vcpu *v, uint32_t room, uint64_t to)
{
    struct console_io *io = get_io(v->domain);
    uint8_t piece[PIECE];
    uint32_t done = 0;

    if (room > INT_MAX)
        return -EINVAL;
    if (!io)
        return -ENOMEM;
    while (done < room) {
        uint32_t n = take(io, piece, min(room - done, PIECE));

        if (!n)
            break;
        if (guest_write(v, to + done, piece, n))
            return -EFAULT;
        done += n;
    }
    return done;
}

/* --- output ---------------------------------------------------------------------------------- */

void console_io_room(struct domain *d)
{
    struct vcpu *v;
    uint32_t i;

    if (!__atomic_exchange_n(&d->console_waits, false, __ATOMIC_SEQ_CST))
        return;
    domain_for_each_vcpu (d, v, i)
        vcpu_kick(v);
}

/* Sleeps until console_io_room(), or an interrupt; then what it did goes on. */
static void wait_for_room(struct vcpu *v)
{
    struct domain *d = v->domain;

    __atomic_store_n(&d->console_waits, true, __ATOMIC_SEQ_CST);
    vcpu_block(v);
    if (console_domain_room(&d->console))
        vcpu_kick(v);
}

bool console_io_write_byte(struct vcpu *v, uint8_t byte)
{
    struct domain *d = v->domain;

    if (!d->console.receive || console_domain_write(&d->console, byte))
        return true;
    wait_for_room(v);
    return false;
}

/* How many of them the console took. */
static uint32_t put(struct domain *d, const uint8_t *from, uint32_t n)
{
    uint32_t i = 0;

    while (i < n && console_domain_write(&d->console, from[i]))
        i++;
    return i;
}

static int64_t write(struct vcpu *v, uint64_t *arg)
{
    struct domain *d = v->domain;
    uint32_t left = (uint32_t)arg[1];
    uint8_t piece[PIECE];

    if (!d->console.receive) /* the machine has no UART */
        return 0;
    write_once(d->console_by_call, true);
    while (left) {
        uint32_t n = min(left, PIECE), taken;

        if (guest_read(v, piece, arg[2], n))
            return -EFAULT;
        taken = put(d, piece, n);
        left -= taken;
        arg[1] = left;
        arg[2] += taken;
        if (taken < n) {
            wait_for_room(v);
            return -ERESTART;
        }
        if (left && hypercall_should_stop())
            return -ERESTART;
    }
    return 0;
}

int64_t console_io_op(struct vcpu *v, uint64_t *arg)
{
    if (!v->domain->control && !v->domain->hardware)
        return -EPERM;
    switch ((uint32_t)arg[0]) {
    case CONSOLEIO_write:
        return write(v, arg);
    case CONSOLEIO_read:
        return read(v, (uint32_t)arg[1], arg[2]);
    default:
        return -ENOSYS;
    }
}
