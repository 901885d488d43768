/* SPDX-License-Identifier: MIT */
/*
 * What an entry of a stage 2 table looks like. Arm ARM D8.3 (VMSAv8-64, 4 KiB granule), D8.6
 * (memory attributes).
 *
 * Hardware leaves bits 58:55 to software: what a frame is to the domain is kept there, also in
 * entries that are not valid.
 */
#include <hospes/p2m.h>
#include <lib/bits.h>

#define S2_VALID    (1ull << 0)
#define S2_TABLE    (1ull << 1) /* table; at level 3: page */
#define S2_MEMATTR  0x3cull
#define S2_AP_R     (1ull << 6)
#define S2_AP_W     (1ull << 7)
#define S2_SH_IS    (3ull << 8)
#define S2_AF       (1ull << 10)
#define S2_ADDRESS  0x0000fffffffff000ull
#define S2_XN       (1ull << 54)
#define S2_SOFTWARE PGTABLE_TYPE

#define MEMATTR_NORMAL_WB    0xfu
#define MEMATTR_DEVICE_nGnRE 0x1u

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    uint64_t e = leaf->maddr.v | field_prep(S2_SOFTWARE, leaf->type);

    if (!(leaf->flags & PG_VALID))
        return e;
    e |= S2_VALID | S2_AF | S2_SH_IS;
    e |= field_prep(S2_MEMATTR, leaf->flags & PG_DEVICE ? MEMATTR_DEVICE_nGnRE : MEMATTR_NORMAL_WB);
    e |= (leaf->flags & PG_R ? S2_AP_R : 0) | (leaf->flags & PG_W ? S2_AP_W : 0);
    e |= leaf->flags & PG_X ? 0 : S2_XN;
    return e | (level == PGTABLE_LEVELS - 1 ? S2_TABLE : 0);
}

static uint64_t encode_table(maddr_t table, unsigned int level)
{
    (void)level;
    return table.v | S2_TABLE | S2_VALID;
}

static bool decode_leaf(uint64_t e, unsigned int level, struct pgtable_leaf *leaf)
{
    if (e & S2_VALID ? !(e & S2_TABLE) != (level < PGTABLE_LEVELS - 1) : !(e & S2_SOFTWARE))
        return false;
    leaf->maddr = MADDR(e & S2_ADDRESS);
    leaf->type = (uint32_t)field_get(S2_SOFTWARE, e);
    leaf->flags = 0;
    if (e & S2_VALID)
        leaf->flags = PG_VALID | (e & S2_AP_R ? PG_R : 0) | (e & S2_AP_W ? PG_W : 0) |
                      (e & S2_XN ? 0 : PG_X) |
                      (field_get(S2_MEMATTR, e) == MEMATTR_DEVICE_nGnRE ? PG_DEVICE : 0);
    return true;
}

static bool decode_table(uint64_t e, unsigned int level, maddr_t *table)
{
    (void)level;
    *table = MADDR(e & S2_ADDRESS);
    return (e & (S2_VALID | S2_TABLE)) == (S2_VALID | S2_TABLE);
}

struct pgtable_format arch_p2m_format = {
    .top_level = 1,
    .top_order = 1,
    .largest_block = 1,
    .encode_leaf = encode_leaf,
    .encode_table = encode_table,
    .decode_leaf = decode_leaf,
    .decode_table = decode_table,
};
