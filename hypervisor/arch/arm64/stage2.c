/* SPDX-License-Identifier: MIT */
/*
 * Stage 2 translation: the format of its entries, its TLB, its control registers. Arm ARM D8.3 (VMSAv8-64, 4 KiB).
 *
 * Guests have up to 40 bits of physical address: a walk begins at level 1 with two concatenated pages. On a machine
 * with less it is less. The hypervisor keeps in the four bits that hardware leaves to software (58:55) what a frame
 * is to the domain, also in entries that are not valid.
 */
#include <asm/stage2.h>
#include <asm/sysreg.h>
#include <hospes/domain.h>
#include <hospes/heap.h>
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
#define S2_SOFTWARE (0xfull << 55)

#define MEMATTR_NORMAL_WB    0xfu
#define MEMATTR_DEVICE_nGnRE 0x1u

#define S2_MAX_BITS 40u

/* Above this many pages one TLBI of the whole VMID is cheaper than one each. */
#define FLUSH_ALL_FRAMES 512

static uint32_t ipa_bits = S2_MAX_BITS;

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

static uint64_t encode_table(maddr_t table)
{
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

void stage2_init(void)
{
    static const uint8_t pa_bits[] = { 32, 36, 40, 42, 44, 48 };
    uint64_t range = read_sysreg(id_aa64mmfr0_el1) & 0xf;

    ipa_bits = min(S2_MAX_BITS, (uint32_t)pa_bits[min(range, (uint64_t)5)]);
    arch_p2m_format.top_order = ipa_bits > 39 ? ipa_bits - 39 : 0;
}

uint64_t stage2_vtcr(void)
{
    uint64_t range = read_sysreg(id_aa64mmfr0_el1) & 0xf;

    return VTCR_RES1 | field_prep(VTCR_T0SZ, 64 - ipa_bits) | field_prep(VTCR_SL0, 1) |
           VTCR_IRGN0_WB | VTCR_ORGN0_WB | VTCR_SH0_IS | field_prep(VTCR_PS, min(range, (uint64_t)5));
}

void arch_p2m_init(struct domain *d)
{
    d->arch.vttbr = arch_virt_to_maddr(d->p2m.pt.root).v | (uint64_t)d->p2m.vmid << 48;
}

/* TLBI by IPA works on the VMID in VTTBR_EL2: the domain's is put there for the time. */
void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames)
{
    uint64_t vttbr = read_sysreg(vttbr_el2);

    dsb(ishst);
    if (vttbr != d->arch.vttbr) {
        write_sysreg(d->arch.vttbr, vttbr_el2);
        isb();
    }
    if (frames > FLUSH_ALL_FRAMES) {
        __asm__ volatile("tlbi vmalls12e1is" ::: "memory");
    } else {
        for (uint64_t i = 0; i < frames; i++)
            __asm__ volatile("tlbi ipas2e1is, %0" : : "r"(gfn.v + i) : "memory");
        dsb(ish);
        __asm__ volatile("tlbi vmalle1is" ::: "memory");
    }
    dsb(ish);
    isb();
    if (vttbr != d->arch.vttbr) {
        write_sysreg(vttbr, vttbr_el2);
        isb();
    }
}
