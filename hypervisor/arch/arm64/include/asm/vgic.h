/* SPDX-License-Identifier: MIT */
/*
 * The virtual interrupt controller: a GICv2 or GICv3 (Arm IHI 0048B, IHI 0069H) for each domain, of
 * the host's kind. doc/interrupts.md tells how it works.
 *
 * State is kept by words of 32 interrupts ("banks"), so that an access to an ISENABLER-like
 * register is a few operations on whole words. Bank 0 (SGIs and PPIs) is each vCPU's own; banks 1..
 * (SPIs) are the domain's.
 *
 * Locks: vgic->lock (LOCK_VGIC) guards the SPI banks, vgic_vcpu->lock (LOCK_VGIC_VCPU) bank 0 and
 * the list registers. Both: LOCK_VGIC first. `in_lr` and `owner` of an SPI need both, its owner's.
 */
#ifndef ASM_VGIC_H
#define ASM_VGIC_H

#include <hospes/spinlock.h>
#include <hospes/types.h>

struct domain;
struct vcpu;

#define VGIC_MAX_LRS   16
#define VGIC_MAX_BANKS 32 /* 1024 interrupts */
#define VGIC_MAX_SPIS  988
#define VGIC_V2_VCPUS  8
#define VGIC_NO_VCPU   0xffu

/* 32 interrupts; bit n of each word is interrupt n of the bank. */
struct vgic_bank {
    uint32_t enabled;
    uint32_t
        latched; /* pending by an edge, an SGI, a write to ISPENDR, or a tied physical interrupt */
    uint32_t
        written;   /* tied, and latched by a write to ISPENDR: stays so when a timer's line falls */
    uint32_t line; /* level of the input line, as an emulated device drives it */
    uint32_t active; /* valid unless in_lr */
    uint32_t edge;   /* configured edge-triggered; or one of `pulse` */
    uint32_t pulse; /* pended by vgic_pend() only: an edge however it is configured, which is in: */
    uint32_t pulse_edge;
    uint32_t group1;
    uint32_t
        in_lr; /* a list register of a loaded vCPU holds it: pending and active are known there */
    uint32_t tied;  /* belongs to the physical interrupt irq[] */
    uint32_t fired; /* tied: the physical one is active on this one's behalf */
    uint8_t priority[32];
    uint8_t target[32]; /* SPIs: number of the vCPU that gets it, or VGIC_NO_VCPU */
    uint8_t owner[32];  /* SPIs in_lr or active: the vCPU that has it */
    uint8_t lr_of[32];  /* in_lr: in which list register */
    uint16_t irq[32];   /* physical INTID, where tied */
    uint32_t
        route[32]; /* SPIs, what the guest wrote: v2: ITARGETSR's byte, v3: IROUTER's affinities */
};

/* Bits of vgic_vcpu.todo above those of the banks. */
#define VGIC_RESYNC ((uint64_t)1 << 32) /* fold all list registers and fill them anew */
#define VGIC_PARK   ((uint64_t)1 << 33) /* `parks` may be above 0 */

struct vgic_vcpu {
    uint64_t todo; /* what vgic_deliver() has to look at: bit b: bank b may hold an interrupt for
                      it; atomic */
    struct spinlock lock;
    uint32_t parks; /* that many want it out of the guest with its list registers folded; atomic */
    struct vgic_bank priv;
    uint32_t
        lr_used; /* bit n: list register n holds an interrupt, or held one that has ended since */
    uint32_t lr_spi;           /* of these: an SPI */
    uint64_t lr[VGIC_MAX_LRS]; /* as last written */
    uint32_t waiting;          /* banks with interrupts that found no list register */
    uint32_t maintenance;      /* GIC_MAINT_* in force */
    uint32_t unfire; /* tied PPIs that another vCPU's access ended; still to be deactivated */
    bool loaded;     /* its virtual CPU interface is in this pCPU's hardware */
    bool asleep;     /* GICR_WAKER.ProcessorSleep */
    uint8_t sgi_sources[16]; /* v2: bit n: vCPU n sent this SGI and it is pending */
    uint8_t sgi_active[16];  /* v2: who sent the active one */
    /* Saved by the driver */
    uint32_t vmcr;
    uint32_t apr0[4], apr1[4];
};

struct vgic {
    struct spinlock lock;
    struct domain *domain;
    uint32_t version;  /* 2 or 3 */
    uint32_t nr_banks; /* bank 0 included */
    uint32_t nr_vcpus;
    uint32_t ctlr;         /* GICD_CTLR's enable bits */
    uint32_t typer;        /* GICD_TYPER */
    struct vgic_bank *spi; /* [nr_banks - 1], bank 1 first */
};

