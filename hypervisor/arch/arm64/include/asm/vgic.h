/* SPDX-License-Identifier: MIT */
/*
 * The virtual interrupt controller: a GICv2 or GICv3 (Arm IHI 0048B, IHI 0069H) for each domain, of the host's kind.
 *
 * State is kept by words of 32 interrupts ("banks"), so that an access to an ISENABLER-like register is a few
 * operations on whole words. Bank 0 (SGIs and PPIs) is each vCPU's own; banks 1.. (SPIs) are the domain's.
 *
 * Locks: vgic->lock (LOCK_VGIC) guards the SPI banks, vgic_vcpu->lock (LOCK_VGIC_VCPU) bank 0 and the copies in list
 * registers. Both: LOCK_VGIC first.
 */
#ifndef ASM_VGIC_H
#define ASM_VGIC_H

#include <hospes/spinlock.h>
#include <hospes/types.h>

struct domain;
struct vcpu;

#define VGIC_MAX_LRS   16
#define VGIC_MAX_BANKS 32 /* 1024 interrupts */
#define VGIC_SPURIOUS  1023u

/* 32 interrupts; bit n of each word is interrupt n of the bank. */
struct vgic_bank {
    uint32_t enabled;
    uint32_t latched;  /* pending by an edge, an SGI or a write to ISPENDR */
    uint32_t line;     /* level of the input line */
    uint32_t active;
    uint32_t edge;     /* configured edge-triggered */
    uint32_t group1;
    uint32_t in_lr;    /* a list register of some vCPU holds it: there is the newer pending/active state */
    uint32_t tied;     /* tied to a physical interrupt (irq[]) */
    uint8_t priority[32];
    uint16_t irq[32];    /* physical INTID, where tied */
    uint16_t target[32]; /* SPIs: vCPU; v2 keeps its target masks in target_mask */
    uint8_t target_mask[32];
    uint8_t sgi_sources[16]; /* v2, bank 0: which vCPUs sent SGI n and wait */
};

struct vgic_vcpu {
    struct spinlock lock;
    struct vgic_bank priv;
    uint32_t candidates;      /* bit b: bank b may hold an interrupt for this vCPU that no LR has; atomic */
    uint64_t lr[VGIC_MAX_LRS]; /* list registers as saved */
    uint16_t lr_used;         /* bit n: lr[n] holds an interrupt */
    bool lr_live;             /* LRs are in the hardware: its copy is the newer */
    uint32_t vmcr, hcr;       /* ICH_/GICH_ */
    uint32_t apr0[4], apr1[4];
};

struct vgic {
    struct spinlock lock;
    struct domain *domain;
    uint32_t nr_banks;        /* bank 0 included */
    uint32_t ctlr;            /* GICD_CTLR's enable bits */
    struct vgic_bank *spi;    /* [nr_banks - 1], bank 1 first */
    const struct vgic_model *model;
    void *model_state;
};

/* `nr_spis` is rounded up to whole banks, at most 988. The model is the host GIC's. */
int vgic_init(struct domain *d, uint32_t nr_spis);
void vgic_destroy(struct domain *d);
int vgic_vcpu_init(struct vcpu *v);

/*
 * Registers the distributor's (and redistributors', or CPU interface's) regions in the domain, at the addresses
 * given: v2: GICD, GICC (mapped to the host's GICV); v3: GICD, GICR region with one 128 KiB frame a vCPU.
 */
int vgic_map(struct domain *d, gaddr_t gicd, gaddr_t second, uint64_t second_bytes);

/* Drives the line of an interrupt: `v` for a PPI, any vCPU or NULL for an SPI. Any pCPU. */
void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool level);
/* Pends an edge: an SPI of `d`, or a PPI/SGI of `v`. */
void vgic_pend(struct domain *d, struct vcpu *v, uint32_t intid);

/* Ties an interrupt to a physical one: its deactivation by the guest deactivates the latter. */
void vgic_tie(struct domain *d, struct vcpu *v, uint32_t virq, uint32_t irq);
void vgic_untie(struct domain *d, struct vcpu *v, uint32_t virq);

/* ICC_SGI1R_EL1, ICC_SGI0R_EL1 and ICC_ASGI1R_EL1 written (v3). */
void vgic_write_sgi1r(struct vcpu *v, uint64_t value);

/* On the pCPU that runs `v`: fill list registers; move them to memory; fetch them. */
void vgic_deliver(struct vcpu *v);
void vgic_save(struct vcpu *v);
void vgic_load(struct vcpu *v);

/* An enabled interrupt of sufficient priority is pending or in a list register. `v` runs here or not at all. */
bool vgic_has_interrupt(struct vcpu *v);

/* True if the guest has `intid` active, or pending in a list register (vtimer asks before it unmasks). */
bool vgic_is_active(struct vcpu *v, uint32_t intid);

void vgic_dump(struct domain *d);

#endif
