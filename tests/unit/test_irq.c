/* SPDX-License-Identifier: MIT */
// sources: core/irq.c core/spinlock.c
/* Physical interrupt lines: who has them, and where one that fires goes. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/pcpu.h>

static struct domain one, two;
static uint32_t calls, waits;

void pcpu_call_others(void (*fn)(void *arg), void *arg)
{
    fn(arg);
    waits++;
}

static void called(void *arg)
{
    calls++;
    assert_ptr_equal(arg, &calls);
    assert_int_equal(host_irqs[33].finished, 0); /* it cannot come again before this is done */
}

static int start(void **state)
{
    host_pcpus_init(2);
    memset(host_irqs, 0, sizeof(host_irqs));
    memset(&one, 0, sizeof(one));
    memset(&two, 0, sizeof(two));
    calls = waits = 0;
    assert_int_equal(irq_init(), 0);
    return 0;
}

static int stop(void **state)
{
    free(irq_desc(0));
    return 0;
}

/* The hypervisor's UART would be deaf, or its line would stay blocked after the first byte. */
static void own_line(void **state)
{
    assert_int_equal(irq_request(33, IRQ_LEVEL, called, &calls), 0);
    assert_true(host_irqs[33].enabled);
    irq_dispatch(33);
    assert_int_equal(calls, 1);
    assert_int_equal(host_irqs[33].finished, 1);
    assert_int_equal(irq_request(33, IRQ_LEVEL, called, &calls), -EBUSY);
    assert_int_equal(irq_give(33, IRQ_LEVEL, &one, 33), -EBUSY);
    assert_int_equal(irq_request(HOST_IRQS, IRQ_LEVEL, called, &calls), -EINVAL);
    assert_int_equal(irq_give(1u << 31, IRQ_LEVEL, &one, 33), -EINVAL);
}

/* A guest's device is silent, or interrupts before the guest has a driver for it. */
static void guest_line(void **state)
{
    assert_int_equal(irq_give(40, IRQ_EDGE, &one, 52), 0);
    assert_false(host_irqs[40].enabled);
    assert_int_equal(host_irqs[40].tied, 52);
    irq_guest_enable(40, 1);
    assert_true(host_irqs[40].enabled && host_irqs[40].edge);
    assert_int_equal(host_irqs[40].pcpu, 1);
    irq_dispatch(40);
    assert_int_equal(one.arch.injected, 1);
    assert_int_equal(one.arch.last_virq, 52);
    assert_int_equal(host_irqs[40].finished, 0); /* the guest ends it */
    irq_route(40, 0);
    assert_int_equal(host_irqs[40].pcpu, 0);
    irq_guest_trigger(40, IRQ_LEVEL);
    assert_true(host_irqs[40].enabled && !host_irqs[40].edge);
    irq_guest_disable(40);
    assert_false(host_irqs[40].enabled);
    irq_guest_trigger(40, IRQ_EDGE);
    assert_false(host_irqs[40].enabled);
}

/* A guest switches lines on and off that are not its own: the console goes dead. */
static void not_a_guests(void **state)
{
    assert_int_equal(irq_request(33, IRQ_LEVEL, called, &calls), 0);
    irq_guest_disable(33);
    irq_guest_trigger(33, IRQ_EDGE);
    assert_true(host_irqs[33].enabled && !host_irqs[33].edge);
    irq_guest_enable(34, 0);
    irq_guest_enable(HOST_IRQS, 0);
    assert_false(host_irqs[34].enabled);
}

/* A line that nobody has storms for ever. */
static void nobodys_line(void **state)
{
    host_irqs[50].enabled = true;
    irq_dispatch(50);
    assert_false(host_irqs[50].enabled);
    assert_int_equal(host_irqs[50].finished, 1);
    irq_dispatch(HOST_IRQS + 5);
}

/* A domain that is gone gets an interrupt; or its lines cannot be given to its successor. */
static void take_back(void **state)
{
    assert_int_equal(irq_give(40, IRQ_LEVEL, &one, 40), 0);
    assert_int_equal(irq_give(41, IRQ_LEVEL, &two, 41), 0);
    irq_guest_enable(40, 0);
    irq_guest_enable(41, 0);
    irq_take_all(&one);
    assert_int_equal(waits, 1);
    assert_false(host_irqs[40].enabled);
    assert_true(host_irqs[41].enabled);
    assert_int_equal(host_irqs[40].tied, 0);
    assert_int_equal(host_irqs[40].finished, 1); /* it may have been active */
    assert_int_equal(irq_give(40, IRQ_LEVEL, &two, 40), 0);
    irq_dispatch(40);
    assert_int_equal(one.arch.injected, 0);
    assert_int_equal(two.arch.injected, 1);
}

/* A toolstack takes a line from a guest that it is not that guest's, or it comes on. */
static void take_one(void **state)
{
    assert_int_equal(irq_can_give(40, &one), 0);
    assert_int_equal(irq_give(40, IRQ_LEVEL, &one, 40), 0);
    assert_int_equal(irq_give(41, IRQ_LEVEL, &one, 41), 0);
    assert_int_equal(irq_request(42, IRQ_LEVEL, called, &calls), 0);
    assert_int_equal(irq_can_give(40, &one), 0);
    assert_int_equal(irq_can_give(40, &two), -EPERM);
    assert_int_equal(irq_can_give(42, &one), -EPERM);
    assert_int_equal(irq_can_give(HOST_IRQS, &one), -EINVAL);
    irq_guest_enable(40, 0);
    irq_guest_enable(41, 0);
    assert_int_equal(irq_take(40, &two), -ENOENT);
    assert_int_equal(irq_take(42, &one), -ENOENT);
    assert_int_equal(irq_take(43, &one), -ENOENT);
    assert_int_equal(irq_take(HOST_IRQS, &one), -EINVAL);
    assert_int_equal(waits, 0);
    assert_int_equal(irq_take(40, &one), 0);
    assert_int_equal(waits, 1);
    assert_false(host_irqs[40].enabled);
    assert_int_equal(host_irqs[40].tied, 0);
    assert_true(host_irqs[41].enabled);
    assert_int_equal(irq_take(40, &one), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_line, start, stop),
        cmocka_unit_test_setup_teardown(guest_line, start, stop),
        cmocka_unit_test_setup_teardown(not_a_guests, start, stop),
        cmocka_unit_test_setup_teardown(nobodys_line, start, stop),
        cmocka_unit_test_setup_teardown(take_back, start, stop),
        cmocka_unit_test_setup_teardown(take_one, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
