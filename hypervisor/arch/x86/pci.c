/* SPDX-License-Identifier: MIT */
/* The machine's PCI configuration space; <asm/pci.h> has the contract. */
#include <asm/io.h>
#include <asm/pci.h>
#include <hospes/errno.h>
#include <hospes/io.h>
#include <hospes/map.h>
#include <hospes/spinlock.h>
#include <lib/bitmap.h>
#include <lib/bits.h>

#define PORT_ADDRESS   0xcf8u
#define PORT_DATA      0xcfcu
#define ADDRESS_ENABLE 0x80000000u

#define FUNCTIONS 8u
#define DEVICES   32u
#define BUSES     256u

#define LIST_STEPS 48u /* as many capabilities as there is room for: lists may be loops */

static struct spinlock lock = SPINLOCK_INIT(LOCK_PCI);

static struct {
    volatile uint8_t *regs;
    maddr_t start;
    uint8_t first_bus, last_bus;
} memory;

int pci_set_memory(maddr_t start, uint8_t first_bus, uint8_t last_bus)
{
    uint64_t bytes = ((uint64_t)last_bus - first_bus + 1) * MIB(1);
    volatile void *regs = device_map(start, bytes);

    if (!regs)
        return -ENOMEM;
    memory.regs = regs;
    memory.start = start;
    memory.first_bus = first_bus;
    memory.last_bus = last_bus;
    return 0;
}

maddr_t pci_memory(uint64_t *bytes)
{
    *bytes = memory.regs ? ((uint64_t)memory.last_bus - memory.first_bus + 1) * MIB(1) : 0;
    return memory.start;
}

uint8_t pci_memory_first_bus(void)
{
    return memory.first_bus;
}

/* --- one access ------------------------------------------------------------------------------- */

/* NULL: not by memory. */
static volatile uint8_t *in_memory(uint16_t bdf, uint32_t at)
{
    uint32_t bus = PCI_BUS(bdf);

    if (!memory.regs || bus < memory.first_bus || bus > memory.last_bus)
        return NULL;
    return memory.regs + (((uint64_t)bdf - memory.first_bus * 256u) << 12) + at;
}

static void select(uint16_t bdf, uint32_t at)
{
    port_write32(PORT_ADDRESS, ADDRESS_ENABLE | (uint32_t)bdf << 8 | (at & ~3u));
}

uint32_t pci_read(uint16_t bdf, uint32_t at, uint32_t size)
{
    volatile uint8_t *p = in_memory(bdf, at);
    uint16_t port = (uint16_t)(PORT_DATA + (at & 3));
    uint32_t value;

    if (p)
        return size == 1 ? mmio_read8(p) : size == 2 ? mmio_read16(p) : mmio_read32(p);
    if (at >= PCI_CONFIG_BYTES)
        return (uint32_t)MASK(8 * size - 1, 0);
    spin_lock(&lock);
    select(bdf, at);
    value = port_read(port, size);
    spin_unlock(&lock);
    return value;
}

void pci_write(uint16_t bdf, uint32_t at, uint32_t size, uint32_t value)
{
    volatile uint8_t *p = in_memory(bdf, at);
    uint16_t port = (uint16_t)(PORT_DATA + (at & 3));

    if (p) {
        if (size == 1)
            mmio_write8(p, (uint8_t)value);
        else if (size == 2)
            mmio_write16(p, (uint16_t)value);
        else
            mmio_write32(p, value);
        return;
    }
    if (at >= PCI_CONFIG_BYTES)
        return;
    spin_lock(&lock);
    select(bdf, at);
    port_write(port, size, value);
    spin_unlock(&lock);
}

/* --- all functions ---------------------------------------------------------------------------- */

bool pci_is_there(uint16_t bdf)
{
    return (uint16_t)pci_read(bdf, PCI_ID, 4) != UINT16_MAX;
}

/* One bus; bridges add theirs to those that are still to be looked at. */
static void scan_bus(uint32_t bus, unsigned long *to_do, void (*fn)(uint16_t bdf, void *arg),
                     void *arg)
{
    for (uint32_t device = 0; device < DEVICES; device++) {
        uint32_t functions = 1;

        for (uint32_t f = 0; f < functions; f++) {
            uint16_t bdf = (uint16_t)(bus << 8 | device << 3 | f);
            uint32_t type;

            if (!pci_is_there(bdf)) {
                if (!f)
                    break;
                continue;
            }
            type = pci_read(bdf, PCI_HEADER_TYPE, 1);
            if (!f && type & PCI_HEADER_MULTI)
                functions = FUNCTIONS;
            if ((type & ~PCI_HEADER_MULTI) == PCI_HEADER_BRIDGE) {
                uint32_t behind = pci_read(bdf, PCI_BUSES, 4) >> 8 & 0xff;
                if (behind > bus)
                    bitmap_set(to_do, behind);
            }
            fn(bdf, arg);
        }
    }
}

void pci_for_each(void (*fn)(uint16_t bdf, void *arg), void *arg)
{
    DECLARE_BITMAP(to_do, BUSES) = { 1 };

    /* Buses behind a bridge have higher numbers: each is looked at once. */
    for (uint32_t bus = 0; bus < BUSES; bus++)
        if (bitmap_test(to_do, bus))
            scan_bus(bus, to_do, fn, arg);
}

uint32_t pci_find_capability(uint16_t bdf, uint8_t id)
{
    uint32_t at;

    if (!(pci_read(bdf, PCI_STATUS, 2) & PCI_STATUS_LIST))
        return 0;
    at = pci_read(bdf, PCI_CAPABILITIES, 1) & ~3u;
    for (uint32_t i = 0; i < LIST_STEPS && at >= 0x40; i++) {
        uint32_t head = pci_read(bdf, at, 2);

        if ((uint8_t)head == id)
            return at;
        at = head >> 8 & ~3u;
    }
    return 0;
}
