/* SPDX-License-Identifier: MIT */
/* Which memory a string to or from a port reads and writes, if the processor does not tell. */
#include "unit.h"

#include "x86_vcpu.h"

#include "../../hypervisor/arch/x86/exit_length.c"
#include "../../hypervisor/arch/x86/port.c"

struct cpu_info cpu_info;

static struct vcpu vcpu;
static const uint8_t *code;
static uint32_t code_bytes;
static uint64_t read_at, written_at;
static uint32_t skipped;

uint32_t guest_fetch(struct vcpu *v, uint8_t bytes[15], const struct hvm_code *at)
{
    memcpy(bytes, code, code_bytes);
    return code_bytes;
}

int guest_read(struct vcpu *v, void *to, uint64_t at, size_t bytes)
{
    read_at = at;
    memset(to, 0, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t at, const void *from, size_t bytes)
{
    written_at = at;
    return 0;
}

enum exit_action pio_dispatch(struct vcpu *v, struct pio_access *a)
{
    return EXIT_HANDLED;
}

void exit_skip(struct vcpu *v, uint32_t length)
{
    skipped += length;
}

unsigned int exit_code_bits(struct vcpu *v)
{
    return hvm_ops->locate(v)->bits;
}

void inject_error(struct vcpu *v, enum exception vector, uint32_t error)
{
    fail();
}

/* 16-bit code, each segment elsewhere. */
static void begin(const char *bytes, uint32_t nr)
{
    memset(&fake_cpu, 0, sizeof(fake_cpu));
    memset(&vcpu, 0, sizeof(vcpu));
    for (uint32_t i = SEG_ES; i <= SEG_GS; i++)
        fake_cpu.segment[i].base = 0x10000ull * (i + 1);
    vcpu.regs.gpr[RSI] = 0x10;
    vcpu.regs.gpr[RDI] = 0x20;
    code = (const uint8_t *)bytes;
    code_bytes = nr;
    read_at = written_at = skipped = 0;
}

static const struct exit_pio out = { .port = 0x80,
                                     .size = 1,
                                     .write = true,
                                     .string = true,
                                     .address_bits = 16,
                                     .segment = SEGMENTS,
                                     .length = 1 };

/* Old code that writes a string to a device would send what stands in another segment. */
static void segment_from_the_code(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t nr;
        enum segment_name segment;
    } cases[] = {
        { "\x6e", 1, SEG_DS },         { "\x26\x6e", 2, SEG_ES },
        { "\x2e\x6e", 2, SEG_CS },     { "\x36\x6e", 2, SEG_SS },
        { "\x3e\x6e", 2, SEG_DS },     { "\x64\x6e", 2, SEG_FS },
        { "\xf3\x65\x6e", 3, SEG_GS }, { "\x26\x64\x6e", 3, SEG_FS },
        { "\x6e\x26", 2, SEG_DS },     { "", 0, SEG_DS },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(cases[i].bytes, cases[i].nr);
        assert_int_equal(exit_port(&vcpu, &out), EXIT_HANDLED);
        assert_int_equal(read_at, 0x10000u * (cases[i].segment + 1u) + 0x10);
        assert_int_equal(vcpu.regs.gpr[RSI], 0x11);
        assert_int_equal(skipped, 1);
    }
}

/* The same where the processor tells; its bytes are not looked at, and nonsense is refused. */
static void segment_from_the_processor(void **state)
{
    struct exit_pio told = out;

    begin("\x26\x6e", 2);
    told.segment = SEG_GS;
    assert_int_equal(exit_port(&vcpu, &told), EXIT_HANDLED);
    assert_int_equal(read_at, 0x10000u * (SEG_GS + 1u) + 0x10);
    told.segment = SEG_LDTR;
    assert_int_equal(exit_port(&vcpu, &told), EXIT_FAULT);
}

/* A string that comes in goes to ES whatever a prefix says. */
static void into_es(void **state)
{
    struct exit_pio in = out;

    begin("\x64\x6c", 2);
    in.write = false;
    assert_int_equal(exit_port(&vcpu, &in), EXIT_HANDLED);
    assert_int_equal(written_at, 0x10000u * (SEG_ES + 1u) + 0x20);
    assert_int_equal(vcpu.regs.gpr[RDI], 0x21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_from_the_code),
        cmocka_unit_test(segment_from_the_processor),
        cmocka_unit_test(into_es),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
