/* SPDX-License-Identifier: MIT */
/*
 * Where a guest's virtual address is in the machine. The CPU's own walker finds it: AT S12E1*
 * through both stages, as the guest's EL1 would. What stage 2 lacks is perhaps only not present
 * yet: AT S1E1* then tells the guest's physical address (Arm ARM D8.15, C5.4; PAR_EL1: D24.2.130).
 *
 * PAR_EL1 is the guest's register too: kept over each use. A walk that fails for good may be an
 * exception instead (D8.15: an external abort, of tables that are in a device): entry.S.
 */
#include <asm/sysreg.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define PAR_FAILED     BIT(0)
#define PAR_STAGE2     BIT(9) /* where it failed */
#define PAR_STAGE1WALK BIT(8) /* in stage 2, for a table of stage 1 */
#define PAR_ADDRESS    MASK(51, 12)

/* entry.S */
uint64_t translate_s12e1r(uint64_t va);
uint64_t translate_s12e1w(uint64_t va);
uint64_t translate_s1e1r(uint64_t va);
uint64_t translate_s1e1w(uint64_t va);

static uint64_t translate_both(uint64_t va, bool write)
{
    return write ? translate_s12e1w(va) : translate_s12e1r(va);
}

static uint64_t translate_first(uint64_t va, bool write)
{
    return write ? translate_s1e1w(va) : translate_s1e1r(va);
}

/* Stage 2 said no: makes memory present that only waits for its first use. False if it is not that.
 */
static bool __noinline make_present(struct vcpu *v, uint64_t va, bool write, uint64_t par)
{
    if (!(par & PAR_STAGE2) || par & PAR_STAGE1WALK)
        return false;
    par = translate_first(va, write);
    if (par & PAR_FAILED)
        return false;
    return p2m_handle_fault(v->domain, GFN(field_get(PAR_ADDRESS, par)));
}

/*
 * With both stages right, a write to a page that stage 2 has read-only fails for good; a page that
 * another vCPU takes away again and again would keep us here: tries are few, each fills a part.
 */
#define TRIES 64u

static inline mfn_t find(struct vcpu *v, uint64_t va, bool write)
{
    uint64_t kept = read_sysreg(par_el1), par;
    mfn_t m = MFN_NONE;

    for (unsigned int tries = TRIES; tries; tries--) {
        par = translate_both(va, write);
        if (likely(!(par & PAR_FAILED))) {
            m = MFN(field_get(PAR_ADDRESS, par));
            break;
        }
        if (!make_present(v, va, write, par))
            break;
    }
    write_sysreg(kept, par_el1);
    return m;
}

uint8_t *arch_guest_map(struct vcpu *v, uint64_t va, bool write, mfn_t *m)
{
    *m = find(v, va, write);
    if (unlikely(mfn_is_none(*m) || frame_get(*m, v->domain->id)))
        return NULL;
    return frame_map(*m);
}
