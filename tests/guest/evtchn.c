/* SPDX-License-Identifier: MIT */
/*
 * Event channels as a guest finds them: each call's exact answers, good and bad, what is written
 * where in both formats, and the interrupt that comes with it. ports=N: the highest that this
 * domain may have. other=N: a domain that it may not touch; none: there is none.
 */
#include "hypercall.h"

#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

const char guest_name[] = "evtchn";

#define EPERM      1
#define ENOENT     2
#define ESRCH      3
#define EFAULT     14
#define EBUSY      16
#define EEXIST     17
#define EINVAL     22
#define ENOSPC     28
#define ENOSYS     38
#define EOPNOTSUPP 95
#define NOWHERE    (UINT64_C(300) << 30) /* an address that is not mapped */
#define NOBODY     77
#define RESET_CONT 14 /* EVTCHNOP_reset_cont */
#define PAGE       4096u
#define WORDS      (PAGE / 4)
#define RINGS      200u

static union {
    struct shared_info info;
    uint8_t page[PAGE];
} shared __attribute__((aligned(PAGE)));
static uint32_t words[PAGE / 4] __attribute__((aligned(PAGE)));
static uint8_t control_page[2][PAGE] __attribute__((aligned(PAGE)));
static uint64_t highest; /* port */
static uint16_t self;

#define page_info (*(volatile struct shared_info *)&shared.info)
#define vinfo     (page_info.vcpu_info[0])

#define answers(call, want, ...) \
    check_eq((uint64_t)(int64_t)(call), (uint64_t)(int64_t)(want), __VA_ARGS__)

static int64_t op(uint32_t cmd, void *arg)
{
    return hypercall_op(__HYPERVISOR_event_channel_op, cmd, arg);
}

/* --- the calls ------------------------------------------------------------------------------- */

static int64_t alloc(uint16_t dom, uint16_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound a = { .dom = dom, .remote_dom = remote, .port = 0xdead };
    int64_t rc = op(EVTCHNOP_alloc_unbound, &a);

    *port = a.port;
    return rc;
}

static int64_t bind(uint16_t dom, uint32_t remote, uint32_t *port)
{
    struct evtchn_bind_interdomain b = { .remote_dom = dom, .remote_port = remote };
    int64_t rc = op(EVTCHNOP_bind_interdomain, &b);

    *port = b.local_port;
    return rc;
}

static int64_t bind_virq(uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_virq b = { .virq = virq, .vcpu = vcpu };
    int64_t rc = op(EVTCHNOP_bind_virq, &b);

    *port = b.port;
    return rc;
}

static int64_t bind_ipi(uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_ipi b = { .vcpu = vcpu };
    int64_t rc = op(EVTCHNOP_bind_ipi, &b);

    *port = b.port;
    return rc;
}

static int64_t bind_vcpu(uint32_t port, uint32_t vcpu)
{
    return op(EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ .port = port, .vcpu = vcpu });
}

static int64_t send(uint32_t port)
{
    return op(EVTCHNOP_send, &(struct evtchn_send){ .port = port });
}

static int64_t close_port(uint32_t port)
{
    return op(EVTCHNOP_close, &(struct evtchn_close){ .port = port });
}

static int64_t unmask(uint32_t port)
{
    return op(EVTCHNOP_unmask, &(struct evtchn_unmask){ .port = port });
}

static int64_t set_priority(uint32_t port, uint32_t priority)
{
    return op(EVTCHNOP_set_priority,
              &(struct evtchn_set_priority){ .port = port, .priority = priority });
}

static int64_t reset(uint16_t dom)
{
    return op(EVTCHNOP_reset, &(struct evtchn_reset){ .dom = dom });
}

static struct evtchn_status status;

static int64_t ask(uint16_t dom, uint32_t port)
{
    memset(&status, 0, sizeof(status));
    status.dom = dom;
    status.port = port;
    return op(EVTCHNOP_status, &status);
}

/* A channel to itself: *other is the end that was there first. */
static uint32_t pair(uint32_t *other)
{
    uint32_t port = 0;

    answers(alloc(DOMID_SELF, DOMID_SELF, other), 0, "a port for itself");
    answers(bind(DOMID_SELF, *other, &port), 0, "bound to itself");
    return port;
}

/* --- 2-level: what is told ------------------------------------------------------------------- */

static bool pending(uint32_t port)
{
    return page_info.evtchn_pending[port / 64] >> port % 64 & 1;
}

