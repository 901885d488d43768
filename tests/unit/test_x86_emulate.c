/* SPDX-License-Identifier: MIT */
/*
 * Instructions on an emulated device's registers, beside this machine's own processor: each runs on
 * plain memory here, and by emulate_access() on a device that is as plain. Registers, flags and
 * memory have to be the same then.
 */
// sources: arch/x86/decode.c
#include "unit.h"

#include "x86_vcpu.h"

#include "../../hypervisor/arch/x86/emulate.c"

#include <sys/mman.h>

#define BYTES    64u /* of the device, and of the memory beside it */
#define MIDDLE   32u
#define ROUNDS   16u /* for each form of an instruction */
#define DEVICE   0xfec00000ull
#define COMPARED (FLAGS | FLAG_DF)

/* What an instruction can change. */
struct state {
    uint64_t gpr[16]; /* not rsp */
    uint64_t rflags;
    uint8_t device[BYTES], memory[BYTES];
};

_Static_assert(offsetof(struct state, rflags) == 128, "known to run_here below");

static struct state here, emulated;
static uint8_t *code; /* it can be run */
static uint32_t code_bytes;
static struct vcpu vcpu;

/* What the device was asked. */
static uint32_t reads, writes;
static enum exit_action answer;

/* --- on this processor ------------------------------------------------------------------------ */

/* Registers and flags out of *s, a call, and back into it. */
void run_here(struct state *s, const void *instruction);

/* clang-format off */
__asm__(".text\n"
        ".type run_here, @function\n"
        "run_here:\n"
        "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    push %rdi\n"             /* 8(%rsp): the state */
        "    push %rsi\n"             /* (%rsp): the instruction */
        "    push 128(%rdi)\n    popf\n"
        "    mov 0(%rdi), %rax\n    mov 8(%rdi), %rcx\n    mov 16(%rdi), %rdx\n"
        "    mov 24(%rdi), %rbx\n   mov 40(%rdi), %rbp\n   mov 48(%rdi), %rsi\n"
        "    mov 64(%rdi), %r8\n    mov 72(%rdi), %r9\n    mov 80(%rdi), %r10\n"
        "    mov 88(%rdi), %r11\n   mov 96(%rdi), %r12\n   mov 104(%rdi), %r13\n"
        "    mov 112(%rdi), %r14\n  mov 120(%rdi), %r15\n  mov 56(%rdi), %rdi\n"
        "    call *(%rsp)\n"
        "    mov %rdi, (%rsp)\n"      /* the instruction's rdi */
        "    mov 8(%rsp), %rdi\n"
        "    mov %rax, 0(%rdi)\n    mov %rcx, 8(%rdi)\n    mov %rdx, 16(%rdi)\n"
        "    mov %rbx, 24(%rdi)\n   mov %rbp, 40(%rdi)\n   mov %rsi, 48(%rdi)\n"
        "    mov %r8, 64(%rdi)\n    mov %r9, 72(%rdi)\n    mov %r10, 80(%rdi)\n"
        "    mov %r11, 88(%rdi)\n   mov %r12, 96(%rdi)\n   mov %r13, 104(%rdi)\n"
        "    mov %r14, 112(%rdi)\n  mov %r15, 120(%rdi)\n"
        "    pushf\n    pop 128(%rdi)\n    cld\n"
        "    pop %rax\n    mov %rax, 56(%rdi)\n"
        "    pop %rdi\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n"
        "    ret\n"
        ".size run_here, . - run_here\n");
/* clang-format on */

/* --- what emulate.c calls --------------------------------------------------------------------- */

uint32_t guest_fetch(struct vcpu *v, uint8_t bytes[15], const struct hvm_code *at)
{
    memcpy(bytes, code, code_bytes);
    return code_bytes;
}

/* The memory beside the device; addresses are those of the one that this processor uses. */
static uint8_t *memory_at(uint64_t at, size_t bytes)
{
    uint64_t offset = at - (uint64_t)(uintptr_t)here.memory;

    return offset <= BYTES - bytes ? emulated.memory + offset : NULL;
}

