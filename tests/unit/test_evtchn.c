/* SPDX-License-Identifier: MIT */
// sources: core/evtchn.c core/evtchn_close.c core/evtchn_2l.c core/evtchn_fifo.c core/evtchn_virq.c
// sources: core/evtchn_poll.c core/evtchn_serve.c core/evtchn_dump.c core/spinlock.c
/*
 * Event channels between domains, in the 2-level format: binding, sending, closing, and that
 * nothing stays of a domain that goes.
 */
#include "test_evtchn.h"

/* --- a port that Hospes serves --- */

static uint32_t served[DOMAINS];

static void serve(struct domain *d)
{
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    served[d->id]++;
}

/* A guest's UART and the daemon behind it tell each other what they have written: else it hangs. */
static void serves(void **state)
{
    uint32_t theirs, mine, other;

    memset(served, 0, sizeof(served));
    assert_int_equal(evtchn_serve(&doms[1], 0, serve, &theirs), 0);
    assert_int_equal(evtchn_serve(&doms[1], 0, serve, &other), -EEXIST);
    evtchn_serve_send(&doms[1]); /* to nobody yet: lost */
    assert_int_equal(evtchn_bind_interdomain(&doms[2], &doms[1], theirs, &mine), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(&doms[0], &doms[1], theirs, &mine), 0);
    assert_true(take(0, mine));
    assert_int_equal(told(0, 0), BIT(0));
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(served[1], 1);
    assert_int_equal(told(1, 0), 0); /* its guest hears nothing of it */
    assert_false(take(1, theirs));
    evtchn_serve_send(&doms[1]);
    assert_true(take(0, mine));
    assert_int_equal(told(0, 0), BIT(0));
    assert_int_equal(evtchn_bind_vcpu(&doms[0], mine, 1), 0);
    evtchn_serve_send(&doms[1]);
    assert_true(take(0, mine));
    assert_int_equal(told(0, 1), BIT(0));
}

/* What is not the guest's it can neither use nor end. */
static void served_is_not_the_guests(void **state)
{
    uint32_t theirs, mine, other;

    assert_int_equal(evtchn_serve(&doms[1], 0, serve, &theirs), 0);
    for (int bound = 0; bound < 2; bound++) {
        assert_int_equal(evtchn_send(&doms[1], theirs), -EINVAL);
        assert_int_equal(evtchn_close(&doms[1], theirs), -EINVAL);
        assert_int_equal(evtchn_bind_vcpu(&doms[1], theirs, 1), -EINVAL);
        assert_int_equal(evtchn_reset(&doms[1], false), 0);
        assert_int_equal(
            evtchn_bind_interdomain(&doms[0], &doms[1], theirs, bound ? &other : &mine),
            bound ? -EINVAL : 0);
    }
    assert_int_equal(evtchn_close(&doms[0], mine), 0);
    evtchn_serve_send(&doms[1]);
    /* The daemon comes again; then its end is lost with the domain. */
    assert_int_equal(evtchn_bind_interdomain(&doms[0], &doms[1], theirs, &mine), 0);
    assert_true(take(0, mine));
    evtchn_serve_send(&doms[1]);
    assert_true(take(0, mine));
    while (evtchn_release_step(&doms[1]))
        ;
    evtchn_serve_send(&doms[1]);
    assert_false(take(0, mine));
    assert_int_equal(state_of(0, mine), EVTCHN_UNBOUND);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
}

/* Who could not make the device whole leaves no port behind. */
static void serving_ends(void **state)
{
    uint32_t first, second;

    assert_int_equal(evtchn_serve(&doms[1], 0, serve, &first), 0);
    evtchn_serve_end(&doms[1]);
    assert_int_equal(state_of(1, first), EVTCHN_FREE);
    assert_int_equal(evtchn_serve(&doms[1], 0, serve, &second), 0);
    assert_int_equal(first, second);
}

/* --- between domains ------------------------------------------------------------------------- */

/* What every frontend and backend do: without it no disk, no network, no console. */
static void interdomain(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs);

    assert_int_equal(state_of(0, mine), EVTCHN_INTERDOMAIN);
    assert_int_equal(state_of(1, theirs), EVTCHN_INTERDOMAIN);
    /* Binding pends: something may have been sent before. */
    assert_true(take(0, mine));
    assert_int_equal(told(0, 0), BIT(0));
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_true(take(1, theirs));
    assert_int_equal(told(1, 0), BIT(0));
    assert_int_equal(evtchn_send(&doms[1], theirs), 0);
    assert_true(take(0, mine));
    assert_int_equal(told(0, 0), BIT(0));
    assert_int_equal(told(1, 0), 0);
}

