/* SPDX-License-Identifier: MIT */
/* The time of day in shared_info. */
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/wallclock.h>
#include <xen/xen.h>

#define SECOND_NS 1000000000u

static uint64_t at_boot; /* ns since the epoch; atomic */

void wallclock_tell(struct domain *d)
{
    struct shared_info *s = d->shared_info;
    uint64_t ns = read_once(at_boot) + d->began_ns, sec;

    spin_lock(&d->lock);
    sec = ns / SECOND_NS + (uint64_t)d->time_offset;
    /* Odd while it changes: readers try again. */
    write_once(s->wc_version, s->wc_version | 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    write_once(s->wc_sec, (uint32_t)sec);
    write_once(s->wc_nsec, (uint32_t)(ns % SECOND_NS));
    write_once(s->wc_sec_hi, (uint32_t)(sec >> 32));
    store_release(s->wc_version, s->wc_version + 1);
    spin_unlock(&d->lock);
}

static void tell(struct domain *d, void *unused)
{
    (void)unused;
    wallclock_tell(d);
}

void wallclock_set(uint64_t ns)
{
    write_once(at_boot, ns);
    domain_for_all(tell, NULL);
}
