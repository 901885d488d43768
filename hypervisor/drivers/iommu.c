/* SPDX-License-Identifier: MIT */
/* The machine's IOMMUs, of whichever kind; <hospes/iommu.h> has the contract. */
#include "iommu.h"

#include <hospes/acpi.h>
#include <hospes/cmdline.h>
#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/io.h>
#include <hospes/iommu.h>
#include <hospes/log.h>
#include <hospes/timer.h>
#include <lib/bits.h>

#define WAIT_NS    1000000000u
#define UNITY_MOST 16u

#define STRUCTURES 48u /* where they begin, in IVRS and DMAR alike */
#define HEADER     4u  /* of each: what it is, and its length in the last two bytes */

static const struct iommu_driver *const drivers[] = { &iommu_amd, &iommu_vtd };

static const struct iommu_driver *driver; /* NULL: there is none */
static struct pgtable tables;
static struct pgtable_doomed doomed; /* tables of no use any more; until the next flush */
static bool enabled, stale;
static struct {
    uint64_t number;  /* of the 2 MiB that it is for */
    uint64_t *leaves; /* of `tables`; NULL: none */
} recent;             /* the table of pages that was used last */
static void (*keeper)(uint64_t start, uint64_t bytes);

static struct {
    uint64_t start, end;
} unity[UNITY_MOST];
static uint32_t nr_unity;

/* --- for drivers ------------------------------------------------------------------------------ */

void iommu_keep(uint64_t start, uint64_t bytes)
{
    keeper(start, bytes);
}

void iommu_add_unity(uint64_t start, uint64_t end)
{
    if (nr_unity == UNITY_MOST || end <= start) {
        log_warn("IOMMU: a device's memory at %#llx is left out", (unsigned long long)start);
        return;
    }
    unity[nr_unity].start = align_down(start, FRAME_SIZE);
    unity[nr_unity++].end = align_up(end, FRAME_SIZE);
}

int iommu_walk(const uint8_t *table, uint32_t bytes,
               int (*take)(const uint8_t *structure, uint32_t length))
{
    uint32_t at = STRUCTURES;
    int err = 0;

    while (!err && bytes >= HEADER && at <= bytes - HEADER) {
        uint32_t length = load_le16(table + at + 2);

        err = length < HEADER || length > bytes - at ? -EINVAL : take(table + at, length);
        at += length;
    }
    return err;
}

static void __noreturn no_answer(void)
{
    panic("the IOMMU does not answer: what devices may reach is not known any more");
}

void iommu_wait32(const volatile void *p, uint32_t mask, uint32_t value)
{
    uint64_t end = clock_ns() + WAIT_NS;

    while ((mmio_read32(p) & mask) != value) {
        if (clock_ns() > end)
            no_answer();
        arch_cpu_relax();
    }
}

void iommu_wait64(const volatile void *p, uint64_t mask, uint64_t value)
{
    uint64_t end = clock_ns() + WAIT_NS;

    while ((mmio_read64(p) & mask) != value) {
        if (clock_ns() > end)
            no_answer();
        arch_cpu_relax();
    }
}

/* --- tables ----------------------------------------------------------------------------------- */

static void *table_alloc(struct pgtable *pt)
{
    (void)pt;
    return heap_alloc_pages(0);
}

static void table_free(struct pgtable *pt, void *page)
{
    (void)pt;
    recent.leaves = NULL; /* it may be that one */
    heap_free_pages(page, 0);
}

static void table_flush(struct pgtable *pt, uint64_t addr, uint64_t bytes)
{
    (void)pt, (void)addr, (void)bytes;
    if (enabled)
        driver->flush();
}

/* Devices read and write what the domain does; not other devices. */
static bool is_memory(const struct pgtable_leaf *leaf)
{
    return leaf && leaf->flags & PG_VALID && !(leaf->flags & PG_DEVICE);
}

/* Where there is no memory to split a block it goes whole: devices lose more than they had to. */
static void take_back(uint64_t addr, uint64_t bytes)
{
    static const uint64_t blocks[] = { MIB(2), GIB(1), GIB(512) };
    uint64_t end = addr + bytes;
    uint32_t next = 0;

    /* A whole table of the highest level needs none: there it ends. */
    while (pgtable_clear(&tables, addr, end - addr, &doomed) == -ENOMEM) {
        log_limited(LOG_WARN,
                    "IOMMU: no memory for its tables: devices lose the memory around %#llx",
                    (unsigned long long)addr);
        addr = align_down(addr, blocks[next]);
        end = align_up(end, blocks[next]);
        next = min(next + 1, (uint32_t)array_size(blocks) - 1);
    }
}

