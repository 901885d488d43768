/* SPDX-License-Identifier: MIT */
/* Seeds for guests. If these fail guests get the same "random" numbers, or can tell the machine's
 * own. */
// sources: core/seed.c drivers/dt.c drivers/dt_check.c drivers/dt_flat.c
#include "trees.h"
#include "unit.h"

#include <asm/host.h>
#include <hospes/seed.h>

/* The vector of the paper's appendix A. */
static void vector(void **state)
{
    uint8_t key[16], in[15];

    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        in[i] = i;
    assert_true(seed_siphash(key, in, 15) == 0xa129ca6149be45e5);
    assert_true(seed_siphash(key, in, 0) == 0x726fdb47dd0e0e31);
}

/* No two calls give the same, no byte of the machine's seed shows; without a seed there is none. */
static void derived(void **state)
{
    uint8_t a[SEED_BYTES], b[SEED_BYTES], host[32];
    void *fdt = tree_new();

    host_pcpus_init(1);
    assert_false(seed_derive(fdt, a));
    tree_node(fdt, "/", "chosen");
    for (size_t i = 0; i < sizeof(host); i++)
        host[i] = (uint8_t)(i * 7);
    tree_bytes(fdt, "/chosen", "rng-seed", host, 15);
    assert_false(seed_derive(fdt, a));
    for (int len = 16; len <= 32; len++) {
        tree_bytes(fdt, "/chosen", "rng-seed", host, len);
        assert_true(seed_derive(fdt, a));
        assert_true(seed_derive(fdt, b));
        for (size_t i = 0; i < SEED_BYTES; i += 8) {
            assert_memory_not_equal(a + i, b + i, 8);
            assert_memory_not_equal(a + i, a + (i + 8) % SEED_BYTES, 8);
        }
    }
    free(fdt);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(vector), cmocka_unit_test(derived) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
