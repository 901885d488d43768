/* SPDX-License-Identifier: MIT */
/*
 * Giving domains their RAM. Three ways:
 *   - guests: in the architecture's windows, from anywhere, the high end first; neither cleared nor
 *     filled with the boot modules now but where the guest first touches it (P2M_RESERVED), unless
 *     devices that the guest drives could see it before that
 *   - xen,static-mem: exactly these frames, there or, with direct-map, at their machine addresses
 *   - the hardware domain: at machine addresses, so that DMA works without an IOMMU; which of them
 *     is the architecture's to say
 */
#include <hospes/domain.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/log.h>
#include <lib/bits.h>

#define STEP_FRAMES 512u /* mapped or cleared in one step: 2 MiB */

/* Left to the hypervisor, for tables and vCPUs of this domain and what comes later. */
#define SPARE_BYTES MIB(4)

static uint64_t frames_left(const struct domain_config *c, const struct domain_layout *l)
{
    return (c->memory_bytes - l->memory_bytes) >> FRAME_SHIFT;
}

/* Appends to the banks, or widens one that it touches. */
static int layout_add(struct domain_layout *l, uint64_t start, uint64_t bytes)
{
    l->memory_bytes += bytes;
    for (uint32_t i = 0; i < l->nr_banks; i++) {
        if (l->bank[i].start.v + l->bank[i].bytes == start) {
            l->bank[i].bytes += bytes;
            return 0;
        }
        if (start + bytes == l->bank[i].start.v) {
            l->bank[i].start = GADDR(start);
            l->bank[i].bytes += bytes;
            return 0;
        }
    }
    if (l->nr_banks == DOMAIN_LAYOUT_BANKS)
        return -ENOSPC;
    l->bank[l->nr_banks].start = GADDR(start);
    l->bank[l->nr_banks++].bytes = bytes;
    return 0;
}

static int short_of(const struct domain_config *c, const struct domain_layout *l)
{
    log_err("%s: memory = <%lu> KiB: more than there is: %lu KiB are free", c->node,
            (unsigned long)(c->memory_bytes >> 10),
            (unsigned long)((frame_free_count() << FRAME_SHIFT >> 10) + (l->memory_bytes >> 10)));
    return -ENOMEM;
}

/* Maps frames that were just allocated; they are freed if that fails. */
static int map_frames(struct domain *d, const struct domain_config *c, struct domain_layout *l,
                      uint64_t guest, mfn_t m, uint64_t frames, enum p2m_type type)
{
    int rc = p2m_map(d, gaddr_to_gfn(GADDR(guest)), m, frames, type);

    if (rc) {
        frame_free(m, frames);
        log_err("%s: memory = <%lu> KiB: cannot be mapped at 0x%lx: %s", c->node,
                (unsigned long)(c->memory_bytes >> 10), (unsigned long)guest,
                rc == -ENOMEM ? "no memory for tables" : "beyond what the CPU can address");
        return rc;
    }
    d->tot_pages += frames;
    rc = layout_add(l, guest, frames << FRAME_SHIFT);
    if (rc)
        log_err("%s: memory = <%lu> KiB: the machine's memory is in too many pieces", c->node,
                (unsigned long)(c->memory_bytes >> 10));
    return rc;
}

/* --- at the guest layout's addresses --------------------------------------------------------- */

/* The address of the byte at `done` of a guest's RAM; *bytes: how much follows it in that window,
 * 0: it is beyond the last one. */
static uint64_t guest_address(uint64_t done, uint64_t *bytes)
{
    for (const struct domain_ram *w = arch_domain_ram; w->bytes; w++) {
        if (done < w->bytes) {
            *bytes = w->bytes - done;
            return w->start + done;
        }
        done -= w->bytes;
    }
    *bytes = 0;
    return 0;
}

static uint64_t most_ram(void)
{
    uint64_t bytes = 0;

    for (const struct domain_ram *w = arch_domain_ram; w->bytes; w++)
        bytes += w->bytes;
    return bytes;
}

/* Largest block that fits at frame number `at` with `frames` to come. */
static unsigned int fitting_order(uint64_t at, uint64_t frames, unsigned int most)
{
    unsigned int order = min(bit_highest(frames), most);

    return at ? min(order, bit_lowest(at)) : order;
}