/* A second send before the guest looked interrupts nobody again: interrupts cost time. */
static void told_once(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs);

    for (int i = 0; i < 3; i++)
        assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(vcpus[1][0].arch.upcalls, 1);
    assert_true(take(1, theirs));
    /* The guest has not looked at upcall_pending yet: it will. */
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(vcpus[1][0].arch.upcalls, 1);
    assert_true(take(1, theirs));
}

/* A masked event waits until the guest unmasks it, and is not lost then. */
static void masks(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs);

    shared[1].evtchn_mask[0] = BIT(theirs);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(told(1, 0), 0);
    assert_int_equal(evtchn_unmask(&doms[1], theirs), 0);
    assert_int_equal(shared[1].evtchn_mask[0], 0);
    assert_int_equal(told(1, 0), BIT(0));
    /* Not masked: nothing to make up for. */
    assert_int_equal(evtchn_unmask(&doms[1], theirs), 0);
    assert_int_equal(told(1, 0), 0);
    assert_true(take(1, theirs));
    shared[1].evtchn_mask[0] = BIT(theirs);
    assert_int_equal(evtchn_unmask(&doms[1], theirs), 0);
    assert_int_equal(told(1, 0), 0);
    assert_int_equal(evtchn_unmask(&doms[1], 64), -EINVAL);
    assert_int_equal(evtchn_unmask(&doms[1], 0), 0);
    assert_int_equal(evtchn_unmask(&doms[1], 63), 0);
}

/* A domain talks to itself, as some tests and toolstacks do. */
static void loopback(void **state)
{
    uint32_t theirs, mine = channel(1, 1, &theirs);

    assert_int_not_equal(mine, theirs);
    assert_true(take(1, mine));
    assert_int_equal(evtchn_send(&doms[1], mine), 0);
    assert_true(take(1, theirs));
    assert_int_equal(evtchn_close(&doms[1], mine), 0);
    assert_int_equal(state_of(1, theirs), EVTCHN_UNBOUND);
    assert_int_equal(evtchn_close(&doms[1], theirs), 0);
}

/* Only the domain that was named may bind; nobody else gets at another's channel. */
static void bind_errors(void **state)
{
    uint32_t port, theirs = alloc(1, 2);

    assert_int_equal(evtchn_bind_interdomain(&doms[0], &doms[1], theirs, &port), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(&doms[2], &doms[1], theirs + 1, &port), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(&doms[2], &doms[1], 0, &port), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(&doms[2], &doms[1], 64, &port), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(&doms[2], &doms[1], UINT32_MAX, &port), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(&doms[2], &doms[1], theirs, &port), 0);
    assert_int_equal(evtchn_bind_interdomain(&doms[2], &doms[1], theirs, &port), -EINVAL);
    /* A port that waits for its own domain is not the new one. */
    theirs = alloc(3, 3);
    assert_int_equal(evtchn_bind_interdomain(&doms[3], &doms[3], theirs + 1, &port), -EINVAL);
    assert_int_equal(doms[3].evtchn.nr_open, 1);
    assert_int_equal(doms[0].evtchn.nr_open, 0);
}

/* What can be sent by, and what says so. */
static void send_errors(void **state)
{
    uint32_t port;

    assert_int_equal(evtchn_send(&doms[1], 0), -EINVAL);
    assert_int_equal(evtchn_send(&doms[1], 1), -EINVAL);
    assert_int_equal(evtchn_send(&doms[1], 64), -EINVAL);
    assert_int_equal(evtchn_send(&doms[1], UINT32_MAX), -EINVAL);
    assert_int_equal(evtchn_bind_virq(&doms[1], VIRQ_TIMER, 0, &port), 0);
    assert_int_equal(evtchn_send(&doms[1], port), -EINVAL);
    port = alloc(1, 0);
    assert_int_equal(evtchn_send(&doms[1], port), 0); /* to nobody */
    assert_int_equal(evtchn_bind_ipi(&doms[1], 2, &port), 0);
    assert_int_equal(evtchn_send(&doms[1], port), 0);
    assert_true(take(1, port));
    assert_int_equal(told(1, 2), BIT(0));
    assert_int_equal(evtchn_bind_ipi(&doms[1], VCPUS, &port), -ENOENT);
}

