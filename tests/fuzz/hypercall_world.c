/* SPDX-License-Identifier: MIT */
/* The machine's making, and end; hypercall_world.h says what it is. */
#include "hypercall_world.h"

#include "../../hypervisor/core/evtchn_internal.h"

#include "hypercall_invariants.h"

#include <asm/host.h>
#include <hospes/abi.h>
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/domain_build.h>
#include <hospes/domain_config.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/irq.h>
#include <hospes/p2m.h>
#include <hospes/work.h>
#include <lib/bits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

#define RAM       GIB(1)
#define RAM_BYTES MIB(8) /* a little: it is to run out */
#define META      GIB(16)

/* --- what is not under test ------------------------------------------------------------------ */

_Thread_local uint32_t heap_fails, others_after;
static int64_t heap_used; /* atomic */

static bool refused(void)
{
    return heap_fails && --heap_fails == 0;
}

static void *counted(void *p)
{
    __atomic_fetch_add(&heap_used, p != NULL, __ATOMIC_RELAXED);
    return p;
}

void *heap_alloc(uint64_t size)
{
    return refused() ? NULL : counted(calloc(1, size));
}

void *heap_calloc(uint64_t n, uint64_t size)
{
    return refused() ? NULL : counted(calloc(n, size));
}

void heap_free(void *p)
{
    __atomic_fetch_sub(&heap_used, p != NULL, __ATOMIC_RELAXED);
    free(p);
}

void *heap_alloc_pages(unsigned int order)
{
    void *p = refused() ? NULL : aligned_alloc(FRAME_SIZE << order, FRAME_SIZE << order);

    return p ? counted(memset(p, 0, FRAME_SIZE << order)) : NULL;
}

void heap_free_pages(void *p, unsigned int order)
{
    (void)order;
    heap_free(p);
}

_Thread_local uint32_t stop_after;
_Thread_local bool stop_soon;

bool arch_irq_is_pending(void)
{
    return stop_soon || (stop_after && --stop_after == 0);
}

/* Deferred work, which is domains' ends; each has a reference that nobody else knows of. */
static struct work *works[64];
static uint32_t nr_works;
static pthread_mutex_t works_lock = PTHREAD_MUTEX_INITIALIZER;

void work_queue(struct work *w)
{
    pthread_mutex_lock(&works_lock);
    CHECK(nr_works < 64, "too much work");
    if (!w->queued)
        works[nr_works++] = w;
    w->queued = true;
    pthread_mutex_unlock(&works_lock);
}

bool work_step(void)
{
    struct work *w = NULL;

    pthread_mutex_lock(&works_lock);
    if (nr_works) {
        w = works[--nr_works];
        w->queued = false;
    }
    pthread_mutex_unlock(&works_lock);
    if (!w)
        return false;
    if (container_of(w, struct domain, work)->hardware)
        container_of(w, struct domain, work)->hardware = false; /* its end is not the machine's */
    if (w->step(w))
        work_queue(w);
    return true;
}

void work_run(void)
{
    while (work_step())
        ;
}

bool work_run_idle(void)
{
    return false;
}

struct domain_configs domain_configs;

const char *cmdline_text(void)
{
    return "";
}

const char arch_abi_capabilities[] = "fuzz";

uint32_t arch_abi_features(const struct domain *d)
{
    (void)d;
    return 0;
}

uint32_t arch_build_id(const void **id)
{
    *id = arch_abi_capabilities;
    return 4;
}

bool arch_vcpu_op_exists(uint32_t cmd)
{
    (void)cmd;
    return true;
}

enum hvm_param_right arch_hvm_param_right(uint32_t index)
{
    return index < DOMAIN_HVM_PARAMS ? (enum hvm_param_right)(index & 3) : HVM_PARAM_NOBODY;
}

int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value)
{
    d->hvm_params[index] = value;
    return 0;
}

