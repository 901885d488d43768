/* SPDX-License-Identifier: MIT */
/*
 * A few bytes of a guest's memory that it told Hospes to write to at any time: a vcpu_info, a
 * runstate. The frame is counted and stays mapped here until the area is let go, whatever the guest
 * does with the address meanwhile.
 */
#ifndef HOSPES_GUEST_AREA_H
#define HOSPES_GUEST_AREA_H

#include <hospes/types.h>

struct domain;
struct vcpu;

struct guest_area {
    void *p;   /* NULL: none */
    mfn_t mfn; /* of the page that it is in */
};

/*
 * The `bytes` at guest physical address `at`. 0, -ENXIO: not aligned to 8 or across the end of a
 * page, -EINVAL: no RAM of the domain's own, -EACCES: the guest may not write there, -ENOMEM.
 * guest_area_unmap() of an area that is none does nothing.
 */
int guest_area_map(struct domain *d, gaddr_t at, uint64_t bytes, struct guest_area *out);

/*
 * What is at address `va` of the vCPU that runs here, to the end of its page. 0, -EINVAL: its
 * kernel may not write there, or it is not its own RAM; -ENOMEM.
 */
int guest_area_map_virtual(struct vcpu *caller, uint64_t va, struct guest_area *out);
void guest_area_unmap(struct guest_area *a);

#endif