/* --- who is told ----------------------------------------------------------------------------- */

/* Drivers spread their interrupts over CPUs; what belongs to one CPU stays there. */
static void bind_vcpu(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs), port;

    assert_int_equal(evtchn_bind_vcpu(&doms[1], theirs, 2), 0);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(told(1, 2), BIT(0));
    assert_int_equal(told(1, 0), 0);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], theirs, VCPUS), -ENOENT);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], 64, VCPUS), -ENOENT);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], 64, 0), -EINVAL);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], 0, 0), -EINVAL);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], 63, 0), -EINVAL);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], alloc(1, 3), 1), 0);
    assert_int_equal(evtchn_bind_ipi(&doms[1], 1, &port), 0);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], port, 1), -EINVAL);
    assert_int_equal(evtchn_bind_virq(&doms[1], VIRQ_DEBUG, 1, &port), 0);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], port, 1), -EINVAL);
    assert_int_equal(evtchn_bind_virq(&doms[1], VIRQ_DOM_EXC, 0, &port), 0);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], port, 1), 0);
    /* The next one by that number begins at vCPU 0 again. */
    assert_int_equal(evtchn_close(&doms[1], port), 0);
    assert_int_equal(alloc(1, 0), port);
    assert_int_equal(evtchn_find(&doms[1], port)->notify, 0);
}

/* A toolstack sends to a domain whose vCPUs are not made yet: the bit stays. */
static void no_vcpu_yet(void **state)
{
    uint32_t theirs, mine;

    vcpu_list[1][0] = NULL;
    mine = channel(0, 1, &theirs);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_true(take(1, theirs));
    make_vcpu(1, 0);
}

/* --- VIRQs ----------------------------------------------------------------------------------- */

/* A timer for each vCPU, bound once to each. */
static void virqs(void **state)
{
    static const uint32_t own[] = { VIRQ_TIMER, VIRQ_DEBUG, VIRQ_XENOPROF, VIRQ_XENPMU };
    uint32_t port[VCPUS], other;

    evtchn_send_virq(&vcpus[1][0], VIRQ_TIMER); /* nobody waits */
    for (uint32_t i = 0; i < array_size(own); i++) {
        for (uint32_t k = 0; k < VCPUS; k++)
            assert_int_equal(evtchn_bind_virq(&doms[1], own[i], k, &port[k]), 0);
        assert_int_equal(evtchn_bind_virq(&doms[1], own[i], 1, &other), -EEXIST);
        evtchn_send_virq(&vcpus[1][1], own[i]);
        assert_true(take(1, port[1]));
        assert_int_equal(told(1, 1), BIT(0));
        assert_int_equal(told(1, 0), 0);
        assert_int_equal(evtchn_close(&doms[1], port[1]), 0);
        evtchn_send_virq(&vcpus[1][1], own[i]);
        assert_int_equal(told(1, 1), 0);
        assert_int_equal(evtchn_bind_virq(&doms[1], own[i], 1, &other), 0);
    }
    assert_int_equal(evtchn_bind_virq(&doms[1], NR_VIRQS, 0, &other), -EINVAL);
    assert_int_equal(evtchn_bind_virq(&doms[1], UINT32_MAX, 0, &other), -EINVAL);
    assert_int_equal(evtchn_bind_virq(&doms[1], VIRQ_TIMER, VCPUS, &other), -ENOENT);
    for (uint32_t virq = 0; virq < NR_VIRQS; virq++)
        if (virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
            virq != VIRQ_XENPMU)
            assert_int_equal(evtchn_bind_virq(&doms[1], virq, 1, &other), -EINVAL);
}

