/* SPDX-License-Identifier: MIT */
// sources: core/spinlock.c
/*
 * How Hospes finds what an x86 guest's addresses mean: the walk of page tables that the guest
 * wrote, in each of its modes, and the instructions that exited there. The guest's memory is an
 * array of pages; its frame and the machine's have the same number.
 */
// sources: core/spinlock.c
#include "unit.h"

#include "x86_vcpu.h"

#include "../../hypervisor/arch/x86/exit.c"
#include "../../hypervisor/arch/x86/exit_length.c"
#include "../../hypervisor/arch/x86/guest_access.c"

#include <asm/host.h>

#define PAGES 64u

static struct domain dom;
static struct vcpu vcpu;
static uint8_t memory[PAGES][4096] __attribute__((aligned(4096)));
static enum p2m_type types[PAGES];
static int references, mapped;
static uint64_t foreign; /* a frame that the domain has mapped, and does not own; 0: none */
static uint32_t faults, fetches;
static uint64_t injected;

/* --- who is asked ---------------------------------------------------------------------------- */

int p2m_acquire(struct domain *d, gfn_t gfn, uint32_t wanted, mfn_t *m)
{
    enum p2m_type type = gfn.v < PAGES ? types[gfn.v] : P2M_NONE;

    *m = MFN(gfn.v);
    if ((type != P2M_RAM && type != P2M_RAM_RO) || !(wanted & 1u << type))
        return -22;
    references++;
    return (int)type;
}

/* Nothing is remembered, so that all is asked for here, under the lock. */
struct p2m_found p2m_walk(struct domain *d, gfn_t gfn)
{
    enum p2m_type type = gfn.v < PAGES ? types[gfn.v] : P2M_NONE;

    assert_true(d->p2m.lock.owner != d->p2m.lock.next);
    return (struct p2m_found){ .m = type == P2M_NONE ? MFN_NONE : MFN(gfn.v), .type = type };
}

int frame_get(mfn_t m, uint16_t owner)
{
    if (m.v == foreign)
        return -1;
    references++;
    return 0;
}

bool p2m_handle_fault(struct domain *d, gfn_t gfn)
{
    faults++;
    if (gfn.v >= PAGES || types[gfn.v] != P2M_RESERVED)
        return false;
    types[gfn.v] = P2M_RAM;
    return true;
}

void *frame_map(mfn_t m)
{
    assert_true(m.v < PAGES);
    mapped++;
    return memory[m.v];
}

void frame_unmap(void *page)
{
    assert_true(mapped > 0);
    mapped--;
}

void *frame_map_instead(void *page, mfn_t m)
{
    frame_unmap(page);
    return frame_map(m);
}

void frame_put(mfn_t m)
{
    references--;
}

/* The frame behind an address; MFN_NONE: it leads nowhere. Nothing stays mapped, counted, locked.
 */
static mfn_t frame_behind(struct vcpu *v, uint64_t va, bool write)
{
    int before = references;
    mfn_t m = MFN_NONE;
    uint8_t *page = arch_guest_map(v, va, write, &m);

    assert_int_equal(v->domain->p2m.lock.owner, v->domain->p2m.lock.next);
    assert_int_equal(mapped, page ? 1 : 0);
    assert_int_equal(references, before + (page ? 1 : 0));
    if (!page)
        return MFN_NONE;
    assert_ptr_equal(page, memory[m.v]);
    frame_unmap(page);
    frame_put(m);
    return m;
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    mfn_t m = frame_behind(v, from, false);

    fetches++;
    if (mfn_is_none(m))
        return -14;
    memcpy(to, memory[m.v] + (from & 0xfff), bytes);
    return 0;
}

void inject_error(struct vcpu *v, enum exception vector, uint32_t error)
{
    injected = vector;
}

void inject_exception(struct vcpu *v, enum exception vector)
{
    injected = vector;
}

void inject_agree_on_priority(struct vcpu *v)
{
}

static uint32_t blocked, yielded;

void vcpu_block(struct vcpu *v)
{
    blocked++;
}

