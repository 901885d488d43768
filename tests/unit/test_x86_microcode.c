/* SPDX-License-Identifier: MIT */
// sources: arch/x86/microcode_amd.c
/* Files of microcode and the archives around them, whole and damaged. */
#include "unit.h"

#include <asm/cpu.h>
#include <asm/host.h>
#include <asm/microcode.h>
#include <asm/options.h>
#include <hospes/errno.h>
#include <lib/cpio.h>

#include <string.h>

#define MILAN 0x00a20f12u

#define cpuid(leaf, subleaf) ((struct cpuid){ .a = MILAN })
#include "../../hypervisor/arch/x86/boot_info.c"
#include "../../hypervisor/arch/x86/microcode.c"
#undef cpuid

#define NAME     "kernel/x86/microcode/AuthenticAMD.bin"
#define ROME     0x00830f10u
#define MAGIC    0x00414d44u
#define NR_MILAN 0xa212u
#define NR_ROME  0x8310u
#define PATCH    320u

static uint8_t file[16384];
static uint32_t used;

static void put(uint32_t value, uint32_t bytes)
{
    assert_true(used + bytes <= sizeof(file));
    memcpy(file + used, &value, bytes);
    used += bytes;
}

static void put_equivalence(uint32_t signature, uint16_t number)
{
    put(signature, 4);
    put(0, 4);
    put(0, 4);
    put(number, 2);
    put(0, 2);
}

static void put_container(void)
{
    put(MAGIC, 4);
    put(0, 4);
    put(3 * 16, 4);
    put_equivalence(MILAN, NR_MILAN);
    put_equivalence(ROME, NR_ROME);
    put_equivalence(0, 0);
}

static void put_patch(uint32_t revision, uint16_t number, uint32_t bytes)
{
    uint32_t begin;

    put(1, 4);
    put(bytes, 4);
    begin = used;
    put(0x11212026, 4);
    put(revision, 4);
    while (used - begin < 24)
        put(0, 1);
    put(number, 2);
    while (used - begin < bytes)
        put(0xa5, 1);
}

static int setup(void **state)
{
    memset(file, 0, sizeof(file));
    used = 0;
    return 0;
}

/* The newest of those for this CPU, from whichever container; another CPU's is not taken. */
static void test_chooses(void **state)
{
    struct microcode m;

    put_container();
    put_patch(0x0a201205, NR_MILAN, PATCH);
    put_patch(0x0a201209, NR_MILAN, PATCH);
    put_patch(0x0a201207, NR_MILAN, PATCH);
    put_container();
    put_patch(0x0830107c, NR_ROME, 2 * PATCH);
    assert_int_equal(microcode_amd_find(file, used, MILAN, &m), 0);
    assert_int_equal(m.revision, 0x0a201209);
    assert_int_equal(m.bytes, PATCH);
    assert_ptr_equal(m.patch, file + 4 + 8 + 48 + 8 + PATCH + 8);
    assert_int_equal(microcode_amd_find(file, used, ROME, &m), 0);
    assert_int_equal(m.revision, 0x0830107c);
    assert_int_equal(m.bytes, 2 * PATCH);
    assert_int_equal(microcode_amd_find(file, used, 0x00800f12, &m), -ENOENT);
    assert_null(m.patch);
}

/* A number is only good in its own container. */
static void test_numbers(void **state)
{
    struct microcode m;

    put(MAGIC, 4);
    put(0, 4);
    put(16, 4); /* a table that its size ends */
    put_equivalence(MILAN, 7);
    put(MAGIC, 4);
    put(0, 4);
    put(16, 4);
    put_equivalence(ROME, 7);
    put_patch(1, 7, PATCH);
    assert_int_equal(microcode_amd_find(file, used, MILAN, &m), -ENOENT);
    assert_int_equal(microcode_amd_find(file, used, ROME, &m), 0);
}

/* Cut at any byte, or with any word of it changed: nothing is read outside, and what is found lies
 * within. A file cut between two patches is a shorter file. */
