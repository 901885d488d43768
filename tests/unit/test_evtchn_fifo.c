/* SPDX-License-Identifier: MIT */
// sources: core/evtchn.c core/evtchn_close.c core/evtchn_2l.c core/evtchn_fifo.c core/evtchn_virq.c
// sources: core/evtchn_poll.c core/spinlock.c
/*
 * The FIFO format, with a guest that takes events out of its queues as Linux does: one thread, at
 * random, and each vCPU and each sender a thread of its own; then with one that writes whatever it
 * likes.
 */
#include "test_evtchn.h"

#include <pthread.h>

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)

#define PAGE_WORDS   1024u
#define CONTROL_PAGE 128u

/* --- the guest ------------------------------------------------------------------------------- */

static uint32_t heads[DOMAINS][VCPUS][EVTCHN_QUEUES]; /* of the guest's own */

static struct evtchn_fifo_control_block *control_of(uint32_t dom, uint32_t vcpu)
{
    return (void *)&pages[dom][CONTROL_PAGE + vcpu][8 * vcpu];
}

static event_word_t *word(uint32_t dom, uint32_t port)
{
    return (event_word_t *)(void *)pages[dom][port / PAGE_WORDS] + port % PAGE_WORDS;
}

static int init_control(uint32_t dom, uint32_t vcpu)
{
    struct evtchn_init_control op = { .control_gfn = CONTROL_PAGE + vcpu,
                                      .offset = 8 * vcpu,
                                      .vcpu = vcpu };
    int rc = evtchn_fifo_init_control(&doms[dom], &op);

    assert_true(rc || op.link_bits == EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static void go_fifo(uint32_t dom, uint32_t event_pages)
{
    memset(heads[dom], 0, sizeof(heads[dom]));
    for (uint32_t k = 0; k < VCPUS; k++)
        assert_int_equal(init_control(dom, k), 0);
    for (uint32_t i = 0; i < event_pages; i++)
        assert_int_equal(evtchn_fifo_expand_array(&doms[dom], i), 0);
}

/* Takes one word out of its queue; the next one's port. */
static uint32_t clear_linked(event_word_t *w)
{
    event_word_t old = read_once(*w), new;

    do {
        new = old & ~(LINKED | EVTCHN_FIFO_LINK_MASK);
    } while (!__atomic_compare_exchange_n(w, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old & EVTCHN_FIFO_LINK_MASK;
}

/* The next event of this vCPU, the most urgent first; 0: none. *priority: whose it is. */
static uint32_t consume(uint32_t dom, uint32_t vcpu, uint32_t *priority)
{
    struct evtchn_fifo_control_block *control = control_of(dom, vcpu);
    uint32_t ready;

    while ((ready = __atomic_load_n(&control->ready, __ATOMIC_SEQ_CST)) != 0) {
        uint32_t q = (uint32_t)__builtin_ctz(ready), port, *head = &heads[dom][vcpu][q];
        event_word_t *w;

        __atomic_fetch_and(&control->ready, ~(1u << q), __ATOMIC_SEQ_CST);
        if (!*head)
            *head = __atomic_load_n(&control->head[q], __ATOMIC_SEQ_CST);
        port = *head;
        w = word(dom, port);
        *head = clear_linked(w);
        if (*head)
            __atomic_fetch_or(&control->ready, 1u << q, __ATOMIC_SEQ_CST);
        if (!(read_once(*w) & MASKED) &&
            __atomic_fetch_and(w, ~PENDING, __ATOMIC_SEQ_CST) & PENDING) {
            *priority = q;
            return port;
        }
    }
    return 0;
}

static void expect(uint32_t dom, uint32_t vcpu, uint32_t port)
{
    uint32_t q;

    assert_int_equal(consume(dom, vcpu, &q), port);
}

/* --- order and priority ---------------------------------------------------------------------- */

/* Events come in the order in which they were sent, the urgent ones first. */
static void in_order(void **state)
{
    uint32_t mine[6], theirs[6], q;

    go_fifo(1, 1);
    for (uint32_t i = 0; i < 6; i++)
        mine[i] = channel(0, 1, &theirs[i]);
    assert_int_equal(evtchn_set_priority(&doms[1], theirs[4], 2), 0);
    assert_int_equal(evtchn_set_priority(&doms[1], theirs[5], EVTCHN_FIFO_PRIORITY_MIN), 0);
    assert_int_equal(evtchn_set_priority(&doms[1], theirs[5], EVTCHN_FIFO_PRIORITY_MIN + 1),
                     -EINVAL);
    assert_int_equal(evtchn_set_priority(&doms[1], 64, 2), -EINVAL);
    assert_int_equal(evtchn_send(&doms[0], mine[5]), 0);
    for (uint32_t i = 3; i < 4; i--)
        assert_int_equal(evtchn_send(&doms[0], mine[i]), 0);
    assert_int_equal(evtchn_send(&doms[0], mine[4]), 0);
    assert_int_equal(evtchn_send(&doms[0], mine[2]), 0); /* is queued already */
    assert_int_equal(consume(1, 0, &q), theirs[4]);
    assert_int_equal(q, 2);
    for (uint32_t i = 3; i < 4; i--) {
        assert_int_equal(consume(1, 0, &q), theirs[i]);
        assert_int_equal(q, EVTCHN_FIFO_PRIORITY_DEFAULT);
    }
    expect(1, 0, theirs[5]);
    expect(1, 0, 0);
    assert_int_equal(vcpus[1][0].arch.upcalls, 1);
}

/* The tail that the guest has taken does not hold what comes after it. */
static void after_the_last(void **state)
{
    uint32_t a, b, mine_a, mine_b;

    go_fifo(1, 1);
    mine_a = channel(0, 1, &a);
    mine_b = channel(0, 1, &b);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(evtchn_send(&doms[0], mine_a), 0);
        expect(1, 0, a);
        assert_int_equal(evtchn_send(&doms[0], mine_a), 0);
        assert_int_equal(evtchn_send(&doms[0], mine_b), 0);
        expect(1, 0, a);
        expect(1, 0, b);
        expect(1, 0, 0);
    }
}

/* An event that moves to another vCPU, or priority, spoils neither the old queue nor the new one.
 */
static void moves(void **state)
{
    uint32_t a, b, c, mine_a, mine_b, mine_c;

    go_fifo(1, 1);
    mine_a = channel(0, 1, &a);
    mine_b = channel(0, 1, &b);
    mine_c = channel(0, 1, &c);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], c, 1), 0);
    assert_int_equal(evtchn_send(&doms[0], mine_a), 0);
    /* In the old queue until the guest takes it there. */
    assert_int_equal(evtchn_bind_vcpu(&doms[1], a, 1), 0);
    assert_int_equal(evtchn_send(&doms[0], mine_a), 0);
    expect(1, 1, 0);
    expect(1, 0, a);
    /* It was vCPU 0's tail. Then it is vCPU 1's, and what comes to 0 must not be put behind it. */
    assert_int_equal(evtchn_send(&doms[0], mine_a), 0);
    assert_int_equal(evtchn_send(&doms[0], mine_b), 0);
    assert_int_equal(evtchn_send(&doms[0], mine_c), 0);
    expect(1, 0, b);
    expect(1, 0, 0);
    expect(1, 1, a);
    expect(1, 1, c);
    expect(1, 1, 0);
    /* The same between two priorities of one vCPU. */
    assert_int_equal(evtchn_set_priority(&doms[1], a, 3), 0);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], c, 1), 0);
    assert_int_equal(evtchn_send(&doms[0], mine_c), 0);
    assert_int_equal(evtchn_send(&doms[0], mine_a), 0);
    expect(1, 1, a);
    expect(1, 1, c);
    expect(1, 1, 0);
}

