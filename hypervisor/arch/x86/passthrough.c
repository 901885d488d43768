/* SPDX-License-Identifier: MIT */
/* What of the machine the hardware domain gets; <asm/passthrough.h> has the contract. */
#include <asm/cpu.h>
#include <asm/e820.h>
#include <asm/ioapic.h>
#include <asm/passthrough.h>
#include <asm/pio.h>
#include <hospes/boot.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/mmio.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

/* --- what is kept ---------------------------------------------------------------------------- */

#define PORTS_MAX 16u

struct ports {
    uint16_t first, last;
};

/* PCs' own interrupt controllers and timers, which are not there for domains; 0x61 gates one of the
 * timers; and the access to PCI's configuration, which is looked at. */
static const struct ports fixed_ports[] = {
    { 0x20, 0x21 }, { 0xa0, 0xa1 },   { 0x40, 0x43 },
    { 0x61, 0x61 }, { 0x4d0, 0x4d1 }, { 0xcf8, 0xcff },
};

static struct ports kept_ports[PORTS_MAX];
static uint32_t nr_kept_ports;

static struct boot_ranges kept_memory;

/* Interrupts are messages to here: a domain that could write them could write any. */
#define MESSAGES       0xfee00000u
#define MESSAGES_BYTES MIB(1)

void passthrough_keep_ports(uint16_t first, uint16_t last)
{
    if (nr_kept_ports == PORTS_MAX)
        panic("ports from %#x on: no room to keep them from the hardware domain", first);
    kept_ports[nr_kept_ports++] = (struct ports){ first, last };
}

void passthrough_keep_memory(uint64_t start, uint64_t bytes)
{
    if (bytes && boot_range_add(&kept_memory, align_down(start, FRAME_SIZE),
                                align_up(start + bytes, FRAME_SIZE), "Hospes"))
        panic("%#llx: no room to keep it from the hardware domain", (unsigned long long)start);
}

/* --- ports ----------------------------------------------------------------------------------- */

int passthrough_ports(struct domain *d)
{
    const struct pio_space *s = &d->arch.pio;
    int rc = pio_pass(d, 0, UINT16_MAX);

    if (rc)
        return rc;
    for (uint32_t i = 0; i < sizeof(fixed_ports) / sizeof(fixed_ports[0]); i++)
        pio_trap(d, fixed_ports[i].first, fixed_ports[i].last);
    for (uint32_t i = 0; i < nr_kept_ports; i++)
        pio_trap(d, kept_ports[i].first, kept_ports[i].last);
    for (uint32_t i = 0; i < s->nr; i++)
        pio_trap(d, s->regions[i].first, s->regions[i].last);
    return 0;
}

/* --- memory ---------------------------------------------------------------------------------- */

void passthrough_init(void)
{
    passthrough_keep_memory(MESSAGES, MESSAGES_BYTES);
    for (uint32_t i = 0; i < nr_ioapics; i++)
        passthrough_keep_memory(ioapics[i].address, FRAME_SIZE);
}

/* Nobody's RAM, nothing that is kept, and no emulated device's. */
static bool is_free(const struct domain *d, uint64_t start, uint64_t bytes)
{
    return !e820_overlaps(&host_e820, start, start + bytes, E820_RAM) &&
           !e820_overlaps(&host_e820, start, start + bytes, E820_UNUSABLE) &&
           !boot_range_overlaps(&kept_memory, start, start + bytes, NULL) &&
           !mmio_overlaps(d, GADDR(start), bytes);
}

/* True if nothing is mapped in this block: neither by us nor by the domain itself. */
static bool is_empty(struct domain *d, uint64_t start, uint64_t bytes)
{
    return p2m_is_empty(d, gaddr_to_gfn(GADDR(start)), bytes >> FRAME_SHIFT);
}

/* So many blocks or pages are mapped, no more: their tables take memory. */
#define MAPPED_MAX 16384u

static uint32_t nr_mapped; /* atomic */

bool passthrough_fault(struct domain *d, gaddr_t at)
{
    uint64_t bytes = MIB(2), start = align_down(at.v, MIB(2));

    if (!d->hardware || at.v >> cpu_info.physical_bits || mmio_overlaps(d, at, 1))
        return false;
    if (!is_free(d, start, bytes) || !is_empty(d, start, bytes)) {
        start = align_down(at.v, FRAME_SIZE);
        bytes = FRAME_SIZE;
        if (!is_free(d, start, bytes))
            return false;
        /* Another vCPU was faster. */
        if (!is_empty(d, start, bytes))
            return true;
    }
    if (__atomic_fetch_add(&nr_mapped, 1, __ATOMIC_RELAXED) < MAPPED_MAX &&
        p2m_replace(d, gaddr_to_gfn(GADDR(start)), maddr_to_mfn(MADDR(start)), bytes >> FRAME_SHIFT,
                    P2M_DEVICE) == 0)
        return true;
    __atomic_fetch_sub(&nr_mapped, 1, __ATOMIC_RELAXED);
    return false;
}
