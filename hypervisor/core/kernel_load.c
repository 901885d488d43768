/* SPDX-License-Identifier: MIT */
/* Bringing boot modules into a domain's memory, in steps that take at most about a millisecond. */
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/kernel_image.h>
#include <hospes/log.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

/* What a slow core (A53) does in well under a millisecond. */
#define COPY_STEP   KIB(512)
#define LOOKUP_STEP 1024u /* blocks that are looked at */
#define ZERO_PIECE  KIB(16)

/*
 * Makes reserved memory that will be overwritten as a whole RAM as it is. Clearing it first would
 * cost as much as the copy.
 */
static void claim(struct domain *d, gaddr_t start, uint64_t bytes)
{
    uint64_t frames = MIB(2) >> FRAME_SHIFT, end = align_down(start.v + bytes, MIB(2));

    for (uint64_t at = align_up(start.v, MIB(2)); at < end; at += MIB(2)) {
        enum p2m_type type;
        unsigned int order;
        gfn_t gfn = gaddr_to_gfn(GADDR(at));
        mfn_t m = p2m_lookup(d, gfn, &type, &order);
        if (type == P2M_RESERVED && order >= FRAME_ORDER_2M)
            (void)p2m_map(d, gfn, m, frames,
                          P2M_RAM); /* -ENOMEM: left reserved, cleared when touched */
    }
}

int module_copy_step(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes, uint64_t *done)
{
    int rc = *done == 0 ? p2m_fill(d, to, from, bytes) : 0;

    for (uint32_t i = 0; !rc && *done < bytes && i < LOOKUP_STEP; i++) {
        enum p2m_type type;
        unsigned int order;
        gaddr_t at = gaddr_add(to, *done);
        uint64_t left = bytes - *done;
        (void)p2m_lookup(d, gaddr_to_gfn(at), &type, &order);
        if (type == P2M_RESERVED) {
            uint64_t block = FRAME_SIZE << min(order, (unsigned int)FRAME_ORDER_2M);
            *done += min(left, block - at.v % block);
            continue;
        }
        left = min(left, COPY_STEP - at.v % COPY_STEP);
        rc = p2m_copy_module(d, at, maddr_add(from, *done), left);
        *done += left;
        break;
    }
    return rc ? rc : *done < bytes;
}

void kernel_load_begin(struct kernel_load *l, struct domain *d, const struct boot_module *m,
                       const struct kernel_image *k)
{
    *l = (struct kernel_load){ .d = d, .m = m, .k = k };
}

void kernel_load_end(struct kernel_load *l)
{
    heap_free(l->buffer);
    l->buffer = NULL;
}

/* Clears [at, end) where it is not going to be found clear anyway. At most one step's worth;
 * returns how far it came. */
static int clear_step(struct kernel_load *l, gaddr_t at, uint64_t bytes, uint64_t *cleared)
{
    if (!l->buffer)
        l->buffer = heap_alloc(ZERO_PIECE);
    if (!l->buffer)
        return -ENOMEM;
    *cleared = 0;
    for (uint32_t i = 0; i < COPY_STEP / ZERO_PIECE && *cleared < bytes; i++) {
        enum p2m_type type;
        unsigned int order;
        gaddr_t here = gaddr_add(at, *cleared);
        uint64_t n = min(bytes - *cleared, ZERO_PIECE);
        p2m_lookup(l->d, gaddr_to_gfn(here), &type, &order);
        if (type == P2M_RESERVED) {
            uint64_t block = FRAME_SIZE << min(order, (unsigned int)FRAME_ORDER_2M);
            n = min(bytes - *cleared, block - here.v % block);
        } else if (p2m_copy_to(l->d, here, l->buffer, n)) {
            return -EFAULT;
        }
        *cleared += n;
    }
    return 0;
}

/* From the unpacked file, which does not stay. */
static int copy_unpacked(struct kernel_load *l, gaddr_t to, const struct kernel_segment *s)
{
    uint64_t left = min(s->file_bytes - l->done, COPY_STEP);
    int rc;

    if (l->done == 0)
        claim(l->d, to, s->file_bytes);
    rc = p2m_copy_to(l->d, gaddr_add(to, l->done), l->k->unpacked + s->offset + l->done, left);
    l->done += left;
    return rc;
}

static int copy_step(struct kernel_load *l)
{
    const struct kernel_segment *s = &l->k->segment[l->segment];
    gaddr_t to = GADDR(s->place + l->k->shift);
    int rc = 0;

    if (l->done < s->file_bytes && l->k->unpacked) {
        rc = copy_unpacked(l, to, s);
    } else if (l->done < s->file_bytes) {
        rc = module_copy_step(l->d, to, maddr_add(l->k->from, s->offset), s->file_bytes, &l->done);
    } else if (l->k->kind == KERNEL_ELF && l->done < s->bytes) {
        uint64_t cleared;
        rc = clear_step(l, gaddr_add(to, l->done), s->bytes - l->done, &cleared);
        l->done += rc ? 0 : cleared;
    } else {
        l->segment++;
        l->done = 0;
    }
    return rc < 0 ? rc : l->segment < l->k->nr_segments;
}

int kernel_load_step(struct kernel_load *l)
{
    int rc = copy_step(l);

    if (rc == -EFAULT)
        log_err("%s: the kernel's place is not in the domain's memory", l->m->node);
    return rc;
}