int guest_read(struct vcpu *v, void *to, uint64_t at, size_t bytes)
{
    const uint8_t *from = memory_at(at, bytes);

    if (!from)
        return -1;
    memcpy(to, from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t at, const void *from, size_t bytes)
{
    uint8_t *to = memory_at(at, bytes);

    if (!to)
        return -1;
    memcpy(to, from, bytes);
    return 0;
}

enum exit_action mmio_dispatch(struct vcpu *v)
{
    struct mmio_access *a = &v->access;
    uint64_t offset = a->addr.v - DEVICE;

    assert_true(offset <= BYTES - a->size);
    *(a->write ? &writes : &reads) += 1;
    if (answer != EXIT_HANDLED)
        return answer;
    if (a->write) {
        memcpy(emulated.device + offset, &a->value, a->size);
    } else {
        a->value = 0;
        memcpy(&a->value, emulated.device + offset, a->size);
    }
    return EXIT_HANDLED;
}

void exit_skip(struct vcpu *v, uint32_t length)
{
    v->regs.rip += length;
}

unsigned int exit_code_bits(struct vcpu *v)
{
    return hvm_ops->locate(v)->bits;
}

/* --- both, and the comparison ----------------------------------------------------------------- */

/* Where rdi points, or rsi if the device is the source. */
static enum exit_action emulate(bool write)
{
    uint64_t address =
        vcpu.regs.gpr[write || vcpu.regs.rsi - (uintptr_t)here.device >= BYTES ? RDI : RSI];

    return emulate_access(&vcpu, GADDR(DEVICE + address - (uintptr_t)here.device), write);
}

static void write_code(const uint8_t *bytes, uint32_t nr)
{
    static const uint8_t ret = 0xc3;

    memcpy(code, bytes, nr);
    code[nr] = ret;
    code_bytes = nr;
    reads = writes = 0;
    answer = EXIT_HANDLED;
}

/* Numbers at which carries, signs and zeros change are as likely as any. */
static uint64_t number(void)
{
    static const uint64_t edges[] = { 0,      1,      0x7f,       0x80,       0xff,
                                      0x7fff, 0x8000, 0x7fffffff, 0x80000000, INT64_MAX };
    uint64_t edge = edges[unit_random(sizeof(edges) / sizeof(edges[0]))];

    switch (unit_random(3)) {
    case 0:
        return edge;
    case 1:
        return ~edge;
    default:
        return unit_random64();
    }
}

static void draw_state(void)
{
    for (uint32_t i = 0; i < 16; i++)
        here.gpr[i] = number();
    for (uint32_t i = 0; i < BYTES; i += 8) {
        uint64_t in_device = number(), beside = number();

        memcpy(here.device + i, &in_device, 8);
        memcpy(here.memory + i, &beside, 8);
    }
    here.rflags = 2 | (unit_random64() & FLAGS);
    here.gpr[RDI] = (uintptr_t)here.device + MIDDLE;
}

/* The state of before goes to the vCPU, and the instruction runs here. */
static void run_both_begin(void)
{
    emulated = here;
    memcpy(vcpu.regs.gpr, here.gpr, sizeof(here.gpr));
    vcpu.regs.rflags = here.rflags;
    vcpu.regs.rip = 0x1000;
    run_here(&here, code);
}

static void compare(uint64_t flags)
{
    vcpu.regs.gpr[RSP] = here.gpr[RSP];
    if (memcmp(vcpu.regs.gpr, here.gpr, sizeof(here.gpr)) ||
        (vcpu.regs.rflags ^ here.rflags) & flags || memcmp(emulated.device, here.device, BYTES) ||
        memcmp(emulated.memory, here.memory, BYTES) || vcpu.regs.rip != 0x1000 + code_bytes) {
        for (uint32_t i = 0; i < code_bytes; i++)
            print_error("%02x ", code[i]);
        for (uint32_t i = 0; i < 16; i++)
            if (vcpu.regs.gpr[i] != here.gpr[i])
                print_error(" register %u: %#llx, should be %#llx;", i,
                            (unsigned long long)vcpu.regs.gpr[i], (unsigned long long)here.gpr[i]);
        print_error(" flags %#llx, should be %#llx\n",
                    (unsigned long long)(vcpu.regs.rflags & flags),
                    (unsigned long long)(here.rflags & flags));
        fail();
    }
}

/* --- forms ------------------------------------------------------------------------------------ */

/* Of an instruction with a memory operand at [rdi]. */
#define NARROW  0x01u /* operands of a byte, so that no operand size counts */
#define IMM8    0x02u
#define IMMZ    0x04u /* two bytes, or four */
#define READS   0x08u
#define WRITES  0x10u
#define LOGICAL 0x20u /* AF is undefined */
#define GROUP   0x40u /* ModRM.reg is constant, and no register */
#define BEHIND  0x80u /* 0f */
#define NO_66   0x100u
#define CHANGES (READS | WRITES)

struct form {
    uint8_t opcode, group;
    uint16_t is;
};

#define ALU(base, is)                                                          \
    { (base), 0, CHANGES | NARROW | (is) }, { (base) + 1, 0, CHANGES | (is) }, \
        { (base) + 2, 0, READS | NARROW | (is) },                              \
    {                                                                          \
        (base) + 3, 0, READS | (is)                                            \
    }
#define ALU_IMMEDIATE(reg, is)                                                           \
    { 0x80, (reg), GROUP | IMM8 | NARROW | (is) }, { 0x81, (reg), GROUP | IMMZ | (is) }, \
    {                                                                                    \
        0x83, (reg), GROUP | IMM8 | (is)                                                 \
    }

static const struct form forms[] = {
    ALU(0x00, 0),                /* add */
    ALU(0x08, LOGICAL),          /* or */
    ALU(0x20, LOGICAL),          /* and */
    ALU(0x28, 0),                /* sub */
    ALU(0x30, LOGICAL),          /* xor */
    { 0x38, 0, READS | NARROW }, /* cmp */
    { 0x39, 0, READS },
    { 0x3a, 0, READS | NARROW },
    { 0x3b, 0, READS },
    ALU_IMMEDIATE(0, CHANGES),
    ALU_IMMEDIATE(1, CHANGES | LOGICAL),
    ALU_IMMEDIATE(4, CHANGES | LOGICAL),
    ALU_IMMEDIATE(5, CHANGES),
    ALU_IMMEDIATE(6, CHANGES | LOGICAL),
    ALU_IMMEDIATE(7, READS),
    { 0x84, 0, READS | NARROW | LOGICAL }, /* test */
    { 0x85, 0, READS | LOGICAL },
    { 0xf6, 0, GROUP | READS | NARROW | LOGICAL | IMM8 },
    { 0xf7, 0, GROUP | READS | LOGICAL | IMMZ },
    { 0x86, 0, CHANGES | NARROW }, /* xchg */
    { 0x87, 0, CHANGES },
    { 0x88, 0, WRITES | NARROW }, /* mov */
    { 0x89, 0, WRITES },
    { 0x8a, 0, READS | NARROW },
    { 0x8b, 0, READS },
    { 0xc6, 0, GROUP | WRITES | NARROW | IMM8 },
    { 0xc7, 0, GROUP | WRITES | IMMZ },
    { 0x63, 0, READS },          /* movsxd */
    { 0xb6, 0, BEHIND | READS }, /* movzx */
    { 0xb7, 0, BEHIND | READS },
    { 0xbe, 0, BEHIND | READS }, /* movsx */
    { 0xbf, 0, BEHIND | READS },
    { 0xc3, 0, BEHIND | WRITES | NO_66 }, /* movnti */
};

#define PREFIX 0x66u
#define NO_REX 0u
#define REX    0x40u
#define REX_R  0x44u
#define REX_W  0x48u

/* With these prefixes and ModRM.reg. */
static void write_form(const struct form *f, bool narrower, uint8_t rex, uint8_t reg)
{
    uint8_t bytes[DECODE_MAX_BYTES];
    uint32_t nr = 0, immediate = f->is & IMM8                            ? 1
                                 : !(f->is & IMMZ)                       ? 0
                                 : narrower && !((rex & REX_W) == REX_W) ? 2
                                                                         : 4;

    if (narrower)
        bytes[nr++] = PREFIX;
    if (rex != NO_REX)
        bytes[nr++] = rex;
    if (f->is & BEHIND)
        bytes[nr++] = 0x0f;
    bytes[nr++] = f->opcode;
    bytes[nr++] = (uint8_t)((f->is & GROUP ? f->group : reg) << 3 | RDI);
    for (uint64_t value = number(); immediate; immediate--, value >>= 8)
        bytes[nr++] = (uint8_t)value;
    write_code(bytes, nr);
}

/* rsp is not given to it; a narrow 4 without REX is ah. */
static bool takes_register(const struct form *f, uint8_t rex, uint8_t reg)
{
    if (f->is & GROUP)
        return reg == 0;
    return reg != RSP || (rex & REX_R) == REX_R || (f->is & NARROW && rex == NO_REX);
}

static void try_form(const struct form *f, bool narrower, uint8_t rex, uint8_t reg)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        write_form(f, narrower, rex, reg);
        draw_state();
        run_both_begin();
        assert_int_equal(emulate(f->is & WRITES), EXIT_HANDLED);
        compare(f->is & LOGICAL ? COMPARED & ~FLAG_AF : COMPARED);
        assert_int_equal(reads, f->is & READS ? 1 : 0);
        assert_int_equal(writes, f->is & WRITES ? 1 : 0);
    }
}

