/* SPDX-License-Identifier: MIT */
/* Caps on CPU time: windows, their budgets, and who waits for the next. <hospes/sched_cap.h> */
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_cap.h>
#include <lib/bits.h>

/* No debt is older than so many windows. */
#define MOST_MISSED UINT64_C(100000)

uint32_t sched_caps_set;

static void let_go(void *arg);

int sched_cap_init(struct sched_cap *c, uint32_t nr_units)
{
    *c = (struct sched_cap){ .lock = SPINLOCK_INIT(LOCK_SCHED_CAP), .nr_units = nr_units };
    list_init(&c->parked);
    return timer_init(&c->timer, let_go, c);
}

void sched_cap_destroy(struct sched_cap *c)
{
    sched_cap_set(c, 0);
    timer_destroy(&c->timer);
}

/* Begins the window that `now_ns` is in. Debts are paid, what was not used is gone. */
static void renew(struct sched_cap *c, uint64_t now_ns)
{
    uint64_t past_ns = now_ns - c->window_ns;

    if (past_ns < SCHED_CAP_WINDOW_NS)
        return;
    if (past_ns >= 2 * SCHED_CAP_WINDOW_NS) {
        uint64_t missed = past_ns / SCHED_CAP_WINDOW_NS - 1;

        c->window_ns += missed * SCHED_CAP_WINDOW_NS;
        c->pool_ns += (int64_t)(min(missed, MOST_MISSED) * c->budget_ns);
    }
    c->window_ns += SCHED_CAP_WINDOW_NS;
    c->pool_ns = min(c->pool_ns, (int64_t)0) + (int64_t)c->budget_ns;
}

static uint64_t window_end(const struct sched_cap *c)
{
    return c->window_ns + SCHED_CAP_WINDOW_NS;
}

void sched_cap_set(struct sched_cap *c, uint32_t percent)
{
    uint64_t budget_ns = percent * (SCHED_CAP_WINDOW_NS / 100);

    spin_lock(&c->lock);
    __atomic_fetch_add(&sched_caps_set, (uint32_t)(percent != 0) - (c->percent != 0),
                       __ATOMIC_RELAXED);
    if (c->percent == 0) {
        c->window_ns = clock_ns();
        c->pool_ns = 0;
    }
    c->pool_ns += (int64_t)(budget_ns - c->budget_ns); /* what was used of it stays used */
    c->percent = percent;
    c->budget_ns = budget_ns;
    c->share_ns = budget_ns / c->nr_units;
    if (!list_is_empty(&c->parked))
        timer_set(&c->timer, this_pcpu(), clock_ns());
    spin_unlock(&c->lock);
}

/* How much a unit gets at a time that has had `used_ns` of this window. */
static uint64_t piece(const struct sched_cap *c, uint64_t used_ns)
{
    uint64_t share_ns = c->share_ns > used_ns ? c->share_ns - used_ns : 0;

    return min(max(share_ns, SCHED_CAP_PIECE_MIN_NS), SCHED_CAP_PIECE_MAX_NS);
}

static void let_go(void *arg)
{
    struct sched_cap *c = arg;
    struct list gone = LIST_INIT(gone);
    uint64_t now_ns = clock_ns();
    struct list_node *n;

    spin_lock(&c->lock);
    renew(c, now_ns);
    /* As many as there are pieces: more would only be parked again. */
    for (int64_t left = c->pool_ns; left > 0 || c->percent == 0; left -= (int64_t)piece(c, 0)) {
        n = list_pop_front(&c->parked);
        if (n == NULL)
            break;
        list_push_back(&gone, n);
    }
    if (!list_is_empty(&c->parked))
        timer_set(&c->timer, this_pcpu(), window_end(c));
    spin_unlock(&c->lock);
    while ((n = list_pop_front(&gone)) != NULL)
        sched_unpark(list_entry(n, struct sched_unit, cap_node));
}

/* Back to the pool goes what is left of a piece, if of this window; and a debt. */
static void settle(struct sched_cap *c, struct sched_unit *u)
{
    int64_t left = (int64_t)(u->piece_end_ns - u->runtime_ns);

    if (left < 0 || u->piece_window_ns == c->window_ns)
        c->pool_ns += left;
    u->has_piece = false;
}

static bool take(struct sched_cap *c, struct sched_unit *u, uint64_t now_ns)
{
    renew(c, now_ns);
    if (u->has_piece && u->piece_window_ns == c->window_ns && u->runtime_ns < u->piece_end_ns)
        return true;
    if (u->has_piece)
        settle(c, u);
    if (c->pool_ns <= 0)
        return false;
    if (u->piece_window_ns != c->window_ns) {
        u->piece_window_ns = c->window_ns;
        u->window_runtime_ns = u->runtime_ns;
    }
    uint64_t piece_ns = min(piece(c, u->runtime_ns - u->window_runtime_ns), (uint64_t)c->pool_ns);
    piece_ns = min(piece_ns, window_end(c) - now_ns);
    c->pool_ns -= (int64_t)piece_ns;
    u->piece_end_ns = u->runtime_ns + piece_ns;
    u->has_piece = true;
    return true;
}

bool sched_cap_take(struct sched_unit *u, uint64_t now_ns)
{
    struct sched_cap *c = u->cap;
    bool taken = true;

    spin_lock(&c->lock);
    if (c->percent == 0) {
        u->has_piece = false;
    } else if (!take(c, u, now_ns)) {
        taken = false;
        if (list_is_empty(&c->parked))
            timer_set(&c->timer, this_pcpu(), window_end(c));
        list_push_back(&c->parked, &u->cap_node);
    }
    spin_unlock(&c->lock);
    return taken;
}

uint64_t sched_cap_end_ns(const struct sched_unit *u, uint64_t now_ns)
{
    return u->has_piece ? now_ns + (u->piece_end_ns - u->runtime_ns) : TIMER_NEVER;
}

void sched_cap_give_back(struct sched_unit *u, uint64_t now_ns)
{
    struct sched_cap *c = u->cap;

    if (!u->has_piece)
        return;
    spin_lock(&c->lock);
    settle(c, u);
    if (c->pool_ns > 0 && !list_is_empty(&c->parked))
        timer_set(&c->timer, this_pcpu(), now_ns);
    spin_unlock(&c->lock);
}
