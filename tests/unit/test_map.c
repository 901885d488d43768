/* SPDX-License-Identifier: MIT */
// sources: core/boot.c core/map.c
/* Copies of machine memory through short mappings: modules get to guests by them. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/errno.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

#define RAM GIB(1)

static uint8_t model[MIB(12)], buffer[MIB(6)];

static int start(void **state)
{
    host_pcpus_init(1);
    host_ram_reset();
    host_ram_add(RAM, sizeof(model));
    for (size_t i = 0; i < sizeof(model); i += 8)
        *(uint64_t *)(void *)&model[i] = unit_random64();
    memcpy(host_ram(MADDR(RAM)), model, sizeof(model));
    return 0;
}

/* Somewhere, rather at an edge of a block. */
static uint64_t place(void)
{
    uint64_t edge = MIB(2) * (1 + unit_random(4));

    return unit_random(2) ? edge - 20 + unit_random(40) : unit_random(MIB(6));
}

static uint64_t length(void)
{
    switch (unit_random(4)) {
    case 0:
        return unit_random(40);
    case 1:
        return MIB(2) - 20 + unit_random(40);
    default:
        return unit_random(MIB(5));
    }
}

static void check(void)
{
    assert_memory_equal(host_ram(MADDR(RAM)), model, sizeof(model));
    assert_int_equal(this_pcpu()->arch.nr_mapped, 0);
}

/* Every byte arrives where it belongs, at any alignment and length, and none beside it is touched.
 */
static void any_piece(void **state)
{
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t a = place(), n = min(length(), sizeof(model) - a);

        maddr_read(buffer, MADDR(RAM + a), n);
        assert_memory_equal(buffer, model + a, n);
        for (uint64_t b = 0; b < n; b++)
            buffer[b] ^= (uint8_t)(b + i);
        a = place();
        n = min(n, sizeof(model) - a);
        maddr_write(MADDR(RAM + a), buffer, n);
        memcpy(model + a, buffer, n);
        check();

        /* From one half to the other. */
        uint64_t from = unit_random(MIB(6)), to = MIB(6) + unit_random(64), half = MIB(6) - 64;
        n = min(n, half - min(from, half));
        if (unit_random(2))
            from += MIB(6), to -= MIB(6);
        n = min(n, sizeof(model) - from);
        maddr_copy(MADDR(RAM + to), MADDR(RAM + from), n);
        memcpy(model + to, model + from, n);
        check();
    }
}

/* Nothing is nothing: no block is mapped for it, which may not be RAM. */
static void nothing(void **state)
{
    maddr_read(buffer, MADDR(GIB(3)), 0);
    maddr_write(MADDR(GIB(3)), buffer, 0);
    maddr_copy(MADDR(GIB(3)), MADDR(GIB(4)), 0);
    check();
}

/* What firmware keeps to itself is not mapped with what lies beside it: a CPU that only guesses
 * reads there, and the machine stops. */
static void beside_firmware(void **state)
{
    static uint8_t zeroes[MIB(6)];
    const uint64_t theirs = MIB(4) + 0x5000, rest = sizeof(model) - theirs - FRAME_SIZE;

    assert_int_equal(map_keep_off(MADDR(RAM + theirs), FRAME_SIZE), 0);
    assert_int_equal(map_keep_off(MADDR(RAM + theirs), 0), -EINVAL);
    host_forbidden = RAM + theirs + 0x123;
    assert_false(map_may_block(MADDR(RAM + MIB(4))));
    assert_false(map_may_block(MADDR(RAM + MIB(6) - 1)));
    assert_true(map_may_block(MADDR(RAM + MIB(4) - 1)));
    assert_true(map_may_block(MADDR(RAM + MIB(6))));

    maddr_read(buffer, MADDR(RAM), theirs);
    assert_memory_equal(buffer, model, theirs);
    maddr_write(MADDR(RAM + theirs + FRAME_SIZE), zeroes, min(rest, sizeof(zeroes)));
    memset(model + theirs + FRAME_SIZE, 0, min(rest, sizeof(zeroes)));
    maddr_copy(MADDR(RAM + theirs - 0x4321), MADDR(RAM + 5), 0x4321);
    memcpy(model + theirs - 0x4321, model + 5, 0x4321);
    host_forbidden = UINT64_MAX;
    check();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(any_piece, start),
        cmocka_unit_test_setup(nothing, start),
        cmocka_unit_test_setup(beside_firmware, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
