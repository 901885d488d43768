/* SPDX-License-Identifier: MIT */
/*
 * An ordered set: an AVL tree through a node inside each member, with the first member at hand.
 * Insertion, removal and search take time with the logarithm of the size. Members that are equal
 * stay in the order of their insertion. All zeroes is an empty tree. The owner locks.
 */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_node {
    struct tree_node *parent;   /* NULL: the root */
    struct tree_node *child[2]; /* those before and those after it */
    uint8_t height;             /* of the subtree it heads, 1 for a leaf; 0: in no tree */
};

struct tree {
    struct tree_node *root;
    struct tree_node *first; /* leftmost; NULL: empty */
};

/* True if `a` goes before `b`. */
typedef bool tree_less_fn(const struct tree_node *a, const struct tree_node *b);

/* The structure of `type` around its member `node`. */
#define tree_entry(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

void tree_insert_among(struct tree *t, struct tree_node *n, tree_less_fn *less);
void tree_erase_among(struct tree *t, struct tree_node *n);

/* Inserts `n`, which is in no tree. The order must be the same at each call. */
static inline void tree_insert(struct tree *t, struct tree_node *n, tree_less_fn *less)
{
    if (t->root) {
        tree_insert_among(t, n, less);
        return;
    }
    *n = (struct tree_node){ .height = 1 };
    t->root = t->first = n;
}

/* Removes `n`, which is in `t`. */
static inline void tree_erase(struct tree *t, struct tree_node *n)
{
    if (t->root != n || n->height > 1) {
        tree_erase_among(t, n);
        return;
    }
    t->root = t->first = NULL;
    n->height = 0;
}

static inline bool tree_is_linked(const struct tree_node *n)
{
    return n->height != 0;
}
static inline bool tree_is_empty(const struct tree *t)
{
    return t->root == NULL;
}

/* The ends, and the neighbours; NULL where there is none. */
static inline struct tree_node *tree_first(const struct tree *t)
{
    return t->first;
}
struct tree_node *tree_last(const struct tree *t);
struct tree_node *tree_next(const struct tree_node *n);
struct tree_node *tree_prev(const struct tree_node *n);

/* The first member for which before(member, key) is false: before() must hold for a front part of
 * the order. */
struct tree_node *tree_search(const struct tree *t,
                              bool (*before)(const struct tree_node *n, const void *key),
                              const void *key);

#endif
