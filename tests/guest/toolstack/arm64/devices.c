/* SPDX-License-Identifier: MIT */
/*
 * Devices of the machine (QEMU's virt) for domains that are made: the clock, which the hardware
 * domain was not given, at 0x9010000 with interrupt 34.
 */
#include "../toolstack.h"

#include <xen/memory.h>

#define EPERM  1
#define ENOENT 2
#define ESRCH  3
#define E2BIG  7
#define EBUSY  16
#define EEXIST 17

#define CLOCK     0x9010u
#define UART      0x9000u
#define GICD      0x8000u
#define RAM       0x40000u
#define UART_IRQ  33u
#define CLOCK_IRQ 34u
#define POOL      (UINT64_C(1) << 20)

static int64_t permit(uint16_t id, uint64_t mfn, uint64_t frames, bool allow)
{
    op.u.iomem_permission =
        (struct xen_domctl_iomem_permission){ mfn, frames, .allow_access = allow };
    return domctl(XEN_DOMCTL_iomem_permission, id);
}

static int64_t map(uint16_t id, uint64_t gfn, uint64_t mfn, uint64_t frames, bool add)
{
    op.u.memory_mapping = (struct xen_domctl_memory_mapping){ gfn, mfn, frames, add, 0 };
    return domctl(XEN_DOMCTL_memory_mapping, id);
}

static int64_t bind(uint32_t cmd, uint16_t id, uint32_t irq, uint32_t spi)
{
    op.u.bind_pt_irq =
        (struct xen_domctl_bind_pt_irq){ .machine_irq = irq, .irq_type = PT_IRQ_TYPE_SPI };
    op.u.bind_pt_irq.u.spi.spi = (uint16_t)spi;
    return domctl(cmd, id);
}

static int64_t may_have(uint16_t id, uint32_t irq)
{
    op.u.irq_permission = (struct xen_domctl_irq_permission){ .pirq = irq, .allow_access = 1 };
    return domctl(XEN_DOMCTL_irq_permission, id);
}

static uint16_t with_lines(void)
{
    static const struct xen_arch_domainconfig arch = { .nr_spis = 32 };
    uint16_t id = create_domain(1, &arch) ? 0 : op.domain;

    check(id != 0, "a domain with lines");
    op.u.paging_mempool.size = POOL;
    check_answer(domctl(XEN_DOMCTL_set_paging_mempool_size, id), 0, "and room for tables");
    return id;
}

static void registers(uint16_t id, uint16_t other)
{
    check_answer(permit(id, UART, 1, true), -EPERM, "not the console's UART");
    check_answer(permit(id, GICD, 1, true), -EPERM, "not the interrupt controller");
    check_answer(permit(id, RAM, 1, true), -EPERM, "not RAM");
    check_answer(permit(id, CLOCK, 0, true), -EINVAL, "not nothing");
    check_answer(permit(id, UINT64_MAX, 2, true), -EINVAL, "not beyond the end");
    check_answer(map(id, CLOCK, CLOCK, 1, true), -EPERM, "nothing without permission");
    check_answer(permit(id, CLOCK, 1, true), 0, "the clock");
    check_answer(permit(other, CLOCK, 1, true), -EBUSY, "it has an owner");
    check_answer(map(other, CLOCK, CLOCK, 1, true), -EPERM, "who alone may map it");
    check_answer(map(id, CLOCK, CLOCK, 65, true), -E2BIG, "not too many at once");
    check_answer(map(id, UINT64_C(1) << 50, CLOCK, 1, true), -EINVAL, "not beyond its addresses");
    check_answer(map(id, CLOCK, CLOCK, 1, true), 0, "mapped");
    check_answer(map(id, CLOCK, CLOCK, 1, true), -EEXIST, "once");
    check_answer(permit(id, CLOCK, 1, false), -EBUSY, "it is in use");
    check_answer(map(id, CLOCK + 1, CLOCK, 1, false), -ENOENT, "not mapped there");
    check_answer(map(id, CLOCK, CLOCK, 1, false), 0, "unmapped");
    check_answer(map(id, CLOCK, CLOCK, 1, true), 0, "and mapped again, to stay");
}

