/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder; <asm/decode.h> has the contract. AMD APM volume 3: chapter 1 for the
 * parts of an instruction, appendix A for the opcodes. Two tables of 256 entries say what follows
 * an opcode and what the instruction does.
 */
#include <asm/decode.h>
#include <lib/bits.h>

/* What follows the opcode, and how wide its operands are. */
#define MODRM     0x01u
#define BYTE      0x02u /* operands of 8 bits; else of the operand size */
#define IMM8      0x04u
#define IMMZ      0x08u /* 16 or 32 bits */
#define MOFFS     0x10u /* an address, as wide as addresses are */
#define TO_REG    0x20u
#define SIGNED    0x40u
#define FROM_BYTE 0x80u /* memory of 8, 16, 32 bits, whatever the operand size */
#define FROM_WORD 0x100u
#define FROM_LONG 0x200u
#define REGISTERS 0x400u /* ModRM names two registers, whatever its mod says */

enum kind {
    UNKNOWN,
    PLAIN,     /* `op` as it stands */
    ALU_GROUP, /* by ModRM.reg: add, or, adc, sbb, and, sub, xor, cmp with an immediate */
    MOV_GROUP, /* mov with an immediate: ModRM.reg is 0 */
    TEST_GROUP,
};

struct entry {
    uint8_t kind; /* enum kind */
    uint8_t op;   /* enum decode_op */
    uint16_t form;
};

#define E(op, form) { PLAIN, DECODE_##op, (form) }
#define ALU(base, op)                                                                            \
    [(base) + 0] = E(op, MODRM | BYTE), [(base) + 1] = E(op, MODRM),                             \
              [(base) + 2] = E(op, MODRM | BYTE | TO_REG), [(base) + 3] = E(op, MODRM | TO_REG), \
              [(base) + 4] = E(OTHER, IMM8), [(base) + 5] = E(OTHER, IMMZ)

static const struct entry one_byte[256] = {
    ALU(0x00, ADD),
    ALU(0x08, OR),
    ALU(0x10, OTHER),
    ALU(0x18, OTHER),
    ALU(0x20, AND),
    ALU(0x28, SUB),
    ALU(0x30, XOR),
    ALU(0x38, CMP),
    [0x6c ... 0x6f] = E(OTHER, 0), /* ins, outs */
    [0x80] = { ALU_GROUP, DECODE_OTHER, MODRM | BYTE | IMM8 },
    [0x81] = { ALU_GROUP, DECODE_OTHER, MODRM | IMMZ },
    [0x83] = { ALU_GROUP, DECODE_OTHER, MODRM | IMM8 },
    [0x84] = E(TEST, MODRM | BYTE),
    [0x85] = E(TEST, MODRM),
    [0x86] = E(XCHG, MODRM | BYTE),
    [0x87] = E(XCHG, MODRM),
    [0x88] = E(STORE, MODRM | BYTE),
    [0x89] = E(STORE, MODRM),
    [0x8a] = E(LOAD, MODRM | BYTE),
    [0x8b] = E(LOAD, MODRM),
    [0x90] = E(OTHER, 0), /* pause, with rep before it */
    [0xa0] = E(LOAD, MOFFS | BYTE),
    [0xa1] = E(LOAD, MOFFS),
    [0xa2] = E(STORE, MOFFS | BYTE),
    [0xa3] = E(STORE, MOFFS),
    [0xa4] = E(MOVS, BYTE),
    [0xa5] = E(MOVS, 0),
    [0xaa] = E(STOS, BYTE),
    [0xab] = E(STOS, 0),
    [0xc6] = { MOV_GROUP, DECODE_STORE, MODRM | BYTE | IMM8 },
    [0xc7] = { MOV_GROUP, DECODE_STORE, MODRM | IMMZ },
    [0xcc] = E(OTHER, 0),             /* int3 */
    [0xcd] = E(OTHER, IMM8),          /* int */
    [0xce ... 0xcf] = E(OTHER, 0),    /* into, iret */
    [0xe4 ... 0xe7] = E(OTHER, IMM8), /* in, out */
    [0xec ... 0xef] = E(OTHER, 0),
    [0xf1] = E(OTHER, 0), /* icebp */
    [0xf4] = E(OTHER, 0), /* hlt */
    [0xf6] = { TEST_GROUP, DECODE_TEST, MODRM | BYTE },
    [0xf7] = { TEST_GROUP, DECODE_TEST, MODRM },
};

