/* SPDX-License-Identifier: MIT */
/*
 * multicall: several hypercalls in a row. What has been done is taken off the list that the guest
 * passed, by its two registers; a call that wants to go on later is written back into its entry, as
 * it would be into registers.
 */
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <lib/bits.h>
#include <xen/xen.h>

_Static_assert(array_size(((struct multicall_entry *)0)->args) >= HYPERCALL_ARGS,
               "a handler finds all its arguments");

static int64_t call_one(struct vcpu *v, struct multicall_entry *e)
{
    uint64_t arg[array_size(e->args)];
    int64_t result;

    if (e->op == __HYPERVISOR_multicall)
        return -EINVAL;
    for (uint32_t i = 0; i < array_size(arg); i++)
        arg[i] = e->args[i];
    result = hypercall_do(e->op, v, arg);
    for (uint32_t i = 0; i < array_size(arg); i++)
        e->args[i] = (xen_ulong_t)arg[i];
    return result;
}

int64_t multicall_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t left = (uint32_t)arg[1];

    while (left) {
        struct multicall_entry e;
        int64_t result;

        if (guest_read(v, &e, arg[0], sizeof(e)))
            return -EFAULT;
        result = call_one(v, &e);
        if (result == -ERESTART)
            return guest_write(v, arg[0], &e, sizeof(e)) ? -EFAULT : -ERESTART;
        e.result = (xen_ulong_t)result;
        if (guest_write(v, arg[0] + offsetof(struct multicall_entry, result), &e.result,
                        sizeof(e.result)))
            return -EFAULT;
        arg[0] += sizeof(e);
        arg[1] = --left;
        if (left && hypercall_should_stop())
            return -ERESTART;
    }
    return 0;
}
