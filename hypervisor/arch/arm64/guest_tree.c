/* SPDX-License-Identifier: MIT */
/*
 * The device tree of a domain that has no devices of the host: what Xen generates for its guests,
 * node by node, since guests know it (addresses from <xen/arch-arm.h>).
 */
#include "domain_tree.h"

#include <lib/bits.h>
#include <lib/format.h>

#define UART_NAME "sbsa-uart"

#define KASLR_SEED_BYTES 8

#define GIC_SPI    0u
#define GIC_PPI    1u
#define LEVEL_HIGH 4u
#define LEVEL_LOW  8u
#define ALL_CPUS   0xf00u /* GICv2: a PPI's CPUs */

/* PPIs of the generic timer: secure and non-secure physical, virtual; less the 16 SGIs. */
#define TIMER_PPI_SECURE 13u
#define TIMER_PPI_PHYS   14u
#define TIMER_PPI_VIRT   11u

#define VCPUS_PER_GROUP 16u /* of one SGI target list */

uint32_t vcpu_affinity(uint32_t id)
{
    return (id / VCPUS_PER_GROUP) << 8 | id % VCPUS_PER_GROUP;
}

void tree_write_psci(struct dt_writer *w)
{
    static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2\0arm,psci";

    dt_write_node(w, "psci");
    dt_write_bytes(w, "compatible", compatible, sizeof(compatible));
    dt_write_string(w, "method", "hvc");
    dt_write_u32(w, "cpu_off", 0x84000002); /* for PSCI 0.1, which had no numbers of its own */
    dt_write_u32(w, "cpu_on", 0xc4000003);
    dt_write_end(w);
}

void tree_write_cpus(struct dt_writer *w, uint32_t vcpus, const char *compatible)
{
    dt_write_node(w, "cpus");
    dt_write_u32(w, "#address-cells", 1);
    dt_write_u32(w, "#size-cells", 0);
    for (uint32_t i = 0; i < vcpus; i++) {
        dt_write_node_at(w, "cpu", vcpu_affinity(i));
        dt_write_string(w, "compatible", compatible);
        dt_write_string(w, "device_type", "cpu");
        dt_write_u32(w, "reg", vcpu_affinity(i));
        dt_write_string(w, "enable-method", "psci");
        dt_write_end(w);
    }
    dt_write_end(w);
}

/* A node for each bank; where sizes have one cell only, large banks are given in parts. */
void tree_write_memory(struct dt_writer *w, const struct domain_layout *l, uint32_t address_cells,
                       uint32_t size_cells)
{
    uint64_t most = size_cells == 1 ? GIB(2) : UINT64_MAX;

    for (uint32_t i = 0; i < l->nr_banks; i++) {
        uint64_t at = l->bank[i].start.v, left = l->bank[i].bytes;
        while (left) {
            uint64_t part = min(left, most);
            uint8_t reg[16], *p = dt_store_cells(reg, at, address_cells);
            p = dt_store_cells(p, part, size_cells);
            dt_write_node_at(w, "memory", at);
            dt_write_string(w, "device_type", "memory");
            dt_write_bytes(w, "reg", reg, (uint32_t)(p - reg));
            dt_write_end(w);
            at += part;
            left -= part;
        }
    }
}

void tree_write_chosen(struct dt_writer *w, const char *bootargs, const struct domain_layout *l,
                       const uint8_t *seed)
{
    dt_write_node(w, "chosen");
    if (*bootargs)
        dt_write_string(w, "bootargs", bootargs);
    if (l->ramdisk_bytes) {
        dt_write_u64(w, "linux,initrd-start", l->ramdisk.v);
        dt_write_u64(w, "linux,initrd-end", l->ramdisk.v + l->ramdisk_bytes);
    }
    if (seed) {
        dt_write_bytes(w, "kaslr-seed", seed, KASLR_SEED_BYTES);
        dt_write_bytes(w, "rng-seed", seed + KASLR_SEED_BYTES, SEED_BYTES - KASLR_SEED_BYTES);
    }
}

