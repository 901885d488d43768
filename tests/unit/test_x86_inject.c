/* SPDX-License-Identifier: MIT */
/*
 * What x86 puts into a guest: exceptions on top of what was being delivered, and who goes first of
 * NMIs, the vector of events and the local APIC. The local APIC is the test's own.
 */
#include "unit.h"

#include "x86_vcpu.h"

#include "../../hypervisor/arch/x86/inject.c"

static struct domain dom;
static struct vcpu vcpu;

static int apic_vector, events_vector;
static bool held_back;
static uint32_t accepted;
static enum domain_stop stopped;
static bool is_stopped;

int vlapic_pending(const struct vcpu *v)
{
    return apic_vector;
}

bool vlapic_is_held_back(const struct vcpu *v)
{
    return apic_vector == -1 && held_back;
}

void vlapic_accept(struct vcpu *v, uint8_t vector)
{
    assert_int_equal(vector, apic_vector);
    accepted++;
    apic_vector = -1;
}

bool vlapic_take_init(struct vcpu *v)
{
    return true;
}

int evtchn_pending_vector(const struct vcpu *v)
{
    return events_vector;
}

void domain_stop(struct domain *d, enum domain_stop reason)
{
    is_stopped = true;
    stopped = reason;
}

void arch_vcpu_dump(const struct vcpu *v)
{
}

void log_guest(uint16_t domid, enum log_level level, const char *fmt, ...)
{
}

static int setup(void **state)
{
    memset(&fake_cpu, 0, sizeof(fake_cpu));
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.domain = &dom;
    vcpu.regs.rflags = RFLAGS_IF;
    apic_vector = events_vector = -1;
    accepted = 0;
    vcpu.arch.vlapic.irr[0] = 1; /* so that vlapic_pending() is asked */
    is_stopped = held_back = false;
    return 0;
}

static uint64_t event(enum event_type type, uint32_t vector)
{
    return EVENT_VALID | (uint64_t)type << 8 | vector;
}

static uint64_t exception_with_error(uint32_t vector, uint64_t error)
{
    return event(EVENT_EXCEPTION, vector) | EVENT_HAS_ERROR | error << 32;
}

/* A guest whose instruction faults gets that fault, with its error code. */
static void test_exception(void **state)
{
    inject_exception(&vcpu, EXC_UD);
    assert_int_equal(vcpu.arch.event, event(EVENT_EXCEPTION, EXC_UD));
    vcpu.arch.event = 0;
    inject_page_fault(&vcpu, 0x1234, PF_WRITE);
    assert_int_equal(vcpu.arch.event, exception_with_error(EXC_PF, PF_WRITE));
    assert_int_equal(fake_cpu.reg[HVM_CR2], 0x1234);
}

/* APM table 8-3: a guest that relies on its double fault handler gets it when, and only when, a
 * processor would call it. */
static void test_double_fault(void **state)
{
    static const uint32_t contributory[] = { EXC_DE, EXC_TS, EXC_NP, EXC_SS, EXC_GP };
    static const uint32_t benign[] = { EXC_DB, EXC_UD, EXC_NM, EXC_AC, EXC_MF };

    for (unsigned int first = 0; first < 5; first++) {
        for (unsigned int second = 0; second < 5; second++) {
            vcpu.arch.event = event(EVENT_EXCEPTION, contributory[first]);
            inject_error(&vcpu, (enum exception)contributory[second], 0);
            assert_int_equal(vcpu.arch.event, exception_with_error(EXC_DF, 0));
            vcpu.arch.event = event(EVENT_EXCEPTION, benign[first]);
            inject_error(&vcpu, (enum exception)contributory[second], 8);
            assert_int_equal(vcpu.arch.event, exception_with_error(contributory[second], 8));
        }
        vcpu.arch.event = event(EVENT_EXCEPTION, EXC_PF);
        inject_error(&vcpu, (enum exception)contributory[first], 0);
        assert_int_equal(vcpu.arch.event, exception_with_error(EXC_DF, 0));
        vcpu.arch.event = event(EVENT_EXCEPTION, contributory[first]);
        inject_error(&vcpu, EXC_PF, 2);
        assert_int_equal(vcpu.arch.event, exception_with_error(EXC_PF, 2));
    }
    vcpu.arch.event = event(EVENT_EXCEPTION, EXC_PF);
    inject_error(&vcpu, EXC_PF, 2);
    assert_int_equal(vcpu.arch.event, exception_with_error(EXC_DF, 0));
    assert_false(is_stopped);
}

/* A guest that cannot even take its double fault is reset, and nothing else. */
static void test_triple_fault(void **state)
{
    vcpu.arch.event = exception_with_error(EXC_DF, 0);
    inject_error(&vcpu, EXC_GP, 0);
    assert_true(is_stopped);
    assert_int_equal(stopped, DOMAIN_REBOOT);
    assert_int_equal(vcpu.arch.event, 0);
}

