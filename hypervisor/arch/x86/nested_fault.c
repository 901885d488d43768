/* SPDX-License-Identifier: MIT */
/*
 * What nested paging does not allow: memory on first touch, emulated devices, faults. AMD APM
 * volume 2, 15.25.6.
 */
#include <asm/emulate.h>
#include <asm/exit.h>
#include <asm/passthrough.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/mmio.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>

/* What may be done to what stands there. */
static bool is_allowed(enum p2m_type type, uint32_t how)
{
    bool writable =
        type == P2M_RAM || type == P2M_DEVICE || type == P2M_SHARED || type == P2M_GRANT;
    bool executable = type == P2M_RAM || type == P2M_RAM_RO;

    return !(how & PF_WRITE && !writable) && !(how & PF_FETCH && !executable);
}

/* There is something, which may not be used so; unless another vCPU has changed it meanwhile. */
static enum exit_action refused(struct vcpu *v, gfn_t gfn, uint32_t how)
{
    enum p2m_type type;

    (void)p2m_lookup(v->domain, gfn, &type, NULL);
    return is_allowed(type, how) ? EXIT_RETRY : EXIT_FAULT;
}

enum exit_action exit_nested_fault(struct vcpu *v, gaddr_t address, uint32_t how, bool access)
{
    gfn_t gfn = gaddr_to_gfn(address);
    enum exit_action action;

    if (how & PF_PRESENT)
        return refused(v, gfn, how);
    /* An emulated device goes before memory that waits for its first use. */
    if (!mmio_was_last(v, address) &&
        (p2m_handle_fault(v->domain, gfn) || passthrough_fault(v->domain, address)))
        return EXIT_RETRY;
    if (unlikely(v->arch.event)) { /* not the instruction's access: an interrupt's or exception's */
        inject_shutdown(v);
        return EXIT_HANDLED;
    }
    if (!access || how & PF_FETCH)
        return EXIT_FAULT;
    inject_agree_on_priority(v);
    action = emulate_access(v, address, how & PF_WRITE);
    inject_agree_on_priority(v);
    return action;
}
