/* SPDX-License-Identifier: MIT */
/* A console's rings in a page; <hospes/xencons.h> has the contract. */
#include <hospes/compiler.h>
#include <hospes/xencons.h>
#include <xen/io/console.h>

static struct xencons_interface *rings(const struct xencons *x)
{
    return x->area.p;
}

int xencons_map(struct domain *d, gfn_t gfn, struct xencons *x)
{
    int err = guest_area_map(d, gfn_to_gaddr(gfn), sizeof(struct xencons_interface), &x->area);

    if (err)
        return err;
    x->out_prod = read_once(rings(x)->out_prod);
    x->in_cons = read_once(rings(x)->in_cons);
    return 0;
}

void xencons_unmap(struct xencons *x)
{
    guest_area_unmap(&x->area);
}

bool xencons_put(struct xencons *x, uint8_t byte)
{
    struct xencons_interface *r = rings(x);

    if (x->out_prod - load_acquire(r->out_cons) >= sizeof(r->out))
        return false;
    r->out[MASK_XENCONS_IDX(x->out_prod, r->out)] = (char)byte;
    x->out_prod++;
    store_release(r->out_prod, x->out_prod);
    return true;
}

bool xencons_get(struct xencons *x, uint8_t *byte)
{
    struct xencons_interface *r = rings(x);
    uint32_t there = load_acquire(r->in_prod) - x->in_cons;

    if (there == 0 || there > sizeof(r->in))
        return false;
    *byte = (uint8_t)read_once(r->in[MASK_XENCONS_IDX(x->in_cons, r->in)]);
    x->in_cons++;
    store_release(r->in_cons, x->in_cons);
    return true;
}