static void test_damaged(void **state)
{
    struct microcode m;
    uint32_t whole = 0;

    put_container();
    put_patch(5, NR_MILAN, PATCH);
    put_patch(6, NR_MILAN, PATCH);
    for (uint32_t bytes = 0; bytes <= used; bytes++) {
        uint8_t *copy = malloc(bytes ? bytes : 1);
        int err;

        memcpy(copy, file, bytes);
        err = microcode_amd_find(copy, bytes, MILAN, &m);
        whole += err == 0;
        assert_true(!err == !!m.patch);
        free(copy);
    }
    assert_int_equal(whole, 2);
    for (uint32_t i = 0; i < 200000; i++) {
        uint8_t *copy = malloc(used);
        uint32_t word = unit_random(4) ? (uint32_t)unit_random64() : unit_random(1000);

        memcpy(copy, file, used);
        memcpy(copy + unit_random(used / 4) * 4, &word, 4);
        if (!microcode_amd_find(copy, used, MILAN, &m)) {
            assert_true((const uint8_t *)m.patch >= copy);
            assert_true((const uint8_t *)m.patch + m.bytes <= copy + used);
        }
        free(copy);
    }
}

/* --- archives -------------------------------------------------------------------------------- */

static char archive[32768];
static uint32_t archived;

static void add(const char *name, const void *data, uint32_t bytes)
{
    archived += (uint32_t)sprintf(
        archive + archived, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1,
        0100644, 0, 0, 1, 0, bytes, 0, 0, 0, 0, (unsigned int)strlen(name) + 1, 0);
    archived += (uint32_t)sprintf(archive + archived, "%s", name) + 1;
    while (archived % 4)
        archive[archived++] = 0;
    memcpy(archive + archived, data, bytes);
    archived += bytes;
    while (archived % 4)
        archive[archived++] = 0;
}

static void make_archive(void)
{
    memset(archive, 0, sizeof(archive));
    archived = 0;
    add("kernel", "", 0);
    add("kernel/x86/microcode/GenuineIntel.bin", "intel", 5);
    add(NAME, "amd's", 5);
    add("TRAILER!!!", "", 0);
}

static void test_archive(void **state)
{
    uint64_t size;
    const char *data;

    make_archive();
    data = cpio_find(archive, archived, NAME, &size);
    assert_non_null(data);
    assert_int_equal(size, 5);
    assert_memory_equal(data, "amd's", 5);
    assert_null(cpio_find(archive, archived, "kernel/x86", &size));
    assert_null(cpio_find(archive, 0, NAME, &size));
    /* What comes behind the last entry is another archive's. */
    add("later", "x", 1);
    assert_null(cpio_find(archive, archived, "later", &size));
    /* A packed ramdisk is none. */
    assert_null(cpio_find("\x1f\x8b\x08\0\0\0\0\0", 8, NAME, &size));
}

static void test_damaged_archive(void **state)
{
    uint64_t size;

    make_archive();
    for (uint32_t bytes = 0; bytes < archived; bytes++) {
        char *copy = malloc(bytes ? bytes : 1);
        const char *data;

        memcpy(copy, archive, bytes);
        data = cpio_find(copy, bytes, NAME, &size);
        assert_true(!data || data + size <= copy + bytes);
        free(copy);
    }
    for (uint32_t i = 0; i < 200000; i++) {
        char *copy = malloc(archived);
        const char *data;

        memcpy(copy, archive, archived);
        copy[unit_random(archived)] = "0fF:g\0\xff"[unit_random(7)];
        copy[unit_random(archived)] = (char)unit_random(256);
        data = cpio_find(copy, archived, NAME, &size);
        assert_true(!data || (data >= copy && data + size <= copy + archived));
        free(copy);
    }
}

/* --- loading --------------------------------------------------------------------------------- */

struct cpu_info cpu_info;
struct x86_options x86_options;
const void *host_fdt;

