/* SPDX-License-Identifier: MIT */
/*
 * VMMCALL: a guest's registers into a hypercall's arguments, and back. <xen/arch-x86/xen-x86_64.h>,
 * <xen/arch-x86/xen-x86_32.h>.
 *
 *   64-bit: number in rax; rdi, rsi, rdx, r10, r8
 *   others: number in eax; ebx, ecx, edx, esi, edi
 *
 * Structures are those of 64-bit guests. What 32-bit code may call are the hypercalls whose
 * structures are the same for it.
 */
#include <asm/exit.h>
#include <asm/hvm.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <xen/xen.h>

static const uint8_t places_32[HYPERCALL_ARGS] = { RBX, RCX, RDX, RSI, RDI };

#define SAME_LAYOUT                                                                               \
    (BIT(__HYPERVISOR_xen_version) | BIT(__HYPERVISOR_console_io) | BIT(__HYPERVISOR_vcpu_op) |   \
     BIT(__HYPERVISOR_event_channel_op) | BIT(__HYPERVISOR_sched_op) | BIT(__HYPERVISOR_hvm_op) | \
     BIT(__HYPERVISOR_vm_assist))

static int64_t __noinline call_32(struct vcpu *v)
{
    uint64_t arg[HYPERCALL_ARGS];
    uint32_t nr = (uint32_t)v->regs.rax;
    int64_t result;

    if (nr >= 64 || !(SAME_LAYOUT >> nr & 1))
        return -ENOSYS;
    for (unsigned int i = 0; i < HYPERCALL_ARGS; i++)
        arg[i] = (uint32_t)v->regs.gpr[places_32[i]];
    result = hypercall_do(nr, v, arg);
    if (result == -ERESTART)
        for (unsigned int i = 0; i < HYPERCALL_ARGS; i++)
            v->regs.gpr[places_32[i]] = (uint32_t)arg[i];
    return result;
}

static inline int64_t call_64(struct vcpu *v)
{
    struct cpu_regs *r = &v->regs;
    uint64_t arg[HYPERCALL_ARGS] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8 };
    int64_t result = hypercall_do(r->rax, v, arg);

    if (unlikely(result == -ERESTART)) {
        r->rdi = arg[0];
        r->rsi = arg[1];
        r->rdx = arg[2];
        r->r10 = arg[3];
        r->r8 = arg[4];
    }
    return result;
}

enum exit_action exit_hypercall(struct vcpu *v, unsigned int level, bool is_64)
{
    int64_t result;

    if (unlikely(level))
        result = -EPERM;
    else
        result = likely(is_64) ? call_64(v) : call_32(v);
    if (unlikely(result == -ERESTART))
        return EXIT_RETRY;
    v->regs.rax = likely(is_64) ? (uint64_t)result : (uint32_t)result;
    return EXIT_STEP;
}
