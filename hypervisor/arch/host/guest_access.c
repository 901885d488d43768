/* SPDX-License-Identifier: MIT */
/* A guest of the stand-in has no tables of its own: its virtual addresses are its physical ones. */
#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>

__attribute__((weak)) void host_guest_access(struct vcpu *v)
{
    (void)v;
}

uint8_t *arch_guest_map(struct vcpu *v, uint64_t va, bool write, mfn_t *m)
{
    gfn_t gfn = gaddr_to_gfn(GADDR(va));

    host_guest_access(v);
    for (;;) {
        enum p2m_type type;

        *m = p2m_lookup(v->domain, gfn, &type, NULL);
        if (type == P2M_RAM || (type == P2M_RAM_RO && !write))
            return frame_get(*m, v->domain->id) ? NULL : frame_map(*m);
        if (type != P2M_RESERVED || !p2m_handle_fault(v->domain, gfn))
            return NULL;
    }
}
