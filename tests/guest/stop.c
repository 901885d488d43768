/* SPDX-License-Identifier: MIT */
/* Shuts itself down by hypercall for the reason that reason= names (SHUTDOWN_... of xen/sched.h).
 */
#include "hypercall.h"

#include <xen/sched.h>

const char guest_name[] = "stop";

void guest_main(void)
{
    struct sched_shutdown shutdown = { .reason = (unsigned int)bootarg_number("reason", 0) };

    check_eq((uint64_t)hypercall_op(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown), 0,
             "shutdown");
}
