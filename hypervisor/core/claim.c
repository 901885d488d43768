/* SPDX-License-Identifier: MIT */
/* Frames kept free for domains that are being populated; <hospes/claim.h> has the contract. */
#include <hospes/claim.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <lib/bits.h>

static uint64_t claimed; /* by all; atomic */

uint64_t claim_total(void)
{
    return read_once(claimed);
}

static void unclaim(struct domain *d)
{
    uint64_t had = __atomic_exchange_n(&d->claim, 0, __ATOMIC_RELAXED);

    __atomic_fetch_sub(&claimed, had, __ATOMIC_RELAXED);
}

int claim_set(struct domain *d, uint64_t pages)
{
    uint64_t has = read_once(d->tot_pages), none = 0, all = read_once(claimed), more;

    if (!pages) {
        unclaim(d);
        return 0;
    }
    if (pages <= has || pages > read_once(d->max_pages))
        return -EINVAL;
    more = pages - has;
    if (!__atomic_compare_exchange_n(&d->claim, &none, more, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return -EINVAL;
    do {
        if (all + more > frame_free_count()) {
            write_once(d->claim, 0);
            return -ENOMEM;
        }
    } while (!__atomic_compare_exchange_n(&claimed, &all, all + more, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 0;
}

void claim_use(struct domain *d, uint64_t frames)
{
    uint64_t had = read_once(d->claim), used;

    do {
        used = min(had, frames);
        if (!used)
            return;
    } while (!__atomic_compare_exchange_n(&d->claim, &had, had - used, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    __atomic_fetch_sub(&claimed, used, __ATOMIC_RELAXED);
}

bool claim_allows(const struct domain *d, uint64_t frames)
{
    uint64_t all = read_once(claimed), own = read_once(d->claim);

    return all <= own || all - own + frames <= frame_free_count();
}
