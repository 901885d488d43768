/* SPDX-License-Identifier: MIT */
/*
 * Instructions on emulated registers, carried out; <asm/emulate.h> has the contract. AMD APM volume
 * 3.
 *
 * Strings are done one element for each exit: rip stays until rcx is 0, so that interrupts get
 * their turn between, as on hardware.
 */
#include <asm/decode.h>
#include <asm/emulate.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <hospes/domain.h>
#include <hospes/guest_access.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define FLAG_CF BIT(0)
#define FLAG_PF BIT(2)
#define FLAG_AF BIT(4)
#define FLAG_ZF BIT(6)
#define FLAG_SF BIT(7)
#define FLAG_DF BIT(10)
#define FLAG_OF BIT(11)
#define FLAGS   (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* --- registers and flags ---------------------------------------------------------------------- */

static uint64_t low_bytes(uint64_t value, uint32_t size)
{
    return value & MASK(8 * size - 1, 0);
}

static uint64_t get_register(const struct vcpu *v, const struct decoded *i)
{
    uint64_t value = v->regs.gpr[i->reg];

    return i->high_byte ? value >> 8 & 0xff : value;
}

/* What is narrower than 32 bits leaves the rest as it was; 32 bits clear the upper half. */
static void set_register(struct vcpu *v, const struct decoded *i, uint64_t value, uint32_t size)
{
    uint64_t *r = &v->regs.gpr[i->reg];

    if (i->high_byte)
        *r = (*r & ~MASK(15, 8)) | (value & 0xff) << 8;
    else if (size >= 4)
        *r = low_bytes(value, size);
    else
        *r = (*r & ~MASK(8 * size - 1, 0)) | low_bytes(value, size);
}

static bool parity(uint64_t value)
{
    return !(bit_count(value & 0xff) & 1);
}

/* a op b = result, in `size` bytes; carry and overflow of additions and subtractions. */
static void set_flags(struct vcpu *v, enum decode_op op, uint64_t a, uint64_t b, uint64_t result,
                      uint32_t size)
{
    uint64_t sign = BIT(8 * size - 1), flags = 0;
    bool subtracts = op == DECODE_SUB || op == DECODE_CMP;

    if (op == DECODE_ADD || subtracts) {
        uint64_t differs = subtracts ? a ^ b : ~(a ^ b);

        flags |= (subtracts ? a < b : result < a) ? FLAG_CF : 0;
        flags |= differs & (a ^ result) & sign ? FLAG_OF : 0;
        flags |= (a ^ b ^ result) & BIT(4) ? FLAG_AF : 0;
    }
    flags |= result ? 0 : FLAG_ZF;
    flags |= result & sign ? FLAG_SF : 0;
    flags |= parity(result) ? FLAG_PF : 0;
    v->regs.rflags = (v->regs.rflags & ~FLAGS) | flags;
}

static uint64_t compute(enum decode_op op, uint64_t a, uint64_t b)
{
    switch ((int)op) {
    case DECODE_ADD:
        return a + b;
    case DECODE_SUB:
    case DECODE_CMP:
        return a - b;
    case DECODE_AND:
    case DECODE_TEST:
        return a & b;
    case DECODE_OR:
        return a | b;
    case DECODE_XOR:
    default:
        return a ^ b;
    }
}

/* --- the device ------------------------------------------------------------------------------- */

/* Where nobody answers, or with an error, a bus gives ones and takes what is written. */
static uint64_t touch(struct vcpu *v, gaddr_t at, uint32_t size, bool write, uint64_t value,
                      enum exit_action *action)
{
    v->access = (struct mmio_access){ .addr = at, .size = (uint8_t)size, .write = write };
    if (write)
        v->access.value = low_bytes(value, size);
    *action = mmio_dispatch(v);
    if (*action == EXIT_FAULT) {
        *action = EXIT_HANDLED;
        v->access.value = UINT64_MAX;
    }
    return low_bytes(v->access.value, size);
}

static uint64_t extend(uint64_t value, uint32_t from)
{
    uint64_t sign = BIT(8 * from - 1);

    return (value ^ sign) - sign;
}

static enum exit_action load(struct vcpu *v, const struct decoded *i, gaddr_t at)
{
    enum exit_action action;
    uint64_t value = touch(v, at, i->size, false, 0, &action);

    if (action == EXIT_HANDLED)
        set_register(v, i, i->sign ? extend(value, i->size) : value, i->dest_size);
    return action;
}

static enum exit_action store(struct vcpu *v, const struct decoded *i, gaddr_t at)
{
    enum exit_action action;

    touch(v, at, i->size, true, i->immediate ? i->value : get_register(v, i), &action);
    return action;
}

static enum exit_action exchange(struct vcpu *v, const struct decoded *i, gaddr_t at)
{
    enum exit_action action;
    uint64_t value = touch(v, at, i->size, false, 0, &action);

    if (action == EXIT_HANDLED)
        touch(v, at, i->size, true, get_register(v, i), &action);
    if (action == EXIT_HANDLED)
        set_register(v, i, value, i->size);
    return action;
}

