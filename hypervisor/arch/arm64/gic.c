/* SPDX-License-Identifier: MIT */
/*
 * The machine's interrupt controller, whatever its version: finding it in the device tree (bindings
 * arm,gic.yaml and arm,gic-v3.yaml), acknowledging what is pending, and the architecture's part of
 * <hospes/irq.h>.
 */
#include <asm/clock.h>
#include <asm/gic.h>
#include <asm/gic_regs.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <asm/vtimer.h>
#include <hospes/cpu.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <hospes/io.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>

/* All interrupts have one priority: nothing nests at EL2. Guests' are sorted by the list registers.
 */
#define PRIORITY_ALL 0xa0a0a0a0u

/* More than this many in a row can wait until after the next guest entry, which takes one more at
 * once. */
#define POLL_MAX 64

#define DEFAULT_MAINTENANCE 25u
#define WAIT_READS          1000000u

struct gic_info gic;

static const char *const v3_names[] = { "arm,gic-v3", "qcom,msm8996-gic-v3" };
static const char *const v2_names[] = { "arm,gic-400",         "arm,cortex-a15-gic",
                                        "arm,cortex-a7-gic",   "arm,cortex-a9-gic",
                                        "brcm,brahma-b15-gic", "qcom,msm-qgic2" };

/* --- finding it --- */

static bool has_any(const char *list, int len, const char *const *names, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++)
        if (dt_list_has(list, len, names[i]))
            return true;
    return false;
}

/* The first enabled controller of either version; its version, or 0. */
static uint32_t find_node(void)
{
    int depth = 0;

    for (int node = dt_next_node(host_fdt, -1, &depth); node >= 0;
         node = dt_next_node(host_fdt, node, &depth)) {
        int len = 0;
        const char *compatible = dt_property(host_fdt, node, "compatible", &len);
        bool v3 = has_any(compatible, len, v3_names, array_size(v3_names));
        if (!v3 && !has_any(compatible, len, v2_names, array_size(v2_names)))
            continue;
        if (!dt_enabled(host_fdt, node))
            continue;
        gic.node = node;
        return v3 ? 3 : 2;
    }
    return 0;
}

/* Entry `index` of reg, which has to hold `least` bytes. */
static int region(uint32_t index, uint64_t least, const char *what, struct gic_region *r)
{
    char path[96];

    int rc = dt_reg(host_fdt, gic.node, index, &r->base, &r->size);
    if (rc == 0 && r->size >= least)
        return 0;
    log_err("%s: reg has no usable entry %u (%s)%s",
            dt_path(host_fdt, gic.node, path, sizeof(path)), index, what,
            index >= 2 ? ": this interrupt controller cannot serve guests" : "");
    return -ENODEV;
}

static int read_v3(void)
{
    uint64_t nr = 1, stride = 0;
    int rc = region(0, GICR_FRAME, "GICD", &gic.dist);

    if (rc != 0)
        return rc;
    if (dt_number(host_fdt, gic.node, "#redistributor-regions", &nr) != 0)
        nr = 1;
    if (nr == 0 || nr > GIC_MAX_REDIST) {
        log_err("GICv3: #redistributor-regions = %lu, only 1 to %u are possible", nr,
                GIC_MAX_REDIST);
        return -ENODEV;
    }
    for (uint32_t i = 0; i < nr; i++) {
        rc = region(1 + i, 2 * GICR_FRAME, "GICR", &gic.redist[i]);
        if (rc != 0)
            return rc;
    }
    gic.nr_redist = (uint32_t)nr;
    if (dt_number(host_fdt, gic.node, "redistributor-stride", &stride) == 0 &&
        (stride < 2 * GICR_FRAME || !is_aligned(stride, GICR_FRAME))) {
        log_warn("GICv3: redistributor-stride = 0x%lx makes no sense, ignored", stride);
        stride = 0;
    }
    gic.redist_stride = stride;
    return 0;
}

static int read_v2(void)
{
    int rc = region(0, 0x1000, "GICD", &gic.dist);

    if (rc == 0)
        rc = region(1, 0x2000, "GICC", &gic.cpu);
    if (rc == 0)
        rc = region(2, 0x200, "GICH", &gic.hyp);
    if (rc == 0)
        rc = region(3, 0x2000, "GICV", &gic.virt);
    return rc;
}

static void read_maintenance(void)
{
    struct dt_irq irq;

    if (dt_irq(host_fdt, gic.node, 0, &irq) == 0 && irq.intid >= GIC_NR_SGIS &&
        irq.intid < GIC_FIRST_SPI) {
        gic.maintenance_irq = irq.intid;
        return;
    }
    gic.maintenance_irq = DEFAULT_MAINTENANCE;
    log_warn("GIC: no maintenance interrupt in the device tree, assuming %u", DEFAULT_MAINTENANCE);
}

int gic_init(void)
{
    uint32_t version = find_node();
    int rc;

    if (version == 0) {
        log_err("no interrupt controller in the device tree (looked for arm,gic-v3, arm,gic-400, "
                "arm,cortex-a15-gic): cannot run guests");
        return -ENODEV;
    }
    gic.phandle = dt_phandle(host_fdt, gic.node);
    rc = version == 3 ? read_v3() : read_v2();
    if (rc == 0)
        rc = version == 3 ? gicv3_init() : gicv2_init();
    if (rc != 0)
        return rc;
    read_maintenance();
    log_info("%s at 0x%lx: %u interrupts, %u list registers", gic.driver->name, gic.dist.base,
             gic.nr_irqs, gic.nr_lrs);
    return 0;
}