/* Who is told that a domain died: the toolstack, else guests stay for ever. */
static void global_virqs(void **state)
{
    uint32_t port, in2;

    evtchn_send_global_virq(VIRQ_DOM_EXC);
    assert_int_equal(evtchn_bind_virq(&doms[0], VIRQ_DOM_EXC, 0, &port), 0);
    assert_int_equal(evtchn_bind_virq(&doms[2], VIRQ_DOM_EXC, 0, &in2), 0);
    evtchn_send_global_virq(VIRQ_DOM_EXC);
    assert_true(take(0, port));
    assert_false(take(2, in2));
    /* On another vCPU than the one it was bound on; closing it still finds it. */
    assert_int_equal(evtchn_bind_vcpu(&doms[0], port, 2), 0);
    told(0, 0);
    evtchn_send_global_virq(VIRQ_DOM_EXC);
    assert_true(take(0, port));
    assert_int_equal(told(0, 2), BIT(0));
    assert_int_equal(evtchn_close(&doms[0], port), 0);
    evtchn_send_global_virq(VIRQ_DOM_EXC);
    assert_int_equal(told(0, 2), 0);
    /* xenstored in a domain of its own. */
    assert_int_equal(evtchn_set_virq_handler(&doms[2], VIRQ_DOM_EXC), 0);
    assert_int_equal(evtchn_set_virq_handler(&doms[2], VIRQ_DOM_EXC), 0);
    assert_int_equal(evtchn_set_virq_handler(&doms[2], VIRQ_TIMER), -EINVAL);
    assert_int_equal(evtchn_set_virq_handler(&doms[2], NR_VIRQS), -EINVAL);
    evtchn_send_global_virq(VIRQ_DOM_EXC);
    assert_true(take(2, in2));
    assert_int_equal(doms[2].refs, 2);
    end_domain(2);
    assert_int_equal(doms[2].refs, 1);
    assert_int_equal(evtchn_set_virq_handler(&doms[2], VIRQ_DOM_EXC), -EINVAL);
    assert_int_equal(evtchn_bind_virq(&doms[0], VIRQ_DOM_EXC, 0, &port), 0);
    evtchn_send_global_virq(VIRQ_DOM_EXC);
    assert_true(take(0, port));
}

/* Without any hardware domain nobody is told. */
static void no_hardware_domain(void **state)
{
    listed[0] = false;
    evtchn_send_global_virq(VIRQ_CON_RING);
    listed[0] = true;
}

/* --- closing --------------------------------------------------------------------------------- */

/* A backend that goes and comes back finds its frontend's port waiting for it. */
static void close_errors(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs), port;

    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(evtchn_close(&doms[1], theirs), 0);
    assert_int_equal(state_of(1, theirs), EVTCHN_FREE);
    assert_false(take(1, theirs)); /* for who gets the number next */
    assert_int_equal(state_of(0, mine), EVTCHN_UNBOUND);
    assert_int_equal(evtchn_find(&doms[0], mine)->remote_domid, 1);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(evtchn_bind_interdomain(&doms[1], &doms[0], mine, &port), 0);
    assert_int_equal(port, theirs);
    assert_int_equal(evtchn_close(&doms[0], mine), 0); /* the other order of locks */
    assert_int_equal(state_of(1, theirs), EVTCHN_UNBOUND);
    assert_int_equal(evtchn_close(&doms[0], mine), -EINVAL);
    assert_int_equal(evtchn_close(&doms[0], 0), -EINVAL);
    assert_int_equal(evtchn_close(&doms[0], 64), -EINVAL);
    assert_int_equal(evtchn_close(&doms[0], UINT32_MAX), -EINVAL);
}

/* A domain that dies leaves its peers with ports that wait, and nothing that points to it. */
static void dies(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs), port;

    for (uint32_t i = 0; i < 300; i++)
        alloc(1, 2);
    assert_int_equal(evtchn_bind_virq(&doms[1], VIRQ_TIMER, 1, &port), 0);
    assert_true(evtchn_release_step(&doms[1]));
    assert_int_equal(evtchn_alloc_unbound(&doms[1], 0, &port), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(&doms[1], &doms[0], mine, &port), -EINVAL);
    assert_int_equal(evtchn_bind_virq(&doms[1], VIRQ_DEBUG, 0, &port), -EINVAL);
    assert_int_equal(evtchn_bind_ipi(&doms[1], 0, &port), -EINVAL);
    end_domain(1);
    assert_false(evtchn_release_step(&doms[1]));
    assert_int_equal(state_of(0, mine), EVTCHN_UNBOUND);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    evtchn_send_virq(&vcpus[1][1], VIRQ_TIMER);
}

/* A kernel that starts anew in the same domain (kexec) begins with nothing open, however long it
 * takes. */
