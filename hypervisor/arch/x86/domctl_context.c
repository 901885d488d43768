/* SPDX-License-Identifier: MIT */
/*
 * A domain's processors as a toolstack reads and writes them: gethvmcontext and sethvmcontext, in
 * the records of <xen/hvm/save.h>. What there is of them: HEADER, CPU and MTRR for each vCPU, END.
 *
 * All that is written is checked before any of it counts.
 */
#include "domctl_internal.h"

#include <asm/clock.h>
#include <asm/control.h>
#include <asm/cpu_policy.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <asm/vtime.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>
#include <xen/hvm/save.h>

typedef HVM_SAVE_TYPE(HEADER) header_t;
typedef HVM_SAVE_TYPE(CPU) cpu_t;
typedef HVM_SAVE_TYPE(MTRR) mtrr_t;

#define CONTEXT_MOST KIB(512) /* bytes that are taken at a time */
#define VERSION      2u
#define MTRR_TYPES   0x508u /* as in MSR_MTRR_CAP: 8 pairs, fixed ranges, write-combining */

/* --- a vCPU's registers ------------------------------------------------------------------------
 */

static const struct {
    enum segment_name name;
    uint16_t selector, limit, base, attributes; /* offsets in cpu_t; 0: none */
} segments[] = {
#define SEGMENT(id, s)                                                                     \
    { id, offsetof(cpu_t, s##_sel), offsetof(cpu_t, s##_limit), offsetof(cpu_t, s##_base), \
      offsetof(cpu_t, s##_arbytes) }
    SEGMENT(SEG_CS, cs),
    SEGMENT(SEG_DS, ds),
    SEGMENT(SEG_ES, es),
    SEGMENT(SEG_FS, fs),
    SEGMENT(SEG_GS, gs),
    SEGMENT(SEG_SS, ss),
    SEGMENT(SEG_LDTR, ldtr),
    SEGMENT(SEG_TR, tr),
#undef SEGMENT
    { SEG_GDTR, 0, offsetof(cpu_t, gdtr_limit), offsetof(cpu_t, gdtr_base), 0 },
    { SEG_IDTR, 0, offsetof(cpu_t, idtr_limit), offsetof(cpu_t, idtr_base), 0 },
};

static const struct {
    enum hvm_reg reg;
    uint16_t at;
} registers[] = {
    { HVM_CR2, offsetof(cpu_t, cr2) },
    { HVM_CR3, offsetof(cpu_t, cr3) },
    { HVM_DR6, offsetof(cpu_t, dr6) },
    { HVM_DR7, offsetof(cpu_t, dr7) },
    { HVM_STAR, offsetof(cpu_t, msr_star) },
    { HVM_LSTAR, offsetof(cpu_t, msr_lstar) },
    { HVM_CSTAR, offsetof(cpu_t, msr_cstar) },
    { HVM_SFMASK, offsetof(cpu_t, msr_syscall_mask) },
    { HVM_KERNEL_GS_BASE, offsetof(cpu_t, shadow_gs) },
    { HVM_SYSENTER_CS, offsetof(cpu_t, sysenter_cs) },
    { HVM_SYSENTER_ESP, offsetof(cpu_t, sysenter_esp) },
    { HVM_SYSENTER_EIP, offsetof(cpu_t, sysenter_eip) },
};

#define array_size(a) (sizeof(a) / sizeof((a)[0]))

static uint32_t get32(const cpu_t *c, uint16_t at)
{
    uint32_t v = 0;

    if (at)
        memcpy(&v, (const uint8_t *)c + at, sizeof(v));
    return v;
}

static uint64_t get64(const cpu_t *c, uint16_t at)
{
    uint64_t v;

    memcpy(&v, (const uint8_t *)c + at, sizeof(v));
    return v;
}

static void put32(cpu_t *c, uint16_t at, uint32_t v)
{
    if (at)
        memcpy((uint8_t *)c + at, &v, sizeof(v));
}

static void put64(cpu_t *c, uint16_t at, uint64_t v)
{
    memcpy((uint8_t *)c + at, &v, sizeof(v));
}

/* They stand in another order than ours; rax at its beginning, rflags at its end. */
static uint64_t *gpr(struct cpu_regs *r, uint32_t i)
{
    uint64_t *const ours[] = { &r->rax, &r->rbx, &r->rcx, &r->rdx, &r->rbp, &r->rsi,
                               &r->rdi, &r->rsp, &r->r8,  &r->r9,  &r->r10, &r->r11,
                               &r->r12, &r->r13, &r->r14, &r->r15, &r->rip, &r->rflags };

    return ours[i];
}

#define GPRS 18u

static uint16_t gpr_at(uint32_t i)
{
    return (uint16_t)(offsetof(cpu_t, rax) + i * sizeof(uint64_t));
}

_Static_assert(offsetof(cpu_t, rflags) - offsetof(cpu_t, rax) == 17 * sizeof(uint64_t),
               "they stand in a row");

static void save_cpu(const struct vcpu *v, cpu_t *c)
{
    struct cpu_regs regs = v->regs;
    struct segment s;

    memset(c, 0, sizeof(*c));
    for (uint32_t i = 0; i < GPRS; i++)
        put64(c, gpr_at(i), *gpr(&regs, i));
    for (uint32_t i = 0; i < array_size(segments); i++) {
        hvm_ops->get_segment(v, segments[i].name, &s);
        put32(c, segments[i].selector, s.selector);
        put32(c, segments[i].limit, s.limit);
        put64(c, segments[i].base, s.base);
        put32(c, segments[i].attributes, s.attributes);
    }
    for (uint32_t i = 0; i < array_size(registers); i++)
        put64(c, registers[i].at, hvm_ops->get_reg(v, registers[i].reg));
    c->cr0 = hvm_ops->get_reg(v, HVM_CR0);
    c->cr4 = hvm_ops->get_reg(v, HVM_CR4);
    c->msr_efer = v->arch.efer;
    c->dr0 = v->arch.dr[0];
    c->dr1 = v->arch.dr[1];
    c->dr2 = v->arch.dr[2];
    c->dr3 = v->arch.dr[3];
    c->msr_tsc_aux = v->arch.tsc_aux;
    c->tsc = vtime_tsc(v->domain);
}

#define CR0_RESERVED 0xffffffff1ffaffc0ull
#define RFLAGS_ZERO  0xffffffffffc08028ull
#define DR7_RESERVED 0xffffffff0000d800ull
#define ATTRIBUTES   0x0fffu

static bool is_canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/*
 * What hardware would refuse to enter with: it would be the domain's end. Control registers as the
 * domain's processors have them; modes that go together.
 */
static bool is_possible(const struct vcpu *v, const cpu_t *c)
{
    const struct cpu_policy *p = v->domain->arch.policy;
    uint64_t efer = c->msr_efer & ~(uint64_t)EFER_LMA;
    bool paging = c->cr0 & CR0_PG, wide = paging && efer & EFER_LME;

    if (c->cr0 & CR0_RESERVED || (paging && !(c->cr0 & CR0_PE)) ||
        (c->cr0 & CR0_NW && !(c->cr0 & CR0_CD)))
        return false;
    if (c->cr4 & ~cpu_policy_cr4(p) || efer & ~cpu_policy_efer(p))
        return false;
    if (!!(c->msr_efer & EFER_LMA) != wide || (wide && !(c->cr4 & CR4_PAE)))
        return false;
    if (wide && c->cs_arbytes & SEG_L && c->cs_arbytes & SEG_DB)
        return false;
    for (uint32_t i = 0; i < array_size(segments); i++)
        if (!is_canonical(get64(c, segments[i].base)) ||
            get32(c, segments[i].attributes) & ~ATTRIBUTES ||
            get32(c, segments[i].selector) > UINT16_MAX)
            return false;
    return !(c->rflags & RFLAGS_ZERO) && !(c->dr7 & DR7_RESERVED) && !(c->dr6 >> 32) &&
           is_canonical(c->shadow_gs) && is_canonical(c->msr_lstar) && is_canonical(c->msr_cstar) &&
           is_canonical(c->sysenter_eip) && is_canonical(c->sysenter_esp);
}

/* The state is one that the vCPU can be in; nothing of what it was before stays. */
static void load_cpu(struct vcpu *v, const cpu_t *c)
{
    arch_vcpu_reset(v);
    for (uint32_t i = 0; i < array_size(segments); i++) {
        const struct segment s = {
            .base = get64(c, segments[i].base),
            .limit = get32(c, segments[i].limit),
            .selector = (uint16_t)get32(c, segments[i].selector),
            .attributes = (uint16_t)get32(c, segments[i].attributes),
        };

        hvm_ops->set_segment(v, segments[i].name, &s);
    }
    for (uint32_t i = 0; i < array_size(registers); i++)
        hvm_ops->set_reg(v, registers[i].reg, get64(c, registers[i].at));
    control_set(v, c->cr0 | CR0_ET, c->cr4, c->msr_efer);
    for (uint32_t i = 0; i < GPRS; i++)
        *gpr(&v->regs, i) = get64(c, gpr_at(i));
    v->regs.rflags |= RFLAGS_ONE;
    v->arch.dr[0] = c->dr0;
    v->arch.dr[1] = c->dr1;
    v->arch.dr[2] = c->dr2;
    v->arch.dr[3] = c->dr3;
    v->arch.tsc_aux = (uint32_t)c->msr_tsc_aux;
}

/* --- memory types ----------------------------------------------------------------------------- */

static void save_mtrr(const struct vcpu *v, mtrr_t *m)
{
    const struct mtrr_state *s = &v->arch.mtrr;

    *m = (mtrr_t){ .msr_pat_cr = hvm_ops->get_reg(v, HVM_PAT),
                   .msr_mtrr_cap = MTRR_TYPES,
                   .msr_mtrr_def_type = s->def_type };
    _Static_assert(sizeof(m->msr_mtrr_var) == sizeof(s->variable), "of the same number");
    _Static_assert(sizeof(m->msr_mtrr_fixed) == sizeof(s->fixed), "of the same number");
    memcpy(m->msr_mtrr_var, s->variable, sizeof(s->variable));
    memcpy(m->msr_mtrr_fixed, s->fixed, sizeof(s->fixed));
}

/* Each of the eight types in a PAT is one: AMD APM volume 2, table 7-9. */
static bool is_pat(uint64_t pat)
{
    for (uint32_t i = 0; i < 64; i += 8) {
        uint32_t type = pat >> i & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

static const uint32_t fixed_msrs[MTRR_FIXED] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                                 0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

/* False: not all registers can have these values. */
static bool read_mtrr(const mtrr_t *m, struct mtrr_state *s)
{
    bool good = is_pat(m->msr_pat_cr);

    mtrr_reset(s);
    for (uint32_t i = 0; good && i < 2 * MTRR_VARIABLE; i++)
        good = mtrr_write(s, MSR_MTRR_FIRST + i, m->msr_mtrr_var[i]);
    for (uint32_t i = 0; good && i < MTRR_FIXED; i++)
        good = mtrr_write(s, fixed_msrs[i], m->msr_mtrr_fixed[i]);
    return good && mtrr_write(s, MSR_MTRR_DEF_TYPE, m->msr_mtrr_def_type);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A record's descriptor; its data are to be written behind it. All have lengths that keep them
 * aligned. */
static void *put_record(uint8_t **at, uint16_t code, uint32_t instance, uint32_t bytes)
{
    const struct hvm_save_descriptor d = { code, (uint16_t)instance, bytes };
    uint8_t *data = *at + sizeof(d);

    memcpy(*at, &d, sizeof(d));
    *at = data + bytes;
    return data;
}

static uint32_t context_bytes(const struct domain *d)
{
    const uint32_t descriptor = sizeof(struct hvm_save_descriptor);
    uint32_t bytes = descriptor + sizeof(header_t) + descriptor;

    return bytes + d->max_vcpus * (uint32_t)(2 * descriptor + sizeof(cpu_t) + sizeof(mtrr_t));
}

static void save_header(const struct domain *d, header_t *h)
{
    *h = (header_t){ .magic = HVM_FILE_MAGIC,
                     .version = VERSION,
                     .cpuid = d->arch.policy->basic[1].a,
                     .gtsc_khz = (uint32_t)clock_tsc_khz };
}

static uint32_t save_all(const struct domain *d, uint8_t *to)
{
    uint8_t *at = to;
    struct vcpu *v;
    uint32_t i;

    save_header(d, put_record(&at, HVM_SAVE_CODE(HEADER), 0, sizeof(header_t)));
    domain_for_each_vcpu (d, v, i) {
        /* A vCPU that is off has no state worth a record. */
        if (v->online)
            save_cpu(v, put_record(&at, HVM_SAVE_CODE(CPU), i, sizeof(cpu_t)));
        save_mtrr(v, put_record(&at, HVM_SAVE_CODE(MTRR), i, sizeof(mtrr_t)));
    }
    (void)put_record(&at, HVM_SAVE_CODE(END), 0, 0);
    return (uint32_t)(at - to);
}

int64_t domctl_gethvmcontext(struct domctl *c)
{
    struct xen_domctl_hvmcontext *op = &c->op->u.hvmcontext;
    uint32_t room = context_bytes(c->d);
    uint8_t *buffer;
    int64_t rc;

    if (guest_handle_is_null(op->buffer)) {
        op->size = room;
        return 0;
    }
    if (op->size < room)
        return -ENOSPC;
    buffer = heap_alloc(room);
    if (!buffer)
        return -ENOMEM;
    rc = domctl_stop_all(c);
    if (!rc) {
        op->size = save_all(c->d, buffer);
        domain_unpause(c->d);
        if (guest_write(c->caller, guest_address(op->buffer), buffer, op->size))
            rc = -EFAULT;
    }
    heap_free(buffer);
    return rc;
}

static uint32_t record_bytes(uint32_t type)
{
    return type == HVM_SAVE_CODE(CPU)    ? (uint32_t)sizeof(cpu_t)
           : type == HVM_SAVE_CODE(MTRR) ? (uint32_t)sizeof(mtrr_t)
                                         : 0;
}

static int64_t write_partial(struct domctl *c, const struct vcpu *v, void *record)
{
    struct xen_domctl_hvmcontext_partial *op = &c->op->u.hvmcontext_partial;
    int64_t rc = domctl_stop_all(c);

    if (rc)
        return rc;
    if (op->type == HVM_SAVE_CODE(CPU))
        save_cpu(v, record);
    else
        save_mtrr(v, record);
    domain_unpause(c->d);
    op->bufsz = record_bytes(op->type);
    return guest_write(c->caller, guest_address(op->buffer), record, op->bufsz);
}

/* One record, without its descriptor. */
int64_t domctl_gethvmcontext_partial(struct domctl *c)
{
    struct xen_domctl_hvmcontext_partial *op = &c->op->u.hvmcontext_partial;
    struct vcpu *v = op->instance < c->d->max_vcpus ? read_once(c->d->vcpus[op->instance]) : NULL;
    uint32_t bytes = record_bytes(op->type);
    void *record;
    int64_t rc;

    if (!bytes || !v)
        return -ENOENT;
    if (guest_handle_is_null(op->buffer)) {
        op->bufsz = bytes;
        return 0;
    }
    if (op->bufsz < bytes)
        return -ENOSPC;
    record = heap_alloc(bytes);
    if (!record)
        return -ENOMEM;
    rc = write_partial(c, v, record);
    heap_free(record);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* One record in a buffer; `next` is where it ends. */
struct record {
    struct hvm_save_descriptor d;
    const uint8_t *data;
    uint32_t next;
};

/* False: there is no whole record at `at`. */
static bool read_record(const uint8_t *buffer, uint32_t bytes, uint32_t at, struct record *r)
{
    if (at > bytes || bytes - at < sizeof(r->d))
        return false;
    memcpy(&r->d, buffer + at, sizeof(r->d));
    at += (uint32_t)sizeof(r->d);
    if (r->d.length > bytes - at)
        return false;
    r->data = buffer + at;
    r->next = at + r->d.length;
    return true;
}

static bool is_header(const struct record *r)
{
    header_t h;

    if (r->d.typecode != HVM_SAVE_CODE(HEADER) || r->d.instance || r->d.length != sizeof(h))
        return false;
    memcpy(&h, r->data, sizeof(h));
    return h.magic == HVM_FILE_MAGIC && h.version == VERSION;
}

/* Registers, or whether they could be taken. `c` is a copy of the record. */
static int take_cpu(struct vcpu *v, const cpu_t *c, bool commit)
{
    if (!is_possible(v, c))
        return -EINVAL;
    if (commit) {
        load_cpu(v, c);
        v->initialised = true;
        vcpu_up(v);
    }
    return 0;
}

static int take_mtrr(struct vcpu *v, const mtrr_t *m, bool commit)
{
    struct mtrr_state s;

    if (!read_mtrr(m, &s))
        return -EINVAL;
    if (commit) {
        v->arch.mtrr = s;
        hvm_ops->set_reg(v, HVM_PAT, m->msr_pat_cr);
    }
    return 0;
}

/* What is being written, and room for one record. */
struct writing {
    const uint8_t *buffer;
    uint32_t bytes;
    union {
        cpu_t cpu;
        mtrr_t mtrr;
    } record;
};

static int take_record(struct domain *d, struct writing *w, const struct record *r, bool commit)
{
    struct vcpu *v = r->d.instance < d->max_vcpus ? d->vcpus[r->d.instance] : NULL;

    /* Another length, or a device that the domain has not got. */
    if (!v || !r->d.length || r->d.length != record_bytes(r->d.typecode))
        return -EINVAL;
    memcpy(&w->record, r->data, r->d.length);
    return r->d.typecode == HVM_SAVE_CODE(CPU) ? take_cpu(v, &w->record.cpu, commit)
                                               : take_mtrr(v, &w->record.mtrr, commit);
}

/* All records up to END, behind the header. */
static int take_all(struct domain *d, struct writing *w, bool commit)
{
    struct record r;
    int rc = 0;

    if (!read_record(w->buffer, w->bytes, 0, &r) || !is_header(&r))
        return -EINVAL;
    while (!rc) {
        if (!read_record(w->buffer, w->bytes, r.next, &r))
            return -EINVAL;
        if (r.d.typecode == HVM_SAVE_CODE(END))
            return 0;
        rc = take_record(d, w, &r, commit);
    }
    return rc;
}

/* As Xen does it: vCPUs of which there is no record of their registers are off. */
static int load_all(struct domain *d, struct writing *w)
{
    struct vcpu *v;
    uint32_t i;
    int rc;

    spin_lock(&d->lock);
    rc = take_all(d, w, false);
    if (!rc) {
        domain_for_each_vcpu (d, v, i)
            vcpu_down(v);
        rc = take_all(d, w, true);
    }
    spin_unlock(&d->lock);
    return rc;
}

int64_t domctl_sethvmcontext(struct domctl *c)
{
    struct xen_domctl_hvmcontext *op = &c->op->u.hvmcontext;
    struct writing *w;
    uint8_t *buffer;
    int64_t rc;

    if (op->size > CONTEXT_MOST)
        return -E2BIG;
    w = heap_alloc(sizeof(*w) + op->size);
    if (!w)
        return -ENOMEM;
    buffer = (uint8_t *)(w + 1);
    w->buffer = buffer;
    w->bytes = op->size;
    rc = guest_read(c->caller, buffer, guest_address(op->buffer), op->size) ? -EFAULT : 0;
    if (!rc)
        rc = domctl_stop_all(c);
    if (!rc) {
        rc = load_all(c->d, w);
        domain_unpause(c->d);
    }
    heap_free(w);
    return rc;
}
