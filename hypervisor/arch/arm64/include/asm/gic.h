/* SPDX-License-Identifier: MIT */
/*
 * The physical interrupt controller: GICv2 or GICv3, found in the device tree. The hypervisor's own
 * interrupts are dropped and deactivated here; a guest's are dropped here (EOImode = 1) and
 * deactivated by the guest.
 *
 * Functions on one SPI are called with its irq_desc's lock held; the rest on the pCPU concerned.
 */
#ifndef ASM_GIC_H
#define ASM_GIC_H

#include <hospes/types.h>

struct pcpu;
struct vcpu;

#define GIC_SGI_KICK 0u /* leave the guest, or wake up */
#define GIC_SPURIOUS 1023u

/* List registers in an encoding of ours (GICv3's, in fact), which each driver turns into its own.
 */
#define GIC_LR_PENDING  ((uint64_t)1 << 62)
#define GIC_LR_ACTIVE   ((uint64_t)1 << 63)
#define GIC_LR_HW       ((uint64_t)1 << 61)
#define GIC_LR_GROUP1   ((uint64_t)1 << 60)
#define GIC_LR_EOI      ((uint64_t)1 << 41) /* maintenance interrupt when it ends; not with HW */
#define GIC_LR_PRIORITY ((uint64_t)0xff << 48)
#define GIC_LR_PINTID   ((uint64_t)0x3ff << 32) /* with HW; for a v2 SGI its sender's CPU number */
#define GIC_LR_VINTID   ((uint64_t)0xffffffff)

/* When the virtual CPU interface asks for a maintenance interrupt, besides GIC_LR_EOI. */
#define GIC_MAINT_NONE_PENDING 1u /* no list register is pending */
#define GIC_MAINT_EOI_COUNT    2u /* an end matched no list register */
#define GIC_MAINT_GROUP0_ON    4u /* the guest has group 0 on in its CPU interface; and so on */
#define GIC_MAINT_GROUP0_OFF   8u
#define GIC_MAINT_GROUP1_ON    16u
#define GIC_MAINT_GROUP1_OFF   32u

struct gic_driver {
    const char *name;
    uint32_t version; /* 2 or 3 */
    /* Prepares this pCPU's interface: nothing enabled but the kick. 0 or -ENODEV with a line. */
    int (*pcpu_init)(struct pcpu *p);
    /* Acknowledges the highest pending interrupt: its number in GIC_INTID, and what the next two
     * need. */
    uint32_t (*acknowledge)(void);
    void (*drop)(uint32_t iar);
    void (*deactivate)(uint32_t iar);
    void (*enable)(uint32_t intid);
    void (*disable)(uint32_t intid); /* when this returns it is not taken any more */
    void (*set_edge)(uint32_t intid, bool edge);
    void (*set_affinity)(uint32_t intid, const struct pcpu *p);
    void (*set_active)(uint32_t intid, bool active); /* PPIs: this pCPU's */
    void (*send_sgi)(const struct pcpu *p, uint32_t sgi);
    /* The virtual CPU interface of this pCPU */
    uint64_t (*read_lr)(uint32_t n);
    void (*write_lr)(uint32_t n, uint64_t lr);
    uint32_t (*empty_lrs)(void);       /* ELRSR: bit n: LR n is free */
    void (*vcpu_save)(struct vcpu *v); /* VMCR and active priorities; switches the interface off */
    void (*vcpu_load)(struct vcpu *v);
    uint32_t (*read_vmcr)(void);            /* VMCR_* of gic_regs.h */
    void (*set_maintenance)(uint32_t bits); /* GIC_MAINT_* */
    uint32_t (*take_eoi_count)(void);       /* EOIcount, which is 0 then */
};

struct gic_region {
    uint64_t base, size;
};

#define GIC_MAX_REDIST 32

struct gic_info {
    const struct gic_driver *driver;
    uint32_t nr_irqs; /* SGIs and PPIs included */
    uint32_t nr_lrs;
    uint32_t maintenance_irq;
    bool traps_dir; /* guests' writes to ICC_DIR_EL1 or GICV_DIR come to us: vgic_write_dir() */
    struct gic_region dist;
    struct gic_region cpu;       /* v2: GICC */
    struct gic_region hyp, virt; /* v2: GICH, GICV */
    /*
     * v2: where in `virt` the two pages that belong together begin. Not 0 on boards that repeat
     * each page sixteen times, to be 64 KiB apart.
     */
    uint64_t virt_offset;
    struct gic_region redist[GIC_MAX_REDIST]; /* v3 */
    uint32_t nr_redist;
    uint64_t redist_stride; /* 0: as each redistributor says */
    int node;               /* in the host's tree */
    uint32_t phandle;
    volatile uint8_t *gicd, *gicc, *gich; /* mapped */
};

extern struct gic_info gic;

/*
 * Finds and resets the controller; then each pCPU, the first included, calls gic_pcpu_init(). 0, or
 * -ENODEV with a line. After heap and device_map() work.
 */
int gic_init(void);
int gic_pcpu_init(void);

/* The drivers: prepare the distributor. 0 or -errno with a line. */
int gicv2_init(void);
int gicv3_init(void);

/* Waits until the register at `p` has no bit of `mask`; false, with a line, when that takes too
 * long. */
bool gic_wait(const volatile uint8_t *p, uint32_t mask, const char *what);

/* GIC_MAINT_* as bits of GICH_HCR and ICH_HCR_EL2. */
uint64_t gic_maintenance_bits(uint32_t bits);

/* What both versions' distributors have in common: all lines off, not active, of one priority and
 * group 1. */
void gic_reset_spis(void);
void gic_reset_private(volatile uint8_t *base, bool group1);

#endif
