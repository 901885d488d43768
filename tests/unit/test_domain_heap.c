/* SPDX-License-Identifier: MIT */
// sources: core/domain.c core/domain_end.c core/vcpu.c core/pcpu.c core/work.c core/timer.c
// sources: core/iomem.c core/boot.c
// sources: core/spinlock.c core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c core/irq.c core/mmio.c
// sources: core/vcpu_info.c core/guest_area.c core/claim.c
// sources: core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c core/frame.c core/frame_free.c
// sources: core/heap.c core/gnttab.c core/gnttab_use.c core/gnttab_maptrack.c
/* A domain's life as in test_domain.c, with the real heap: all that a domain takes comes back,
 * however often it restarts. */
#define REAL_HEAP
#include "test_domain.c"
