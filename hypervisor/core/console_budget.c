/* SPDX-License-Identifier: MIT */
/*
 * Who may write to the console: one stock of tokens (bytes) for all domains, filled at a constant
 * rate.
 *
 * While nobody is hungry, a domain without tokens takes a portion from the stock. Who finds it
 * empty is hungry, and from then on what comes in is shared out equally at each tick of the
 * console's timer: among the hungry, and those that have used up some of a portion. So nobody waits
 * for being quieter than others, and who writes less than a portion in a tick does not notice them.
 *
 * The hardware domain is not in it. The machine is its own: what it prints costs its own time on a
 * CPU, and others' lines take turns with its lines.
 */
#include "console_internal.h"
#include <hospes/timer.h>
#include <lib/bits.h>

#define NS_PER_TOKEN 7629u /* 128 KiB in a second */
#define STOCK_MAX    16384
#define PORTION      256

static int32_t stock = STOCK_MAX;
static uint64_t filled_ns;
static int32_t hungry;

static void fill(void)
{
    uint64_t now = clock_ns();
    uint64_t come = now > filled_ns ? (now - filled_ns) / NS_PER_TOKEN : 0;

    if (come >= (uint64_t)(STOCK_MAX - stock)) {
        stock = STOCK_MAX;
        filled_ns = now;
    } else {
        stock += (int32_t)come;
        filled_ns += come * NS_PER_TOKEN;
    }
}

bool budget_ask(struct console_domain *c)
{
    if (c->unlimited)
        c->tokens = CONSOLE_QUEUE_BYTES;
    if (likely(c->tokens > 0))
        return true;
    if (c->hungry)
        return false;
    if (hungry == 0) {
        fill();
        int32_t portion = min(stock, PORTION);
        stock -= portion;
        c->tokens += portion;
        if (c->tokens > 0)
            return true;
    }
    c->hungry = true;
    hungry++;
    return false;
}

void budget_share(void)
{
    int32_t eaters = 0;

    if (hungry == 0)
        return;
    fill();
    for (struct console_domain *c = console_domains; c; c = c->next)
        eaters += !c->unlimited && (c->hungry || c->tokens < PORTION);
    if (eaters == 0)
        return;
    int32_t share = stock / eaters;
    for (struct console_domain *c = console_domains; c; c = c->next) {
        if (c->unlimited)
            continue;
        int32_t wanted = c->hungry ? share : max(PORTION - c->tokens, 0);
        wanted = min(wanted, share);
        stock -= wanted;
        c->tokens += wanted;
        if (c->tokens > 0)
            budget_leave(c);
    }
}

void budget_leave(struct console_domain *c)
{
    if (c->hungry) {
        c->hungry = false;
        hungry--;
    }
}