static int guest_block(struct domain *d, const struct domain_config *c, struct domain_layout *l,
                       uint64_t *frames)
{
    uint64_t room, guest = guest_address(l->memory_bytes, &room);
    bool now = c->passthrough;
    unsigned int order =
        fitting_order(guest >> FRAME_SHIFT, min(room >> FRAME_SHIFT, frames_left(c, l)),
                      now ? FRAME_ORDER_2M : FRAME_MAX_ORDER);
    unsigned int flags = FRAME_HIGH_FIRST | (now ? 0 : FRAME_DIRTY_OK);
    mfn_t m;

    while (frame_alloc(d->id, order, flags, &m, NULL)) {
        if (order-- == 0)
            return short_of(c, l);
    }
    *frames = (uint64_t)1 << order;
    return map_frames(d, c, l, guest, m, *frames, now ? P2M_RAM : P2M_RESERVED);
}

/* --- xen,static-mem -------------------------------------------------------------------------- */

/*
 * These frames were never the allocator's: domain_config_reserve() kept them back. The domain owns
 * them while it is there; a second reference, which nobody ever drops, keeps them from becoming
 * free when it ends, for it may start again.
 */
static int claim_static(mfn_t m, uint64_t frames, uint16_t id)
{
    for (uint64_t i = 0; i < frames; i++) {
        const struct frame *f = frame_of(mfn_add(m, i));
        if (frame_owner(f) != OWNER_NONE || read_once(f->count) > 1)
            return -EBUSY;
    }
    frame_bank_claim(m, mfn_add(m, frames), id);
    for (uint64_t i = 0; i < frames; i++) {
        int rc = frame_get(mfn_add(m, i), id);
        if (rc)
            return rc;
    }
    return 0;
}

static int static_block(struct domain *d, const struct domain_config *c, struct domain_layout *l,
                        uint64_t *frames)
{
    uint64_t at = l->memory_bytes, room = UINT64_MAX;
    const struct domain_bank *b = c->static_mem;

    for (; at >= b->bytes; b++)
        at -= b->bytes;
    uint64_t guest = c->direct_map ? b->maddr + at : guest_address(l->memory_bytes, &room);
    mfn_t m = maddr_to_mfn(MADDR(b->maddr + at));
    *frames = min(min(b->bytes - at, room) >> FRAME_SHIFT, (uint64_t)STEP_FRAMES);
    int rc = claim_static(m, *frames, d->id);
    if (rc) {
        log_err("%s: xen,static-mem: 0x%lx, 0x%lx bytes: others still use it", c->node,
                (unsigned long)mfn_to_maddr(m).v, (unsigned long)(*frames << FRAME_SHIFT));
        return rc;
    }
    bool now = c->passthrough || c->hardware; /* devices may write there before the guest does */
    if (now)
        frame_clear(m, *frames);
    return map_frames(d, c, l, guest, m, *frames, now ? P2M_RAM : P2M_RESERVED);
}

/* --- the hardware domain --------------------------------------------------------------------- */

static int direct_block(struct domain *d, const struct domain_config *c, struct domain_layout *l,
                        uint64_t *frames)
{
    mfn_t m;

    /* What is in it was nobody else's: the machine has just been switched on. */
    if (arch_domain_direct_frames(d->id, l, frames_left(c, l), &m, frames))
        return short_of(c, l);
    return map_frames(d, c, l, mfn_to_maddr(m).v, m, *frames, P2M_RAM);
}

static void sort_banks(struct domain_layout *l)
{
    for (uint32_t i = 1; i < l->nr_banks; i++) {
        for (uint32_t j = i; j > 0 && l->bank[j].start.v < l->bank[j - 1].start.v; j--) {
            __auto_type other = l->bank[j];
            l->bank[j] = l->bank[j - 1];
            l->bank[j - 1] = other;
        }
    }
}

int domain_build_memory(struct domain *d, const struct domain_config *c, struct domain_layout *l)
{
    uint64_t done = 0, frames = 0;

    if (l->memory_bytes == 0 && !c->nr_static_mem &&
        c->memory_bytes + SPARE_BYTES > frame_free_count() << FRAME_SHIFT)
        return short_of(c, l);
    if (c->memory_bytes > most_ram()) {
        log_err("%s: memory = <%lu> KiB: a guest has room for %lu KiB", c->node,
                (unsigned long)(c->memory_bytes >> 10), (unsigned long)(most_ram() >> 10));
        return -EINVAL;
    }
    while (done < STEP_FRAMES && frames_left(c, l)) {
        int rc = c->nr_static_mem ? static_block(d, c, l, &frames)
                 : c->hardware    ? direct_block(d, c, l, &frames)
                                  : guest_block(d, c, l, &frames);
        if (rc)
            return rc;
        done += frames;
    }
    if (frames_left(c, l))
        return 1;
    sort_banks(l);
    return 0;
}
