/* SPDX-License-Identifier: MIT */
/*
 * The records by which a toolstack gives a domain's processors a state (sethvmcontext), as a
 * damaged or hostile one might: bytes as they come, or those of a real context with some changed.
 * What is taken is a state that VMRUN enters with (AMD APM volume 2, 15.5.1); what is refused
 * changes nothing.
 */
#include "../unit/x86_vcpu.h"

#include "../../hypervisor/arch/x86/domctl_context.c"
#include "../../hypervisor/arch/x86/mtrr.c"

#include <asm/host.h>
#include <stdlib.h>

#define VCPUS 2u

static struct domain dom, caller_dom;
static struct vcpu vcpus[VCPUS], caller, *list[VCPUS] = { &vcpus[0], &vcpus[1] };
static struct cpu_policy policy;
static uint32_t resets;

uint64_t clock_tsc_khz = 2000000;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- what the file uses ----------------------------------------------------------------------- */

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    (void)v;
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    (void)v;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

void panic(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

void *heap_alloc(uint64_t size)
{
    return calloc(1, size);
}

void heap_free(void *p)
{
    free(p);
}

int domctl_stop_all(const struct domctl *c)
{
    (void)c;
    return 0;
}

void domain_unpause(struct domain *d)
{
    (void)d;
}

void vcpu_up(struct vcpu *v)
{
    v->online = true;
}

void vcpu_down(struct vcpu *v)
{
    v->online = false;
}

void arch_vcpu_reset(struct vcpu *v)
{
    resets++;
    memset(&v->regs, 0, sizeof(v->regs));
}

void control_set(struct vcpu *v, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    (void)v;
    fake_cpu.reg[HVM_CR0] = cr0;
    fake_cpu.reg[HVM_CR4] = cr4;
    fake_cpu.reg[HVM_EFER] = efer;
}

uint64_t vtime_tsc(const struct domain *d)
{
    (void)d;
    return 12345;
}

/* --- what is promised ------------------------------------------------------------------------- */

#define MUST(condition)       \
    do {                      \
        if (!(condition))     \
            __builtin_trap(); \
    } while (0)

static void check_entered(void)
{
    const uint64_t *r = fake_cpu.reg;
    bool paging = r[HVM_CR0] >> 31 & 1, lme = r[HVM_EFER] >> 8 & 1;
    const struct segment *cs = &fake_cpu.segment[SEG_CS];

    MUST(!(r[HVM_CR0] >> 32) && (r[HVM_CR0] >> 30 & 1 || !(r[HVM_CR0] >> 29 & 1)));
    MUST(!(r[HVM_CR4] & ~policy.cr4));
    MUST(!(r[HVM_EFER] & ~(policy.efer | EFER_LMA)));
    MUST(!(r[HVM_DR6] >> 32) && !(r[HVM_DR7] >> 32));
    if (lme && paging) {
        MUST(r[HVM_CR4] & CR4_PAE && r[HVM_CR0] & 1);
        MUST(!(cs->attributes & SEG_L && cs->attributes & SEG_DB));
    }
    for (unsigned int i = 0; i < 8; i++) {
        uint8_t type = (uint8_t)(r[HVM_PAT] >> 8 * i);

        MUST(type < 8 && type != 2 && type != 3);
    }
}

static void begin(void)
{
    host_pcpus_init(1);
    memset(vcpus, 0, sizeof(vcpus));
    memset(&fake_cpu, 0, sizeof(fake_cpu));
    dom.max_vcpus = VCPUS;
    dom.vcpus = list;
    dom.lock = SPINLOCK_INIT(LOCK_DOMAIN);
    dom.arch.policy = &policy;
    policy.cr4 = 0x3f07ff;
    policy.efer = EFER_SCE | EFER_LME | EFER_NXE;
    for (uint32_t i = 0; i < VCPUS; i++) {
        vcpus[i].domain = &dom;
        vcpus[i].id = i;
        mtrr_reset(&vcpus[i].arch.mtrr);
    }
    fake_cpu.reg[HVM_PAT] = 0x0007040600070406;
    fake_cpu.reg[HVM_DR6] = 0xffff0ff0;
    fake_cpu.reg[HVM_DR7] = 0x400;
    vcpus[1].online = true;
    caller.domain = &caller_dom;
    resets = 0;
}

/* Each three bytes: where, and what instead. */
static uint32_t change(uint8_t *context, uint32_t bytes, const uint8_t *data, size_t size)
{
    for (; size >= 3; data += 3, size -= 3) {
        uint32_t at = data[0] | (uint32_t)data[1] << 8;

        if (at & 0x8000)
            return at % bytes;
        context[at % bytes] = data[2];
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vcpu before[VCPUS];
    static uint8_t real[8192];
    struct xen_domctl op = { 0 };
    struct domctl call = { .caller = &caller, .d = &dom, .op = &op };
    uint32_t bytes;
    uint8_t *context;

    begin();
    if (!size)
        return 0;
    op.u.hvmcontext.buffer.p = real;
    op.u.hvmcontext.size = sizeof(real);
    MUST(!domctl_gethvmcontext(&call));
    bytes = op.u.hvmcontext.size;
    context = malloc(size + bytes);
    if (*data & 1) {
        bytes = (uint32_t)size - 1;
        memcpy(context, data + 1, bytes);
    } else {
        memcpy(context, real, bytes);
        bytes = change(context, bytes, data + 1, size - 1);
    }
    context = realloc(context, bytes + 1); /* its end is the sanitizer's */
    op.u.hvmcontext.buffer.p = context;
    op.u.hvmcontext.size = bytes;
    memcpy(before, vcpus, sizeof(vcpus));
    if (domctl_sethvmcontext(&call)) {
        MUST(!resets && !memcmp(before, vcpus, sizeof(vcpus)));
    } else {
        check_entered();
    }
    free(context);
    return 0;
}
