/* SPDX-License-Identifier: MIT */
/* The hypervisor's own address space on arm64: what entries look like (Arm ARM D8.3), TLBs, and
 * what is mapped only while the machine boots. The rest is core/hypmap.c. */
#include <asm/mm.h>
#include <asm/sysreg.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/pgtable.h>
#include <lib/bits.h>

extern char _image_start[], boot_text[], boot_text_end[];

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    uint64_t e = leaf->maddr.v | EL2_AP_RES1 | EL2_AF | EL2_SH_IS |
                 field_prep(EL2_INDEX, leaf->flags & PG_DEVICE ? MAIR_DEVICE : MAIR_NORMAL);

    if (!(leaf->flags & PG_W))
        e |= EL2_AP_RO;
    if (!(leaf->flags & PG_X))
        e |= EL2_XN;
    return e | (level == PGTABLE_LEVELS - 1 ? EL2_PAGE : EL2_BLOCK);
}

static uint64_t encode_table(maddr_t table, unsigned int level)
{
    (void)level;
    return table.v | EL2_TABLE;
}

static bool decode_leaf(uint64_t e, unsigned int level, struct pgtable_leaf *leaf)
{
    if ((e & 3) != (level == PGTABLE_LEVELS - 1 ? EL2_PAGE : EL2_BLOCK))
        return false;
    leaf->maddr = MADDR(e & EL2_ADDRESS);
    leaf->type = 0;
    leaf->flags = PG_VALID | PG_R | (e & EL2_AP_RO ? 0 : PG_W) | (e & EL2_XN ? 0 : PG_X) |
                  (field_get(EL2_INDEX, e) == MAIR_DEVICE ? PG_DEVICE : 0);
    return true;
}

static bool decode_table(uint64_t e, unsigned int level, maddr_t *table)
{
    (void)level;
    *table = MADDR(e & EL2_ADDRESS);
    return (e & 3) == EL2_TABLE;
}

const struct pgtable_format arch_hypmap_format = {
    .top_level = 0,
    .largest_block = 2,
    .encode_leaf = encode_leaf,
    .encode_table = encode_table,
    .decode_leaf = decode_leaf,
    .decode_table = decode_table,
};

/* Every pCPU forgets it at once. */
void arch_hypmap_flush(uint64_t va, uint64_t bytes)
{
    dsb(ishst);
    if (bytes > MIB(2)) {
        __asm__ volatile("tlbi alle2is" ::: "memory");
    } else {
        for (uint64_t a = va; a < va + bytes; a += FRAME_SIZE)
            __asm__ volatile("tlbi vae2is, %0" : : "r"(a >> FRAME_SHIFT) : "memory");
    }
    dsb(ish);
    isb();
}

void arch_pgtable_publish(const void *p, uint64_t bytes)
{
    (void)p, (void)bytes; /* walks are coherent: TCR_EL2 and VTCR_EL2 have them cached */
    dsb(ishst);
    isb();
}

void mm_init_early(void)
{
    uint64_t par;

    __asm__ volatile("at s1e2r, %1\n\tisb\n\tmrs %0, par_el1" : "=r"(par) : "r"(_image_start));
    hypmap_init_early(MADDR(read_sysreg(ttbr0_el2) & EL2_ADDRESS), MADDR(par & PAR_PA));
}

void mm_drop_identity(void)
{
    hypmap_unmap(arch_virt_to_maddr(boot_text).v, (uint64_t)(boot_text_end - boot_text));
}

void mm_drop_tree(void)
{
    hypmap_unmap(LAYOUT_FDT, 2 * MIB(2));
}