static const struct entry two_byte[256] = {
    [0x00 ... 0x01] = E(OTHER, MODRM), /* sldt .. ltr; lgdt .. invlpg, vmmcall, xsetbv, rdtscp */
    [0x06] = E(OTHER, 0),              /* clts */
    [0x08 ... 0x09] = E(OTHER, 0),     /* invd, wbinvd */
    [0x20 ... 0x23] = E(OTHER, MODRM | REGISTERS), /* mov from and to control and debug registers */
    [0x30 ... 0x33] = E(OTHER, 0),                 /* wrmsr, rdtsc, rdmsr, rdpmc */
    [0xa2] = E(OTHER, 0),                          /* cpuid */
    [0xaa] = E(OTHER, 0),                          /* rsm */
    [0xb6] = E(LOAD, MODRM | FROM_BYTE),           /* movzx */
    [0xb7] = E(LOAD, MODRM | FROM_WORD),
    [0xbe] = E(LOAD, MODRM | FROM_BYTE | SIGNED), /* movsx */
    [0xbf] = E(LOAD, MODRM | FROM_WORD | SIGNED),
    [0xc3] = E(STORE, MODRM), /* movnti */
};

#define MOVSXD 0x63u /* 64-bit code only: loads 32 bits, sign-extended */

/* The bytes that are there; once they do not suffice, `short_of` stays set. */
struct bytes {
    const uint8_t *p;
    uint32_t at, nr;
    bool short_of;
};

static uint64_t take(struct bytes *b, uint32_t nr)
{
    uint64_t value = 0;

    if (b->nr - b->at < nr) {
        b->short_of = true;
        b->at = b->nr;
        return 0;
    }
    for (uint32_t i = 0; i < nr; i++)
        value |= (uint64_t)b->p[b->at++] << 8 * i;
    return value;
}

static uint64_t take_signed(struct bytes *b, uint32_t nr)
{
    uint64_t value = take(b, nr), sign = BIT(8 * nr - 1);

    return (value ^ sign) - sign;
}

/* --- prefixes --------------------------------------------------------------------------------- */

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

struct prefixes {
    bool operand, address;
    uint8_t rex; /* 0: none */
};

static bool is_segment_prefix(uint8_t c, uint8_t *segment)
{
    switch (c) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        *segment = c >> 3 & 3;
        return true;
    case 0x64:
    case 0x65:
        *segment = c & 7;
        return true;
    default:
        return false;
    }
}

/* Returns the opcode's first byte. A REX that is not the last prefix does not count. */
static uint8_t take_prefixes(struct bytes *b, enum decode_width width, struct prefixes *p,
                             struct decoded *out)
{
    for (;;) {
        uint8_t c = (uint8_t)take(b, 1);

        if (b->short_of)
            return c;
        if (width == DECODE_64 && (c & 0xf0) == 0x40) {
            p->rex = c;
            continue;
        }
        if (c == 0x66)
            p->operand = true;
        else if (c == 0x67)
            p->address = true;
        else if (c == 0xf3)
            out->rep = true;
        else if (c == 0xf0)
            out->locked = true;
        else if (c != 0xf2 && !is_segment_prefix(c, &out->segment)) /* repne: to no effect */
            return c;
        p->rex = 0;
    }
}

static uint8_t operand_size(enum decode_width width, const struct prefixes *p)
{
    if (p->rex & REX_W)
        return 8;
    return (width == DECODE_16) != p->operand ? 2 : 4;
}

static uint8_t address_size(enum decode_width width, const struct prefixes *p)
{
    if (width == DECODE_64)
        return p->address ? 4 : 8;
    return (width == DECODE_16) != p->address ? 2 : 4;
}

/* --- operands --------------------------------------------------------------------------------- */

