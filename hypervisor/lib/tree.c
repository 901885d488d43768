/* SPDX-License-Identifier: MIT */
/*
 * AVL trees with parent pointers: see <lib/tree.h>.
 *
 * The heights of a node's two subtrees differ by one at most. Insertion and removal change the tree
 * at one place and then call rebalance(), which walks up from there, rotating where a difference
 * became two, until a subtree has the height it had before.
 */
#include <lib/tree.h>

enum { LEFT, RIGHT };

static int height(const struct tree_node *n)
{
    return n == NULL ? 0 : n->height;
}

static void update_height(struct tree_node *n)
{
    int l = height(n->child[LEFT]), r = height(n->child[RIGHT]);

    n->height = (uint8_t)(1 + (l > r ? l : r));
}

/* Puts `with` (may be NULL) where `old` hangs. */
static void replace(struct tree *t, const struct tree_node *old, struct tree_node *with)
{
    struct tree_node *parent = old->parent;

    if (parent == NULL)
        t->root = with;
    else
        parent->child[parent->child[RIGHT] == old] = with;
    if (with != NULL)
        with->parent = parent;
}

/* Hangs `c` (may be NULL) below `n`. */
static void set_child(struct tree_node *n, int side, struct tree_node *c)
{
    n->child[side] = c;
    if (c != NULL)
        c->parent = n;
}

/*
 * Lifts n's child of `side` above it:     n            c
 * (drawn for LEFT)                       / \          / \
 *                                       c   z  ->    x   n
 *                                      / \              / \
 *                                     x   y            y   z
 */
static struct tree_node *rotate(struct tree *t, struct tree_node *n, int side)
{
    struct tree_node *c = n->child[side];

    replace(t, n, c);
    set_child(n, side, c->child[!side]);
    set_child(c, !side, n);
    update_height(n);
    update_height(c);
    return c;
}

/* Restores the balance from `n` (may be NULL) to the root. */
static void rebalance(struct tree *t, struct tree_node *n)
{
    while (n != NULL) {
        int before = n->height;
        int lean = height(n->child[RIGHT]) - height(n->child[LEFT]);

        if (lean > 1 || lean < -1) {
            int side = lean > 1 ? RIGHT : LEFT;
            struct tree_node *c = n->child[side];

            if (height(c->child[!side]) > height(c->child[side]))
                rotate(t, c, !side);
            n = rotate(t, n, side);
        } else {
            update_height(n);
        }
        if (n->height == before)
            return;
        n = n->parent;
    }
}

void tree_insert_among(struct tree *t, struct tree_node *n, tree_less_fn *less)
{
    struct tree_node *parent = NULL, **link = &t->root;
    bool first = true;

    while (*link != NULL) {
        parent = *link;
        if (less(n, parent)) {
            link = &parent->child[LEFT];
        } else {
            link = &parent->child[RIGHT];
            first = false;
        }
    }
    *n = (struct tree_node){ .parent = parent, .height = 1 };
    *link = n;
    if (first)
        t->first = n;
    rebalance(t, parent);
}

void tree_erase_among(struct tree *t, struct tree_node *n)
{
    struct tree_node *changed; /* the lowest node whose subtree became smaller */

    if (t->first == n)
        t->first = tree_next(n);

    if (n->child[LEFT] != NULL && n->child[RIGHT] != NULL) {
        /* Its successor, which has no left child, takes its place. */
        struct tree_node *s = tree_next(n);

        changed = s->parent == n ? s : s->parent;
        replace(t, s, s->child[RIGHT]);
        replace(t, n, s);
        set_child(s, LEFT, n->child[LEFT]);
        set_child(s, RIGHT, n->child[RIGHT]);
        s->height = n->height;
    } else {
        changed = n->parent;
        replace(t, n, n->child[n->child[LEFT] == NULL]);
    }
    *n = (struct tree_node){ .parent = NULL };
    rebalance(t, changed);
}

static struct tree_node *outermost(struct tree_node *n, int side)
{
    while (n != NULL && n->child[side] != NULL)
        n = n->child[side];
    return n;
}

static struct tree_node *neighbour(const struct tree_node *n, int side)
{
    if (n->child[side] != NULL)
        return outermost(n->child[side], !side);
    while (n->parent != NULL && n->parent->child[side] == n)
        n = n->parent;
    return n->parent;
}

struct tree_node *tree_last(const struct tree *t)
{
    return outermost(t->root, RIGHT);
}

struct tree_node *tree_next(const struct tree_node *n)
{
    return neighbour(n, RIGHT);
}

struct tree_node *tree_prev(const struct tree_node *n)
{
    return neighbour(n, LEFT);
}

struct tree_node *tree_search(const struct tree *t,
                              bool (*before)(const struct tree_node *n, const void *key),
                              const void *key)
{
    struct tree_node *found = NULL, *n = t->root;

    while (n != NULL) {
        if (before(n, key)) {
            n = n->child[RIGHT];
        } else {
            found = n;
            n = n->child[LEFT];
        }
    }
    return found;
}