static void lines(uint16_t id, uint16_t other)
{
    check_answer(may_have(id, UART_IRQ), -EPERM, "not the console's line");
    check_answer(may_have(id, UINT32_MAX), -EINVAL, "not a line that is not there");
    check_answer(may_have(id, CLOCK_IRQ), 0, "the clock's");
    op.u.bind_pt_irq = (struct xen_domctl_bind_pt_irq){ .irq_type = PT_IRQ_TYPE_MSI };
    check_answer(domctl(XEN_DOMCTL_bind_pt_irq, id), -EOPNOTSUPP, "not a message");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, id, CLOCK_IRQ, 35), -EINVAL, "not renumbered");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, id, 27, 27), -EINVAL, "not a timer's");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, id, 64, 64), -EINVAL, "not beyond its lines");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, id, UART_IRQ, UART_IRQ), -EBUSY, "not Hospes's");
    check_answer(bind(XEN_DOMCTL_unbind_pt_irq, id, CLOCK_IRQ, CLOCK_IRQ), -ENOENT, "not its own");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, id, CLOCK_IRQ, CLOCK_IRQ), 0, "bound");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, other, CLOCK_IRQ, CLOCK_IRQ), -EBUSY, "to one");
    check_answer(may_have(other, CLOCK_IRQ), -EPERM, "who has it");
    check_answer(bind(XEN_DOMCTL_unbind_pt_irq, other, CLOCK_IRQ, CLOCK_IRQ), -ENOENT,
                 "nobody else gives it back");
    check_answer(bind(XEN_DOMCTL_unbind_pt_irq, id, CLOCK_IRQ, CLOCK_IRQ), 0, "given back");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, id, CLOCK_IRQ, CLOCK_IRQ), 0, "bound again");
}

/* ---- an emulated UART, whose console daemon is another domain's ---- */
#define RING 0x39003u

static int64_t add_uart(uint16_t id, uint32_t cmd, uint32_t type, uint64_t gfn, uint16_t by)
{
    op.u.vuart_op =
        (struct xen_domctl_vuart_op){ .cmd = cmd, .type = type, .gfn = gfn, .console_domid = by };
    return domctl(XEN_DOMCTL_vuart_op, id);
}

static bool give_ring(uint16_t id)
{
    xen_pfn_t gfn = RING;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = id };

    r.extent_start.p = &gfn;
    op.u.max_mem.max_memkb = 4096;
    return !domctl(XEN_DOMCTL_max_mem, id) &&
           hypercall_op(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) == 1;
}

static void uart(void)
{
    uint16_t few = create_domain(1, NULL) ? 0 : op.domain, id = with_lines();

    check_answer(add_uart(0, 1, 0, RING, 0), -EINVAL, "vuart: 1");
    check_answer(add_uart(0, 0, 0, RING, 0), -EPERM, "vuart: not of oneself, who runs");
    check_answer(add_uart(few, 0, 0, RING, 0), -EINVAL, "vuart: without a line");
    check_answer(domctl(XEN_DOMCTL_destroydomain, few), 0, "that goes");
    check(give_ring(id), "vuart: a page");
    check_answer(add_uart(id, 0, 1, RING, 0), -EOPNOTSUPP, "vuart: of another kind");
    check_answer(add_uart(id, 0, 0, RING, 77), -ESRCH, "vuart: nobody's daemon");
    check_answer(add_uart(id, 0, 0, RING + 1, 0), -EINVAL, "vuart: no page");
    check_answer(add_uart(id, 0, 0, UINT64_MAX, 0), -EINVAL, "vuart: no address");
    check_answer(add_uart(id, 0, 0, (UINT64_C(1) << 52) + RING, 0), -EINVAL, "vuart: beyond all");
    op.u.vuart_op = (struct xen_domctl_vuart_op){ .gfn = RING, .pad = { 1 } };
    check_answer(domctl(XEN_DOMCTL_vuart_op, id), -EINVAL, "vuart: padding");
    check_answer(add_uart(id, 0, 0, RING, 0), 0, "vuart");
    check_eq(op.u.vuart_op.evtchn, 1, "vuart: its port");
    check_answer(add_uart(id, 0, 0, RING, 0), -EINVAL, "vuart: once");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, id, 32, 32), -EBUSY, "vuart: its line is in use");
    check_answer(domctl(XEN_DOMCTL_destroydomain, id), 0, "it goes with its UART");
}

void devices(void)
{
    uint16_t id = with_lines(), other = with_lines();

    registers(id, other);
    lines(id, other);
    check_answer(domctl(XEN_DOMCTL_destroydomain, id), 0, "its owner goes");
    check_answer(permit(other, CLOCK, 1, true), 0, "the next one has its registers");
    check_answer(bind(XEN_DOMCTL_bind_pt_irq, other, CLOCK_IRQ, CLOCK_IRQ), 0, "and its line");
    check_answer(domctl(XEN_DOMCTL_destroydomain, other), 0, "and goes");
    uart();
}