/* Steps over SIB and displacement. */
static void skip_memory(struct bytes *b, uint8_t modrm, uint8_t address)
{
    uint8_t mod = modrm >> 6, rm = modrm & 7;

    if (mod == 3)
        return;
    if (address == 2) {
        if (mod == 2 || (mod == 0 && rm == 6))
            take(b, 2);
        else if (mod == 1)
            take(b, 1);
        return;
    }
    if (rm == 4)
        rm = take(b, 1) & 7; /* the base, in an index byte */
    if (mod == 0 && rm == 5)
        take(b, 4); /* none: a displacement only */
    if (mod == 1)
        take(b, 1);
    else if (mod == 2)
        take(b, 4);
}

static enum decode_op alu_op(uint8_t reg)
{
    static const uint8_t ops[8] = { DECODE_ADD, DECODE_OR,  DECODE_OTHER, DECODE_OTHER,
                                    DECODE_AND, DECODE_SUB, DECODE_XOR,   DECODE_CMP };

    return (enum decode_op)ops[reg];
}

/* Registers 4 to 7 of 8 bits are the upper halves of 0 to 3, unless there is a REX. */
static void name_register(struct decoded *out, uint8_t reg, uint8_t size, const struct prefixes *p)
{
    out->high_byte = size == 1 && !p->rex && reg >= 4;
    out->reg = out->high_byte ? reg - 4 : reg | (p->rex & REX_R ? 8 : 0);
}

/* False: a form that the group has not. */
static bool apply_group(const struct entry *e, uint8_t reg, uint32_t *form, struct decoded *out)
{
    switch (e->kind) {
    case ALU_GROUP:
        out->op = alu_op(reg);
        return true;
    case MOV_GROUP:
        return reg == 0;
    case TEST_GROUP:
        if (reg > 1)
            out->op = DECODE_OTHER;
        else
            *form |= *form & BYTE ? IMM8 : IMMZ;
        return true;
    default:
        return true;
    }
}

static uint8_t memory_size(uint32_t form, uint8_t operand)
{
    if (form & (BYTE | FROM_BYTE))
        return 1;
    if (form & FROM_WORD)
        return 2;
    return form & FROM_LONG && operand > 4 ? 4 : operand;
}

static bool take_operands(struct bytes *b, const struct entry *e, enum decode_width width,
                          const struct prefixes *p, struct decoded *out)
{
    uint8_t operand = operand_size(width, p), address = address_size(width, p);
    uint32_t form = e->form;

    out->op = (enum decode_op)e->op;
    out->dest_size = form & BYTE ? 1 : operand;
    out->size = memory_size(form, operand);
    out->address_size = address;
    out->to_register = form & TO_REG;
    out->sign = form & SIGNED;
    if (form & MODRM) {
        uint8_t modrm = (uint8_t)take(b, 1), reg = modrm >> 3 & 7;

        if (!apply_group(e, reg, &form, out))
            return false;
        if (!(form & REGISTERS))
            skip_memory(b, modrm, address);
        name_register(out, reg, out->dest_size, p);
        if (modrm >> 6 == 3)
            out->op = DECODE_OTHER;
    }
    if (form & MOFFS)
        take(b, address);
    out->immediate = form & (IMM8 | IMMZ);
    if (form & IMM8)
        out->value = take_signed(b, 1);
    if (form & IMMZ)
        out->value = take_signed(b, operand == 2 ? 2 : 4);
    return true;
}

/* --- the whole -------------------------------------------------------------------------------- */

bool decode(const uint8_t *bytes, uint32_t nr, enum decode_width width, struct decoded *out)
{
    static const struct entry movsxd = E(LOAD, MODRM | FROM_LONG | SIGNED);
    struct bytes b = { .p = bytes, .nr = min(nr, DECODE_MAX_BYTES) };
    struct prefixes p = { 0 };
    const struct entry *e;

    *out = (struct decoded){ .segment = DECODE_NO_SEGMENT };
    uint8_t opcode = take_prefixes(&b, width, &p, out);

    if (opcode == MOVSXD && width == DECODE_64)
        e = &movsxd;
    else
        e = opcode == 0x0f ? &two_byte[take(&b, 1)] : &one_byte[opcode];
    if (b.short_of || e->kind == UNKNOWN || !take_operands(&b, e, width, &p, out))
        return false;
    out->length = (uint8_t)b.at;
    return !b.short_of;
}