/* A masked event is in no queue until it is unmasked. */
static void masks(void **state)
{
    uint32_t theirs, mine;

    go_fifo(1, 1);
    mine = channel(0, 1, &theirs);
    *word(1, theirs) |= MASKED;
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(*word(1, theirs), MASKED | PENDING);
    assert_int_equal(control_of(1, 0)->ready, 0);
    assert_int_equal(evtchn_unmask(&doms[1], theirs), 0);
    expect(1, 0, theirs);
    /* Masked while it is in a queue: the guest passes it over, and gets it back. */
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    *word(1, theirs) |= MASKED;
    expect(1, 0, 0);
    assert_int_equal(evtchn_unmask(&doms[1], theirs), 0);
    expect(1, 0, theirs);
    assert_int_equal(evtchn_unmask(&doms[1], theirs), 0);
    expect(1, 0, 0);
}

/* --- setting up ------------------------------------------------------------------------------ */

/* What is sent while a guest changes over to FIFO, page by page, is there afterwards. */
static void changes_over(void **state)
{
    uint32_t theirs, mine = channel(0, 1, &theirs), late, mine_late;

    assert_int_equal(evtchn_fifo_expand_array(&doms[1], 0), -EOPNOTSUPP);
    assert_int_equal(evtchn_set_priority(&doms[1], theirs, 0), -ENOSYS);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    go_fifo(1, 0);
    mine_late = channel(0, 1, &late);
    assert_int_equal(evtchn_send(&doms[0], mine_late), 0);
    assert_int_equal(evtchn_poll_look(&vcpus[1][0], late), 0);
    assert_true(evtchn_fifo_is_masked(&doms[1], late));
    assert_int_equal(evtchn_unmask(&doms[1], late), 0);
    expect(1, 0, 0);
    assert_int_equal(evtchn_fifo_expand_array(&doms[1], 0), 0);
    expect(1, 0, theirs);
    expect(1, 0, late);
    expect(1, 0, 0);
    assert_int_equal(evtchn_poll_look(&vcpus[1][0], EVTCHN_FIFO_NR_CHANNELS - 1), 0);
    assert_int_equal(evtchn_poll_look(&vcpus[1][0], EVTCHN_FIFO_NR_CHANNELS), -EINVAL);
}