void sched_unit_yield(struct sched_unit *unit)
{
    yielded++;
}

void vcpu_down(struct vcpu *v)
{
    v->online = false;
}

static int stopped; /* 1 + reason */

void domain_stop(struct domain *d, enum domain_stop reason)
{
    stopped = 1 + (int)reason;
}

static bool has_nmi;

bool arch_vcpu_has_interrupt(struct vcpu *v)
{
    return has_nmi;
}

void domain_crash(struct vcpu *v, const char *fmt, ...)
{
    fail();
}

/* ---------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    memset(&fake_cpu, 0, sizeof(fake_cpu));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(memory, 0, sizeof(memory));
    vcpu.domain = &dom;
    dom.p2m.lock = SPINLOCK_INIT(LOCK_P2M);
    for (uint32_t i = 0; i < P2M_RECENT; i++)
        dom.p2m.recent[i].number = P2M_RECENT_NONE;
    mapped = 0;
    vcpu.arch.cr0 = CR0_PE | CR0_PG | CR0_WP;
    for (uint32_t i = 0; i < PAGES; i++)
        types[i] = P2M_RAM;
    references = 0;
    faults = fetches = blocked = yielded = 0;
    injected = 0;
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(references, 0);
    return 0;
}

static void set64(uint32_t page, uint32_t index, uint64_t entry)
{
    memcpy(memory[page] + 8 * index, &entry, 8);
}

static uint64_t get64(uint32_t page, uint32_t index)
{
    uint64_t entry;

    memcpy(&entry, memory[page] + 8 * index, 8);
    return entry;
}

static void set32(uint32_t page, uint32_t index, uint32_t entry)
{
    memcpy(memory[page] + 4 * index, &entry, 4);
}

/* Tables in pages 1 to 4; 0xffff888000000000 + n * 4 KiB is page 8 + n. */
#define VA 0xffff888000000000ull

static void map_64(uint64_t flags)
{
    vcpu.arch.paging = PAGING_64;
    fake_cpu.reg[HVM_CR3] = 0x1000;
    set64(1, 273, 0x2000 | flags);
    set64(2, 0, 0x3000 | flags);
    set64(3, 0, 0x4000 | flags);
    for (uint32_t i = 0; i < 16; i++)
        set64(4, i, (uint64_t)(8 + i) << 12 | flags);
    fake_cpu.segment[SEG_CS].attributes = SEG_L;
}

/* A hypercall's buffer is found where the guest's own walk finds it. */
static void test_64(void **state)
{
    map_64(7);
    assert_int_equal(frame_behind(&vcpu, VA + 0x3123, false).v, 11);
    assert_true(mfn_is_none(frame_behind(&vcpu, VA + 16 * 4096, false)));
    assert_true(mfn_is_none(frame_behind(&vcpu, VA - 4096, false)));
    assert_true(mfn_is_none(frame_behind(&vcpu, VA & ~(1ull << 63), false)));
}

/* PCID and the other bits of CR3, NX and software's bits of entries are no addresses. */
static void test_flags_are_no_address(void **state)
{
    map_64(7 | 1ull << 63 | 0x7ffull << 52 | 0xe00);
    fake_cpu.reg[HVM_CR3] = 0x1000 | 0xfff | 1ull << 63;
    assert_int_equal(frame_behind(&vcpu, VA, false).v, 8);
}

/* 2 MiB and 1 GiB pages. */
static void test_large(void **state)
{
    map_64(7);
    set64(3, 1, 0x87);
    assert_int_equal(frame_behind(&vcpu, VA + 0x200000 + 0x5000, false).v, 5);
    set64(2, 1, 0x87 | 1ull << 63);
    assert_int_equal(frame_behind(&vcpu, VA + 0x40000000 + 0x6000, false).v, 6);
    set64(1, 273, 0x80 | 0x2007); /* reserved there: not taken for a page */
    assert_int_equal(frame_behind(&vcpu, VA, false).v, 8);
}

