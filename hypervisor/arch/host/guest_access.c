/* SPDX-License-Identifier: MIT */
/* A guest of the stand-in has no tables of its own: its virtual addresses are its physical ones. */
#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/guest_access.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>

__attribute__((weak)) void host_guest_access(struct vcpu *v)
{
    (void)v;
}

mfn_t arch_guest_frame(struct vcpu *v, uint64_t va, bool write)
{
    gfn_t gfn = gaddr_to_gfn(GADDR(va));

    host_guest_access(v);
    for (;;) {
        enum p2m_type type;
        mfn_t m = p2m_lookup(v->domain, gfn, &type, NULL);

        if (type == P2M_RAM || (type == P2M_RAM_RO && !write))
            return m;
        if (type != P2M_RESERVED || !p2m_handle_fault(v->domain, gfn))
            return MFN_NONE;
    }
}
