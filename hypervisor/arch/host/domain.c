/* SPDX-License-Identifier: MIT */
/* The stand-in's part of domains and vCPUs, and a page-table format for <hospes/p2m.h> that no
 * hardware walks. */
#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>

int arch_domain_init(struct domain *d)
{
    d->arch = (struct arch_domain){ .flushes = 0 };
    return 0;
}

void arch_domain_destroy(struct domain *d)
{
    (void)d;
}

int arch_vcpu_init(struct vcpu *v)
{
    v->arch = (struct arch_vcpu){ .has_interrupt = false };
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    (void)v;
}

void arch_vcpu_reset(struct vcpu *v)
{
    v->regs = (struct cpu_regs){ .pc = 0 };
}

void arch_vcpu_enter_first(struct vcpu *v)
{
    (void)v;
    host_stop("entered");
}

void arch_vcpu_save(struct vcpu *v, bool more)
{
    (void)more;
    v->arch.saved++;
}

void arch_vcpu_load(struct vcpu *v)
{
    v->arch.loaded++;
}

void arch_vcpu_deliver(struct vcpu *v)
{
    v->arch.delivered++;
}

bool arch_vcpu_has_interrupt(struct vcpu *v)
{
    return read_once(v->arch.has_interrupt);
}

void arch_evtchn_upcall(struct vcpu *v)
{
    __atomic_fetch_add(&v->arch.upcalls, 1, __ATOMIC_RELAXED); /* perhaps from several pCPUs */
}

void arch_vcpu_dump(const struct vcpu *v)
{
    log_guest(v->domain->id, LOG_ERR, "vCPU %u pc %#llx", v->id, (unsigned long long)v->regs.pc);
}

/* --- page tables ------------------------------------------------------------------------- */

/* Bit 0: a table or a leaf stands here. 1: a leaf. 2..6: its flags. */
#define ENTRY_USED  BIT(0)
#define ENTRY_LEAF  BIT(1)
#define ENTRY_FLAGS MASK(6, 2)
#define ENTRY_ADDR  PGTABLE_ADDRESS
#define ENTRY_TYPE  PGTABLE_TYPE

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    (void)level;
    return ENTRY_USED | ENTRY_LEAF | field_prep(ENTRY_FLAGS, leaf->flags) |
           field_prep(ENTRY_TYPE, leaf->type) | (leaf->maddr.v & ENTRY_ADDR);
}

static uint64_t encode_table(maddr_t table, unsigned int level)
{
    (void)level;
    return ENTRY_USED | (table.v & ENTRY_ADDR);
}

static bool decode_leaf(uint64_t entry, unsigned int level, struct pgtable_leaf *leaf)
{
    (void)level;
    if ((entry & (ENTRY_USED | ENTRY_LEAF)) != (ENTRY_USED | ENTRY_LEAF))
        return false;
    leaf->maddr = MADDR(entry & ENTRY_ADDR);
    leaf->flags = (uint32_t)field_get(ENTRY_FLAGS, entry);
    leaf->type = (uint32_t)field_get(ENTRY_TYPE, entry);
    return true;
}

static bool decode_table(uint64_t entry, unsigned int level, maddr_t *table)
{
    (void)level;
    if ((entry & (ENTRY_USED | ENTRY_LEAF)) != ENTRY_USED)
        return false;
    *table = MADDR(entry & ENTRY_ADDR);
    return true;
}

struct pgtable_format arch_p2m_format = {
    .top_level = 1,
    .top_order = 1,
    .largest_block = 1,
    .encode_leaf = encode_leaf,
    .encode_table = encode_table,
    .decode_leaf = decode_leaf,
    .decode_table = decode_table,
};

void arch_p2m_init(struct domain *d)
{
    (void)d;
}

void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames)
{
    (void)gfn;
    (void)frames;
    d->arch.flushes++;
}
