/* SPDX-License-Identifier: MIT */
/* The instruction decoder: bytes as an assembler makes them, and what each means. AMD APM volume 3.
 */
// sources: arch/x86/decode.c
#include "unit.h"

#include <asm/decode.h>
#include <string.h>

struct sample {
    const char *text;
    uint8_t bytes[DECODE_MAX_BYTES + 1];
    uint8_t nr;
    enum decode_width width;
    struct decoded want;
};

#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static const struct sample samples[] = {
    { "mov eax, [rcx]",
      BYTES(0x8b, 0x01),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 4, .dest_size = 4, .reg = 0 } },
    { "mov r9, [rcx]",
      BYTES(0x4c, 0x8b, 0x09),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 8, .dest_size = 8, .reg = 9 } },
    { "mov [rdi+rsi*4+0x10], edx",
      BYTES(0x89, 0x54, 0xb7, 0x10),
      DECODE_64,
      { .op = DECODE_STORE, .size = 4, .dest_size = 4, .reg = 2 } },
    { "mov ah, [rbx]",
      BYTES(0x8a, 0x23),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 1, .dest_size = 1, .reg = 0, .high_byte = true } },
    { "mov spl, [rbx]",
      BYTES(0x40, 0x8a, 0x23),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 1, .dest_size = 1, .reg = 4 } },
    { "movzx eax, byte [rbx]",
      BYTES(0x0f, 0xb6, 0x03),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 1, .dest_size = 4, .reg = 0 } },
    { "movsx rsp, word [rbx]",
      BYTES(0x48, 0x0f, 0xbf, 0x23),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 2, .dest_size = 8, .reg = 4, .sign = true } },
    { "movsxd rax, dword [rbx]",
      BYTES(0x48, 0x63, 0x03),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 4, .dest_size = 8, .reg = 0, .sign = true } },
    { "mov dword [rip+4], 0xfffffffe",
      BYTES(0xc7, 0x05, 4, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff),
      DECODE_64,
      { .op = DECODE_STORE,
        .size = 4,
        .dest_size = 4,
        .immediate = true,
        .value = 0xfffffffffffffffe } },
    { "mov word [bx+si], 5",
      BYTES(0xc7, 0x00, 5, 0),
      DECODE_16,
      { .op = DECODE_STORE, .size = 2, .dest_size = 2, .immediate = true, .value = 5 } },
    { "mov eax, [bp+0x1234] in 16-bit code",
      BYTES(0x66, 0x8b, 0x86, 0x34, 0x12),
      DECODE_16,
      { .op = DECODE_LOAD, .size = 4, .dest_size = 4, .reg = 0 } },
    { "mov al, [moffs64]",
      BYTES(0xa0, 1, 2, 3, 4, 5, 6, 7, 8),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 1, .dest_size = 1, .reg = 0 } },
    { "mov [moffs32], eax",
      BYTES(0xa3, 1, 2, 3, 4),
      DECODE_32,
      { .op = DECODE_STORE, .size = 4, .dest_size = 4, .reg = 0 } },
    { "or dword [rax], 0x80",
      BYTES(0x81, 0x08, 0x80, 0, 0, 0),
      DECODE_64,
      { .op = DECODE_OR, .size = 4, .dest_size = 4, .reg = 1, .immediate = true, .value = 0x80 } },
    { "lock and byte [rax], -2",
      BYTES(0xf0, 0x80, 0x20, 0xfe),
      DECODE_64,
      { .op = DECODE_AND,
        .size = 1,
        .dest_size = 1,
        .reg = 0,
        .high_byte = true,
        .locked = true,
        .immediate = true,
        .value = 0xfffffffffffffffe } },
    { "xor ecx, [rax]",
      BYTES(0x33, 0x08),
      DECODE_64,
      { .op = DECODE_XOR, .size = 4, .dest_size = 4, .reg = 1, .to_register = true } },
    { "test dword [rax], 1",
      BYTES(0xf7, 0x00, 1, 0, 0, 0),
      DECODE_64,
      { .op = DECODE_TEST, .size = 4, .dest_size = 4, .immediate = true, .value = 1 } },
    { "cmp [rax], cl",
      BYTES(0x38, 0x08),
      DECODE_64,
      { .op = DECODE_CMP, .size = 1, .dest_size = 1, .reg = 1 } },
    { "xchg [rdi], rax",
      BYTES(0x48, 0x87, 0x07),
      DECODE_64,
      { .op = DECODE_XCHG, .size = 8, .dest_size = 8, .reg = 0 } },
    { "rep movsd",
      BYTES(0xf3, 0xa5),
      DECODE_64,
      { .op = DECODE_MOVS, .size = 4, .dest_size = 4, .address_size = 8, .rep = true } },
    { "stosb, with 32-bit addresses",
      BYTES(0x67, 0xaa),
      DECODE_64,
      { .op = DECODE_STOS, .size = 1, .dest_size = 1, .address_size = 4 } },
    { "mov rax, gs:[0]",
      BYTES(0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 8, .dest_size = 8, .reg = 0, .segment = 5 } },
    { "mov es:[eax], bx",
      BYTES(0x26, 0x66, 0x89, 0x18),
      DECODE_32,
      { .op = DECODE_STORE, .size = 2, .dest_size = 2, .reg = 3, .segment = 0 } },
    { "movnti [rcx], r8",
      BYTES(0x4c, 0x0f, 0xc3, 0x01),
      DECODE_64,
      { .op = DECODE_STORE, .size = 8, .dest_size = 8, .reg = 8 } },
    /* A REX before another prefix does not count. */
    { "rex.w, then 66: mov ax, [rax]",
      BYTES(0x48, 0x66, 0x8b, 0x00),
      DECODE_64,
      { .op = DECODE_LOAD, .size = 2, .dest_size = 2, .reg = 0 } },
    /* No memory, or nothing for a device. */
    { "mov eax, ebx", BYTES(0x8b, 0xc3), DECODE_64, { .op = DECODE_OTHER, .reg = 0 } },
    { "cpuid", BYTES(0x0f, 0xa2), DECODE_64, { .op = DECODE_OTHER } },
    { "vmmcall", BYTES(0x0f, 0x01, 0xd9), DECODE_64, { .op = DECODE_OTHER } },
    { "mov cr4, rax, with a mod of memory",
      BYTES(0x0f, 0x22, 0x60),
      DECODE_64,
      { .op = DECODE_OTHER } },
    { "hlt", BYTES(0xf4), DECODE_16, { .op = DECODE_OTHER } },
    { "not dword [rax]", BYTES(0xf7, 0x10), DECODE_64, { .op = DECODE_OTHER } },
};