/* A port that is closed before its page comes pends nothing for who gets its number. */
static void closed_before_its_page(void **state)
{
    uint32_t theirs, mine;

    go_fifo(1, 0);
    mine = channel(0, 1, &theirs);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(evtchn_close(&doms[1], theirs), 0);
    assert_int_equal(alloc(1, 2), theirs);
    assert_int_equal(evtchn_fifo_expand_array(&doms[1], 0), 0);
    expect(1, 0, 0);
}

static void control_errors(void **state)
{
    struct evtchn_init_control op = { .control_gfn = CONTROL_PAGE };

    op.vcpu = VCPUS;
    assert_int_equal(evtchn_fifo_init_control(&doms[1], &op), -ENOENT);
    op.vcpu = 0;
    for (uint32_t i = 0; i < 4; i++) {
        op.offset = (const uint32_t[]){ 4, 4096 - 72 + 8, 4096, ~7u }[i];
        assert_int_equal(evtchn_fifo_init_control(&doms[1], &op), -EINVAL);
    }
    op.offset = 4096 - 72;
    for (uint32_t i = 0; i < 4; i++) {
        op.control_gfn = (const uint64_t[]){ 5000, GUEST_PAGES + 1, UINT64_MAX,
                                             (UINT64_C(1) << 52) + CONTROL_PAGE }[i];
        assert_int_equal(evtchn_fifo_init_control(&doms[1], &op), -EINVAL);
    }
    op.control_gfn = GUEST_PAGES;
    assert_int_equal(evtchn_fifo_init_control(&doms[1], &op), -ENOMEM);
    assert_false(evtchn_is_fifo(&doms[1]));
    op.control_gfn = CONTROL_PAGE;
    assert_int_equal(evtchn_fifo_init_control(&doms[1], &op), 0);
    assert_int_equal(evtchn_fifo_init_control(&doms[1], &op), -EINVAL);
    op.vcpu = 1;
    assert_int_equal(evtchn_fifo_init_control(&doms[1], &op), 0);
    assert_int_equal(mapped, 2);

    assert_int_equal(evtchn_fifo_expand_array(&doms[1], 5000), -EINVAL);
    assert_int_equal(evtchn_fifo_expand_array(&doms[1], UINT64_C(1) << 52), -EINVAL);
    assert_int_equal(evtchn_fifo_expand_array(&doms[1], GUEST_PAGES), -ENOMEM);
    for (uint32_t i = 0; i < EVTCHN_PAGES; i++)
        assert_int_equal(evtchn_fifo_expand_array(&doms[1], i), 0);
    assert_int_equal(evtchn_fifo_expand_array(&doms[1], 0), -ENOSPC);
    assert_int_equal(mapped, 2 + EVTCHN_PAGES);
}

