/* SPDX-License-Identifier: MIT */
/*
 * IN and OUT that exit: registers and memory of the guest on one side, <asm/pio.h> on the other.
 * Strings are done one element for each exit. AMD APM volume 2, 15.10; volume 3, INS and OUTS.
 */
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <asm/pio.h>
#include <hospes/domain.h>
#include <hospes/guest_access.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* The low `bits` of a register change; 32 clear those above. */
static void set_low(uint64_t *reg, uint64_t value, unsigned int bits)
{
    uint64_t mask = MASK(bits - 1, 0);

    *reg = bits == 32 ? value & mask : (*reg & ~mask) | (value & mask);
}

static uint64_t linear(struct vcpu *v, const struct exit_pio *x, enum gpr reg,
                       enum segment_name name)
{
    uint64_t offset = v->regs.gpr[reg] & MASK(x->address_bits - 1u, 0);
    struct segment s;

    if (exit_code_bits(v) == 64 && name != SEG_FS && name != SEG_GS)
        return offset;
    hvm_ops->get_segment(v, name, &s);
    return exit_code_bits(v) == 64 ? s.base + offset : (uint32_t)(s.base + offset);
}

/*
 * Where the guest's memory cannot be used it gets a fault. A device that says to come again has
 * done nothing yet, and nor has the guest.
 */
static enum exit_action string_element(struct vcpu *v, const struct exit_pio *x,
                                       struct pio_access *a)
{
    enum gpr reg = x->write ? RSI : RDI;
    uint8_t told = x->segment == SEGMENTS && x->write ? exit_segment(v) : x->segment;
    uint64_t at = linear(v, x, reg, x->write ? (enum segment_name)told : SEG_ES);
    uint64_t by = v->regs.rflags & RFLAGS_DF ? (uint64_t)0 - x->size : x->size;
    enum exit_action action;

    if (guest_read(v, &a->value, at, x->size))
        return EXIT_FAULT;
    action = pio_dispatch(v, a);
    if (action != EXIT_HANDLED)
        return action;
    if (!x->write && guest_write(v, at, &a->value, x->size))
        return EXIT_FAULT;
    set_low(&v->regs.gpr[reg], v->regs.gpr[reg] + by, x->address_bits);
    return EXIT_HANDLED;
}

static enum exit_action string(struct vcpu *v, const struct exit_pio *x, struct pio_access *a)
{
    uint64_t mask = MASK(x->address_bits - 1u, 0);
    enum exit_action action;

    if (x->segment > SEG_GS && x->segment != SEGMENTS)
        return EXIT_FAULT;
    if (x->rep && !(v->regs.rcx & mask))
        return EXIT_HANDLED;
    action = string_element(v, x, a);
    if (action != EXIT_HANDLED || !x->rep)
        return action;
    set_low(&v->regs.rcx, v->regs.rcx - 1, x->address_bits);
    return v->regs.rcx & mask ? EXIT_RETRY : EXIT_HANDLED;
}

static enum exit_action string_untold(struct vcpu *v, const struct exit_pio *x,
                                      struct pio_access *a)
{
    struct exit_pio as_code = *x;

    as_code.address_bits = (uint8_t)exit_code_bits(v);
    return string(v, &as_code, a);
}

enum exit_action exit_port(struct vcpu *v, const struct exit_pio *x)
{
    struct pio_access a = { .port = x->port, .size = x->size, .write = x->write };
    enum exit_action action;

    if (unlikely(x->string)) {
        action = x->address_bits ? string(v, x, &a) : string_untold(v, x, &a);
    } else {
        a.value = (uint32_t)(v->regs.rax & MASK(8 * x->size - 1u, 0));
        action = pio_dispatch(v, &a);
        if (!x->write && action == EXIT_HANDLED)
            set_low(&v->regs.rax, a.value, 8u * x->size);
    }
    if (action == EXIT_HANDLED)
        exit_skip(v, x->length);
    return action;
}