/* What the kernel may not write, a hypercall does not write for it; and it is not marked so. */
static void test_rights(void **state)
{
    map_64(7);
    set64(4, 2, 10ull << 12 | 5);
    assert_int_equal(frame_behind(&vcpu, VA + 0x2000, false).v, 10);
    assert_true(mfn_is_none(frame_behind(&vcpu, VA + 0x2000, true)));
    assert_int_equal(get64(4, 2), 10ull << 12 | 5);
    vcpu.arch.cr0 &= ~(uint64_t)CR0_WP;
    assert_int_equal(frame_behind(&vcpu, VA + 0x2000, true).v, 10);
    vcpu.arch.cr0 |= CR0_WP;
    set64(2, 0, 0x3005);
    assert_true(mfn_is_none(frame_behind(&vcpu, VA, true)));
}

/* A program that has a device mapped does not reach its kernel's memory by string instructions that
 * are carried out for it. */
static void test_user(void **state)
{
    map_64(7);
    set64(4, 2, 10ull << 12 | 3);
    set64(4, 3, 11ull << 12 | 5);
    vcpu.arch.cr0 &= ~(uint64_t)CR0_WP;
    fake_cpu.cpl = 3;
    assert_int_equal(frame_behind(&vcpu, VA + 0x1000, true).v, 9);
    assert_true(mfn_is_none(frame_behind(&vcpu, VA + 0x2000, false)));
    assert_true(mfn_is_none(frame_behind(&vcpu, VA + 0x3000, true)));
    fake_cpu.cpl = 0;
    assert_int_equal(frame_behind(&vcpu, VA + 0x2000, true).v, 10);
}

/* A guest that throws clean pages away must see that a hypercall wrote to one. */
static void test_dirty(void **state)
{
    map_64(7);
    frame_behind(&vcpu, VA, false);
    assert_int_equal(get64(4, 0), 0x8007);
    frame_behind(&vcpu, VA, true);
    assert_int_equal(get64(4, 0), 0x8047);
    types[4] = P2M_RAM_RO;
    assert_int_equal(frame_behind(&vcpu, VA + 0x1000, true).v, 9);
    assert_int_equal(get64(4, 1), 0x9007);
}

/* PAE: flags of the first level are no rights. */
static void test_pae(void **state)
{
    vcpu.arch.paging = PAGING_PAE;
    fake_cpu.reg[HVM_CR3] = 0x1020;
    set64(1, 4 + 3, 0x2001);
    set64(2, 0, 0x3003);
    set64(2, 1, 0x83);
    set64(3, 5, 0x9003);
    assert_int_equal(frame_behind(&vcpu, 0xc0005000, true).v, 9);
    assert_int_equal(frame_behind(&vcpu, 0xffffffffc0005000, true).v, 9);
    assert_int_equal(frame_behind(&vcpu, 0xc0207000, true).v, 7);
    assert_true(mfn_is_none(frame_behind(&vcpu, 0x80000000, false)));
}

/* 32-bit, with pages of 4 MiB only where CR4.PSE says so. */
static void test_32(void **state)
{
    vcpu.arch.paging = PAGING_32;
    fake_cpu.reg[HVM_CR3] = 0x1000;
    set32(1, 768, 0x2003);
    set32(2, 7, 0xa003);
    set32(1, 769, 0x83);
    assert_int_equal(frame_behind(&vcpu, 0xc0007fff, true).v, 10);
    vcpu.arch.cr4 = CR4_PSE;
    assert_int_equal(frame_behind(&vcpu, 0xc0400000 + 0xb000, true).v, 11);
    set32(1, 769, 0x83 | 1u << 13); /* 4 GiB */
    assert_true(mfn_is_none(frame_behind(&vcpu, 0xc0400000 + 0xb000, true)));
    vcpu.arch.cr4 = 0;
    set32(1, 769, 0x2083);
    assert_int_equal(frame_behind(&vcpu, 0xc0400000 + 0x7000, true).v, 10);
}