/* A vCPU without a control block gets nothing, and takes nothing away from the others. */
static void no_control_block(void **state)
{
    uint32_t a, b, mine_a, mine_b;

    assert_int_equal(init_control(1, 0), 0);
    assert_int_equal(evtchn_fifo_expand_array(&doms[1], 0), 0);
    memset(heads, 0, sizeof(heads));
    mine_a = channel(0, 1, &a);
    mine_b = channel(0, 1, &b);
    assert_int_equal(evtchn_bind_vcpu(&doms[1], a, 2), 0);
    assert_int_equal(evtchn_send(&doms[0], mine_a), 0);
    assert_int_equal(*word(1, a), PENDING);
    assert_int_equal(evtchn_send(&doms[0], mine_b), 0);
    expect(1, 0, b);
    assert_int_equal(init_control(1, 2), 0);
    assert_int_equal(evtchn_unmask(&doms[1], a), 0);
    expect(1, 2, a);
}

/* All 131,072 ports, each with an event. */
static void all_ports(void **state)
{
    uint32_t port;

    go_fifo(1, EVTCHN_PAGES);
    for (uint32_t i = 1; i < EVTCHN_FIFO_NR_CHANNELS; i++) {
        assert_int_equal(evtchn_bind_ipi(&doms[1], i % VCPUS, &port), 0);
        assert_int_equal(port, i);
        assert_int_equal(evtchn_send(&doms[1], i), 0);
    }
    assert_int_equal(evtchn_bind_ipi(&doms[1], 0, &port), -ENOSPC);
    for (uint32_t i = 1; i < EVTCHN_FIFO_NR_CHANNELS; i++)
        expect(1, i % VCPUS, i);
    assert_int_equal(evtchn_close(&doms[1], 131071), 0);
    assert_int_equal(evtchn_bind_ipi(&doms[1], 0, &port), 0);
    assert_int_equal(port, 131071);
    /* Back to 2-level: the high ports are closed, and are nowhere. */
    assert_int_equal(evtchn_reset(&doms[1], false), 0);
    assert_false(evtchn_is_fifo(&doms[1]));
    assert_int_equal(mapped, 0);
    assert_int_equal(evtchn_unmask(&doms[1], 131071), 0);
    assert_int_equal(evtchn_close(&doms[1], 131071), -EINVAL);
    assert_int_equal(alloc(1, 0), 1);
    for (uint32_t i = 2; i < EVTCHN_2L_NR_CHANNELS; i++)
        assert_int_equal(alloc(1, 0), i);
    assert_int_equal(evtchn_alloc_unbound(&doms[1], 0, &port), -ENOSPC);
    memset(pages[1], 0, sizeof(pages[1]));
    go_fifo(1, EVTCHN_PAGES);
    assert_int_equal(alloc(1, 0), EVTCHN_2L_NR_CHANNELS);
}

/* The number of a port that the guest has yet to take out of a queue is not given away. */
static void still_linked(void **state)
{
    uint32_t theirs, mine, port;

    go_fifo(1, EVTCHN_PAGES);
    mine = channel(0, 1, &theirs);
    assert_int_equal(evtchn_send(&doms[0], mine), 0);
    assert_int_equal(evtchn_close(&doms[1], theirs), 0);
    port = alloc(1, 0);
    assert_int_not_equal(port, theirs);
    expect(1, 0, 0);
    assert_int_equal(alloc(1, 0), theirs);
    /* A guest that says so of very many gets no port, and costs no time. */
    for (uint32_t i = 3; i < 5000; i++)
        *word(1, i) = LINKED;
    while (!evtchn_alloc_unbound(&doms[1], 0, &port))
        assert_true(port >= 64 || port < 3);
    assert_true(doms[1].evtchn.nr_ports < 5000);
}

/* --- at random ------------------------------------------------------------------------------- */

