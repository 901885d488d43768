/* SPDX-License-Identifier: MIT */
/*
 * What an entry of a nested page table looks like: the processor's long-mode format, with every
 * access a user's. AMD APM volume 2, 5.3 and 15.25.
 *
 * The hypervisor keeps in bits that hardware ignores (58:55) what a frame is to the domain, also in
 * entries that are not present. Accessed and dirty are set from the start: nobody asks for them,
 * and hardware need not write them.
 */
#include <asm/npt.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

#define NPT_PRESENT  BIT(0)
#define NPT_WRITE    BIT(1)
#define NPT_USER     BIT(2)
#define NPT_UNCACHED BIT(4) /* PCD: UC-, so that a guest's PAT can make WC of it */
#define NPT_ACCESSED BIT(5)
#define NPT_DIRTY    BIT(6)
#define NPT_LARGE    BIT(7)
#define NPT_ADDRESS  PGTABLE_ADDRESS
#define NPT_SOFTWARE PGTABLE_TYPE
#define NPT_NX       BIT(63)

#define LAST_LEVEL (PGTABLE_LEVELS - 1u)

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    uint64_t e = leaf->maddr.v | field_prep(NPT_SOFTWARE, leaf->type);

    if (!(leaf->flags & PG_VALID))
        return e;
    e |= NPT_PRESENT | NPT_USER | NPT_ACCESSED | NPT_DIRTY;
    e |= (leaf->flags & PG_W ? NPT_WRITE : 0) | (leaf->flags & PG_X ? 0 : NPT_NX);
    e |= leaf->flags & PG_DEVICE ? NPT_UNCACHED : 0;
    return e | (level == LAST_LEVEL ? 0 : NPT_LARGE);
}

static uint64_t encode_table(maddr_t table, unsigned int level)
{
    (void)level;
    return table.v | NPT_PRESENT | NPT_WRITE | NPT_USER | NPT_ACCESSED;
}

static bool decode_leaf(uint64_t e, unsigned int level, struct pgtable_leaf *leaf)
{
    if (e & NPT_PRESENT ? level != LAST_LEVEL && !(e & NPT_LARGE) : !(e & NPT_SOFTWARE))
        return false;
    leaf->maddr = MADDR(e & NPT_ADDRESS);
    leaf->type = (uint32_t)field_get(NPT_SOFTWARE, e);
    leaf->flags = 0;
    if (e & NPT_PRESENT)
        leaf->flags = PG_VALID | PG_R | (e & NPT_WRITE ? PG_W : 0) | (e & NPT_NX ? 0 : PG_X) |
                      (e & NPT_UNCACHED ? PG_DEVICE : 0);
    return true;
}

static bool decode_table(uint64_t e, unsigned int level, maddr_t *table)
{
    *table = MADDR(e & NPT_ADDRESS);
    return (e & NPT_PRESENT) && level != LAST_LEVEL && !(e & NPT_LARGE);
}

const struct pgtable_format npt_format = {
    .top_level = 0,
    .top_order = 0,
    .largest_block = 1,
    .encode_leaf = encode_leaf,
    .encode_table = encode_table,
    .decode_leaf = decode_leaf,
    .decode_table = decode_table,
};