/*
 * A domain's distributor, all interrupts off. `nr_spis` is rounded up to whole banks, at most 988.
 * 0, -ENOMEM, or -EINVAL: more vCPUs than a GICv2 has room for. vgic_destroy() needs all vCPUs
 * gone.
 */
int vgic_init(struct domain *d, uint32_t nr_spis);
void vgic_destroy(struct domain *d);

/*
 * A vCPU's part, as after reset. Also when a vCPU is switched on again: it is not loaded then, see
 * vgic_save(). Pending interrupts of its own survive that, as they do in hardware.
 */
int vgic_vcpu_init(struct vcpu *v);
void vgic_vcpu_reset(struct vcpu *v);

/*
 * Registers the distributor's (and redistributors', or CPU interface's) regions in the domain, at
 * the addresses given: v2: GICD, GICC (mapped to the host's GICV); v3: GICD, GICR region with one
 * 128 KiB frame a vCPU. 0, -ENOMEM, -EEXIST, -EINVAL when the second is too small.
 */
int vgic_map(struct domain *d, gaddr_t gicd, gaddr_t second, uint64_t second_bytes);

/* MPIDR_EL1's affinity fields of vCPU `id`: 16 to a cluster, so that one ICC_SGI1R_EL1 reaches all
 * of one. */
static inline uint64_t vgic_mpidr(uint32_t id)
{
    return (uint64_t)(id & 15) | (uint64_t)(id >> 4) << 8;
}

/* Drives the line of an interrupt: `v` for a PPI, any vCPU or NULL for an SPI. Any pCPU. */
void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool level);
/* Pends an edge: an SPI of `d`, or a PPI/SGI of `v`. `here`: the vCPU loaded on this pCPU, or NULL.
 */
void vgic_pend(struct domain *d, struct vcpu *v, uint32_t intid, const struct vcpu *here);

/* From now on PPI `intid` of `v` comes by vgic_pend() only. Before the vCPU runs. */
void vgic_set_pulse(struct vcpu *v, uint32_t intid);

/*
 * Ties an interrupt to a physical one: it is pended by vgic_inject() only, and when the guest
 * deactivates it the physical one is deactivated. An SPI's physical line is enabled and routed as
 * the guest has the virtual one; a PPI's is the caller's. No effect for numbers the domain has not.
 * Untying: no vCPU runs.
 */
void vgic_tie(struct domain *d, struct vcpu *v, uint32_t virq, uint32_t irq);
void vgic_untie(struct domain *d, struct vcpu *v, uint32_t virq);

/*
 * The physical interrupt behind `virq`, of a PPI this pCPU's and `v` loaded here, was acknowledged
 * and stays active: pends it. `here` is the vCPU loaded on this pCPU, or NULL. Returns the vCPU
 * that gets it, NULL for none.
 */
struct vcpu *vgic_inject(struct domain *d, struct vcpu *v, uint32_t virq, struct vcpu *here);

/*
 * The same for a PPI of a `v` that is not loaded: the line is made active when it is. No effect if
 * it is loaded just now; then the line itself will tell.
 */
void vgic_inject_saved(struct vcpu *v, uint32_t ppi);

/* True if a tied PPI of a vCPU that is not loaded was injected and the guest has not deactivated it
 * yet. */
bool vgic_fired(const struct vcpu *v, uint32_t virq);

/* ICC_SGI1R_EL1 written (v3); and ICC_SGI0R_EL1 or ICC_ASGI1R_EL1, which reach interrupts of group
 * 0 only. */
void vgic_write_sgi1r(struct vcpu *v, uint64_t value);
void vgic_write_sgi0r(struct vcpu *v, uint64_t value);

/* ICC_DIR_EL1 (v3), which traps, or GICC_DIR (v2) written. */
void vgic_write_dir(struct vcpu *v, uint64_t value);

/* On the pCPU that runs `v`, just before entry, when PENDING_DELIVER was set or after a load: fills
 * list registers. */
void vgic_deliver(struct vcpu *v);

/*
 * On the pCPU that ran, or will run, `v`: the virtual CPU interface to memory and back, list
 * registers empty. Save after vtimer_save(), load before vtimer_load(). A vCPU that stays loaded
 * while its pCPU idles must come to vgic_deliver() or vgic_save() when it is kicked; one that goes
 * off (PSCI CPU_OFF) calls vgic_save() itself. Both do nothing for a vCPU in that state already.
 */
void vgic_save(struct vcpu *v);
void vgic_load(struct vcpu *v);

/* An enabled interrupt that is not masked by the guest's priority mask is pending. `v` runs here or
 * not at all. */
bool vgic_has_interrupt(struct vcpu *v);

/* The maintenance interrupt came, for the vCPU that is loaded. */
void vgic_maintenance(struct vcpu *v);

void vgic_dump(struct domain *d);

#endif
