/* SPDX-License-Identifier: MIT */
/* The first state of x86's vCPU, as libxenguest gives it to a PVH guest: a saved context with one
 * record. */
#include "../toolstack.h"

#include <xen/hvm/save.h>
#include <xen/physdev.h>

#define ENTRY 0x1000000u

const uint64_t entry_gfn = ENTRY >> 12;
const uint32_t endless_loop = 0xfeeb; /* JMP . */

static uint8_t buffer[65536];
static uint32_t length;

static int64_t get_context(uint16_t id)
{
    op.u.hvmcontext.size = sizeof(buffer);
    op.u.hvmcontext.buffer.p = buffer;
    int64_t rc = domctl(XEN_DOMCTL_gethvmcontext, id);
    length = op.u.hvmcontext.size;
    return rc;
}

static int64_t put_context(uint16_t id, uint32_t size)
{
    op.u.hvmcontext.size = size;
    op.u.hvmcontext.buffer.p = buffer;
    return domctl(XEN_DOMCTL_sethvmcontext, id);
}

static struct hvm_save_descriptor *record(uint32_t at_byte)
{
    return (void *)(uintptr_t)(buffer + at_byte);
}

/* Where the first record of a kind is in the buffer, 0 if there is none. */
static uint32_t find(uint16_t type)
{
    for (uint32_t i = 0; i + sizeof(struct hvm_save_descriptor) <= length;
         i += (uint32_t)sizeof(struct hvm_save_descriptor) + record(i)->length) {
        if (record(i)->typecode == type)
            return i + (uint32_t)sizeof(struct hvm_save_descriptor);
        if (record(i)->typecode == HVM_SAVE_CODE(END))
            break;
    }
    return 0;
}

/* Behind the header that is there already. */
static uint32_t add_cpu(uint32_t at_byte)
{
    const uint32_t flat = 0xffffffffu;
    struct hvm_hw_cpu *cpu;

    *record(at_byte) = (struct hvm_save_descriptor){ .typecode = HVM_SAVE_CODE(CPU),
                                                     .length = HVM_SAVE_LENGTH(CPU) };
    at_byte += sizeof(struct hvm_save_descriptor);
    cpu = (void *)(uintptr_t)(buffer + at_byte);
    memset(cpu, 0, sizeof(*cpu));
    cpu->cs_limit = cpu->ds_limit = cpu->ss_limit = cpu->es_limit = flat;
    cpu->tr_limit = 0x67;
    cpu->cs_arbytes = 0xc9b;
    cpu->ds_arbytes = cpu->ss_arbytes = cpu->es_arbytes = 0xc93;
    cpu->tr_arbytes = 0x8b;
    cpu->cr0 = 0x11; /* PE, ET */
    cpu->rip = ENTRY;
    cpu->rbx = 0x2000;
    cpu->dr6 = 0xffff0ff0;
    cpu->dr7 = 0x400;
    at_byte += (uint32_t)HVM_SAVE_LENGTH(CPU);
    *record(at_byte) = (struct hvm_save_descriptor){ .typecode = HVM_SAVE_CODE(END) };
    return at_byte + (uint32_t)sizeof(struct hvm_save_descriptor);
}

int64_t set_state(uint16_t id)
{
    int64_t rc = get_context(id);

    return rc ? rc
              : put_context(id, add_cpu(sizeof(struct hvm_save_descriptor) +
                                        (uint32_t)HVM_SAVE_LENGTH(HEADER)));
}

/* vCPU 1 does not run: it keeps what it gets. */
static void trigger(uint16_t id)
{
    op.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
    op.u.sendtrigger.vcpu = 1;
    check_eq((uint64_t)domctl(XEN_DOMCTL_sendtrigger, id), 0, "an NMI for a vCPU");
    op.u.sendtrigger.vcpu = 2;
    check_eq((uint64_t)domctl(XEN_DOMCTL_sendtrigger, id), (uint64_t)-ESRCH, "none for nobody");
    op.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_RESET;
    op.u.sendtrigger.vcpu = 0;
    check_eq((uint64_t)domctl(XEN_DOMCTL_sendtrigger, id), (uint64_t)-ENOSYS, "no reset");
}

