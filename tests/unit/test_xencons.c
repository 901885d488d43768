/* SPDX-License-Identifier: MIT */
// sources: core/xencons.c
/* A console's rings, of which the other end, or the guest, may write anything. */
#include "unit.h"

#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/xencons.h>
#include <xen/io/console.h>

static struct xencons_interface rings;
static bool mapped;

int guest_area_map(struct domain *d, gaddr_t at, uint64_t bytes, struct guest_area *out)
{
    assert_int_equal(bytes, sizeof(rings));
    if (at.v != 0x39003000)
        return -EINVAL;
    *out = (struct guest_area){ &rings, MFN(1) };
    mapped = true;
    return 0;
}

void guest_area_unmap(struct guest_area *a)
{
    mapped = false;
    a->p = NULL;
}

static struct xencons start(uint32_t index)
{
    struct xencons x = { .out_prod = 0 };

    memset(&rings, 0, sizeof(rings));
    rings.in_cons = rings.in_prod = rings.out_cons = rings.out_prod = index;
    assert_int_equal(xencons_map(NULL, GFN(0x39003), &x), 0);
    return x;
}

/* Every byte arrives once and in its order, wherever the indices are: they wrap. */
static void passes_bytes(void **state)
{
    static const uint32_t first[] = { 0, 2000, UINT32_MAX - 700, 1u << 31 };

    for (uint32_t k = 0; k < 4; k++) {
        struct xencons x = start(first[k]);
        uint32_t got = 0;
        uint8_t byte;

        for (uint32_t i = 0; i < 2048; i++)
            assert_true(xencons_put(&x, (uint8_t)(i * 7)));
        assert_false(xencons_put(&x, 0)); /* full */
        for (; rings.out_cons != rings.out_prod; rings.out_cons++, got++)
            assert_int_equal((uint8_t)rings.out[rings.out_cons % 2048], (uint8_t)(got * 7));
        assert_int_equal(got, 2048);
        assert_true(xencons_put(&x, 1));

        assert_false(xencons_get(&x, &byte));
        for (uint32_t i = 0; i < 1024; i++)
            rings.in[rings.in_prod++ % 1024] = (char)(i * 3);
        for (uint32_t i = 0; i < 1024; i++) {
            assert_true(xencons_get(&x, &byte));
            assert_int_equal(byte, (uint8_t)(i * 3));
        }
        assert_false(xencons_get(&x, &byte));
        assert_int_equal(rings.in_cons, rings.in_prod);
        xencons_unmap(&x);
        assert_false(mapped);
    }
}

/* Indices that make no sense stop this console, and let nobody read or write beside its rings. */
static void survives_nonsense(void **state)
{
    struct xencons x = start(0);
    uint8_t byte;

    rings.in_prod = 1025;
    assert_false(xencons_get(&x, &byte));
    rings.in_prod = UINT32_MAX;
    assert_false(xencons_get(&x, &byte));
    rings.in_prod = 1;
    rings.in_cons = 77; /* not theirs: what Hospes has read, it knows */
    assert_true(xencons_get(&x, &byte));
    assert_false(xencons_get(&x, &byte));
    rings.out_cons = 1; /* more was taken than there is */
    assert_false(xencons_put(&x, 0));
    rings.out_cons = 0;
    rings.out_prod = 5000;
    assert_true(xencons_put(&x, 'a'));
    assert_int_equal(rings.out_prod, 1);
    assert_int_equal(rings.out[0], 'a');
}

/* A page that is none is refused. */
static void needs_a_page(void **state)
{
    struct xencons x;

    assert_int_equal(xencons_map(NULL, GFN(5), &x), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_bytes),
        cmocka_unit_test(survives_nonsense),
        cmocka_unit_test(needs_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
