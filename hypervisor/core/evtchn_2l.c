/* SPDX-License-Identifier: MIT */
/*
 * Events in the 2-level format: a bit of each port in shared_info (evtchn_pending, evtchn_mask), a
 * bit for each word of these in vcpu_info (evtchn_pending_sel). The guest writes to all of it.
 */
#include "evtchn_internal.h"

#include <hospes/guest_atomic.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

_Static_assert(sizeof(xen_ulong_t) == sizeof(uint64_t), "words of 64 bits");

#define WORD_BITS 64u

/* Word `word` has an event for the vCPU. */
static void tell(struct domain *d, struct evtchn *chn, uint32_t word)
{
    struct vcpu *v = evtchn_vcpu(d, read_once(chn->notify));
    struct vcpu_info *info;
    uint64_t old;

    if (unlikely(!v))
        return;
    info = load_acquire(v->info);
    if (guest_or_u64(&info->evtchn_pending_sel, BIT(word), &old) && !(old & BIT(word)))
        evtchn_raise(v);
}

/* Ports beyond the format are left over from the FIFO one, and closed. */
static inline bool has_bit(uint32_t port)
{
    return likely(port < EVTCHN_2L_NR_CHANNELS);
}

void evtchn_2l_pend(struct domain *d, struct evtchn *chn, uint32_t port)
{
    struct shared_info *s = d->shared_info;
    uint32_t word = port / WORD_BITS;
    uint64_t bit = BIT(port % WORD_BITS), old;

    if (!has_bit(port) || !guest_or_u64(&s->evtchn_pending[word], bit, &old) || old & bit)
        return;
    /* After the bit: who unmasks it now sees it. */
    if (!(__atomic_load_n(&s->evtchn_mask[word], __ATOMIC_SEQ_CST) & bit))
        tell(d, chn, word);
    evtchn_check_pollers(d, port);
}

void evtchn_2l_unmask(struct domain *d, struct evtchn *chn, uint32_t port)
{
    struct shared_info *s = d->shared_info;
    uint32_t word = port / WORD_BITS;
    uint64_t bit = BIT(port % WORD_BITS), old;

    if (has_bit(port) && guest_clear_u64(&s->evtchn_mask[word], bit, &old) && old & bit &&
        __atomic_load_n(&s->evtchn_pending[word], __ATOMIC_SEQ_CST) & bit)
        tell(d, chn, word);
}

void evtchn_2l_clear(struct domain *d, uint32_t port)
{
    uint64_t old;

    if (has_bit(port))
        (void)guest_clear_u64(&d->shared_info->evtchn_pending[port / WORD_BITS],
                              BIT(port % WORD_BITS), &old);
}

bool evtchn_2l_is_pending(struct domain *d, uint32_t port)
{
    const xen_ulong_t *words = d->shared_info->evtchn_pending;

    return has_bit(port) &&
           __atomic_load_n(&words[port / WORD_BITS], __ATOMIC_SEQ_CST) & BIT(port % WORD_BITS);
}

bool evtchn_2l_is_masked(struct domain *d, uint32_t port)
{
    return has_bit(port) && d->shared_info->evtchn_mask[port / WORD_BITS] & BIT(port % WORD_BITS);
}