/* Before paging is on, as in the first instructions of a PVH kernel. */
static void test_no_paging(void **state)
{
    vcpu.arch.paging = PAGING_NONE;
    assert_int_equal(frame_behind(&vcpu, 0x5000, true).v, 5);
    assert_int_equal(frame_behind(&vcpu, 0x100005000, true).v, 5);
}

/* Memory is made present, and only memory is used. */
static void test_types(void **state)
{
    map_64(7);
    types[8] = P2M_RESERVED;
    assert_int_equal(frame_behind(&vcpu, VA, true).v, 8);
    assert_int_equal(faults, 1);
    types[8] = P2M_RAM_RO;
    assert_true(mfn_is_none(frame_behind(&vcpu, VA, true)));
    assert_int_equal(frame_behind(&vcpu, VA, false).v, 8);
    types[8] = P2M_DEVICE;
    assert_true(mfn_is_none(frame_behind(&vcpu, VA, false)));
    types[8] = P2M_SHARED; /* another's, unless it is a page that the domain shares with Hospes */
    assert_int_equal(frame_behind(&vcpu, VA, true).v, 8);
    foreign = 8;
    assert_true(mfn_is_none(frame_behind(&vcpu, VA, true)));
    assert_true(mfn_is_none(frame_behind(&vcpu, VA, false)));
    types[8] = P2M_RAM;
    foreign = 0;
    types[3] = P2M_DEVICE; /* a table in a device's registers */
    assert_true(mfn_is_none(frame_behind(&vcpu, VA, false)));
    types[3] = P2M_NONE;
    assert_true(mfn_is_none(frame_behind(&vcpu, VA, false)));
}

/* Whatever a guest writes into its tables, a walk ends. */
static void test_any_tables(void **state)
{
    for (unsigned int round = 0; round < 2000; round++) {
        for (uint32_t i = 0; i < 8 * 512; i++)
            set64(i / 512, i % 512, unit_random64() & (0x3f000 | 0xfff));
        vcpu.arch.paging = (enum paging)unit_random(4);
        vcpu.arch.cr4 = unit_random(2) ? CR4_PSE : 0;
        fake_cpu.reg[HVM_CR3] = unit_random64() & 0x3ffff;
        frame_behind(&vcpu, unit_random64(), unit_random(2));
        frame_behind(&vcpu, unit_random(1u << 31), unit_random(2));
    }
}

/* --- instructions ---------------------------------------------------------------------------- */

static void put_code(uint32_t at, const char *bytes, uint32_t nr)
{
    memcpy(memory[8] + at, bytes, nr);
}

static uint32_t length_of(enum exit_instruction kind)
{
    return exit_length(&vcpu, kind, hvm_ops->locate(&vcpu));
}

/* A processor without NRIP save: the length comes from the code, prefixes and all. */
static void test_length(void **state)
{
    map_64(7);
    vcpu.regs.rip = VA + 0x10;
    put_code(0x10, "\x0f\xa2", 2);
    assert_int_equal(length_of(INSTRUCTION_CPUID), 2);
    vcpu.regs.rip = VA + 0x20;
    put_code(0x20, "\x66\xf2\x48\x0f\xa2", 5);
    assert_int_equal(length_of(INSTRUCTION_CPUID), 5);
    vcpu.regs.rip = VA + 0x30;
    put_code(0x30, "\xf3\x90", 2);
    assert_int_equal(length_of(INSTRUCTION_PAUSE), 2);
    vcpu.regs.rip = VA + 0x40;
    put_code(0x40, "\x0f\x01\xd9", 3);
    assert_int_equal(length_of(INSTRUCTION_HYPERCALL), 3);
    fake_cpu.length = 9; /* the processor tells */
    assert_int_equal(length_of(INSTRUCTION_HYPERCALL), 9);
}

/* It is fetched once; but another program, or another instruction at its place, is looked at anew.
 */