static void clear(uint32_t port)
{
    page_info.evtchn_pending[port / 64] &= ~(UINT64_C(1) << port % 64);
}

/* Takes the interrupt, if there is one, and all that it tells: evtchn_pending_sel. */
static uint64_t upcalled(void)
{
    uint64_t sel;

    if (!upcall_take(&vinfo.evtchn_upcall_pending))
        return 0;
    sel = vinfo.evtchn_pending_sel;
    vinfo.evtchn_pending_sel = 0;
    return sel;
}

static void quiet(void)
{
    while (upcalled())
        ;
    for (unsigned int i = 0; i < 64; i++)
        page_info.evtchn_pending[i] = page_info.evtchn_mask[i] = 0;
}

/* --- errors ---------------------------------------------------------------------------------- */

static void bad_calls(void)
{
    static const uint32_t known[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };
    static const uint32_t unknown[] = { 15, 16, 100, 0x80000000, 0xffffffff };
    struct evtchn_bind_pirq pirq = { .pirq = 40 };

    for (unsigned int i = 0; i < ARRAY_SIZE(known); i++)
        answers(hypercall(__HYPERVISOR_event_channel_op, known[i], NOWHERE, 0, 0, 0), -EFAULT,
                "operation %u on nothing", known[i]);
    for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++)
        answers(hypercall(__HYPERVISOR_event_channel_op, unknown[i], NOWHERE, 0, 0, 0), -ENOSYS,
                "operation %u", unknown[i]);
    answers(op(EVTCHNOP_bind_pirq, &pirq), -EOPNOTSUPP, "bind_pirq");
    answers(op(RESET_CONT, &(struct evtchn_reset){ .dom = DOMID_SELF }), -EBUSY,
            "no reset is under way");
}

static void bad_domains(void)
{
    uint16_t other = (uint16_t)bootarg_number("other", 0);
    uint32_t port;

    answers(alloc(NOBODY, DOMID_SELF, &port), -ESRCH, "alloc_unbound of nobody");
    answers(alloc(DOMID_IO, DOMID_SELF, &port), -ESRCH, "alloc_unbound of DOMID_IO");
    answers(bind(NOBODY, 1, &port), -ESRCH, "bind_interdomain to nobody");
    answers(bind(DOMID_SELF, 0, &port), -EINVAL, "bind_interdomain to port 0");
    answers(bind(DOMID_SELF, 40, &port), -EINVAL, "bind_interdomain to a closed port");
    answers(bind(DOMID_SELF, ~0u, &port), -EINVAL, "bind_interdomain to no port");
    answers(ask(NOBODY, 1), -ESRCH, "status of nobody");
    answers(reset(NOBODY), -ESRCH, "reset of nobody");
    if (!other)
        return;
    answers(alloc(other, DOMID_SELF, &port), -EPERM, "alloc_unbound of another");
    answers(ask(other, 0), -EPERM, "status of another");
    answers(reset(other), -EPERM, "reset of another");
    answers(bind(other, 1, &port), -EINVAL, "bind_interdomain to what another did not offer");
}

static void bad_ports(void)
{
    static const uint32_t none[] = { 64000, 131072, 0x7fffffff, 0x80000000, 0xffffffff };
    static const uint32_t closed[] = { 0, 50 };

    for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
        answers(send(none[i]), -EINVAL, "send by no port, %u", i);
        answers(close_port(none[i]), -EINVAL, "close of no port, %u", i);
        answers(unmask(none[i]), -EINVAL, "unmask of no port, %u", i);
        answers(ask(DOMID_SELF, none[i]), -EINVAL, "status of no port, %u", i);
        answers(bind_vcpu(none[i], 0), -EINVAL, "bind_vcpu of no port, %u", i);
        answers(set_priority(none[i], 0), -EINVAL, "set_priority of no port, %u", i);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(closed); i++) {
        answers(send(closed[i]), -EINVAL, "send by port %u", closed[i]);
        answers(close_port(closed[i]), -EINVAL, "close of port %u", closed[i]);
        answers(unmask(closed[i]), 0, "unmask of port %u", closed[i]);
        answers(ask(DOMID_SELF, closed[i]), 0, "status of port %u", closed[i]);
        check_eq(status.status, EVTCHNSTAT_closed, "port %u is closed", closed[i]);
        answers(bind_vcpu(closed[i], 0), -EINVAL, "bind_vcpu of port %u", closed[i]);
        answers(set_priority(closed[i], 0), -ENOSYS, "set_priority of port %u", closed[i]);
    }
}

