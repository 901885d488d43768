/* SPDX-License-Identifier: MIT */
/* From start.S to guest_main(): Xen's leaves of CPUID, the hypercall page, memory; CPUs; the end.
 */
#include "hypercall.h"

#include <xen/memory.h>
#include <xen/sched.h>

_Static_assert(offsetof(struct cpu, self) == CPU_SELF, "offsets.h");
_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "offsets.h");
_Static_assert(offsetof(struct cpu, probe_at) == CPU_PROBE, "offsets.h");
_Static_assert(offsetof(struct cpu, when) == CPU_WHEN, "offsets.h");

#define APIC_INIT    0x4500u /* assert, INIT */
#define APIC_STARTUP 0x4600u
#define TYPE_RAM     1u

struct machine machine = { .bootargs = "" };
uint8_t hypercall_page[4096] __attribute__((aligned(4096)));
uint8_t stacks[MAX_CPUS][STACK_BYTES] __attribute__((aligned(16)));

extern const uint8_t trampoline[], trampoline_end[], tramp_cr3[], tramp_entry[];
extern uint32_t trampoline_cr3, trampoline_entry;
extern struct cpu *volatile trampoline_cpu;

_Noreturn void guest_start(const struct hvm_start_info *info, uint64_t tsc, uint64_t image,
                           uint64_t image_end);

static void find_xen(void)
{
    uint32_t r[4];

    for (uint32_t leaf = 0x40000000; leaf < 0x40010000; leaf += 0x100) {
        cpuid(leaf, 0, r);
        if (r[1] == 0x566e6558 && r[2] == 0x65584d4d && r[3] == 0x4d4d566e) { /* XenVMMXenVMM */
            machine.xen_leaves = leaf;
            break;
        }
    }
    cpuid(machine.xen_leaves + 3, 0, r);
    machine.tsc_khz = r[2];
}

void hypercall_init(void)
{
    uint32_t r[4];

    find_xen();
    cpuid(machine.xen_leaves + 2, 0, r);
    wrmsr(r[1], (uint64_t)(uintptr_t)hypercall_page);
}

static void add_memory(uint64_t base, uint64_t bytes)
{
    struct machine *m = &machine;

    if (base + bytes <= MIB || m->mems == ARRAY_SIZE(m->mem))
        return;
    if (base < MIB) {
        bytes -= MIB - base;
        base = MIB;
    }
    m->mem[m->mems++] = (struct range){ base, bytes };
    if (base < 4 * GIB && bytes > m->mem[0].bytes) { /* the largest of these first */
        m->mem[m->mems - 1] = m->mem[0];
        m->mem[0] = (struct range){ base, bytes };
    }
}

/* Start info of version 0 has no memory map: one has to ask. */
static void ask_memory(void)
{
    static struct {
        uint64_t base, bytes;
        uint32_t type;
    } __attribute__((packed)) map[64];
    struct xen_memory_map op = { .nr_entries = ARRAY_SIZE(map) };

    op.buffer.p = map;
    if (hypercall_op(__HYPERVISOR_memory_op, XENMEM_memory_map, &op))
        return;
    for (unsigned int i = 0; i < op.nr_entries; i++) {
        if (map[i].type == TYPE_RAM)
            add_memory(map[i].base, map[i].bytes);
    }
}

void machine_read(const struct hvm_start_info *info)
{
    const struct hvm_memmap_table_entry *map = (const void *)(uintptr_t)info->memmap_paddr;

    machine.info = info;
    if (info->cmdline_paddr)
        machine.bootargs = (const char *)(uintptr_t)info->cmdline_paddr;
    if (info->version == 0)
        ask_memory();
    for (uint32_t i = 0; info->version && i < info->memmap_entries; i++) {
        if (map[i].type == TYPE_RAM)
            add_memory(map[i].addr, map[i].size);
    }
}

void guest_start(const struct hvm_start_info *info, uint64_t tsc, uint64_t image,
                 uint64_t image_end)
{
    exceptions_init();
    hypercall_init();
    machine.image = (struct range){ image, image_end - image };
    machine.start = tsc;
    machine_read(info);
    machine_read_cpus();
    put("guest %s starts at 0x%lx: %u cpus, counter %lu kHz, start info %u, %lu MiB at 0x%lx, args "
        "\"%s\"\n",
        guest_name, image, machine.cpus, machine.tsc_khz, info->version, machine.mem[0].bytes / MIB,
        machine.mem[0].base, machine.bootargs);
    guest_main();
    finish();
}

int64_t cpu_start(unsigned int id, void (*run)(unsigned int id))
{
    struct cpu *cpu = &cpus[id];
    uint8_t *low = (uint8_t *)(uintptr_t)TRAMPOLINE;

    if (id >= machine.cpus)
        return -2; /* ENOENT */
    apic_init_cpu();
    cpu->stack = (uint64_t)(uintptr_t)(stacks[id] + STACK_BYTES);
    cpu->id = id;
    cpu->run = run;
    cpu->arrived = cpu->left = false;
    memcpy(low, trampoline, (size_t)(trampoline_end - trampoline));
    memcpy(low + (tramp_cr3 - trampoline), &trampoline_cr3, 4);
    memcpy(low + (tramp_entry - trampoline), &trampoline_entry, 4);
    trampoline_cpu = cpu;
    apic_send(id, APIC_INIT);
    delay_us(100);
    apic_send(id, APIC_STARTUP | TRAMPOLINE >> 12);
    delay_us(100);
    apic_send(id, APIC_STARTUP | TRAMPOLINE >> 12);
    return wait_until(cpu->arrived) ? 0 : -110; /* ETIMEDOUT */
}

/* VCPUOP_down is how a CPU of Linux's goes off too. */
static void cpu_off(void)
{
    hypercall(__HYPERVISOR_vcpu_op, 2 /* VCPUOP_down */, cpu_id(), 0, 0, 0);
}

void secondary_start(struct cpu *cpu)
{
    exceptions_init();
    cpu->arrived = true;
    cpu->run(cpu->id);
    cpu->left = true;
    cpu_off();
    check(false, "VCPUOP_down came back");
    for (;;)
        wfi();
}

bool cpu_wait_off(unsigned int id)
{
    return wait_until(cpus[id].left) &&
           wait_until(hypercall(__HYPERVISOR_vcpu_op, 3 /* VCPUOP_is_up */, id, 0, 0, 0) == 0);
}

void system_off(void)
{
    struct sched_shutdown shutdown = { .reason = SHUTDOWN_poweroff };

    hypercall_op(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown);
    put("FAIL shutdown came back\n");
    for (;;)
        wfi();
}

uint64_t ticks_of_us(uint64_t us)
{
    return us * machine.tsc_khz / 1000;
}

/* By the console where we may; else by the port that Xen has for messages. */
void put_char(char c)
{
    static char line[128];
    static unsigned int length;
    static bool by_port;
    uint64_t text = (uint64_t)(uintptr_t)line;

    line[length++] = c;
    if (c != '\n' && length < sizeof(line))
        return;
    if (!by_port && hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, length, text, 0, 0) < 0)
        by_port = true;
    for (unsigned int i = 0; by_port && i < length; i++)
        outb(0xe9, (uint8_t)line[i]);
    length = 0;
}
