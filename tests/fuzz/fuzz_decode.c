/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the decoder of x86 instructions (<asm/decode.h>) against a disassembler: an input is a
 * byte that chooses the width of the code, then an instruction. What both decode has the same
 * length, size of memory, and register, immediate operand or segment.
 */
#include <Zydis/Zydis.h>
#include <asm/decode.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const ZydisDecoder *decoder(enum decode_width width)
{
    static const ZydisMachineMode modes[] = { ZYDIS_MACHINE_MODE_LEGACY_16,
                                              ZYDIS_MACHINE_MODE_LEGACY_32,
                                              ZYDIS_MACHINE_MODE_LONG_64 };
    static const ZydisStackWidth stacks[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
                                              ZYDIS_STACK_WIDTH_64 };
    static ZydisDecoder decoders[3];
    static bool ready[3];

    if (!ready[width] &&
        ZYAN_FAILED(ZydisDecoderInit(&decoders[width], modes[width], stacks[width])))
        abort();
    ready[width] = true;
    return &decoders[width];
}

static void differs(const ZydisDecodedInstruction *i, const char *what, uint64_t ours,
                    uint64_t theirs)
{
    fprintf(stderr, "%s: %s: decoder %#llx, Zydis %#llx\n", ZydisMnemonicGetString(i->mnemonic),
            what, (unsigned long long)ours, (unsigned long long)theirs);
    abort();
}

static bool is_flags(const ZydisDecodedOperand *o)
{
    return o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_FLAGS;
}

/* The first operand of a kind, flags aside; NULL: there is none. */
static const ZydisDecodedOperand *operand(const ZydisDecodedInstruction *i,
                                          const ZydisDecodedOperand *operands,
                                          ZydisOperandType type)
{
    for (ZyanU8 n = 0; n < i->operand_count; n++)
        if (operands[n].type == type && !is_flags(&operands[n]))
            return &operands[n];
    return NULL;
}

static bool is_high_byte(ZydisRegister r)
{
    return r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH;
}

static void compare_register(const struct decoded *d, const ZydisDecodedInstruction *i,
                             ZydisRegister r)
{
    unsigned int number = (unsigned int)ZydisRegisterGetId(r);

    if (is_high_byte(r) != d->high_byte)
        differs(i, "high byte", d->high_byte, is_high_byte(r));
    if (d->high_byte)
        number = (unsigned int)(r - ZYDIS_REGISTER_AH);
    else if (ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR8 && r >= ZYDIS_REGISTER_SPL)
        number = (unsigned int)(r - ZYDIS_REGISTER_SPL) + 4;
    if (number != d->reg)
        differs(i, "register", d->reg, number);
}

static void compare(const struct decoded *d, const ZydisDecodedInstruction *i,
                    const ZydisDecodedOperand *operands)
{
    const ZydisDecodedOperand *memory = operand(i, operands, ZYDIS_OPERAND_TYPE_MEMORY);
    const ZydisDecodedOperand *reg = operand(i, operands, ZYDIS_OPERAND_TYPE_REGISTER);
    const ZydisDecodedOperand *immediate = operand(i, operands, ZYDIS_OPERAND_TYPE_IMMEDIATE);

    if (d->length != i->length)
        differs(i, "length", d->length, i->length);
    if (d->op == DECODE_OTHER)
        return;
    if (!memory)
        differs(i, "memory", 1, 0);
    /* With a 16-bit register movsxd loads 16 bits (Intel SDM volume 2), by Zydis 32. */
    if (memory->size != d->size * 8u && i->mnemonic != ZYDIS_MNEMONIC_MOVSXD)
        differs(i, "size", d->size * 8u, memory->size);
    if (d->op == DECODE_MOVS || d->op == DECODE_STOS) {
        if (i->address_width != d->address_size * 8u)
            differs(i, "address size", d->address_size * 8u, i->address_width);
        return;
    }
    if (!immediate == d->immediate)
        differs(i, "immediate", d->immediate, immediate != NULL);
    if (immediate && (uint64_t)immediate->imm.value.s != d->value &&
        (uint32_t)immediate->imm.value.u != (uint32_t)d->value)
        differs(i, "value", d->value, immediate->imm.value.u);
    if (reg)
        compare_register(d, i, reg->reg.value);
    if (reg && d->op == DECODE_LOAD && reg->size != d->dest_size * 8u)
        differs(i, "destination", d->dest_size * 8u, reg->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction i;
    enum decode_width width;
    struct decoded d;

    if (bytes < 2 || data[0] > DECODE_64)
        return 0;
    width = (enum decode_width)data[0];
    if (!decode(data + 1, (uint32_t)bytes - 1, width, &d))
        return 0;
    if (!d.length || d.length > DECODE_MAX_BYTES || d.length > bytes - 1)
        abort();
    if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder(width), data + 1, bytes - 1, &i, operands)))
        compare(&d, &i, operands);
    return 0;
}