/* --- binding --------------------------------------------------------------------------------- */

static void vcpus_and_virqs(void)
{
    uint32_t port, other;

    answers(bind_ipi(machine.cpus, &port), -ENOENT, "bind_ipi to no vCPU");
    answers(bind_ipi(~0u, &port), -ENOENT, "bind_ipi to vCPU -1");
    answers(bind_virq(NR_VIRQS, 0, &port), -EINVAL, "bind_virq of none");
    answers(bind_virq(~0u, 0, &port), -EINVAL, "bind_virq of -1");
    answers(bind_virq(VIRQ_TIMER, machine.cpus, &port), -ENOENT, "bind_virq to no vCPU");
    answers(bind_virq(VIRQ_DOM_EXC, 1, &port), -EINVAL, "bind_virq of a global one to vCPU 1");
    answers(bind_virq(VIRQ_ARCH_0, 1, &port), -EINVAL, "bind_virq of VIRQ_ARCH_0 to vCPU 1");
    answers(bind_virq(VIRQ_XENPMU, 1, &port), 0, "bind_virq of VIRQ_XENPMU to vCPU 1");
    answers(close_port(port), 0, "closed");

    answers(bind_virq(VIRQ_TIMER, 1, &port), 0, "bind_virq");
    answers(bind_virq(VIRQ_TIMER, 1, &other), -EEXIST, "bind_virq twice");
    answers(ask(DOMID_SELF, port), 0, "status of a VIRQ");
    check_eq(status.status, EVTCHNSTAT_virq, "it is a VIRQ");
    check_eq(status.vcpu, 1, "of vCPU 1");
    check_eq(status.u.virq, VIRQ_TIMER, "its number");
    answers(bind_vcpu(port, 1), -EINVAL, "a vCPU's own VIRQ stays where it is");
    answers(bind_vcpu(port, machine.cpus), -ENOENT, "bind_vcpu to no vCPU");
    answers(send(port), -EINVAL, "send by a VIRQ");
    answers(close_port(port), 0, "closed");
    answers(bind_virq(VIRQ_TIMER, 1, &port), 0, "bind_virq again");
    answers(close_port(port), 0, "closed");

    answers(bind_virq(VIRQ_ARGO, 0, &port), 0, "bind_virq of a global one");
    answers(bind_vcpu(port, 1), 0, "a global VIRQ moves");
    answers(ask(DOMID_SELF, port), 0, "status of it");
    check_eq(status.vcpu, 1, "it has moved");
    answers(close_port(port), 0, "closed");

    answers(bind_ipi(0, &port), 0, "bind_ipi");
    answers(bind_vcpu(port, 0), -EINVAL, "an IPI stays where it is");
    answers(ask(self, port), 0, "status of an IPI, by number");
    check_eq(status.status, EVTCHNSTAT_ipi, "it is an IPI");
    answers(send(port), 0, "send by an IPI");
    check_eq(upcalled(), 1, "it arrives");
    check(pending(port), "and is pending");
    answers(close_port(port), 0, "closed");
    check(!pending(port), "a closed port is not pending");
}

static void interdomain(void)
{
    uint32_t a, b = pair(&a), port;

    check_eq(upcalled(), 1, "binding interrupts");
    check(pending(b) && !pending(a), "binding pends the new port");
    clear(b);
    answers(ask(DOMID_SELF, a), 0, "status of a bound port");
    check_eq(status.status, EVTCHNSTAT_interdomain, "it is bound");
    check_eq(status.u.interdomain.dom, self, "to itself");
    check_eq(status.u.interdomain.port, b, "to the other port");
    check_eq(status.vcpu, 0, "vCPU 0 is told");
    answers(bind(DOMID_SELF, a, &port), -EINVAL, "a bound port cannot be bound");
    answers(send(b), 0, "send");
    answers(send(b), 0, "send again");
    check(pending(a) && !pending(b), "the other end is pending");
    check_eq(upcalled(), 1, "it interrupts");
    check_eq(upcalled(), 0, "once");
    clear(a);
    page_info.evtchn_mask[0] |= UINT64_C(1) << a;
    answers(send(b), 0, "send to a masked port");
    check(pending(a), "a masked port is pending");
    check_eq(upcalled(), 0, "and does not interrupt");
    answers(unmask(a), 0, "unmask");
    check_eq(upcalled(), 1, "unmasking interrupts");
    check(!(page_info.evtchn_mask[0] >> a & 1), "and unmasks");
    answers(unmask(a), 0, "unmask again");
    check_eq(upcalled(), 0, "does nothing");
    answers(close_port(b), 0, "close");
    answers(ask(DOMID_SELF, a), 0, "status of what was bound");
    check_eq(status.status, EVTCHNSTAT_unbound, "it waits again");
    check_eq(status.u.unbound.dom, self, "for the same");
    answers(send(a), 0, "send to nobody");
    answers(close_port(a), 0, "close the other end");
    quiet();
}

