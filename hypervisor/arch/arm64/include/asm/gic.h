/* SPDX-License-Identifier: MIT */
/*
 * The physical interrupt controller: GICv2 or GICv3, found in the device tree. The hypervisor's own interrupts are
 * dropped and deactivated here; a guest's are dropped here (EOImode = 1) and deactivated by the guest.
 *
 * Functions on one interrupt are called with its irq_desc's lock held; the rest on the pCPU concerned.
 */
#ifndef ASM_GIC_H
#define ASM_GIC_H

#include <hospes/types.h>

struct pcpu;
struct vcpu;

#define GIC_SGI_KICK 0u   /* leave the guest, or wake up */
#define GIC_PPI_MAINTENANCE 25u
#define GIC_PPI_HYP_TIMER   26u

/* List registers in an encoding of ours, which each driver turns into its own. */
#define GIC_LR_PENDING  ((uint64_t)1 << 62)
#define GIC_LR_ACTIVE   ((uint64_t)1 << 63)
#define GIC_LR_HW       ((uint64_t)1 << 61)
#define GIC_LR_GROUP1   ((uint64_t)1 << 60)
#define GIC_LR_EOI      ((uint64_t)1 << 41) /* maintenance interrupt when it ends; not with HW */
#define GIC_LR_PRIORITY ((uint64_t)0xff << 48)
#define GIC_LR_PINTID   ((uint64_t)0x3ff << 32) /* with HW; for a v2 SGI its sender's CPU number */
#define GIC_LR_VINTID   ((uint64_t)0xffffffff)

struct gic_driver {
    const char *name;
    uint32_t version; /* 2 or 3 */
    void (*pcpu_init)(struct pcpu *p);
    /* Acknowledges the highest pending interrupt; 1023 when there is none. */
    uint32_t (*acknowledge)(void);
    void (*drop)(uint32_t iar);
    void (*deactivate)(uint32_t intid);
    void (*enable)(uint32_t intid);
    void (*disable)(uint32_t intid);
    void (*set_edge)(uint32_t intid, bool edge);
    void (*set_affinity)(uint32_t intid, const struct pcpu *p);
    void (*set_active)(uint32_t intid, bool active); /* PPIs: this pCPU's */
    void (*send_sgi)(const struct pcpu *p, uint32_t sgi);
    /* The virtual CPU interface of this pCPU */
    uint64_t (*read_lr)(uint32_t n);
    void (*write_lr)(uint32_t n, uint64_t lr);
    uint32_t (*empty_lrs)(void);            /* ELRSR: bit n: LR n is free */
    void (*vcpu_save)(struct vcpu *v);      /* VMCR, HCR, active priorities */
    void (*vcpu_load)(struct vcpu *v);
    void (*set_underflow)(bool on);         /* maintenance interrupt when at most one LR is in use */
};

struct gic_info {
    const struct gic_driver *driver;
    uint32_t nr_irqs;       /* SGIs and PPIs included */
    uint32_t nr_lrs;
    uint32_t maintenance_irq;
    uint64_t dist_base, dist_size;
    uint64_t cpu_base, cpu_size;     /* v2: GICC */
    uint64_t hyp_base, virt_base, virt_size; /* v2: GICH, GICV */
    struct {
        uint64_t base, size;
    } redist[16];                    /* v3 */
    uint32_t nr_redist;
    uint64_t redist_stride;
    int node;                        /* in the host's tree */
    uint32_t phandle;
};

extern struct gic_info gic;

/* Finds and resets the controller; then each pCPU, the first included, calls gic_pcpu_init(). 0, or -ENODEV with a line. */
int gic_init(void);
void gic_pcpu_init(void);

#endif
