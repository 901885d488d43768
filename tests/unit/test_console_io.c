/* SPDX-License-Identifier: MIT */
// sources: core/console_io.c core/spinlock.c
/* What is typed for a domain that reads its console by hypercall. */
#include "unit.h"

#include <hospes/abi.h>
#include <hospes/console.h>
#include <hospes/console_io.h>
#include <hospes/domain.h>
#include <hospes/evtchn.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/hypercall.h>
#include <hospes/vcpu.h>
#include <xen/xen.h>

static struct domain dom = { .hardware = true };
static struct vcpu reader = { .domain = &dom };
static uint32_t told;

void *heap_alloc(uint64_t bytes)
{
    return calloc(1, bytes);
}

void heap_free(void *p)
{
    free(p);
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    memcpy(to, (void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

void evtchn_send_global_virq(uint32_t virq)
{
    assert_int_equal(virq, VIRQ_CONSOLE);
    told++;
}

bool console_domain_write(struct console_domain *c, uint8_t byte)
{
    return true;
}

uint32_t console_domain_room(struct console_domain *c)
{
    return 1;
}

void vcpu_block(struct vcpu *v)
{
}

void vcpu_kick(struct vcpu *v)
{
}

bool hypercall_should_stop(void)
{
    return false;
}

static int64_t call(uint64_t op, void *text, uint64_t bytes)
{
    uint64_t arg[6] = { op, bytes, (uintptr_t)text };

    return console_io_op(&reader, arg);
}

/* A user pastes a long command into a domain that does not look yet, and it arrives without its
 * middle. */
static void long_text(void **state)
{
    static char text[1000], got[2000];

    memset(&dom.console, 0, sizeof(dom.console));
    dom.console.receive = (bool (*)(struct console_domain *, uint8_t))1;
    assert_false(console_io_receive(&dom, 'x')); /* nobody has asked yet */
    assert_int_equal(call(CONSOLEIO_read, got, sizeof(got)), 0);
    assert_int_equal(call(CONSOLEIO_write, got, 1), 0);
    for (uint32_t round = 0; round < 5; round++) {
        told = 0;
        for (uint32_t i = 0; i < sizeof(text); i++) {
            text[i] = (char)unit_random(256);
            assert_true(console_io_receive(&dom, (uint8_t)text[i]));
        }
        assert_int_equal(told, sizeof(text));
        assert_int_equal(call(CONSOLEIO_read, got, 300), 300);
        assert_int_equal(call(CONSOLEIO_read, got + 300, 1700), 700);
        assert_memory_equal(got, text, sizeof(text));
    }
    assert_int_equal(call(CONSOLEIO_read, got, sizeof(got)), 0);
    console_io_destroy(&dom);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
