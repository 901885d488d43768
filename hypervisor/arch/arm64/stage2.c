/* SPDX-License-Identifier: MIT */
/*
 * Stage 2 translation: its control registers and its TLB. Arm ARM D8.1, D8.16. stage2_format.c has
 * the entries.
 *
 * Guests have up to 40 bits of physical address: a walk begins at level 1 with two concatenated
 * pages. On a machine with less it is less.
 */
#include <asm/stage2.h>
#include <asm/sysreg.h>
#include <hospes/domain.h>
#include <hospes/heap.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

#define S2_MAX_BITS 40u

/* Above this many pages one TLBI of the whole VMID is cheaper than one each. */
#define FLUSH_ALL_FRAMES 512

static uint32_t ipa_bits = S2_MAX_BITS;

void stage2_init(void)
{
    static const uint8_t pa_bits[] = { 32, 36, 40, 42, 44, 48 };
    uint64_t range = read_sysreg(id_aa64mmfr0_el1) & 0xf;

    ipa_bits = min(S2_MAX_BITS, (uint32_t)pa_bits[min(range, (uint64_t)5)]);
    arch_p2m_format.top_order = ipa_bits > 39 ? ipa_bits - 39 : 0;
}

unsigned int stage2_address_bits(void)
{
    return ipa_bits;
}

uint64_t stage2_vtcr(void)
{
    uint64_t range = read_sysreg(id_aa64mmfr0_el1) & 0xf;

    return VTCR_RES1 | field_prep(VTCR_T0SZ, 64 - ipa_bits) | field_prep(VTCR_SL0, 1) |
           VTCR_IRGN0_WB | VTCR_ORGN0_WB | VTCR_SH0_IS |
           field_prep(VTCR_PS, min(range, (uint64_t)5));
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