int64_t arch_hvm_op(struct vcpu *v, uint64_t op, uint64_t at)
{
    (void)v, (void)op, (void)at;
    return -ENOSYS;
}

int64_t arch_physdev_op(struct vcpu *v, uint64_t *arg)
{
    (void)v, (void)arg;
    return -ENOSYS;
}

int64_t arch_vcpu_op(struct vcpu *v, struct vcpu *target, uint32_t cmd, uint64_t at)
{
    (void)v, (void)target, (void)cmd, (void)at;
    return -ENOSYS;
}

void domain_build_begin(struct domain_builder *b, const struct domain_config *c)
{
    (void)b, (void)c;
}

bool domain_build_step(struct domain_builder *b)
{
    (void)b;
    return false;
}

void console_domain_remove(struct console_domain *c)
{
    (void)c;
}

/* Takes no zeroes. */
bool console_domain_write(struct console_domain *c, uint8_t byte)
{
    (void)c;
    return byte != 0;
}

uint32_t console_domain_room(struct console_domain *c)
{
    (void)c;
    return 1;
}

static bool receive(struct console_domain *c, uint8_t byte)
{
    (void)c, (void)byte;
    return true;
}

#define RING_END 5000u

uint64_t console_ring_end(void)
{
    return RING_END;
}

uint64_t console_ring_read(uint64_t *pos, char *to, uint64_t bytes)
{
    uint64_t n = min(bytes, RING_END - min(*pos, (uint64_t)RING_END));

    memset(to, 'x', n);
    *pos += n;
    return n;
}

void console_press(char key)
{
    (void)key;
}

/* --- the machine ----------------------------------------------------------------------------- */

static uint64_t all_free;
static int64_t heap_at_rest;
uint64_t first_gfn[DOMAINS];

void make_machine(uint32_t pcpus)
{
    mfn_t first = maddr_to_mfn(MADDR(RAM)), end = maddr_to_mfn(MADDR(RAM + RAM_BYTES));

    host_ram_reset();
    host_pcpus_init(pcpus);
    host_ram_add(META, MIB(64));
    host_ram_add(RAM, RAM_BYTES);
    CHECK(frame_bank_add(first, end, host_ram(MADDR(META))) == 0, "no bank");
    frame_bank_release(first, end);
    sched_init();
    for (uint32_t i = 0; i < pcpus; i++)
        CHECK(pcpu_create(i), "no pCPU");
    CHECK(irq_init() == 0, "no interrupts");
    options.gnttab_max_frames = options.gnttab_max_maptrack_frames = 4;
    all_free = frame_free_count();
    heap_at_rest = heap_used;
}

static void add_memory(struct domain *d, uint64_t gfn, unsigned int order, enum p2m_type type)
{
    mfn_t m;

    CHECK(frame_alloc(d->id, order, type == P2M_RESERVED ? FRAME_DIRTY_OK : 0, &m, NULL) == 0,
          "no memory");
    if (d->direct_map)
        gfn = m.v;
    if (order < FRAME_ORDER_2M)
        first_gfn[d->id] = gfn;
    CHECK(p2m_map(d, GFN(gfn), m, (uint64_t)1 << order, type) == 0, "no tables");
    CHECK(domain_charge(d, (uint64_t)1 << order), "no memory");
}

static void add_domain(uint16_t id, uint64_t kind)
{
    struct domain *d;

    CHECK(domain_create(id, VCPUS, &d) == 0 && domain_create_vcpus(d) == 0, "no domain");
    d->control = id == 0;
    d->hardware = id == 0 && kind & 1;
    d->console.receive = id == 0 ? receive : NULL;
    d->direct_map = (id == 0 && kind & 2) || (id == 1 && kind & 4);
    d->static_memory = id == 2 && kind & 8;
    d->max_pages = PAGES + 1024;
    d->evtchn.max_port = 255;
    CHECK(p2m_set_pool(d, MIB(1)) == 0, "no pool");
    add_memory(d, FIRST, 5, P2M_RAM);
    if (id == 3)
        add_memory(d, BLOCK, FRAME_ORDER_2M, P2M_RESERVED);
    CHECK(gnttab_domain_init(d, -1, -1, 1) == 0, "no grants");
    domain_start(d);
    vcpu_up(d->vcpus[1]);
}