int gic_pcpu_init(void)
{
    int rc = gic.driver->pcpu_init(this_pcpu());

    if (rc == 0)
        gic.driver->enable(gic.maintenance_irq);
    return rc;
}

bool gic_wait(const volatile uint8_t *p, uint32_t mask, const char *what)
{
    for (uint32_t i = 0; i < WAIT_READS; i++)
        if ((mmio_read32(p) & mask) == 0)
            return true;
    log_err("GIC: %s did not finish", what);
    return false;
}

void gic_reset_private(volatile uint8_t *base, bool group1)
{
    mmio_write32(base + GICD_ICENABLER, ~0u);
    mmio_write32(base + GICD_ICPENDR, ~0u);
    mmio_write32(base + GICD_ICACTIVER, ~0u);
    if (group1)
        mmio_write32(base + GICD_IGROUPR, ~0u);
    for (uint32_t i = 0; i < 32; i += 4)
        mmio_write32(base + GICD_IPRIORITYR + i, PRIORITY_ALL);
}

void gic_reset_spis(void)
{
    for (uint32_t first = GIC_FIRST_SPI; first < gic.nr_irqs; first += 32) {
        mmio_write32(gic.gicd + GICD_ICENABLER + first / 8, ~0u);
        mmio_write32(gic.gicd + GICD_ICPENDR + first / 8, ~0u);
        mmio_write32(gic.gicd + GICD_ICACTIVER + first / 8, ~0u);
        if (gic.driver->version == 3)
            mmio_write32(gic.gicd + GICD_IGROUPR + first / 8, ~0u);
        for (uint32_t i = first; i < first + 32; i += 4)
            mmio_write32(gic.gicd + GICD_IPRIORITYR + i, PRIORITY_ALL);
    }
}

uint64_t gic_maintenance_bits(uint32_t bits)
{
    return ((bits & GIC_MAINT_NONE_PENDING) ? GICH_HCR_NPIE : 0) |
           ((bits & GIC_MAINT_EOI_COUNT) ? GICH_HCR_LRENPIE : 0) |
           ((bits & GIC_MAINT_GROUP0_ON) ? GICH_HCR_GRP0EIE : 0) |
           ((bits & GIC_MAINT_GROUP0_OFF) ? GICH_HCR_GRP0DIE : 0) |
           ((bits & GIC_MAINT_GROUP1_ON) ? GICH_HCR_GRP1EIE : 0) |
           ((bits & GIC_MAINT_GROUP1_OFF) ? GICH_HCR_GRP1DIE : 0);
}

/* --- serving it --- */

static void maintenance(void)
{
    const struct pcpu *p = this_pcpu();

    if (p->current != NULL)
        vgic_maintenance(p->current);
    else
        gic.driver->set_maintenance(0); /* nobody is there to be kept up to date: no storm */
}

/* Those that each pCPU has for itself; true if `intid` is one. */
static bool serve_private(uint32_t iar, uint32_t intid)
{
    if (intid == clock_info.irq_virt || intid == clock_info.irq_phys) {
        vtimer_interrupt(intid == clock_info.irq_virt); /* stays active: the guest ends it */
        return true;
    }
    if (intid == clock_info.irq_hyp)
        clock_interrupt();
    else if (intid == gic.maintenance_irq)
        maintenance();
    else if (intid >= GIC_NR_SGIS)
        return false;
    gic.driver->deactivate(iar);
    return true;
}

void arch_irq_poll(void)
{
    const struct gic_driver *driver = gic.driver;

    for (uint32_t i = 0; i < POLL_MAX; i++) {
        uint32_t iar = driver->acknowledge();
        uint32_t intid = iar & GIC_INTID;

        if (intid >= GIC_FIRST_SPECIAL)
            return;
        driver->drop(iar);
        if (intid >= GIC_FIRST_SPI || !serve_private(iar, intid))
            irq_dispatch(intid);
    }
}

bool arch_irq_is_pending(void)
{
    return read_sysreg(isr_el1) != 0;
}

void arch_send_kick(uint32_t id)
{
    gic.driver->send_sgi(pcpus[id], GIC_SGI_KICK);
}

uint32_t arch_irq_count(void)
{
    return gic.nr_irqs;
}

void arch_irq_enable(uint32_t irq, enum irq_trigger trigger, uint32_t pcpu)
{
    gic.driver->set_edge(irq, trigger == IRQ_EDGE);
    if (irq >= GIC_FIRST_SPI)
        gic.driver->set_affinity(irq, pcpus[pcpu]);
    gic.driver->enable(irq);
}

void arch_irq_disable(uint32_t irq)
{
    gic.driver->disable(irq);
}

void arch_irq_set_affinity(uint32_t irq, uint32_t pcpu)
{
    if (irq >= GIC_FIRST_SPI)
        gic.driver->set_affinity(irq, pcpus[pcpu]);
}

void arch_irq_finish(uint32_t irq)
{
    /* Not by the CPU interface: this may be another pCPU than the one that acknowledged it. */
    gic.driver->set_active(irq, false);
}

void arch_irq_inject(struct domain *d, uint32_t virq, uint32_t irq)
{
    const struct vcpu *v = vgic_inject(d, NULL, virq, this_pcpu()->current);
    const struct pcpu *p = v != NULL ? read_once(v->sched.pcpu) : NULL;

    /* The next one goes where this one is handled. */
    if (p != NULL && p != this_pcpu())
        irq_route(irq, p->id);
}

void arch_irq_tie(struct domain *d, uint32_t virq, uint32_t irq)
{
    vgic_tie(d, NULL, virq, irq);
}

void arch_irq_untie(struct domain *d, uint32_t virq)
{
    vgic_untie(d, NULL, virq);
}
