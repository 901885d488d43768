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
    DECODE_OTHER, /* of known length, but nothing that a device answers; or no memory in it */
    DECODE_LOAD,  /* register = memory; see `sign`, `dest_size` */
    DECODE_STORE, /* memory = register or immediate */
    DECODE_XCHG,  /* both */
    DECODE_MOVS,  /* one element from [rsi] to [rdi]; with `rep` rcx of them */
    DECODE_STOS,  /* rax to [rdi]; `rep` as above */
    /* Flags follow from these; the result goes to memory, to the register if `to_register`, and
     * with TEST and CMP nowhere: */
    DECODE_ADD,
    DECODE_OR,
    DECODE_AND,
    DECODE_SUB,
    DECODE_XOR,
    DECODE_CMP,
    DECODE_TEST,
};

enum decode_width { DECODE_16, DECODE_32, DECODE_64 };

#define DECODE_NO_SEGMENT 0xffu

struct decoded {
    enum decode_op op;
    uint8_t length;       /* of the instruction, bytes */
    uint8_t size;         /* of the access to memory: 1, 2, 4, 8 */
    uint8_t dest_size;    /* LOAD: of the register */
    uint8_t address_size; /* MOVS, STOS: of rsi, rdi, rcx */
    uint8_t segment;      /* prefix: 0..5 for es, cs, ss, ds, fs, gs, or DECODE_NO_SEGMENT */
    uint8_t reg;          /* 0..15: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8.. */
    bool high_byte;       /* it is ah, ch, dh, bh: of reg 0..3 */
    bool immediate;       /* the operand is `value`, no register */
    bool sign;            /* LOAD: sign-extended to dest_size, else by zeros */
    bool to_register;
    bool rep;
    bool locked;
    uint64_t value; /* sign-extended to 64 bits */
};

/*
 * Decodes the instruction at bytes[0..nr) of a code segment of `width`. False: it is cut off,
 * longer than may be, or not in the table.
 */
bool decode(const uint8_t *bytes, uint32_t nr, enum decode_width width, struct decoded *out);

#endif