/* Event channels of the newer kind, where it finds them. */
static void use_fifo(struct domain *d)
{
    for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++) {
        struct evtchn_init_control c = { .control_gfn = first_gfn[d->id] + 30,
                                         .offset = vcpu * 256,
                                         .vcpu = vcpu };

        CHECK(evtchn_fifo_init_control(d, &c) == 0, "no control block");
    }
    CHECK(evtchn_fifo_expand_array(d, first_gfn[d->id] + 31) == 0, "no event words");
}

/* Each is joined with the one before it, and grants it some pages. */
static void join(struct domain *d, struct domain *before)
{
    struct grant_entry_v1 *e = d->gnttab.frames[0].shared;
    uint32_t port, there;

    CHECK(evtchn_alloc_unbound(d, before->id, &port) == 0, "no port");
    CHECK(evtchn_bind_interdomain(before, d, port, &there) == 0, "no port");
    for (uint32_t i = 0; i < 8; i++)
        e[i] = (struct grant_entry_v1){ .flags = GTF_permit_access,
                                        .domid = before->id,
                                        .frame = (uint32_t)first_gfn[d->id] + 20 + i };
}

/* One that a toolstack has just begun to make: no vCPUs, no memory, paused. */
static void begin_domain(uint16_t id)
{
    struct domain *d;

    CHECK(domain_create(id, VCPUS, &d) == 0, "no domain");
    CHECK(gnttab_domain_init(d, -1, -1, 1) == 0, "no grants");
    d->max_pages = 1024;
    d->control_pauses = 1;
    d->state = DOMAIN_RUNNING;
}

static void prepare(uint16_t id, uint64_t kind)
{
    struct domain *d = domain_get(id), *before = domain_get(id ? (uint16_t)(id - 1) : 3);

    if (kind & 16)
        use_fifo(d);
    if (kind & 32)
        join(d, before);
    domain_put(before);
    domain_put(d);
}

void add_domains(uint64_t kind)
{
    heap_fails = stop_after = host_pin_fails = others_after = 0;
    for (uint16_t id = 0; id < DOMAINS; id++) {
        first_gfn[id] = FIRST;
        if (id < 4)
            add_domain(id, kind);
    }
    for (uint16_t id = 0; id < 4; id++)
        prepare(id, kind);
    if (kind & 64)
        begin_domain(4);
}

void check_all(void)
{
    begin_check();
    for (uint32_t i = 0; i < nr_works; i++)
        note_reference(container_of(works[i], struct domain, work));
    check_invariants(maddr_to_mfn(MADDR(RAM)), RAM_BYTES >> FRAME_SHIFT);
}

void end_all(void)
{
    struct domain *d;

    heap_fails = stop_after = host_pin_fails = others_after = 0;
    work_run();
    for (uint32_t id = 0; id < DOMID_FIRST_RESERVED; id++) {
        d = domain_get_from((uint16_t)id);
        if (!d)
            break;
        id = d->id;
        CHECK(domain_kill(d) || d->state == DOMAIN_DYING, "d%u is of state %u", d->id, d->state);
        while (domain_teardown_step(d))
            ;
        domain_put(d);
    }
    check_all();
    CHECK(frame_free_count() == all_free, "%lu frames lost", all_free - frame_free_count());
    /* As an idle pCPU: single frames that are kept at hand would break up the next world's blocks.
     */
    (void)frame_scrub_step();
    CHECK(heap_used == heap_at_rest, "%ld pieces of heap lost", heap_used - heap_at_rest);
}