/* As many as the domain may have, and not one more. */
static void all_ports(uint64_t limit)
{
    uint64_t bad = 0, n = 0;
    uint32_t port, last = 0;

    while (alloc(DOMID_SELF, DOMID_SELF, &port) == 0) {
        bad += port <= last;
        last = port;
        n++;
    }
    check_eq(n, limit, "so many ports can be had");
    check_eq(last, limit, "and the last one is");
    check_eq(bad, 0, "in rising order");
    answers(alloc(DOMID_SELF, DOMID_SELF, &port), -ENOSPC, "alloc_unbound of one more");
    answers(bind_ipi(0, &port), -ENOSPC, "bind_ipi of one more");
    answers(bind_virq(VIRQ_DEBUG, 0, &port), -ENOSPC, "bind_virq of one more");
    answers(bind(DOMID_SELF, last, &port), -ENOSPC, "bind_interdomain of one more");
    answers(close_port(last / 2), 0, "one is closed");
    answers(bind(DOMID_SELF, last, &port), 0, "and bound");
    check_eq(port, last / 2, "by the same number");
    answers(send(port), 0, "send to the last");
    answers(reset(DOMID_SELF), 0, "reset");
    answers(ask(DOMID_SELF, last), 0, "status of the last");
    check_eq(status.status, EVTCHNSTAT_closed, "is closed");
    answers(alloc(DOMID_SELF, DOMID_SELF, &port), 0, "one port");
    check_eq(port, 1, "is the first");
    answers(reset(self), 0, "reset by number");
    quiet();
}

/* --- polls ----------------------------------------------------------------------------------- */

static int64_t poll(uint32_t *ports, unsigned int n, uint64_t timeout)
{
    struct sched_poll p = { .nr_ports = n, .timeout = timeout };

    p.ports.p = ports;
    return hypercall_op(__HYPERVISOR_sched_op, SCHEDOP_poll, &p);
}

static void polls(void)
{
    uint32_t a, b = pair(&a), ports[2] = { a, b };

    clear(b);
    page_info.evtchn_mask[0] = ~UINT64_C(0);
    answers(send(b), 0, "send");
    answers(poll(&a, 1, 0), 0, "poll for what is pending");
    answers(poll(ports, 2, 0), 0, "poll for two, one of them pending");
    clear(a);
    answers(poll(ports, 2, 1), 0, "poll up to a time that is past");
    ports[1] = 4096;
    answers(poll(ports, 2, 1), -EINVAL, "poll for no port");
    answers(poll(ports, 129, 1), -EINVAL, "poll for too many");
    answers(poll((uint32_t *)(uintptr_t)NOWHERE, 1, 1), -EFAULT, "poll for nothing");
    answers(close_port(a), 0, "closed");
    answers(close_port(b), 0, "closed");
    quiet();
}

/* --- FIFO ------------------------------------------------------------------------------------ */

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)

static uint64_t gfn_of(const void *p)
{
    return (uint64_t)(uintptr_t)p / PAGE;
}

static int64_t init_control(uint64_t gfn, uint32_t offset, uint32_t vcpu)
{
    struct evtchn_init_control c = { .control_gfn = gfn, .offset = offset, .vcpu = vcpu };
    int64_t rc = op(EVTCHNOP_init_control, &c);

    check(rc || c.link_bits == EVTCHN_FIFO_LINK_BITS, "link_bits is %u", c.link_bits);
    return rc;
}

static int64_t expand(uint64_t gfn)
{
    return op(EVTCHNOP_expand_array, &(struct evtchn_expand_array){ .array_gfn = gfn });
}