static void resets(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs), rounds = 0;
    int rc;

    assert_int_equal(evtchn_reset(&doms[1], true), -EBUSY); /* nothing to resume */
    for (uint32_t i = 0; i < 1000; i++)
        alloc(1, 2);
    stops = 3;
    for (rc = evtchn_reset(&doms[1], false); rc == -ERESTART; rounds++) {
        assert_int_equal(evtchn_reset(&doms[1], false), -EBUSY);
        rc = evtchn_reset(&doms[1], true);
    }
    assert_int_equal(rc, 0);
    assert_true(rounds > 2);
    assert_int_equal(doms[1].evtchn.nr_open, 0);
    assert_int_equal(state_of(0, mine), EVTCHN_UNBOUND);
    assert_int_equal(alloc(1, 0), 1);
    /* A port that came while it was under way. */
    for (uint32_t i = 0; i < 1000; i++)
        alloc(1, 2);
    assert_int_equal(evtchn_reset(&doms[1], false), -ERESTART);
    assert_int_equal(alloc(1, 2), 1);
    stops = 0;
    assert_int_equal(evtchn_reset(&doms[1], true), -EAGAIN);
    assert_int_equal(evtchn_reset(&doms[1], false), 0);
}

/* --- numbers of ports ------------------------------------------------------------------------ */

/* A guest gets as many as the format has, or its configuration (max_event_channels) allows. */
static void limits(void **state)
{
    uint32_t port;

    doms[1].evtchn.max_port = 100;
    for (uint32_t i = 1; i <= 100; i++)
        assert_int_equal(alloc(1, 0), i);
    assert_int_equal(evtchn_alloc_unbound(&doms[1], 0, &port), -ENOSPC);
    assert_int_equal(evtchn_close(&doms[1], 17), 0);
    assert_int_equal(alloc(1, 0), 17);
    for (uint32_t i = 1; i < EVTCHN_2L_NR_CHANNELS; i++)
        assert_int_equal(alloc(2, 0), i);
    assert_int_equal(evtchn_alloc_unbound(&doms[2], 0, &port), -ENOSPC);
    assert_int_equal(evtchn_bind_ipi(&doms[2], 0, &port), -ENOSPC);
    assert_int_equal(evtchn_bind_virq(&doms[2], 0, 0, &port), -ENOSPC);
    assert_int_equal(evtchn_bind_vcpu(&doms[2], 4095, 1), 0);
    assert_int_equal(evtchn_bind_interdomain(&doms[0], &doms[2], 4095, &port), 0);
    assert_int_equal(evtchn_send(&doms[0], port), 0);
    assert_int_equal(told(2, 1), BIT(63));
    doms[3].evtchn.max_port = 0;
    assert_int_equal(evtchn_alloc_unbound(&doms[3], 0, &port), -ENOSPC);
}

/* --- polls ----------------------------------------------------------------------------------- */

static uint32_t sender;

static void send_now(struct vcpu *v)
{
    assert_int_equal(evtchn_send(&doms[0], sender), 0);
}

/* Linux waits so for the store and the console when it panics, for one event or a time. */
static void polls(void **state)
{
    struct vcpu *v = &vcpus[1][1];
    uint32_t theirs, other_theirs, other;

    sender = channel(0, 1, &theirs);
    other = channel(0, 1, &other_theirs);
    shared[1].evtchn_mask[0] = ~(uint64_t)0; /* it may be masked */

    evtchn_poll_begin(v, theirs);
    assert_int_equal(evtchn_poll_look(v, theirs), 0);
    evtchn_poll_wait(v);
    assert_true(v->blocked);
    assert_int_equal(evtchn_send(&doms[0], other), 0);
    assert_true(v->blocked);
    assert_int_equal(evtchn_send(&doms[0], sender), 0);
    assert_false(v->blocked);
    assert_int_equal(doms[1].evtchn.nr_pollers, 0);

    /* Pending already: no wait. */
    evtchn_poll_begin(v, 0);
    assert_int_equal(evtchn_poll_look(v, theirs), 1);
    evtchn_poll_end(v);
    evtchn_poll_end(v);
    assert_int_equal(doms[1].evtchn.nr_pollers, 0);
    assert_true(take(1, theirs) && take(1, other_theirs));

    /* For several; and what is sent as it falls asleep is not missed. */
    evtchn_poll_begin(v, 0);
    evtchn_poll_begin(v, 0);
    assert_int_equal(evtchn_poll_look(v, theirs), 0);
    assert_int_equal(evtchn_poll_look(v, other_theirs), 0);
    at_block = send_now;
    evtchn_poll_wait(v);
    assert_false(v->blocked);
    assert_int_equal(doms[1].evtchn.nr_pollers, 0);

    assert_int_equal(evtchn_poll_look(v, EVTCHN_2L_NR_CHANNELS), -EINVAL);
    assert_int_equal(evtchn_poll_look(v, 4095), 0);
    assert_int_equal(evtchn_poll_look(v, 0), 0);
}

