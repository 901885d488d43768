/* SPDX-License-Identifier: MIT */
/* Time as a guest has it; <asm/vtime.h> has the contract. <xen/xen.h>, struct vcpu_time_info. */
#include <asm/clock.h>
#include <asm/cpu.h>
#include <asm/vtime.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/timer.h>
#include <hospes/vcpu.h>
#include <xen/xen.h>

#define NEVER_SHIFT 60 /* ticks: decades of any TSC */

void vtime_domain_init(struct domain *d)
{
    d->arch.tsc_offset = -(int64_t)rdtsc();
}

static void write_time(struct vcpu_time_info *t, const struct domain *d)
{
    /* Odd while it changes: readers try again. */
    write_once(t->version, t->version | 1u);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    write_once(t->tsc_timestamp, clock_scale.tsc_base + (uint64_t)d->arch.tsc_offset);
    write_once(t->system_time, clock_scale.ns_base);
    write_once(t->tsc_to_system_mul, clock_scale.mul);
    write_once(t->tsc_shift, clock_scale.shift);
    write_once(t->flags, XEN_PVCLOCK_TSC_STABLE_BIT);
    store_release(t->version, t->version + 1);
}

void vtime_tell(struct vcpu *v)
{
    write_time(&v->info->time, v->domain);
}

int vtime_place(struct vcpu *v, struct vcpu *caller, uint64_t va)
{
    struct guest_area area = { NULL, MFN_NONE }, old;
    int err = 0;

    if ((va & FRAME_MASK) > FRAME_SIZE - sizeof(struct vcpu_time_info) || va % 8)
        return -EINVAL;
    if (va)
        err = guest_area_map_virtual(caller, va, &area);
    if (err)
        return err;
    if (area.p)
        write_time(area.p, v->domain);
    spin_lock(&v->domain->lock);
    old = v->arch.time_copy;
    v->arch.time_copy = area;
    spin_unlock(&v->domain->lock);
    guest_area_unmap(&old);
    return 0;
}

void vtime_vcpu_destroy(struct vcpu *v)
{
    guest_area_unmap(&v->arch.time_copy);
}

uint64_t vtime_tsc(const struct domain *d)
{
    return rdtsc() + (uint64_t)d->arch.tsc_offset;
}

uint64_t vtime_ns_of_tsc(const struct domain *d, uint64_t guest_tsc)
{
    uint64_t now = vtime_tsc(d);

    /* Beyond what fits in nanoseconds, or in the machine's ticks, lies never. */
    if (guest_tsc > now && (guest_tsc - now) >> NEVER_SHIFT)
        return TIMER_NEVER;
    /* Guests' ticks count from their start: the machine's are not fewer, unless they set it. */
    return clock_from_tsc(guest_tsc - (uint64_t)d->arch.tsc_offset);
}
