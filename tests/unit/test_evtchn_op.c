/* SPDX-License-Identifier: MIT */
// sources: core/evtchn.c core/evtchn_close.c core/evtchn_2l.c core/evtchn_fifo.c core/evtchn_virq.c
// sources: core/evtchn_poll.c core/evtchn_serve.c core/evtchn_op.c core/spinlock.c
/*
 * HYPERVISOR_event_channel_op: whom it lets do what, long resets, and answers that cannot be
 * written. What a guest asks for itself is in tests/guest/evtchn.c.
 */
#include "test_evtchn.h"

#include <hospes/guest_access.h>

static bool unreadable, unwritable;

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    if (unreadable)
        return -EFAULT;
    memcpy(to, (void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    if (unwritable)
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

static uint32_t windows; /* that are open */

int guest_window_read(struct guest_window *w, void *to, uint64_t from, uint32_t bytes)
{
    windows++;
    w->page = to;
    return guest_read(w->v, to, from, bytes);
}

int guest_window_write(struct guest_window *w, uint64_t to, const void *from, uint32_t bytes)
{
    return guest_write(w->v, to, from, bytes);
}

void guest_window_close(struct guest_window *w)
{
    windows -= w->page != NULL;
}

static uint64_t args[HYPERCALL_ARGS];

static int64_t call(uint32_t dom, uint32_t op, void *arg)
{
    int64_t rc;

    args[0] = op;
    args[1] = (uint64_t)(uintptr_t)arg;
    rc = event_channel_op(&vcpus[dom][0], args);
    assert_int_equal(windows, 0);
    return rc;
}

/* The toolstack opens ports for guests and asks about them; guests do so for themselves only. */
static void for_others(void **state)
{
    struct evtchn_alloc_unbound a = { .dom = 1, .remote_dom = 2 };
    struct evtchn_status s = { .dom = 1, .port = 1 };

    assert_int_equal(call(0, EVTCHNOP_alloc_unbound, &a), 0);
    assert_int_equal(a.port, 1);
    assert_int_equal(call(0, EVTCHNOP_status, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_unbound);
    assert_int_equal(s.u.unbound.dom, 2);
    assert_int_equal(call(2, EVTCHNOP_alloc_unbound, &a), -EPERM);
    assert_int_equal(call(2, EVTCHNOP_status, &s), -EPERM);
    a.dom = DOMID_SELF;
    a.remote_dom = 77;
    assert_int_equal(call(2, EVTCHNOP_alloc_unbound, &a), -ESRCH);
    a.dom = 1;
    a.remote_dom = DOMID_SELF; /* the caller */
    assert_int_equal(call(0, EVTCHNOP_alloc_unbound, &a), 0);
    assert_int_equal(evtchn_find(&doms[1], a.port)->remote_domid, 0);
}

/* What was opened is closed again when the guest cannot be told. */
static void cannot_be_told(void **state)
{
    struct evtchn_alloc_unbound a = { .dom = 1, .remote_dom = 0 };
    struct evtchn_bind_interdomain b = { .remote_dom = 1 };
    struct evtchn_bind_virq q = { .virq = VIRQ_TIMER };
    struct evtchn_bind_ipi i = { .vcpu = 1 };

    b.remote_port = alloc(1, 0);
    unwritable = true;
    assert_int_equal(call(0, EVTCHNOP_alloc_unbound, &a), -EFAULT);
    assert_int_equal(call(0, EVTCHNOP_bind_interdomain, &b), -EFAULT);
    assert_int_equal(call(0, EVTCHNOP_bind_virq, &q), -EFAULT);
    assert_int_equal(call(0, EVTCHNOP_bind_ipi, &i), -EFAULT);
    assert_int_equal(doms[0].evtchn.nr_open, 0);
    assert_int_equal(doms[1].evtchn.nr_open, 1);
    assert_int_equal(state_of(1, b.remote_port), EVTCHN_UNBOUND);
    unwritable = false;
    assert_int_equal(call(0, EVTCHNOP_bind_interdomain, &b), 0);
    assert_int_equal(call(0, EVTCHNOP_bind_virq, &q), 0);
    unreadable = true;
    for (uint32_t op = 0; op < 15; op++)
        assert_int_equal(call(0, op, &b), -EFAULT);
    assert_int_equal(call(0, 15, &b), -ENOSYS);
    unreadable = false;
}

/* A long reset lets others have the CPU, and goes on where it was. */
static void resets(void **state)
{
    struct evtchn_reset r = { .dom = DOMID_SELF };
    uint32_t rounds = 0;
    int64_t rc;

    for (uint32_t i = 0; i < 1000; i++)
        alloc(1, 2);
    stops = 2;
    for (rc = call(1, EVTCHNOP_reset, &r); rc == -ERESTART; rounds++)
        rc = event_channel_op(&vcpus[1][0], args);
    assert_int_equal(rc, 0);
    assert_true(rounds > 2);
    assert_int_equal(doms[1].evtchn.nr_open, 0);
    stops = 0;
    /* Of another only by the toolstack, and while it is paused. */
    r.dom = 1;
    alloc(1, 2);
    assert_int_equal(call(2, EVTCHNOP_reset, &r), -EPERM);
    assert_int_equal(call(0, EVTCHNOP_reset, &r), -EINVAL);
    doms[1].control_pauses = 1;
    assert_int_equal(call(0, EVTCHNOP_reset, &r), 0);
    assert_int_equal(doms[1].evtchn.nr_open, 0);
}

static void serve(struct domain *d)
{
}

/* A guest asks what a port is that Hospes serves: nobody but the other end may know. */
static void status_of_served(void **state)
{
    struct evtchn_status op = { .dom = DOMID_SELF };
    uint32_t mine;

    assert_int_equal(evtchn_serve(&doms[1], 0, serve, &op.port), 0);
    assert_int_equal(call(1, EVTCHNOP_status, &op), -EACCES);
    assert_int_equal(evtchn_bind_interdomain(&doms[0], &doms[1], op.port, &mine), 0);
    assert_int_equal(call(1, EVTCHNOP_status, &op), -EACCES);
    op.port = mine;
    assert_int_equal(call(0, EVTCHNOP_status, &op), 0);
    assert_int_equal(op.status, EVTCHNSTAT_interdomain);
    assert_int_equal(op.u.interdomain.dom, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = { T(for_others), T(cannot_be_told), T(resets),
                                        T(status_of_served) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
