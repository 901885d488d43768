/* SPDX-License-Identifier: MIT */
/* Domains' memory, of <xen/domctl.h>. */
#include "domctl_internal.h"

#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/hypercall.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vnuma.h>
#include <lib/bits.h>

/* kB to frames; what is left over counts no frame. */
int64_t domctl_max_mem(struct domctl *c)
{
    write_once(c->d->max_pages, c->op->u.max_mem.max_memkb >> (FRAME_SHIFT - 10));
    return 0;
}

int64_t domctl_setvnumainfo(struct domctl *c)
{
    return vnuma_set(c->caller, c->d, &c->op->u.vnuma);
}

/* --- caches ----------------------------------------------------------------------------------- */

#define FLUSH_MOST ((uint64_t)1 << FRAME_MAX_ORDER) /* frames in one call */

/* Writes a page's dirty lines back, if a guest with its caches off could find old data there. */
static void clean_page(struct domain *d, gfn_t gfn, uint64_t *frames)
{
    enum p2m_type type;
    unsigned int order;
    mfn_t m = p2m_lookup(d, gfn, &type, &order);
    void *page;

    *frames = ((uint64_t)1 << order) - (gfn.v & (((uint64_t)1 << order) - 1));
    if ((type != P2M_RAM && type != P2M_RAM_RO) || frame_get(m, d->id))
        return;
    *frames = 1;
    page = frame_map(m);
    arch_cache_clean(page, FRAME_SIZE);
    frame_unmap(page);
    frame_put(m);
}

int64_t domctl_cacheflush(struct domctl *c)
{
    struct xen_domctl_cacheflush *op = &c->op->u.cacheflush;

    if (op->nr_pfns > FLUSH_MOST || op->start_pfn + op->nr_pfns < op->start_pfn)
        return -EINVAL;
    while (op->nr_pfns) {
        uint64_t frames;

        clean_page(c->d, GFN(op->start_pfn), &frames);
        frames = min(frames, op->nr_pfns);
        op->start_pfn += frames;
        op->nr_pfns -= frames;
        if (op->nr_pfns && hypercall_should_stop())
            return -ERESTART;
    }
    arch_icache_invalidate();
    return 0;
}

/* --- tables ----------------------------------------------------------------------------------- */

int64_t domctl_get_paging_mempool_size(struct domctl *c)
{
    c->op->u.paging_mempool.size = p2m_get_pool(c->d);
    return 0;
}

int64_t domctl_set_paging_mempool_size(struct domctl *c)
{
    return p2m_set_pool(c->d, c->op->u.paging_mempool.size);
}
