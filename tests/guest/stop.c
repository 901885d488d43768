/* SPDX-License-Identifier: MIT */
/* Shuts itself down by hypercall for the reason that reason= names (SHUTDOWN_... of xen/sched.h).
 */
#include "guest.h"

#include <xen/sched.h>
#include <xen/xen.h>

const char guest_name[] = "stop";

#define STRINGIFY(n) #n
#define HVC(tag)     "hvc #" STRINGIFY(tag)

static int64_t sched_op(uint64_t op, void *arg)
{
    register uint64_t x0 __asm__("x0") = op;
    register uint64_t x1 __asm__("x1") = (uintptr_t)arg;
    register uint64_t x16 __asm__("x16") = __HYPERVISOR_sched_op;

    __asm__ volatile(HVC(XEN_HYPERCALL_TAG) : "+r"(x0), "+r"(x1), "+r"(x16)::"memory");
    return (int64_t)x0;
}

void guest_main(void)
{
    struct sched_shutdown shutdown = { .reason = (unsigned int)bootarg_number("reason", 0) };

    check_eq((uint64_t)sched_op(SCHEDOP_shutdown, &shutdown), 0, "shutdown");
}
