/* SPDX-License-Identifier: MIT */
/*
 * How long an instruction is that exited, and what else its bytes say. Where the processor does not
 * tell (no NRIP save, AMD APM volume 2, 15.7.1), its bytes are fetched, once: <asm/vcpu.h> tells
 * what is remembered of it. Prefixes: APM volume 3, 1.2.
 */
#include <asm/exit.h>
#include <asm/hvm.h>
#include <hospes/vcpu.h>

#define MAX_OPCODE 3u

struct pattern {
    uint8_t length;
    uint8_t bytes[MAX_OPCODE];
};

static const struct pattern patterns[INSTRUCTIONS] = {
    [INSTRUCTION_CPUID] = { 2, { 0x0f, 0xa2 } },
    [INSTRUCTION_RDMSR] = { 2, { 0x0f, 0x32 } },
    [INSTRUCTION_WRMSR] = { 2, { 0x0f, 0x30 } },
    [INSTRUCTION_HLT] = { 1, { 0xf4 } },
    [INSTRUCTION_PAUSE] = { 1, { 0x90 } }, /* behind f3 */
    [INSTRUCTION_HYPERCALL] = { 3, { 0x0f, 0x01, 0xd9 } },
    [INSTRUCTION_XSETBV] = { 3, { 0x0f, 0x01, 0xd1 } },
    [INSTRUCTION_INVD] = { 2, { 0x0f, 0x08 } },
    [INSTRUCTION_WBINVD] = { 2, { 0x0f, 0x09 } },
};

static bool is_legacy_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return false;
    }
}

uint32_t exit_prefixes(const uint8_t *bytes, uint32_t nr, unsigned int code_bits)
{
    uint32_t n = 0;

    while (n < nr && is_legacy_prefix(bytes[n]))
        n++;
    if (code_bits == 64 && n < nr && (bytes[n] & 0xf0) == 0x40)
        n++; /* REX is the last */
    return n;
}

uint8_t exit_segment(struct vcpu *v)
{
    static const struct {
        uint8_t prefix, segment;
    } overrides[] = { { 0x26, SEG_ES }, { 0x2e, SEG_CS }, { 0x36, SEG_SS },
                      { 0x3e, SEG_DS }, { 0x64, SEG_FS }, { 0x65, SEG_GS } };
    uint8_t bytes[15], segment = SEG_DS;
    uint32_t nr = guest_fetch(v, bytes, hvm_ops->locate(v));

    for (uint32_t i = 0; i < nr && is_legacy_prefix(bytes[i]); i++)
        for (uint32_t k = 0; k < array_size(overrides); k++)
            if (overrides[k].prefix == bytes[i])
                segment = overrides[k].segment;
    return segment;
}

static bool matches(const struct pattern *p, const uint8_t *bytes, uint32_t nr)
{
    if (nr < p->length)
        return false;
    for (uint32_t i = 0; i < p->length; i++)
        if (bytes[i] != p->bytes[i])
            return false;
    return true;
}

static uint32_t __noinline fetch_length(struct vcpu *v, enum exit_instruction kind,
                                        const struct hvm_code *code)
{
    uint8_t bytes[15];
    uint32_t nr = guest_fetch(v, bytes, code), skip;

    if (!nr) {
        inject_error(v, EXC_GP, 0); /* code that we cannot read, as in a device's memory */
        return 0;
    }
    skip = exit_prefixes(bytes, nr, code->bits);
    return matches(&patterns[kind], bytes + skip, nr - skip) ? skip + patterns[kind].length : 0;
}

uint32_t exit_length_learn(struct vcpu *v, enum exit_instruction kind)
{
    const struct hvm_code *code = hvm_ops->locate(v);
    struct known_length *k = known_length_at(&v->arch, code->address);

    k->what = 0;
    k->length = (uint8_t)fetch_length(v, kind, code);
    if (!k->length)
        return 0;
    k->address = code->address;
    k->cr3 = code->cr3;
    k->what = KNOWN_WHAT(kind, code->bits);
    return k->length;
}