#define RANDOM_PORTS 40u

/* Each event that was sent is taken exactly once, whatever moves, masks and closes in between. */
static void at_random(void **state)
{
    uint32_t mine[RANDOM_PORTS], theirs[RANDOM_PORTS];
    bool sent[RANDOM_PORTS] = { false };

    unit_random_seed(0x5eed);
    go_fifo(1, 1);
    for (uint32_t i = 0; i < RANDOM_PORTS; i++)
        mine[i] = channel(0, 1, &theirs[i]);
    for (uint32_t step = 0; step < 40000; step++) {
        uint32_t i = unit_random(RANDOM_PORTS), vcpu = unit_random(VCPUS), q, port;

        switch (unit_random(8)) {
        case 0:
            assert_int_equal(evtchn_bind_vcpu(&doms[1], theirs[i], vcpu), 0);
            break;
        case 1:
            assert_int_equal(evtchn_set_priority(&doms[1], theirs[i], unit_random(16)), 0);
            break;
        case 2:
            *word(1, theirs[i]) |= MASKED;
            break;
        case 3:
            assert_int_equal(evtchn_unmask(&doms[1], theirs[i]), 0);
            break;
        case 4:
        case 5:
            assert_int_equal(evtchn_send(&doms[0], mine[i]), 0);
            sent[i] = true;
            break;
        default:
            port = consume(1, vcpu, &q);
            for (i = 0; port && i < RANDOM_PORTS && theirs[i] != port; i++)
                ;
            assert_true(!port || (i < RANDOM_PORTS && sent[i]));
            if (port)
                sent[i] = false;
        }
    }
    for (uint32_t i = 0; i < RANDOM_PORTS; i++)
        assert_int_equal(evtchn_unmask(&doms[1], theirs[i]), 0);
    for (uint32_t vcpu = 0, q, port; vcpu < VCPUS; vcpu++)
        while ((port = consume(1, vcpu, &q)) != 0)
            for (uint32_t i = 0; i < RANDOM_PORTS; i++)
                if (theirs[i] == port)
                    sent[i] = false;
    for (uint32_t i = 0; i < RANDOM_PORTS; i++)
        assert_false(sent[i]);
}

/* A guest that writes anything to its pages has Hospes write within these, and end each call. */
static void hostile(void **state)
{
    uint32_t mine[RANDOM_PORTS], theirs[RANDOM_PORTS], last;

    unit_random_seed(0xbad);
    go_fifo(1, 1);
    for (uint32_t i = 0; i < RANDOM_PORTS; i++)
        mine[i] = channel(0, 1, &theirs[i]);
    for (uint32_t step = 0; step < 40000; step++) {
        uint32_t i = unit_random(RANDOM_PORTS);

        *word(1, unit_random(PAGE_WORDS)) = (uint32_t)unit_random64();
        *word(1, theirs[i]) &= unit_random(2) ? ~(LINKED | MASKED) : ~0u;
        memset(control_of(1, unit_random(VCPUS)), (int)unit_random(256),
               sizeof(struct evtchn_fifo_control_block));
        (void)evtchn_bind_vcpu(&doms[1], theirs[i], unit_random(VCPUS));
        (void)evtchn_set_priority(&doms[1], theirs[i], unit_random(16));
        assert_int_equal(evtchn_send(&doms[0], mine[i]), 0);
        (void)evtchn_unmask(&doms[1], theirs[unit_random(RANDOM_PORTS)]);
        if (unit_random(50) == 0) {
            assert_int_equal(evtchn_close(&doms[1], theirs[i]), 0);
            last = theirs[i];
            if (evtchn_bind_interdomain(&doms[1], &doms[0], mine[i], &theirs[i]))
                theirs[i] = last; /* all are linked, it says: then by force */
            if (state_of(1, theirs[i]) == EVTCHN_FREE) {
                memset(pages[1][0], 0, FRAME_SIZE);
                assert_int_equal(evtchn_bind_interdomain(&doms[1], &doms[0], mine[i], &theirs[i]),
                                 0);
            }
        }
    }
    for (uint32_t gfn = 1; gfn < CONTROL_PAGE; gfn++)
        assert_memory_equal(pages[1][gfn], pages[2][gfn], FRAME_SIZE); /* nobody's: zeroes */
}

