/* SPDX-License-Identifier: MIT */
/*
 * What an instruction that touched an emulated device does: loads and stores of the forms that
 * drivers use on registers. Not an emulator: what is not in the table is refused. AMD APM volume 3.
 *
 * No state and no locks: bytes and registers in, a description out, so that it is fuzzed on the
 * host against a disassembler.
 */
#ifndef ASM_DECODE_H
#define ASM_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#define DECODE_MAX_BYTES 15u

enum decode_op {
    DECODE_LOAD,  /* register = memory; see `sign`, `dest_size` */
    DECODE_STORE, /* memory = register or immediate */
    DECODE_OR,    /* memory = memory op value, flags set; as are: */
    DECODE_AND,
    DECODE_XOR,
    DECODE_ADD,
    DECODE_SUB,
    DECODE_TEST,  /* flags of memory & value */
    DECODE_CMP,   /* flags of memory - value */
    DECODE_XCHG,  /* both ways */
    DECODE_MOVS,  /* one element, from [rsi] to [rdi]; with `rep` rcx of them */
    DECODE_STOS,  /* al..rax to [rdi] */
    DECODE_OTHER, /* length known, but nothing that a device answers */
};

enum decode_width { DECODE_16, DECODE_32, DECODE_64 };

struct decoded {
    enum decode_op op;
    uint8_t length;    /* of the instruction, bytes */
    uint8_t size;      /* of the access: 1, 2, 4, 8 */
    uint8_t dest_size; /* LOAD: of the register */
    bool sign;         /* LOAD: sign-extended to it */
    bool immediate;    /* `value` is the operand, else register `reg` */
    bool high_byte;    /* reg is ah, ch, dh, bh: 0..3 */
    bool to_register;  /* arithmetic: the result goes to `reg`, memory is only read */
    bool rep;
    uint8_t reg;    /* 0..15: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8.. */
    uint64_t value; /* immediate, sign-extended to `size` */
};

/*
 * Decodes the instruction at bytes[0..nr). `width` is that of the code segment. False: it is cut
 * off, not valid, or none of the table's.
 */
bool decode(const uint8_t *bytes, uint32_t nr, enum decode_width width, struct decoded *out);

/* Length alone, of any instruction that the table knows how to measure; 0: not known. */
uint32_t decode_length(const uint8_t *bytes, uint32_t nr, enum decode_width width);

#endif