static void pci_nodes(void)
{
    physdev_pci_device_t devs[] = { { .devfn = 0 }, { .seg = 1 } };
    uint32_t nodes[] = { 7, 7 };

    sys.u.pcitopoinfo.num_devs = 2;
    sys.u.pcitopoinfo.devs.p = NULL;
    sys.u.pcitopoinfo.nodes.p = nodes;
    check_eq((uint64_t)sysctl(XEN_SYSCTL_pcitopoinfo), (uint64_t)-EINVAL,
             "devices have to be named");
    sys.u.pcitopoinfo.devs.p = (void *)(uintptr_t)NOWHERE;
    check_eq((uint64_t)sysctl(XEN_SYSCTL_pcitopoinfo), (uint64_t)-EFAULT, "where one can read");
    sys.u.pcitopoinfo.devs.p = devs;
    check_eq((uint64_t)sysctl(XEN_SYSCTL_pcitopoinfo), 0, "where devices are");
    check_eq(sys.u.pcitopoinfo.num_devs, 2, "both are told");
    check(nodes[0] != XEN_INVALID_DEV, "the host bridge is there");
    check_eq(nodes[1], XEN_INVALID_DEV, "nothing is in another segment");
}

void first_state(uint16_t id)
{
    struct hvm_hw_cpu *cpu;

    check_eq((uint64_t)domctl(XEN_DOMCTL_get_paging_mempool_size, id), 0, "room for tables");
    check_eq(op.u.paging_mempool.size, 1 << 20, "1 MiB until somebody says more");
    check_answer(domctl(XEN_DOMCTL_psr_alloc, id), -ENODEV, "no part of a cache for it");
    check_answer(domctl(XEN_DOMCTL_psr_cmt_op, id), -ENODEV, "nor is its part measured");
    check_answer(sysctl(XEN_SYSCTL_psr_alloc), -ENODEV, "nor can it be");
    check_answer(sysctl(XEN_SYSCTL_psr_cmt_op), -ENODEV, "in any way");
    trigger(id);
    pci_nodes();
    op.u.hvmcontext.size = 0;
    op.u.hvmcontext.buffer.p = NULL;
    check_eq((uint64_t)domctl(XEN_DOMCTL_gethvmcontext, id), 0, "how large a state is");
    check(op.u.hvmcontext.size > HVM_SAVE_LENGTH(CPU) && op.u.hvmcontext.size <= sizeof(buffer),
          "%u bytes", op.u.hvmcontext.size);
    check_eq((uint64_t)get_context(id), 0, "a new one's state");
    check_eq(find(HVM_SAVE_CODE(HEADER)), sizeof(struct hvm_save_descriptor),
             "begins with a header");
    check(put_context(id, 4) != 0, "half a record is refused");
    check(put_context(
              id, (uint32_t)(sizeof(struct hvm_save_descriptor) + HVM_SAVE_LENGTH(HEADER))) != 0,
          "so is one without an end");
    check_eq((uint64_t)set_state(id), 0, "its first state");
    memset(buffer, 0, sizeof(buffer));
    check_eq((uint64_t)get_context(id), 0, "read back");
    cpu = (void *)(uintptr_t)(buffer + find(HVM_SAVE_CODE(CPU)));
    if (!check((uint8_t *)cpu != buffer, "has a CPU"))
        return;
    check_eq(cpu->rip, ENTRY, "rip");
    check_eq(cpu->rbx, 0x2000, "rbx");
    check_eq(cpu->cr0 & 0x80000001, 1, "protected mode, no paging");
    check_eq(cpu->cs_arbytes, 0xc9b, "cs");
}

/* They are QEMU's to give there, not the toolstack's. */
void devices(void)
{
}
