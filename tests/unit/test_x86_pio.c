/* SPDX-License-Identifier: MIT */
/*
 * I/O ports of x86's guests: which exit, who answers, and what IN, OUT, INS and OUTS do to a
 * guest's registers and memory.
 */
#include "unit.h"

#include "counting_heap.h"
#include "x86_vcpu.h"

#include "../../hypervisor/arch/x86/pio.c"
#include "../../hypervisor/arch/x86/port.c"

#include <asm/host.h>

static struct domain dom, other;
static struct vcpu vcpu;
static uint8_t memory[64]; /* of the guest, from 0x1000 on */
static struct pio_access last;
static enum exit_action answer;
static uint32_t skipped, accesses;

/* --- what is around it ------------------------------------------------------------------------ */

static int reach(uint64_t at, uint64_t bytes)
{
    return at >= 0x1000 && at <= 0x1000 + sizeof(memory) - bytes ? 0 : -14;
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    if (reach(from, bytes))
        return -14;
    memcpy(to, memory + (from - 0x1000), bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    if (reach(to, bytes))
        return -14;
    memcpy(memory + (to - 0x1000), from, bytes);
    return 0;
}

void exit_skip(struct vcpu *v, uint32_t length)
{
    skipped += length;
}

uint8_t exit_segment(struct vcpu *v)
{
    fail(); /* these strings' are told */
    return SEG_DS;
}

unsigned int exit_code_bits(struct vcpu *v)
{
    return hvm_ops->locate(v)->bits;
}

static enum exit_action handler(struct vcpu *v, struct pio_access *a, void *device)
{
    accesses++;
    last = *a;
    if (!a->write)
        a->value = 0x11223344;
    return answer;
}

static int setup(void **state)
{
    memset(&fake_cpu, 0, sizeof(fake_cpu));
    memset(&dom, 0, sizeof(dom));
    memset(&other, 0, sizeof(other));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(memory, 0, sizeof(memory));
    vcpu.domain = &dom;
    fake_cpu.segment[SEG_CS].attributes = SEG_L;
    heap_left = UINT64_MAX;
    skipped = accesses = 0;
    answer = EXIT_HANDLED;
    assert_int_equal(pio_domain_init(&dom), 0);
    assert_int_equal(pio_domain_init(&other), 0);
    return 0;
}

static int teardown(void **state)
{
    pio_domain_destroy(&dom);
    pio_domain_destroy(&other);
    heap_free_pages(all_trap, BITMAP_ORDER);
    all_trap = NULL;
    assert_int_equal(heap_used, 0);
    return 0;
}

/* --- who has which ---------------------------------------------------------------------------- */

/* A port that one domain was given is still another's to exit with. */
static void test_bitmaps(void **state)
{
    for (uint32_t port = 0; port < PIO_PORTS; port++)
        assert_false(pio_is_passed(&dom, (uint16_t)port));
    assert_int_equal(pio_pass(&dom, 0, UINT16_MAX), 0);
    pio_trap(&dom, 0xcf8, 0xcff);
    pio_trap(&other, 0, 10); /* they do anyway */
    for (uint32_t port = 0; port < PIO_PORTS; port++) {
        assert_int_equal(pio_is_passed(&dom, (uint16_t)port), port - 0xcf8 > 7);
        assert_false(pio_is_passed(&other, (uint16_t)port));
    }
    /* What a wide access to the last port looks at: APM 15.10.1. */
    for (uint32_t i = PIO_PORTS / 8; i < PIO_BITMAP_PAGES * FRAME_SIZE; i++)
        assert_int_equal(dom.arch.pio.bitmap[i], 0xff);
}

static void test_no_memory(void **state)
{
    heap_left = 0;
    assert_int_equal(pio_pass(&dom, 1, 2), -12);
    assert_false(pio_is_passed(&dom, 1));
}

static void test_regions(void **state)
{
    assert_int_equal(pio_pass(&dom, 0, UINT16_MAX), 0);
    assert_int_equal(pio_add(&dom, 0x70, 0x73, handler, NULL), 0);
    assert_int_equal(pio_add(&dom, 0x73, 0x80, handler, NULL), -17);
    assert_int_equal(pio_add(&dom, 0, UINT16_MAX, handler, NULL), -17);
    assert_false(pio_is_passed(&dom, 0x73));
    for (uint16_t i = 1; i < PIO_REGIONS; i++)
        assert_int_equal(pio_add(&dom, i, i, handler, NULL), 0);
    assert_int_equal(pio_add(&dom, 0x100, 0x100, handler, NULL), -28);
}

/* --- the instructions ------------------------------------------------------------------------- */

static enum exit_action in(uint8_t size)
{
    const struct exit_pio x = { .port = 0x70, .size = size, .length = 2 };

    vcpu.regs.rax = 0xaaaaaaaabbbbbbbb;
    return exit_port(&vcpu, &x);
}

/* What is narrower than a register leaves the rest of it as it was. */
static void test_in(void **state)
{
    assert_int_equal(in(4), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.rax, UINT32_MAX); /* nobody's: ones */
    assert_int_equal(pio_add(&dom, 0x70, 0x73, handler, NULL), 0);
    in(1);
    assert_int_equal(vcpu.regs.rax, 0xaaaaaaaabbbbbb44);
    in(2);
    assert_int_equal(vcpu.regs.rax, 0xaaaaaaaabbbb3344);
    in(4);
    assert_int_equal(vcpu.regs.rax, 0x11223344);
    assert_int_equal(skipped, 8);
}

static void test_out(void **state)
{
    const struct exit_pio x = { .port = 0x71, .size = 2, .write = true, .length = 1 };

    assert_int_equal(pio_add(&dom, 0x70, 0x73, handler, NULL), 0);
    vcpu.regs.rax = 0x1234567890abcdef;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_HANDLED);
    assert_int_equal(last.value, 0xcdef);
    assert_int_equal(last.port, 0x71);
    assert_true(last.write);
    assert_int_equal(vcpu.regs.rax, 0x1234567890abcdef);
}