static void write_gic(struct dt_writer *w, const struct domain_places *p, uint32_t phandle)
{
    uint8_t reg[32], *end = dt_store_cells(reg, p->gicd, 2);

    end = dt_store_cells(end, p->gicd_bytes, 2);
    end = dt_store_cells(end, p->gic_second, 2);
    end = dt_store_cells(end, p->gic_second_bytes, 2);
    dt_write_node_at(w, "interrupt-controller", p->gicd);
    dt_write_u32(w, "#address-cells", 0);
    dt_write_u32(w, "#interrupt-cells", 3);
    dt_write_empty(w, "interrupt-controller");
    if (p->gic_version == 3) {
        dt_write_string(w, "compatible", "arm,gic-v3");
        dt_write_u32(w, "#redistributor-regions", 1);
    } else {
        dt_write_string(w, "compatible", "arm,gic-400");
    }
    dt_write_bytes(w, "reg", reg, (uint32_t)(end - reg));
    dt_write_u32(w, "linux,phandle", phandle);
    dt_write_u32(w, "phandle", phandle);
    dt_write_end(w);
}

static void write_timer(struct dt_writer *w, uint32_t phandle)
{
    const uint32_t flags = ALL_CPUS | LEVEL_LOW;
    const uint32_t interrupts[] = { GIC_PPI, TIMER_PPI_SECURE, flags,
                                    GIC_PPI, TIMER_PPI_PHYS,   flags,
                                    GIC_PPI, TIMER_PPI_VIRT,   flags };

    dt_write_node(w, "timer");
    dt_write_string(w, "compatible", "arm,armv8-timer");
    dt_write_cells(w, "interrupts", interrupts, sizeof(interrupts) / sizeof(interrupts[0]));
    dt_write_u32(w, "interrupt-parent", phandle);
    dt_write_end(w);
}

static void write_uart(struct dt_writer *w, const struct domain_places *p, uint32_t phandle)
{
    const uint32_t interrupts[] = { GIC_SPI, p->uart_virq - 32, LEVEL_HIGH };
    uint8_t reg[16], *end = dt_store_cells(reg, p->uart, 2);

    end = dt_store_cells(end, FRAME_SIZE, 2);
    dt_write_node_at(w, UART_NAME, p->uart);
    dt_write_string(w, "compatible", "arm,sbsa-uart");
    dt_write_bytes(w, "reg", reg, (uint32_t)(end - reg));
    dt_write_cells(w, "interrupts", interrupts, 3);
    dt_write_u32(w, "interrupt-parent", phandle);
    dt_write_u32(w, "current-speed", 115200);
    dt_write_end(w);
}

int guest_tree_write(const struct guest_tree *t, void *fdt, uint32_t room, uint32_t *bytes)
{
    uint32_t phandle = t->partial ? passthrough_gic_phandle(t->partial) : GUEST_GIC_PHANDLE;
    static const char compatible[] = "xen,xenvm-4.20\0xen,xenvm";
    struct dt_writer w;
    char path[40];

    dt_write_begin(&w, fdt, room);
    dt_write_u32(&w, "#address-cells", 2);
    dt_write_u32(&w, "#size-cells", 2);
    dt_write_bytes(&w, "compatible", compatible, sizeof(compatible));
    dt_write_string(&w, "model", "XENVM-4.20");
    dt_write_u32(&w, "interrupt-parent", phandle);
    tree_write_chosen(&w, t->c->bootargs, t->l, t->seed);
    if (t->p->uart) {
        format(path, sizeof(path), "/" UART_NAME "@%lx", (unsigned long)t->p->uart);
        dt_write_string(&w, "stdout-path", path);
    }
    dt_write_end(&w);
    tree_write_psci(&w);
    tree_write_cpus(&w, t->c->vcpus, t->cpu_compatible);
    tree_write_memory(&w, t->l, 2, 2);
    write_gic(&w, t->p, phandle);
    write_timer(&w, phandle);
    if (t->p->uart)
        write_uart(&w, t->p, phandle);
    if (t->hypervisor)
        tree_write_hypervisor(&w, t->hypervisor, &(struct hypervisor_cells){ 2, 2, 3, phandle });
    if (t->partial)
        passthrough_write(&w, t->partial);
    return dt_write_finish(&w, bytes);
}