static enum exit_action arithmetic(struct vcpu *v, const struct decoded *i, gaddr_t at)
{
    enum exit_action action;
    uint64_t memory = touch(v, at, i->size, false, 0, &action), result;
    uint64_t other = low_bytes(i->immediate ? i->value : get_register(v, i), i->size);
    uint64_t a = i->to_register ? other : memory, b = i->to_register ? memory : other;

    if (action != EXIT_HANDLED)
        return action;
    result = low_bytes(compute(i->op, a, b), i->size);
    if (i->op != DECODE_TEST && i->op != DECODE_CMP) {
        if (i->to_register)
            set_register(v, i, result, i->size);
        else
            touch(v, at, i->size, true, result, &action);
    }
    if (action == EXIT_HANDLED)
        set_flags(v, i->op, a, b, result, i->size);
    return action;
}

/* --- strings ---------------------------------------------------------------------------------- */

static void advance(struct vcpu *v, enum gpr reg, const struct decoded *i)
{
    struct decoded name = { .reg = (uint8_t)reg };
    uint64_t by = v->regs.rflags & FLAG_DF ? (uint64_t)0 - i->size : i->size;

    set_register(v, &name, v->regs.gpr[reg] + by, i->address_size);
}

/* Linear address of rsi or rdi. */
static uint64_t linear(struct vcpu *v, enum gpr reg, enum segment_name segment,
                       const struct decoded *i)
{
    struct segment s;

    hvm_ops->get_segment(v, segment, &s);
    if (exit_code_bits(v) == 64 && segment != SEG_FS && segment != SEG_GS)
        s.base = 0;
    return s.base + low_bytes(v->regs.gpr[reg], i->address_size);
}

/* The other end of MOVS is memory: one of two devices is not served. */
static enum exit_action move_element(struct vcpu *v, const struct decoded *i, gaddr_t at,
                                     bool write)
{
    enum segment_name source =
        i->segment == DECODE_NO_SEGMENT ? SEG_DS : (enum segment_name)i->segment;
    enum exit_action action;
    uint64_t value = 0;

    if (write) {
        if (guest_read(v, &value, linear(v, RSI, source, i), i->size))
            return EXIT_UNDEF;
        touch(v, at, i->size, true, value, &action);
    } else {
        value = touch(v, at, i->size, false, 0, &action);
        if (action == EXIT_HANDLED && guest_write(v, linear(v, RDI, SEG_ES, i), &value, i->size))
            return EXIT_UNDEF;
    }
    return action;
}

static enum exit_action string(struct vcpu *v, const struct decoded *i, gaddr_t at, bool write)
{
    struct decoded rcx = { .reg = RCX };
    enum exit_action action;

    if (i->op == DECODE_STOS)
        touch(v, at, i->size, true, v->regs.rax, &action);
    else
        action = move_element(v, i, at, write);
    if (action != EXIT_HANDLED)
        return action;
    if (i->op == DECODE_MOVS)
        advance(v, RSI, i);
    advance(v, RDI, i);
    if (!i->rep)
        return EXIT_HANDLED;
    set_register(v, &rcx, v->regs.rcx - 1, i->address_size);
    return low_bytes(v->regs.rcx, i->address_size) ? EXIT_RETRY : EXIT_HANDLED;
}

/* ---------------------------------------------------------------------------------------------- */

static enum decode_width width_of(unsigned int bits)
{
    return bits == 64 ? DECODE_64 : bits == 32 ? DECODE_32 : DECODE_16;
}

static enum exit_action carry_out(struct vcpu *v, const struct decoded *i, gaddr_t at, bool write)
{
    switch (i->op) {
    case DECODE_LOAD:
        return load(v, i, at);
    case DECODE_STORE:
        return store(v, i, at);
    case DECODE_XCHG:
        return exchange(v, i, at);
    case DECODE_MOVS:
    case DECODE_STOS:
        return string(v, i, at, write);
    case DECODE_OTHER:
        return EXIT_UNDEF;
    case DECODE_ADD:
    case DECODE_OR:
    case DECODE_AND:
    case DECODE_SUB:
    case DECODE_XOR:
    case DECODE_CMP:
    case DECODE_TEST:
    default:
        return arithmetic(v, i, at);
    }
}

enum exit_action emulate_access(struct vcpu *v, gaddr_t at, bool write)
{
    const struct hvm_code *code = hvm_ops->locate(v);
    uint8_t bytes[DECODE_MAX_BYTES];
    enum exit_action action;
    struct decoded i;
    uint32_t nr;

    nr = guest_fetch(v, bytes, code);
    if (!nr)
        return EXIT_RETRY;
    if (!decode(bytes, nr, width_of(code->bits), &i))
        return EXIT_UNDEF;
    /* Another vCPU changed it meanwhile: what the guest's tables allowed is not this. */
    if ((i.op == DECODE_LOAD && write) || (i.op == DECODE_STORE && !write))
        return EXIT_RETRY;
    action = carry_out(v, &i, at, write);
    if (action == EXIT_HANDLED)
        exit_skip(v, i.length);
    return action;
}