static uint32_t cpu_revision, offered, reread;
static bool takes_it;

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    assert_int_equal(msr, MSR_UCODE_REV);
    *value = cpu_revision;
    return true;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_UCODE_PATCH);
    offered++;
    if (takes_it)
        memcpy(&cpu_revision, (const uint8_t *)(uintptr_t)value + 4, 4);
    return takes_it;
}

void cpu_reread_features(void)
{
    reread++;
}

/* The tree's modules, here the one. */
void domain_config_modules(const void *fdt, void (*fn)(const struct boot_module *m, void *arg),
                           void *arg)
{
    const struct boot_module m = { .start = MADDR(0x200000), .bytes = archived };

    memcpy(host_ram(m.start), archive, archived);
    fn(&m, arg);
}

static int setup_loading(void **state)
{
    setup(state);
    host_pcpus_init(1);
    host_ram_reset();
    host_ram_add(0, MIB(4));
    host_log_clear();
    put_container();
    put_patch(0x0a201209, NR_MILAN, 2 * FRAME_SIZE + PATCH);
    memset(archive, 0, sizeof(archive));
    archived = 0;
    cpu_info.vendor = VENDOR_AMD;
    x86_options.ucode = (struct ucode_options){ .scan = true };
    cpu_revision = 0x0a201200;
    offered = reread = 0;
    takes_it = true;
    patch = NULL;
    return 0;
}

static int teardown_loading(void **state)
{
    if (patch)
        heap_free_pages(patch, 2);
    return 0;
}

/* What the CPU is is looked at again after it changed; each other CPU is given the same, and one
 * that has it by its sibling is left alone. */
static void test_loads(void **state)
{
    add(NAME, file, used);
    microcode_init();
    assert_int_equal(cpu_revision, 0x0a201209);
    assert_int_equal(reread, 1);
    assert_non_null(strstr(host_log, "microcode: revision 0xa201209, was 0xa201200"));
    microcode_pcpu_load();
    assert_int_equal(offered, 1);
    cpu_revision = 0x0a201200;
    microcode_pcpu_load();
    assert_int_equal(cpu_revision, 0x0a201209);
    cpu_revision = 0x0a201200;
    takes_it = false;
    microcode_pcpu_load();
    assert_non_null(strstr(host_log, "CPU 0 does not take revision 0xa201209"));
}

/* What the first CPU refuses is not offered to others; nor what is not newer. */
static void test_does_not_load(void **state)
{
    add(NAME, file, used);
    takes_it = false;
    microcode_init();
    assert_non_null(strstr(host_log, "does not take revision"));
    microcode_pcpu_load();
    assert_int_equal(offered, 1);
    assert_int_equal(reread, 0);
    cpu_revision = 0x0a201209;
    microcode_init();
    assert_int_equal(offered, 1);
    cpu_info.vendor = VENDOR_INTEL;
    microcode_init();
    assert_non_null(strstr(host_log, "only AMD's"));
    assert_int_equal(offered, 1);
}

/* A file of its own among the modules, from either end of them. */
static void test_by_number(void **state)
{
    memcpy(host_ram(MADDR(0x300000)), file, used);
    boot_info.nr_files = 3;
    boot_info.files[2] = (struct boot_file){ .start = 0x300000, .bytes = used };
    x86_options.ucode = (struct ucode_options){ .by_number = true, .number = 3 };
    microcode_init();
    assert_non_null(strstr(host_log, "no module 3"));
    x86_options.ucode.number = -4;
    microcode_init();
    assert_non_null(strstr(host_log, "no module -4"));
    x86_options.ucode.number = -1;
    microcode_init();
    assert_int_equal(cpu_revision, 0x0a201209);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_chooses, setup),
        cmocka_unit_test_setup(test_numbers, setup),
        cmocka_unit_test_setup(test_damaged, setup),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_damaged_archive),
        cmocka_unit_test_setup_teardown(test_loads, setup_loading, teardown_loading),
        cmocka_unit_test_setup_teardown(test_does_not_load, setup_loading, teardown_loading),
        cmocka_unit_test_setup_teardown(test_by_number, setup_loading, teardown_loading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