void iommu_flush(void)
{
    if (!enabled || !stale)
        return;
    driver->flush();
    pgtable_free_doomed(&tables, &doomed);
    stale = false;
}

/*
 * Most changes are of one page, again and again in the same table: what a backend maps of a guest's
 * and gives back. An empty table stays for the next one, as it does in the domain's p2m: so there
 * are no more of them than there.
 */
static uint64_t *leaves_of(uint64_t addr, bool make)
{
    uint64_t number = addr / MIB(2);

    if (recent.number != number || !recent.leaves) {
        recent.leaves = pgtable_leaves(&tables, addr, make);
        recent.number = number;
    }
    return recent.leaves;
}

/* Where that does: false, where there is no table, or no memory for one. */
static bool mirror_page(uint64_t addr, const struct pgtable_leaf *leaf)
{
    uint64_t *leaves = leaves_of(addr, leaf != NULL);

    if (leaves)
        pgtable_leaf_set(&tables, leaves, addr, true, leaf);
    return leaves;
}

static void mirror_range(uint64_t addr, uint64_t bytes, const struct pgtable_leaf *leaf)
{
    recent.leaves = NULL; /* it may be taken out of the tree */
    if (!leaf || pgtable_map(&tables, addr, bytes, leaf) == -ENOMEM)
        take_back(addr, bytes);
}

static void mirror(struct pgtable *pt, uint64_t addr, uint64_t bytes,
                   const struct pgtable_leaf *leaf)
{
    const struct pgtable_leaf *seen = is_memory(leaf) ? leaf : NULL; /* by devices */

    (void)pt;
    stale = true;
    if (bytes != FRAME_SIZE || !mirror_page(addr, seen))
        mirror_range(addr, bytes, seen);
    /* What stands there instead may have been flushed already, as for the domain itself. */
    if (!seen && leaf)
        iommu_flush();
    if (seen && driver->caches_absence() && enabled)
        driver->flush();
}

/* --- life ------------------------------------------------------------------------------------- */

void iommu_init(void (*keep)(uint64_t start, uint64_t bytes))
{
    keeper = keep;
    for (uint32_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]) && !driver; i++) {
        const struct acpi_table *t = acpi_find(drivers[i]->signature, 0);
        const uint8_t *table = t ? acpi_map(t) : NULL;

        if (!table)
            continue;
        if (!options.iommu)
            log_info("IOMMU: %s, off by iommu=", drivers[i]->name);
        else if (!drivers[i]->probe(table, t->bytes))
            driver = drivers[i];
        acpi_unmap(t, table);
    }
}

bool iommu_is_there(void)
{
    return driver;
}

bool iommu_is_on(void)
{
    return enabled;
}

/* All that the domain has so far, and what firmware's own devices use. */
static int copy_all(struct domain *d)
{
    struct pgtable_leaf leaf;
    uint64_t at = 0;
    unsigned int order;
    int err = 0;

    while (!err && pgtable_next(&d->p2m.pt, at, UINT64_MAX, &at, &leaf, &order)) {
        uint64_t bytes = FRAME_SIZE << order;

        if (is_memory(&leaf))
            err = pgtable_map(&tables, at, bytes, &leaf);
        at += bytes;
    }
    for (uint32_t i = 0; i < nr_unity && !err; i++) {
        leaf = (struct pgtable_leaf){ MADDR(unity[i].start), PG_R | PG_W | PG_VALID, 0 };
        err = pgtable_map(&tables, unity[i].start, unity[i].end - unity[i].start, &leaf);
    }
    return err;
}

int iommu_attach(struct domain *d)
{
    int err;

    tables.alloc = table_alloc;
    tables.free = table_free;
    tables.flush = table_flush;
    err = pgtable_init(&tables, driver->format());
    if (err)
        return err;
    spin_lock(&d->p2m.lock);
    err = copy_all(d);
    if (!err)
        err = driver->enable(arch_virt_to_maddr(tables.root));
    if (!err) {
        enabled = true;
        d->p2m.pt.changed = mirror;
    }
    spin_unlock(&d->p2m.lock);
    if (err)
        pgtable_destroy(&tables);
    else
        log_info("IOMMU: %s; devices see d%u's memory only", driver->name, d->id);
    return err;
}