static void compare(const struct sample *s)
{
    struct decoded got;

    if (!decode(s->bytes, s->nr, s->width, &got))
        fail_msg("%s: not decoded", s->text);
    if (got.length != s->nr)
        fail_msg("%s: %u bytes, not %u", s->text, got.length, s->nr);
    if (got.op != s->want.op)
        fail_msg("%s: does %d, not %d", s->text, got.op, s->want.op);
    if (got.op == DECODE_OTHER)
        return;
    assert_int_equal(got.size, s->want.size);
    assert_int_equal(got.dest_size, s->want.dest_size);
    assert_int_equal(got.immediate, s->want.immediate);
    assert_int_equal(got.sign, s->want.sign);
    assert_int_equal(got.to_register, s->want.to_register);
    assert_int_equal(got.rep, s->want.rep);
    assert_int_equal(got.locked, s->want.locked);
    if (got.immediate) {
        assert_int_equal(got.value, s->want.value);
    } else {
        assert_int_equal(got.reg, s->want.reg);
        assert_int_equal(got.high_byte, s->want.high_byte);
    }
    if (s->want.address_size)
        assert_int_equal(got.address_size, s->want.address_size);
}

static void test_samples(void **state)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        compare(&samples[i]);
}

static void test_segments(void **state)
{
    static const uint8_t prefixes[6] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
    struct decoded d;

    for (uint8_t i = 0; i < 6; i++) {
        assert_true(decode((uint8_t[]){ prefixes[i], 0x8b, 0x00 }, 3, DECODE_32, &d));
        assert_int_equal(d.segment, i);
    }
    assert_true(decode((uint8_t[]){ 0x8b, 0x00 }, 2, DECODE_32, &d));
    assert_int_equal(d.segment, DECODE_NO_SEGMENT);
}

/* Every one of them, cut off anywhere, is none. */
static void test_cut_off(void **state)
{
    struct decoded d;

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        for (uint32_t nr = 0; nr < samples[i].nr; nr++) {
            uint8_t *exact = malloc(nr ? nr : 1);

            memcpy(exact, samples[i].bytes, nr);
            assert_false(decode(exact, nr, samples[i].width, &d));
            free(exact);
        }
    }
}

static void test_too_long(void **state)
{
    uint8_t bytes[DECODE_MAX_BYTES + 2];
    struct decoded d;

    memset(bytes, 0x66, sizeof(bytes));
    bytes[13] = 0x8b;
    bytes[14] = 0x00;
    assert_true(decode(bytes, sizeof(bytes), DECODE_64, &d));
    assert_int_equal(d.length, 15);
    bytes[13] = 0x66;
    bytes[14] = 0x8b;
    bytes[15] = 0x00;
    assert_false(decode(bytes, sizeof(bytes), DECODE_64, &d));
}

static void test_not_in_the_table(void **state)
{
    static const uint8_t strange[][4] = {
        { 0xc6, 0x08, 0, 0 }, /* group 11, not mov */
        { 0x0f, 0x0b, 0, 0 }, /* ud2 */
        { 0x0f, 0x6f, 0, 0 }, /* movq mm */
        { 0xc5, 0xf8, 0x77, 0 }, { 0x62, 0, 0, 0 },
    };
    struct decoded d;

    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
        assert_false(decode(strange[i], 4, DECODE_64, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),          cmocka_unit_test(test_segments),
        cmocka_unit_test(test_cut_off),          cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_not_in_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
