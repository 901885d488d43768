/* SPDX-License-Identifier: MIT */
/*
 * What becomes of the hardware domain's writes to registers that switch the machine off or reset
 * it. If these fail guests and the log do not learn of the machine's end, or it never ends, or
 * sleeps for ever.
 */
// sources: core/spinlock.c
#include "unit.h"

/* Ports that do what memory does. */
#define ASM_IO_H
static uint8_t ports[65536 + 4];

#define PORT(bits)                                                       \
    static inline uint##bits##_t port_read##bits(uint16_t port)          \
    {                                                                    \
        uint##bits##_t v;                                                \
        memcpy(&v, ports + port, sizeof(v));                             \
        return v;                                                        \
    }                                                                    \
    static inline void port_write##bits(uint16_t port, uint##bits##_t v) \
    {                                                                    \
        memcpy(ports + port, &v, sizeof(v));                             \
    }
PORT(8)
PORT(16)
PORT(32)

static inline uint32_t port_read(uint16_t port, uint32_t size)
{
    uint32_t v = 0;

    memcpy(&v, ports + port, size);
    return v;
}
static inline void port_write(uint16_t port, uint32_t size, uint32_t value)
{
    memcpy(ports + port, &value, size);
}

#include "../../hypervisor/arch/x86/include/asm/domain.h"
#include "../../hypervisor/arch/x86/include/asm/vcpu.h"

#include "../../hypervisor/arch/x86/pio.c"
#include "../../hypervisor/arch/x86/power_guard.c"

#define PM1A  0x604u
#define PM1B  0x704u
#define RESET 0xb2u

static struct domain dom = { .name = "dom0" };
static struct vcpu vcpu = { .domain = &dom };
static int stopped; /* reason, -1: runs */

void domain_stop(struct domain *d, enum domain_stop reason)
{
    assert_ptr_equal(d, &dom);
    stopped = reason;
}

void *heap_alloc_pages(unsigned int order)
{
    return malloc(FRAME_SIZE << order);
}

void heap_free_pages(void *p, unsigned int order)
{
    free(p);
}

struct power power;

static int setup(void **state)
{
    power = (struct power){
        .pm1_control = { { PM1A, ACPI_PORT, 16 }, { PM1B, ACPI_PORT, 16 } },
        .reset = { RESET, ACPI_PORT, 8 },
        .reset_value = 0x5a,
        .can_sleep = true,
        .sleep_type = { 5, 7 },
    };
    memset(ports, 0, sizeof(ports));
    memset(&dom.arch.pio, 0, sizeof(dom.arch.pio));
    stopped = -1;
    assert_int_equal(pio_domain_init(&dom), 0);
    assert_int_equal(pio_pass(&dom, 0, UINT16_MAX), 0);
    assert_int_equal(power_guard(&dom), 0);
    return 0;
}

static int teardown(void **state)
{
    pio_domain_destroy(&dom);
    return 0;
}

static void out(uint32_t port, uint8_t size, uint32_t value)
{
    struct pio_access a = { .port = (uint16_t)port, .size = size, .write = true, .value = value };

    assert_int_equal(pio_dispatch(&vcpu, &a), EXIT_HANDLED);
}

static uint32_t in(uint32_t port, uint8_t size)
{
    struct pio_access a = { .port = (uint16_t)port, .size = size };

    assert_int_equal(pio_dispatch(&vcpu, &a), EXIT_HANDLED);
    return a.value;
}

#define TYPE(n) ((uint32_t)(n) << SLP_TYP_SHIFT)

static void off(void **state)
{
    /* As Linux does it: the type, then with the switch. */
    out(PM1A, 2, TYPE(5) | 1);
    assert_int_equal(stopped, -1);
    assert_int_equal(in(PM1A, 2), TYPE(5) | 1);
    out(PM1A, 2, TYPE(5) | SLP_EN | 1);
    assert_int_equal(stopped, DOMAIN_POWEROFF);
    assert_int_equal(port_read16(PM1A), TYPE(5) | 1); /* guests come first, then the hardware */
}

static void off_in_other_words(void **state)
{
    out(PM1A + 1, 1, (TYPE(5) | SLP_EN) >> 8);
    assert_int_equal(stopped, DOMAIN_POWEROFF);
    stopped = -1;
    out(PM1A, 4, TYPE(5) | SLP_EN);
    assert_int_equal(stopped, DOMAIN_POWEROFF);
    stopped = -1;
    out(PM1B, 2, TYPE(7) | SLP_EN);
    assert_int_equal(stopped, DOMAIN_POWEROFF);
    /* From the port before: nobody's, and not the hardware's. */
    stopped = -1;
    out(PM1A - 1, 4, (TYPE(5) | SLP_EN) << 8);
    assert_int_equal(stopped, -1);
    assert_int_equal(port_read16(PM1A), 0);
}

/* It would not wake again. */
static void sleep_is_refused(void **state)
{
    for (uint32_t type = 0; type < 8; type++) {
        if (type != 5)
            out(PM1A, 2, TYPE(type) | SLP_EN);
        if (type != 7)
            out(PM1B + 1, 1, (TYPE(type) | SLP_EN) >> 8);
    }
    assert_int_equal(stopped, -1);
    assert_int_equal(port_read16(PM1A), 0);
    assert_int_equal(port_read16(PM1B), 0);
}

static void reset(void **state)
{
    struct pio_access a = { .port = POWER_RESET_PORT, .size = 1, .write = true, .value = SYS_RST };

    out(RESET, 1, 0x12);
    assert_int_equal(stopped, -1);
    assert_int_equal(in(RESET, 1), 0x12);
    out(RESET, 1, 0x5a);
    assert_int_equal(stopped, DOMAIN_REBOOT);

    stopped = -1;
    assert_int_equal(power_access_reset_port(&vcpu, &a), EXIT_HANDLED);
    assert_int_equal(stopped, -1);
    a.write = false;
    a.value = 0;
    assert_int_equal(power_access_reset_port(&vcpu, &a), EXIT_HANDLED);
    assert_int_equal(a.value, SYS_RST);
    a.write = true;
    a.value = SYS_RST | RST_CPU;
    assert_int_equal(power_access_reset_port(&vcpu, &a), EXIT_HANDLED);
    assert_int_equal(stopped, DOMAIN_REBOOT);
}

/* What ACPI does not say is not looked at; ports that others have stay theirs. */
static void bounds(void **state)
{
    pio_domain_destroy(&dom);
    memset(&dom.arch.pio, 0, sizeof(dom.arch.pio));
    assert_int_equal(pio_domain_init(&dom), 0);
    power.pm1_control[0].address = 0;
    power.pm1_control[1].address = 0x10604;
    power.reset.space = ACPI_MEMORY;
    assert_int_equal(power_guard(&dom), 0);
    assert_int_equal(dom.arch.pio.nr, 0);
    power.can_sleep = false;
    power.pm1_control[0].address = PM1A;
    assert_int_equal(power_guard(&dom), 0);
    assert_int_equal(dom.arch.pio.nr, 0);
    power.reset = (struct acpi_register){ POWER_RESET_PORT, ACPI_PORT, 8 };
    assert_int_equal(pio_add(&dom, 0xcf8, 0xcfb, access_reset, NULL), 0);
    assert_int_equal(power_guard(&dom), 0);
    assert_int_equal(dom.arch.pio.nr, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = { TEST(off), TEST(off_in_other_words), TEST(sleep_is_refused),
                                        TEST(reset), TEST(bounds) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
