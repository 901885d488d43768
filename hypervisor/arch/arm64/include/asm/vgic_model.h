/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the virtual GIC (vgic*.c): banks, list registers, and the operations that
 * the register models of both versions share. Not for others.
 */
#ifndef ASM_VGIC_MODEL_H
#define ASM_VGIC_MODEL_H

#include <asm/gic_regs.h>
#include <asm/vgic.h>
#include <hospes/domain.h>
#include <hospes/mmio.h>
#include <hospes/vcpu.h>

#define VGIC_PRIORITY_BITS 0xf8u /* 5 bits of priority are implemented */

/* Values of identification registers: ours as KVM and Xen have them, of an Arm implementation. */
#define VGIC_IIDR 0x0000043bu

static inline struct vgic *vgic_of(const struct vcpu *v)
{
    return &v->domain->arch.vgic;
}

/* Bank `n`: of vCPU `t` for 0, else of the domain; n < nr_banks. */
static inline struct vgic_bank *vgic_bank(struct vgic *g, struct vcpu *t, uint32_t n)
{
    return n == 0 ? &t->arch.vgic.priv : &g->spi[n - 1];
}

static inline struct spinlock *vgic_bank_lock(struct vgic *g, struct vcpu *t, uint32_t n)
{
    return n == 0 ? &t->arch.vgic.lock : &g->lock;
}

/* Pending, as far as the bank knows: see in_lr. */
static inline uint32_t vgic_pending(const struct vgic_bank *b)
{
    return b->latched | (b->line & ~b->edge & ~b->tied);
}

/* Those of an enabled group. */
static inline uint32_t vgic_in_groups(const struct vgic *g, const struct vgic_bank *b)
{
    return ((g->ctlr & GICD_CTLR_GRP0) ? ~b->group1 : 0) |
           ((g->ctlr & GICD_CTLR_GRP1) ? b->group1 : 0);
}

/* Pending and to be shown, as far as the bank knows. */
static inline uint32_t vgic_deliverable(const struct vgic *g, const struct vgic_bank *b)
{
    return vgic_pending(b) & b->enabled & vgic_in_groups(g, b);
}

/* --- vgic.c --- */

/* Tells `v` that bank `n` has something for it; or that it is to look at its list registers. Any
 * lock held. */
void vgic_notify(struct vcpu *v, uint32_t n);
void vgic_resync(struct vcpu *v);

/* Interrupts `bits` of the bank may have become deliverable: tells their targets. Bank's lock held.
 */
void vgic_offer(struct vgic *g, struct vcpu *t, uint32_t n, uint32_t bits);

/*
 * Deactivates the physical interrupts behind `bits` where they are active and not pending anew.
 * Bank's lock held; `v` is the vCPU for which this pCPU works.
 */
void vgic_release_physical(struct vcpu *v, struct vcpu *t, uint32_t n, uint32_t bits);

/*
 * --- vgic_lr.c: the vCPU is loaded here; its lock is held, LOCK_VGIC too where SPIs are concerned
 */

#define VGIC_ALL_BANKS MASK(31, 0)

/*
 * The short way for an edge of `intid`, which is enabled and of an enabled group: shows it to `v`
 * at once. `sender`: of a v2 SGI, else 0. False: it has to be latched, and offered.
 */
bool vgic_show(struct vcpu *v, struct vgic_bank *b, uint32_t intid, uint32_t sender);

/*
 * A timer's PPI that the guest has not taken yet follows its line: it goes when the guest has set
 * the timer anew meanwhile, unless it was written to ISPENDR too. True if it went. `v` is loaded
 * here or not at all.
 */
bool vgic_timer_went(struct vcpu *v, uint32_t intid);

/* Takes back list registers that have ended: banks that have something for `v` again go to *banks.
 */
void vgic_release_ended(struct vcpu *v, uint64_t *banks);

/* Adds what `banks` hold to free list registers. False when they do not suffice: vgic_rebuild()
 * then. */
bool vgic_add(struct vcpu *v, uint64_t banks);

/* Takes all back; or does so, and chooses anew what is to be in them. */
void vgic_empty_lrs(struct vcpu *v, uint64_t *banks);
void vgic_rebuild(struct vcpu *v, uint64_t banks);
void vgic_set_maintenance(struct vgic_vcpu *vg, uint32_t bits);

/* --- vgic_entry.c --- */

/* vCPUs that were parked for an access. */
struct vgic_stopped {
    DECLARE_BITMAP(vcpus, DOMAIN_MAX_VCPUS);
    bool any;
};

/*
 * Takes the bank's lock with none of `mask` in a list register, parking vCPUs as needed; `v` makes
 * the access. vgic_resume() releases the lock and lets them go on. No lock held on entry.
 */
struct vgic_bank *vgic_stop(struct vcpu *v, struct vcpu *t, uint32_t n, uint32_t mask,
                            struct vgic_stopped *s);
void vgic_resume(struct vcpu *v, struct vcpu *t, uint32_t n, struct vgic_stopped *s);

/* Each other vCPU that runs comes to vgic_deliver() once, which begins anew with what is known now.
 */
void vgic_stop_others(struct vcpu *v);

/* --- vgic_regs.c: registers of a bank, for an access by `v`; `t` is whose bank 0 it is --- */

/* IGROUPR to ICACTIVER: `offset` is GICD's, 0x80 to 0x3ff, a word. EXIT_HANDLED. */
uint32_t vgic_read_bits(struct vcpu *v, struct vcpu *t, uint32_t offset);
enum exit_action vgic_write_bits(struct vcpu *v, struct vcpu *t, uint32_t offset, uint32_t value);

/* IPRIORITYR: `first` interrupt, 1 or 4 of them. */
uint32_t vgic_read_priority(struct vcpu *v, struct vcpu *t, uint32_t first, uint32_t bytes);
void vgic_write_priority(struct vcpu *v, struct vcpu *t, uint32_t first, uint32_t bytes,
                         uint32_t value);

/* ICFGR: 16 interrupts from `first`. */
uint32_t vgic_read_config(struct vcpu *v, struct vcpu *t, uint32_t first);
void vgic_write_config(struct vcpu *v, struct vcpu *t, uint32_t first, uint32_t value);

/* GICD_CTLR's enable bits. */
void vgic_write_ctlr(struct vcpu *v, uint32_t enables);

/* Gives SPI `i` of bank `n` a new target; the guest's route is already stored. LOCK_VGIC held. */
void vgic_retarget(struct vgic *g, uint32_t n, uint32_t i, uint32_t vcpu);

/* --- models --- */
int vgic_v2_map(struct domain *d, gaddr_t gicd, gaddr_t gicc, uint64_t gicc_bytes);
int vgic_v3_map(struct domain *d, gaddr_t gicd, gaddr_t gicr, uint64_t gicr_bytes);

#endif
