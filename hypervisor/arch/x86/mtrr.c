/* SPDX-License-Identifier: MIT */
/* Memory type range registers; <asm/mtrr.h> tells what they are good for. AMD APM volume 2, 7.7. */
#include <asm/mtrr.h>
#include <lib/bits.h>

#define MTRR_CAP        0xfeu
#define MTRR_BASE_FIRST 0x200u /* base and mask in turn */
#define MTRR_FIX_64K    0x250u
#define MTRR_FIX_16K    0x258u /* two */
#define MTRR_FIX_4K     0x268u /* eight */
#define MTRR_DEF_TYPE   0x2ffu

#define CAP_FIXED BIT(8)
#define CAP_WC    BIT(10)

#define DEF_TYPE        MASK(7, 0)
#define DEF_FIXED_ON    BIT(10)
#define DEF_ON          BIT(11)
#define TYPE_WRITE_BACK 6u

/* Of bases: the type and the address; of masks: the valid bit and the address. */
#define BASE_BITS (MASK(51, 12) | MASK(7, 0))
#define MASK_BITS (MASK(51, 12) | BIT(11))

void mtrr_reset(struct mtrr_state *m)
{
    *m = (struct mtrr_state){ .def_type = DEF_ON | TYPE_WRITE_BACK };
}

static bool is_type(uint64_t type)
{
    return type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
}

static bool are_types(uint64_t value)
{
    for (unsigned int i = 0; i < 8; i++)
        if (!is_type(value >> 8 * i & 0xff))
            return false;
    return true;
}

/* Index of a fixed register; MTRR_FIXED: it is none. */
static uint32_t fixed_index(uint32_t msr)
{
    if (msr == MTRR_FIX_64K)
        return 0;
    if (msr - MTRR_FIX_16K < 2)
        return 1 + msr - MTRR_FIX_16K;
    if (msr - MTRR_FIX_4K < 8)
        return 3 + msr - MTRR_FIX_4K;
    return MTRR_FIXED;
}

bool mtrr_read(const struct mtrr_state *m, uint32_t msr, uint64_t *value)
{
    uint32_t fixed = fixed_index(msr);

    if (fixed < MTRR_FIXED)
        *value = m->fixed[fixed];
    else if (msr - MTRR_BASE_FIRST < 2 * MTRR_VARIABLE)
        *value = m->variable[msr - MTRR_BASE_FIRST];
    else if (msr == MTRR_DEF_TYPE)
        *value = m->def_type;
    else if (msr == MTRR_CAP)
        *value = MTRR_VARIABLE | CAP_FIXED | CAP_WC;
    else
        return false;
    return true;
}

bool mtrr_write(struct mtrr_state *m, uint32_t msr, uint64_t value)
{
    uint32_t fixed = fixed_index(msr), variable = msr - MTRR_BASE_FIRST;

    if (fixed < MTRR_FIXED) {
        if (!are_types(value))
            return false;
        m->fixed[fixed] = value;
    } else if (variable < 2 * MTRR_VARIABLE) {
        if (variable & 1 ? value & ~MASK_BITS : value & ~BASE_BITS || !is_type(value & 0xff))
            return false;
        m->variable[variable] = value;
    } else if (msr == MTRR_DEF_TYPE) {
        if (value & ~(DEF_TYPE | DEF_FIXED_ON | DEF_ON) || !is_type(value & DEF_TYPE))
            return false;
        m->def_type = value;
    } else {
        return false;
    }
    return true;
}