static volatile struct evtchn_fifo_control_block *control_of(unsigned int vcpu)
{
    return (volatile struct evtchn_fifo_control_block *)(uintptr_t)(control_page[vcpu] + 8 * vcpu);
}

#define word(port) (((volatile uint32_t *)words)[port])

static void to_fifo(void)
{
    memset(words, 0, sizeof(words));
    memset(control_page, 0, sizeof(control_page));
    answers(init_control(gfn_of(control_page[0]), 0, machine.cpus), -ENOENT, "for no vCPU");
    answers(init_control(gfn_of(control_page[0]), 4, 0), -EINVAL, "not aligned");
    answers(init_control(gfn_of(control_page[0]), PAGE - 64, 0), -EINVAL, "across a page");
    answers(init_control(gfn_of(control_page[0]), 0xfffffff8, 0), -EINVAL, "far beyond the page");
    answers(init_control(0xfffffff, 0, 0), -EINVAL, "in no memory");
    answers(init_control(~UINT64_C(0), 0, 0), -EINVAL, "at no address");
    answers(expand(gfn_of(words)), -EOPNOTSUPP, "expand_array before");
    answers(init_control(gfn_of(control_page[0]), 0, 0), 0, "init_control");
    answers(init_control(gfn_of(control_page[1]), 0, 0), -EINVAL, "init_control twice");
    answers(init_control(gfn_of(control_page[1]), 8, 1), 0, "init_control of vCPU 1");
    answers(expand(0xfffffff), -EINVAL, "expand_array by no memory");
    answers(expand(gfn_of(words)), 0, "expand_array");
}

static void fifo(void)
{
    volatile struct evtchn_fifo_control_block *c = control_of(0);
    uint32_t a, b, x, y;

    to_fifo();
    b = pair(&a);
    y = pair(&x);
    check_eq(word(b), PENDING | LINKED | y,
             "binding pends and links, and the next is linked to it");
    check_eq(word(y), PENDING | LINKED, "the last is linked to nothing");
    check_eq(c->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT, "the default queue is ready");
    check_eq(c->head[EVTCHN_FIFO_PRIORITY_DEFAULT], b, "and begins with the first");
    check_eq(upcalled(), 0, "pending_sel has no part in it");
    c->ready = 0;
    word(b) = word(y) = 0;

    answers(set_priority(a, EVTCHN_FIFO_PRIORITY_MIN + 1), -EINVAL, "no such priority");
    answers(set_priority(a, 2), 0, "a priority");
    answers(send(b), 0, "send");
    check_eq(c->ready, 1u << 2, "its queue is ready");
    check_eq(c->head[2], a, "and begins with it");
    check_eq(word(a), PENDING | LINKED, "it is linked");
    check(upcall_take(&vinfo.evtchn_upcall_pending), "it interrupts");
    word(a) = MASKED;
    answers(send(b), 0, "send to a masked port");
    check_eq(word(a), MASKED | PENDING, "is pending, and not linked");
    answers(unmask(a), 0, "unmask");
    check_eq(word(a), PENDING | LINKED, "links it");
    answers(close_port(a), 0, "close");
    check_eq(word(a), LINKED, "leaves it linked");
    answers(alloc(DOMID_SELF, DOMID_SELF, &a), 0, "a new port");
    check(a > y, "is not the one that is linked");
    answers(bind_vcpu(x, 1), 0, "bind_vcpu");
    answers(send(y), 0, "send to vCPU 1");
    check_eq(control_of(1)->head[EVTCHN_FIFO_PRIORITY_DEFAULT], x, "is in its queue");
    answers(expand(gfn_of(words)), 0, "expand_array by a page more");
    answers(reset(DOMID_SELF), 0, "reset");
    answers(expand(gfn_of(words)), -EOPNOTSUPP, "after a reset it is 2-level");
    answers(bind_ipi(0, &a), 0, "a port");
    page_info.evtchn_mask[0] = 0;
    answers(send(a), 0, "send");
    check(pending(a), "is in shared_info again");
    answers(reset(DOMID_SELF), 0, "reset");
    quiet();
}

/* 131,071 ports, and an event to the last: one page of words serves for all of them here. */
static void fifo_ports(uint64_t limit)
{
    unsigned int i;

    memset(words, 0, sizeof(words));
    memset(control_page, 0, sizeof(control_page));
    answers(init_control(gfn_of(control_page[0]), 0, 0), 0, "init_control");
    for (i = 0; expand(gfn_of(words)) == 0; i++)
        ;
    check_eq(i, EVTCHN_FIFO_NR_CHANNELS / WORDS, "pages of event words");
    answers(expand(gfn_of(words)), -ENOSPC, "expand_array by one more");
    all_ports(limit);
}