/* Two vCPUs poll; each is woken by its own event only. */
static void two_pollers(void **state)
{
    uint32_t theirs, other_theirs, other;

    sender = channel(0, 1, &theirs);
    other = channel(0, 1, &other_theirs);
    evtchn_poll_begin(&vcpus[1][0], theirs);
    evtchn_poll_begin(&vcpus[1][2], other_theirs);
    evtchn_poll_wait(&vcpus[1][0]);
    evtchn_poll_wait(&vcpus[1][2]);
    assert_int_equal(evtchn_send(&doms[0], other), 0);
    assert_true(vcpus[1][0].blocked);
    assert_false(vcpus[1][2].blocked);
    assert_int_equal(evtchn_send(&doms[0], sender), 0);
    assert_false(vcpus[1][0].blocked);
}

/* --- memory, people -------------------------------------------------------------------------- */

static uint32_t heap_left = UINT32_MAX;
static uint32_t most_locks; /* held while memory was asked for */

void *heap_calloc(uint64_t n, uint64_t size)
{
    most_locks = max(most_locks, this_pcpu()->nr_locks_held);
    return heap_left && heap_left-- ? calloc(n, size) : NULL;
}

/* Without memory a port is refused, and those that are there stay. */
static void no_memory(void **state)
{
    struct domain d = { .id = 9 };
    uint32_t port;

    for (heap_left = 0; heap_left < 2;) {
        uint32_t was = heap_left;

        assert_int_equal(evtchn_domain_init(&d), -ENOMEM);
        heap_left = was + 1;
    }
    heap_left = UINT32_MAX;
    for (uint32_t i = 1; i < 8 * EVTCHN_BUCKET_PORTS; i++)
        assert_int_equal(alloc(1, 0), i);
    for (uint32_t i = 0; i < 2; i++) {
        heap_left = i;
        assert_int_equal(evtchn_alloc_unbound(&doms[1], 0, &port), -ENOMEM);
    }
    heap_left = UINT32_MAX;
    assert_int_equal(alloc(1, 0), 8 * EVTCHN_BUCKET_PORTS);
    assert_int_equal(state_of(1, 1), EVTCHN_UNBOUND);
}

/* What takes long, to find a port and memory for it, holds up nobody but the domain that asks. */
static void short_locks(void **state)
{
    uint32_t port;

    most_locks = 0;
    for (uint32_t i = 1; i < 2 * EVTCHN_BUCKET_PORTS; i++) {
        uint32_t there = alloc(1, 0);

        assert_int_equal(evtchn_bind_interdomain(&doms[0], &doms[1], there, &port), 0);
        assert_int_equal(evtchn_bind_interdomain(&doms[0], &doms[1], there, &port), -EINVAL);
    }
    assert_int_equal(most_locks, 1);
    assert_int_equal(evtchn_send(&doms[0], 2 * EVTCHN_BUCKET_PORTS - 1), 0);
}

/* The debug key says what each port is. */
static void dumps(void **state)
{
    uint32_t theirs, port;

    host_log_clear();
    channel(0, 1, &theirs);
    alloc(2, 3);
    assert_int_equal(evtchn_bind_ipi(&doms[2], 1, &port), 0);
    assert_int_equal(evtchn_bind_virq(&doms[2], VIRQ_ARGO, 0, &port), 0);
    evtchn_dump_all();
    assert_contains(host_log, "domain 0: 1 event channels, 2-level");
    assert_contains(host_log, "  1: to port 1 of domain 1, vCPU 0, pending");
    assert_contains(host_log, "  1: waits for domain 3, vCPU 0");
    assert_contains(host_log, "  2: IPI, vCPU 1");
    assert_contains(host_log, "  3: VIRQ 11, vCPU 0");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(interdomain),
        T(told_once),
        T(masks),
        T(loopback),
        T(bind_errors),
        T(send_errors),
        T(bind_vcpu),
        T(no_vcpu_yet),
        T(virqs),
        T(global_virqs),
        T(no_hardware_domain),
        T(close_errors),
        T(dies),
        T(resets),
        T(limits),
        T(polls),
        T(two_pollers),
        T(no_memory),
        T(short_locks),
        T(dumps),
        T(serves),
        T(served_is_not_the_guests),
        T(serving_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