/* A driver that changes a device's register by any instruction would find other values in its own,
 * or other flags. */
static void test_as_the_processor(void **state)
{
    static const uint8_t rexes[] = { NO_REX, REX, REX_R, REX_W, REX_R | REX_W };

    for (uint32_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        for (uint32_t rex = 0; rex < sizeof(rexes); rex++)
            for (uint8_t reg = 0; reg < 8; reg++)
                if (takes_register(&forms[i], rexes[rex], reg)) {
                    try_form(&forms[i], false, rexes[rex], reg);
                    if (!(forms[i].is & NO_66))
                        try_form(&forms[i], true, rexes[rex], reg);
                }
}

/* --- strings ---------------------------------------------------------------------------------- */

/* One exit for each element, until it is done. */
static void try_string(const uint8_t *bytes, uint32_t nr, bool write, bool backwards,
                       uint32_t count)
{
    enum exit_action action;
    uint32_t exits = 0;

    write_code(bytes, nr);
    draw_state();
    here.gpr[RSI] = (uintptr_t)here.memory + MIDDLE;
    if (!write) {
        here.gpr[RSI] = here.gpr[RDI];
        here.gpr[RDI] = (uintptr_t)here.memory + MIDDLE;
    }
    here.gpr[RCX] = count;
    here.rflags |= backwards ? FLAG_DF : 0;
    run_both_begin();
    do {
        action = emulate(write);
        exits++;
        assert_true(action == EXIT_HANDLED || action == EXIT_RETRY);
    } while (action == EXIT_RETRY);
    compare(COMPARED);
    assert_int_equal(exits, bytes[0] == 0xf3 ? count : 1);
}

/* What is copied out of a card's memory or into it would come out of order, or not at all. */
static void test_strings(void **state)
{
    static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xaa, 0xab }; /* movs, stos */

    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t prefixes = 0; prefixes < 8; prefixes++)
            for (uint32_t count = 1; count <= 3; count++)
                for (uint32_t way = 0; way < 4; way++) {
                    uint8_t bytes[4];
                    uint32_t nr = 0;

                    if (prefixes & 1)
                        bytes[nr++] = 0xf3;
                    if (prefixes & 2)
                        bytes[nr++] = PREFIX;
                    if (prefixes & 4)
                        bytes[nr++] = REX_W;
                    bytes[nr++] = opcodes[i];
                    try_string(bytes, nr, way & 1 || opcodes[i] >= 0xaa, way & 2, count);
                }
}