static void test_length_is_remembered(void **state)
{
    uint32_t before;

    map_64(7);
    vcpu.regs.rip = VA + 0x10;
    put_code(0x10, "\x0f\xa2", 2);
    length_of(INSTRUCTION_CPUID);
    before = fetches;
    assert_int_equal(length_of(INSTRUCTION_CPUID), 2);
    assert_int_equal(fetches, before);
    put_code(0x10, "\x66\x0f\xa2", 3);
    fake_cpu.reg[HVM_CR3] |= 0x8;
    assert_int_equal(length_of(INSTRUCTION_CPUID), 3);
    put_code(0x10, "\x0f\x01\xd9", 3);
    assert_int_equal(length_of(INSTRUCTION_HYPERCALL), 3);
}

/* Code that changed under our feet is executed again; code that nobody can read gets a fault. */
static void test_length_of_nothing(void **state)
{
    map_64(7);
    vcpu.regs.rip = VA + 0x10;
    put_code(0x10, "\x90\x90", 2);
    assert_int_equal(length_of(INSTRUCTION_CPUID), 0);
    assert_int_equal(injected, 0);
    vcpu.regs.rip = VA + 0xffe;
    memcpy(memory[8] + 0xffe, "\x0f\x01", 2);
    types[9] = P2M_NONE;
    assert_int_equal(length_of(INSTRUCTION_HYPERCALL), 0);
    assert_int_equal(injected, 0);
    types[9] = P2M_RAM;
    memory[9][0] = 0xd9;
    assert_int_equal(length_of(INSTRUCTION_HYPERCALL), 3);
    vcpu.regs.rip = VA + 20 * 4096;
    assert_int_equal(length_of(INSTRUCTION_CPUID), 0);
    assert_int_equal(injected, EXC_GP);
}

/* Without interrupts it is the CPU's end, and that of all is the domain's. */
static void test_hlt_for_good(void **state)
{
    struct vcpu second = { .domain = &dom, .online = true }, *vcpus[] = { &vcpu, NULL, &second };

    host_pcpus_init(1);
    dom.vcpus = vcpus;
    dom.max_vcpus = 3;
    vcpu.online = true;
    assert_int_equal(exit_hlt(&vcpu), EXIT_HANDLED);
    assert_false(vcpu.online);
    assert_int_equal(stopped, 0);

    second.online = false;
    vcpu.online = true;
    has_nmi = true;
    assert_int_equal(exit_hlt(&vcpu), EXIT_HANDLED);
    assert_true(vcpu.online);
    assert_int_equal(stopped, 0);

    has_nmi = false;
    assert_int_equal(exit_hlt(&vcpu), EXIT_HANDLED);
    assert_false(vcpu.online);
    assert_int_equal(stopped, 1 + DOMAIN_POWEROFF);
    assert_int_equal(blocked, 0);
}

/* HLT, which was stepped over, waits unless something goes in first: also a debugger's trap. */
static void test_hlt(void **state)
{
    vcpu.regs.rflags = RFLAGS_IF;
    assert_int_equal(exit_hlt(&vcpu), EXIT_HANDLED);
    assert_int_equal(blocked, 1);
    vcpu.arch.event = EVENT_VALID;
    assert_int_equal(exit_hlt(&vcpu), EXIT_HANDLED);
    assert_int_equal(blocked, 1);
}

/* A debugger that single-steps sees the instruction executed. */
static void test_skip(void **state)
{
    vcpu.regs.rip = VA + 0x10;
    exit_skip(&vcpu, 1);
    assert_int_equal(vcpu.regs.rip, VA + 0x11);
    assert_int_equal(injected, 0);
    vcpu.regs.rflags = RFLAGS_IF | RFLAGS_TF;
    exit_skip(&vcpu, 3);
    assert_int_equal(vcpu.regs.rip, VA + 0x14);
    assert_int_equal(injected, EXC_DB);
    assert_int_equal(fake_cpu.reg[HVM_DR6], DR6_BS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_64, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags_are_no_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dirty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pae, setup, teardown),
        cmocka_unit_test_setup_teardown(test_32, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_paging, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_length_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_length_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hlt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_skip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hlt_for_good, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