/* --- in threads ------------------------------------------------------------------------------ */

#define SENDERS  3u
#define SENDS    10000u
#define CHANNELS 8u /* of each sender */

static uint32_t thread_mine[SENDERS][CHANNELS], thread_theirs[SENDERS][CHANNELS];
static uint64_t sends[DOMAINS][64 * 3], seen[64 * 3]; /* by port of domain 1 */
static bool senders_done;

static void *sender(void *arg)
{
    uint32_t n = (uint32_t)(uintptr_t)arg, dom = n == 2 ? 0 : n == 1 ? 3 : 2;

    host_set_pcpu(1 + n);
    for (uint32_t i = 0; i < SENDS; i++) {
        uint32_t c = (i * 7 + i / 13) % CHANNELS;

        __atomic_fetch_add(&sends[0][thread_theirs[n][c]], 1, __ATOMIC_SEQ_CST);
        if (evtchn_send(&doms[dom], thread_mine[n][c]))
            abort();
    }
    return NULL;
}

/* A vCPU of domain 1. What it takes, it has seen all sends of up to then. */
static void *taker(void *arg)
{
    uint32_t vcpu = (uint32_t)(uintptr_t)arg, q, port;

    host_set_pcpu(1 + SENDERS + vcpu);
    for (;;) {
        bool last = load_acquire(senders_done);

        while ((port = consume(1, vcpu, &q)) != 0) {
            uint64_t now = __atomic_load_n(&sends[0][port], __ATOMIC_SEQ_CST);
            uint64_t was = __atomic_load_n(&seen[port], __ATOMIC_SEQ_CST);

            while (was < now && !__atomic_compare_exchange_n(&seen[port], &was, now, false,
                                                             __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                ;
            if (port % 3 == 0) /* as drivers do: masks it for a while */
                __atomic_fetch_or(word(1, port), MASKED, __ATOMIC_SEQ_CST);
            if (port % 5 == 0)
                (void)evtchn_bind_vcpu(&doms[1], port, (uint32_t)(now + vcpu) % VCPUS);
            if (port % 7 == 0)
                (void)evtchn_set_priority(&doms[1], port, (uint32_t)now % 16);
            if (port % 3 == 0 && evtchn_unmask(&doms[1], port))
                abort();
        }
        if (last)
            return NULL;
    }
}

/* With every vCPU and sender at work at once no event is lost. */
static void threads(void **state)
{
    pthread_t s[SENDERS], t[VCPUS];
    static const uint32_t from[SENDERS] = { 2, 3, 0 };

    go_fifo(1, 1);
    memset(sends, 0, sizeof(sends));
    memset(seen, 0, sizeof(seen));
    senders_done = false;
    for (uint32_t n = 0; n < SENDERS; n++)
        for (uint32_t c = 0; c < CHANNELS; c++)
            thread_mine[n][c] = channel(from[n], 1, &thread_theirs[n][c]);
    for (uintptr_t i = 0; i < VCPUS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, taker, (void *)i), 0);
    for (uintptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&s[i], NULL, sender, (void *)i), 0);
    for (uint32_t i = 0; i < SENDERS; i++)
        pthread_join(s[i], NULL);
    store_release(senders_done, true);
    for (uint32_t i = 0; i < VCPUS; i++)
        pthread_join(t[i], NULL);
    /* A vCPU may have moved an event to one that had ended. */
    for (uint32_t vcpu = 0, q, port; vcpu < VCPUS; vcpu++)
        while ((port = consume(1, vcpu, &q)) != 0)
            seen[port] = sends[0][port];
    for (uint32_t n = 0; n < SENDERS; n++)
        for (uint32_t c = 0; c < CHANNELS; c++)
            assert_int_equal(seen[thread_theirs[n][c]], sends[0][thread_theirs[n][c]]);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(in_order),     T(after_the_last),         T(moves),          T(masks),
        T(changes_over), T(closed_before_its_page), T(control_errors), T(no_control_block),
        T(all_ports),    T(still_linked),           T(at_random),      T(hostile),
        T(threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
