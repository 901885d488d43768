/* SPDX-License-Identifier: MIT */
/* What the parts of the virtual local APIC share. */
#ifndef VLAPIC_INTERNAL_H
#define VLAPIC_INTERNAL_H

#include <asm/vlapic.h>
#include <hospes/vcpu.h>

/* It takes messages of others, and gives what is pending to its vCPU. */
static inline bool vlapic_enabled(const struct vcpu *v)
{
    const struct vlapic *l = &v->arch.vlapic;

    return read_once(l->svr) & APIC_SVR_ENABLE && read_once(l->base) & APIC_BASE_ENABLE;
}

/* vlapic.c: PPR; EOI by the vCPU that runs here; a mode of IA32_APIC_BASE that was checked. */
int vlapic_priority(const struct vlapic *l);
void vlapic_eoi(struct vcpu *v);
void vlapic_set_mode(struct vcpu *v, uint64_t base);

/* vlapic_ipi.c: ICR was written. EXIT_HANDLED, or EXIT_RETRY: who is to start has not stopped. */
enum exit_action vlapic_send(struct vcpu *v, uint64_t icr);

/* vlapic_timer.c: LVT, count, or divisor was written; and what TMICT counts down to now. */
int vlapic_timer_init(struct vcpu *v);
void vlapic_timer_reset(struct vcpu *v);
void vlapic_timer_set_lvt(struct vcpu *v, uint32_t lvt);
void vlapic_timer_start(struct vcpu *v, uint32_t count);
void vlapic_timer_set_divide(struct vcpu *v, uint32_t divide);
uint32_t vlapic_timer_current(const struct vcpu *v);

#endif
