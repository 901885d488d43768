/* SPDX-License-Identifier: MIT */
/*
 * A plugin for QEMU that tells whose instructions were executed: the hypervisor's, kernels',
 * programs'. Arguments: out=FILE. tests/bench/dom0/measure.c marks in its program where a
 * measurement begins and ends, by instructions that do nothing and that nobody else uses (MARK() in
 * dom0/arm64/linux.h and dom0/x86/linux.h); at each end a line is written: which end it was (there
 * may be several behind one beginning), and the three counts. For machines with one CPU.
 *
 * The few functions of QEMU's plugin interface that this needs are declared here: version 4,
 * QEMU 9.1 and later (docs/devel/tcg-plugins.rst).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
struct counter { /* qemu_plugin_u64 */
    struct qemu_plugin_scoreboard *score;
    size_t offset;
};

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*fn)(plugin_id id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t bytes);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*fn)(unsigned int cpu, void *arg), int flags,
                                            void *arg);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb, int op,
                                                       struct counter c, uint64_t n);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t bytes);
uint64_t qemu_plugin_u64_get(struct counter c, unsigned int cpu);

EXPORT int qemu_plugin_version = 4;

#define BEGIN     0 /* marks: where a measurement begins, and its ends */
#define END(slot) (1 + (slot))
#define SLOTS     2
#define NO_MARK   UINT32_MAX
#define ADD_U64   0
#define GIB       (UINT64_C(1) << 30)
#define PIE       (UINT64_C(0xa000) << 32) /* where arm64's programs and libraries begin */
#define X86_LINUX (UINT64_C(0xffffffff) << 32)

enum { HYPERVISOR, KERNEL, PROGRAM, KINDS };

static struct counter counters[KINDS];
static uint64_t begun[KINDS];
static FILE *out;
static bool x86;

/*
 * arm64: all of Linux is in the upper half of all addresses, its programs in the first GiB and
 * behind 0xaaaa00000000. The hypervisors are where programs are not: Xen at 10 TiB, Hospes at 128.
 * x86: programs are in the lower half, Linux's code in the last 4 GiB, the hypervisors' between.
 */
static unsigned int kind_of(uint64_t address)
{
    if (x86)
        return address >= X86_LINUX ? KERNEL : address >> 63 ? HYPERVISOR : PROGRAM;
    if (address >> 63)
        return KERNEL;
    return address < GIB || address >= PIE ? PROGRAM : HYPERVISOR;
}

static void begin(unsigned int cpu, void *arg)
{
    (void)arg;
    for (unsigned int i = 0; i < KINDS; i++)
        begun[i] = qemu_plugin_u64_get(counters[i], cpu);
}

static void end(unsigned int cpu, void *slot)
{
    fprintf(out, "%u ", (unsigned int)(uintptr_t)slot);
    for (unsigned int i = 0; i < KINDS; i++)
        fprintf(out, "%llu%c",
                (unsigned long long)(qemu_plugin_u64_get(counters[i], cpu) - begun[i]),
                i + 1 < KINDS ? ' ' : '\n');
    fflush(out);
}

/* The number in a mark: hint #100 and on; nopl of an address that begins with "kram". */
static uint32_t mark_of(const struct qemu_plugin_insn *insn)
{
    uint8_t code[8] = { 0 };
    uint32_t word;

    qemu_plugin_insn_data(insn, code, sizeof(code));
    if (x86) {
        memcpy(&word, code + 3, sizeof(word));
        word -= 0x6d61726bu;
        return memcmp(code, "\x0f\x1f\x80", 3) || word > SLOTS ? NO_MARK : word;
    }
    memcpy(&word, code, sizeof(word));
    word -= 0xd503201fu + (100u << 5);
    return word & 31 || word >> 5 > SLOTS ? NO_MARK : word >> 5;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    /* A block that an exception ends is counted whole, which is a percent or two too much. */
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
        tb, ADD_U64, counters[kind_of(qemu_plugin_tb_vaddr(tb))], n);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t mark = mark_of(insn);

        if (mark == BEGIN)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, 0, NULL);
        for (uintptr_t slot = 0; slot < SLOTS; slot++)
            if (mark == END(slot))
                qemu_plugin_register_vcpu_insn_exec_cb(insn, end, 0, (void *)slot);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    /* The first word of struct qemu_info_t is the machine's architecture. */
    x86 = !strcmp(*(const char *const *)info, "x86_64");
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], "out=", 4))
            out = fopen(argv[i] + 4, "w");
    if (!out) {
        fprintf(stderr, "share: out=FILE is needed, which can be written\n");
        return -1;
    }
    for (size_t i = 0; i < KINDS; i++)
        counters[i] = (struct counter){ qemu_plugin_scoreboard_new(sizeof(uint64_t)), 0 };
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