/* --- what does not go well -------------------------------------------------------------------- */

static void start(const char *bytes, uint32_t nr)
{
    write_code((const uint8_t *)bytes, nr);
    draw_state();
    emulated = here;
    memcpy(vcpu.regs.gpr, here.gpr, sizeof(here.gpr));
    vcpu.regs.rip = 0x1000;
}

static void assert_unchanged(void)
{
    assert_memory_equal(vcpu.regs.gpr, here.gpr, sizeof(here.gpr));
    assert_memory_equal(emulated.device, here.device, BYTES);
    assert_int_equal(vcpu.regs.rip, 0x1000);
}

/* As on a bus: a driver that looks for a device where there is none reads ones. */
static void test_nobody_there(void **state)
{
    start("\x8b\x07", 2); /* mov (%rdi), %eax */
    answer = EXIT_FAULT;
    assert_int_equal(emulate(false), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.rax, UINT32_MAX);
    assert_int_equal(vcpu.regs.rip, 0x1002);
}

/* A guest's other CPU would make the device see an access that its tables do not allow. */
static void test_changed_meanwhile(void **state)
{
    start("\x8b\x07", 2);
    assert_int_equal(emulate(true), EXIT_RETRY);
    assert_unchanged();
    start("\x89\x07", 2);
    assert_int_equal(emulate(false), EXIT_RETRY);
    assert_unchanged();
    start("", 0); /* not to be fetched any more */
    assert_int_equal(emulate(false), EXIT_RETRY);
    assert_int_equal(reads + writes, 0);
}

/* A guest would go on with an instruction half done. */
static void test_not_done(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t nr;
    } others[] = {
        { "\xdd\x07", 2 },     /* fldl (%rdi) */
        { "\x11\x07", 2 },     /* adc %eax, (%rdi) */
        { "\x0f\xb1\x07", 3 }, /* cmpxchg %eax, (%rdi) */
        { "\xa6", 1 },         /* cmpsb */
        { "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x8b", 15 },
    };

    for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        start(others[i].bytes, others[i].nr);
        assert_int_equal(emulate(false), EXIT_UNDEF);
        assert_unchanged();
    }
    start("\xa4", 1); /* movsb, of memory that is not there */
    vcpu.regs.rsi = here.gpr[RSI] = 0;
    assert_int_equal(emulate(true), EXIT_UNDEF);
    assert_unchanged();
    start("\x87\x07", 2); /* xchg, with a device that waits */
    answer = EXIT_RETRY;
    assert_int_equal(emulate(true), EXIT_RETRY);
    assert_unchanged();
}

static int setup_all(void **state)
{
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fake_cpu.segment[SEG_CS].attributes = SEG_L;
    return code == MAP_FAILED;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_processor), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_nobody_there),     cmocka_unit_test(test_changed_meanwhile),
        cmocka_unit_test(test_not_done),
    };

    return cmocka_run_group_tests(tests, setup_all, NULL);
}