/* --- another vCPU ---------------------------------------------------------------------------- */

static volatile uint32_t stage;
static volatile struct vcpu_info second_info
    __attribute__((aligned(64))); /* shared_info has one only */

static void second(unsigned int id)
{
    struct vcpu_register_vcpu_info where = { .mfn = gfn_of((void *)(uintptr_t)&second_info),
                                             .offset = (uint64_t)(uintptr_t)&second_info % PAGE };

    upcall_init_cpu();
    answers(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, id,
                      (uint64_t)(uintptr_t)&where, 0, 0),
            0, "a place for vCPU 1's vcpu_info");
    upcall_wait(&second_info.evtchn_upcall_pending); /* that it has one now */
    stage = 1;
    upcall_wait(&second_info.evtchn_upcall_pending);
    stage = 2;
}

static volatile uint32_t ring, rings;

static void ringer(unsigned int id)
{
    (void)id;
    for (uint32_t i = 1; i <= RINGS; i++) {
        while (rings != i)
            relax();
        (void)send(ring);
    }
}

/* A poll without end ends by an event, be it masked, that comes before it, as it begins or later.
 */
static void polled_by_another(void)
{
    uint32_t a, b = pair(&a), good = 0;

    ring = b;
    quiet();
    page_info.evtchn_mask[0] = ~UINT64_C(0);
    answers(cpu_start(1, ringer), 0, "CPU_ON");
    for (uint32_t i = 1; i <= RINGS; i++) {
        rings = i;
        for (uint32_t wait = 0; wait < i % 8 * 50; wait++)
            relax();
        good += poll(&a, 1, 0) == 0 && pending(a);
        clear(a);
    }
    check_eq(good, RINGS, "polls that another vCPU ends");
    check(cpu_wait_off(1), "it goes off");
    answers(reset(DOMID_SELF), 0, "reset");
    quiet();
}

/* An event wakes a vCPU that waits for interrupts. */
static void wakes(void)
{
    uint32_t port;

    memset(words, 0, sizeof(words));
    memset(control_page, 0, sizeof(control_page));
    answers(init_control(gfn_of(control_page[0]), 0, 0), 0, "init_control");
    answers(init_control(gfn_of(control_page[1]), 8, 1), 0, "init_control of vCPU 1");
    answers(expand(gfn_of(words)), 0, "expand_array");
    answers(bind_ipi(1, &port), 0, "an IPI to vCPU 1");
    answers(cpu_start(1, second), 0, "CPU_ON");
    check(wait_until(stage == 1), "vCPU 1 waits");
    answers(send(port), 0, "send");
    check(wait_until(stage == 2), "it is woken");
    check(cpu_wait_off(1), "and goes off");
    check_eq(word(port), PENDING | LINKED, "the event is there");
    answers(reset(DOMID_SELF), 0, "reset");
}

/* --- */

static void set_up(void)
{
    struct xen_add_to_physmap add = { .domid = DOMID_SELF,
                                      .space = XENMAPSPACE_shared_info,
                                      .gpfn = gfn_of(&shared) };
    uint32_t port;

    answers(hypercall_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add), 0,
            "the shared page");
    upcall_init();
    quiet();
    /* Who are we? */
    answers(alloc(DOMID_SELF, DOMID_SELF, &port), 0, "a port");
    check_eq(port, 1 + bootarg_number("taken", 0), "is the first");
    answers(ask(DOMID_SELF, port), 0, "its status");
    check_eq(status.status, EVTCHNSTAT_unbound, "it waits");
    self = status.u.unbound.dom;
    answers(alloc(self, self, &port), 0, "a port by our own number");
    answers(alloc(self, NOBODY, &port), -ESRCH, "a port for nobody");
    answers(reset(DOMID_SELF), 0, "reset");
}

void guest_main(void)
{
    highest = bootarg_number("ports", 1023);
    set_up();
    bad_calls();
    bad_domains();
    bad_ports();
    vcpus_and_virqs();
    interdomain();
    polls();
    polled_by_another();
    all_ports(highest < 4095 ? highest : 4095);
    fifo();
    fifo_ports(highest);
    wakes();
}