/* An interrupt that was being delivered when an exception came is not lost. */
static void test_displaced_interrupt(void **state)
{
    vcpu.arch.event = event(EVENT_INTERRUPT, 0x40);
    inject_exception(&vcpu, EXC_DB);
    assert_int_equal(vcpu.arch.event, event(EVENT_EXCEPTION, EXC_DB));
    assert_true(fake_cpu.watches_interrupts);
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_EXCEPTION, EXC_DB));
    vcpu.arch.event = 0; /* it went in */
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_INTERRUPT, 0x40));
    assert_false(fake_cpu.watches_interrupts);
}

/* Nor is an NMI. */
static void test_displaced_nmi(void **state)
{
    vcpu.arch.event = event(EVENT_NMI, EXC_NMI);
    vcpu.arch.nmi_masked = true;
    inject_exception(&vcpu, EXC_DB);
    vcpu.arch.event = 0;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_NMI, EXC_NMI));
    assert_true(vcpu.arch.nmi_masked);
}

/* An interrupt waits until the guest takes it, and the guest exits when it does. */
static void test_window(void **state)
{
    apic_vector = 0x50;
    vcpu.regs.rflags = 0;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, 0);
    assert_int_equal(accepted, 0);
    assert_true(fake_cpu.watches_interrupts);
    vcpu.regs.rflags = RFLAGS_IF;
    fake_cpu.shadow = true;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, 0);
    fake_cpu.shadow = false;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_INTERRUPT, 0x50));
    assert_int_equal(accepted, 1);
    assert_false(fake_cpu.watches_interrupts);
}

/* NMI first, then the vector of events, then the local APIC's; one at a time. */
static void test_order(void **state)
{
    apic_vector = 0x50;
    events_vector = 0xf3;
    vcpu.arch.nmi_pending = true;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_NMI, EXC_NMI));
    assert_true(fake_cpu.watches_iret && fake_cpu.watches_interrupts);
    vcpu.arch.event = 0;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_INTERRUPT, 0xf3));
    assert_int_equal(accepted, 0);
    vcpu.arch.event = 0;
    events_vector = -1;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_INTERRUPT, 0x50));
}

/* A second NMI waits for the end of the first one's handler, and does not make the guest exit. */
static void test_masked_nmi(void **state)
{
    vcpu.arch.nmi_masked = vcpu.arch.nmi_pending = true;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, 0);
    assert_false(fake_cpu.watches_interrupts);
    assert_true(vcpu.arch.nmi_pending);
}

/* CR8 and the local APIC's register are one thing to the guest, whichever it writes. */
static void test_priority(void **state)
{
    fake_cpu.tpr = 5;
    inject_agree_on_priority(&vcpu);
    assert_int_equal(vcpu.arch.vlapic.tpr, 0x50);
    vcpu.arch.vlapic.tpr = 0x20;
    vcpu.arch.vlapic.tpr_written = true;
    inject_agree_on_priority(&vcpu);
    assert_int_equal(fake_cpu.tpr, 2);
    assert_false(vcpu.arch.vlapic.tpr_written);
}

/* A guest that raises CR8 and lowers it again gets what came meanwhile. */
static void test_held_back(void **state)
{
    held_back = true;
    inject_pending(&vcpu);
    assert_true(fake_cpu.watches_tpr);
    assert_false(fake_cpu.watches_interrupts);
    apic_vector = 0x50;
    inject_pending(&vcpu);
    assert_int_equal(vcpu.arch.event, event(EVENT_INTERRUPT, 0x50));
}

/* HLT ends for what the guest would take, and for nothing else. */
static void test_has_interrupt(void **state)
{
    assert_false(arch_vcpu_has_interrupt(&vcpu));
    apic_vector = 0x50;
    assert_true(arch_vcpu_has_interrupt(&vcpu));
    vcpu.regs.rflags = 0;
    assert_false(arch_vcpu_has_interrupt(&vcpu));
    apic_vector = -1;
    vcpu.arch.held = event(EVENT_INTERRUPT, 0x40); /* an exception took its place */
    assert_false(arch_vcpu_has_interrupt(&vcpu));
    vcpu.regs.rflags = RFLAGS_IF;
    assert_true(arch_vcpu_has_interrupt(&vcpu));
    vcpu.regs.rflags = 0;
    vcpu.arch.nmi_pending = true;
    assert_true(arch_vcpu_has_interrupt(&vcpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_exception, setup),
        cmocka_unit_test_setup(test_double_fault, setup),
        cmocka_unit_test_setup(test_triple_fault, setup),
        cmocka_unit_test_setup(test_displaced_interrupt, setup),
        cmocka_unit_test_setup(test_displaced_nmi, setup),
        cmocka_unit_test_setup(test_window, setup),
        cmocka_unit_test_setup(test_order, setup),
        cmocka_unit_test_setup(test_masked_nmi, setup),
        cmocka_unit_test_setup(test_priority, setup),
        cmocka_unit_test_setup(test_held_back, setup),
        cmocka_unit_test_setup(test_has_interrupt, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