/* A device that cannot take a byte yet gets it later: a console loses none. */
static void test_retry(void **state)
{
    struct exit_pio x = { .port = 0x70, .size = 1, .write = true, .length = 1 };

    assert_int_equal(pio_add(&dom, 0x70, 0x70, handler, NULL), 0);
    answer = EXIT_RETRY;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_RETRY);
    assert_int_equal(skipped, 0);
    x.write = false;
    vcpu.regs.rax = 5;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_RETRY);
    assert_int_equal(vcpu.regs.rax, 5);
    x = (struct exit_pio){ .port = 0x70,
                           .size = 1,
                           .write = true,
                           .string = true,
                           .rep = true,
                           .address_bits = 64,
                           .segment = SEG_DS,
                           .length = 2 };
    vcpu.regs.rsi = 0x1000;
    vcpu.regs.rcx = 3;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_RETRY);
    assert_int_equal(vcpu.regs.rsi, 0x1000);
    assert_int_equal(vcpu.regs.rcx, 3);
    x.write = false;
    vcpu.regs.rdi = 0x1010;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_RETRY);
    assert_int_equal(vcpu.regs.rdi, 0x1010);
    assert_int_equal(memory[0x10], 0);
}

static struct exit_pio strings(bool write, uint8_t size, uint8_t bits, bool rep)
{
    assert_int_equal(pio_add(&dom, 0x70, 0x70, handler, NULL), 0);
    return (struct exit_pio){ .port = 0x70,
                              .size = size,
                              .write = write,
                              .string = true,
                              .rep = rep,
                              .address_bits = bits,
                              .segment = SEG_DS,
                              .length = 2 };
}

static void test_strings(void **state)
{
    struct exit_pio x = strings(false, 2, 64, true);

    vcpu.regs.rdi = 0x1008;
    vcpu.regs.rcx = 2;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_RETRY); /* an interrupt may come in between */
    assert_int_equal(skipped, 0);
    assert_int_equal(exit_port(&vcpu, &x), EXIT_HANDLED);
    assert_int_equal(skipped, 2);
    assert_int_equal(vcpu.regs.rdi, 0x100c);
    assert_int_equal(vcpu.regs.rcx, 0);
    assert_memory_equal(memory + 8, "\x44\x33\x44\x33\0", 5);
    assert_int_equal(exit_port(&vcpu, &x), EXIT_HANDLED); /* none more */
    assert_int_equal(accesses, 2);
    /* Downwards, once. */
    x.write = true;
    x.rep = false;
    vcpu.regs.rflags = RFLAGS_DF;
    vcpu.regs.rsi = 0x1008;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_HANDLED);
    assert_int_equal(last.value, 0x3344);
    assert_int_equal(vcpu.regs.rsi, 0x1006);
}

/* Addresses are as wide as the instruction's, and count on from their segment's base. */
static void test_addresses(void **state)
{
    struct exit_pio x = strings(true, 1, 32, true);

    memory[4] = 0x77;
    fake_cpu.segment[SEG_CS].attributes = SEG_DB;
    fake_cpu.segment[SEG_DS].base = 0x1005;
    vcpu.regs.rsi = 0xffffffffffffffff;
    vcpu.regs.rcx = 0xffffffff00000002;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_RETRY);
    assert_int_equal(last.value, 0x77);
    assert_int_equal(vcpu.regs.rsi, 0);
    assert_int_equal(vcpu.regs.rcx, 1);
    /* 16 bits: the rest of the register stays. */
    x.address_bits = 16;
    vcpu.regs.rsi = 0x5000ffff;
    vcpu.regs.rcx = 0x60001;
    fake_cpu.segment[SEG_DS].base = 0x1004 - 0xffff;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_HANDLED);
    assert_int_equal(last.value, 0x77);
    assert_int_equal(vcpu.regs.rsi, 0x50000000);
    assert_int_equal(vcpu.regs.rcx, 0x60000);
}

/* A processor without decode assists tells neither width nor segment: the code's own, and DS. */
static void test_untold(void **state)
{
    struct exit_pio x = strings(true, 1, 0, false);

    memory[3] = 0x55;
    vcpu.regs.rsi = 0x1003;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_HANDLED);
    assert_int_equal(last.value, 0x55);
    fake_cpu.segment[SEG_CS].attributes = 0;
    vcpu.regs.rsi = 0xffff1003;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.rsi, 0xffff1004);
}

/* Memory that is not there is the guest's fault, and no device hears of it. */
static void test_no_place(void **state)
{
    struct exit_pio x = strings(false, 4, 64, true);

    vcpu.regs.rdi = 0x103e;
    vcpu.regs.rcx = 1;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_FAULT);
    x.write = true;
    vcpu.regs.rsi = UINT64_MAX;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_FAULT);
    x.segment = 7;
    vcpu.regs.rsi = 0x1000;
    assert_int_equal(exit_port(&vcpu, &x), EXIT_FAULT);
    assert_int_equal(accesses, 0);
    assert_int_equal(vcpu.regs.rcx, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bitmaps), TEST(test_no_memory), TEST(test_regions), TEST(test_in),
        TEST(test_out),     TEST(test_retry),     TEST(test_strings), TEST(test_addresses),
        TEST(test_untold),  TEST(test_no_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
