/* SPDX-License-Identifier: MIT */
/* What an arm64 domain begins with, and gives back. Its devices are added by domain_build.c. */
#include <asm/evtchn.h>
#include <asm/guest_layout.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <asm/vpl011.h>
#include <hospes/domain.h>
#include <hospes/timer.h>

int arch_domain_init(struct domain *d)
{
    isb();
    d->arch.cntvoff = read_sysreg(cntpct_el0); /* virtual time begins with the domain */
    d->began_ns = clock_ns();
    evtchn_set_ppi(d, 0, 0);
    d->arch.pv_time.at = GADDR(GUEST_MAGIC_BASE + GUEST_MAGIC_SIZE); /* unused in the layout */
    return 0;
}

void arch_domain_destroy(struct domain *d)
{
    pv_time_destroy(d);
    vpl011_destroy(d);
    vgic_destroy(d);
}
