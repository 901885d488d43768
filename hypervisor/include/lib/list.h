/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked lists through a node inside each member. The list's head is a node too, so that
 * insertion and removal have no special cases. The owner locks.
 *
 *   struct item { struct list_node node; int n; };
 *   struct list items = LIST_INIT(items);
 *   struct item *i;
 *   list_for_each(i, &items, node)
 *       use(i->n);
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next, *prev; /* NULL while in no list */
};

struct list {
    struct list_node head; /* its next is the first, its prev the last */
};

#define LIST_INIT(l)                                    \
    {                                                   \
        .head = {.next = &(l).head, .prev = &(l).head } \
    }

/* The structure of `type` around its member `node`. */
#define list_entry(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->head.next = l->head.prev = &l->head;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->head.next == &l->head;
}

static inline bool list_is_linked(const struct list_node *n)
{
    return n->next != NULL;
}

/* Links `n`, which is in no list, before or after one that is. */
static inline void list_insert_before(struct list_node *at, struct list_node *n)
{
    n->next = at;
    n->prev = at->prev;
    at->prev->next = n;
    at->prev = n;
}
static inline void list_insert_after(struct list_node *at, struct list_node *n)
{
    list_insert_before(at->next, n);
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
    list_insert_after(&l->head, n);
}
static inline void list_push_back(struct list *l, struct list_node *n)
{
    list_insert_before(&l->head, n);
}

/* Unlinks `n` from the list it is in. */
static inline void list_remove(struct list_node *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = NULL;
}

/* The first and last nodes, and those after and before one; NULL where there is none. */
static inline struct list_node *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.next;
}
static inline struct list_node *list_last(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.prev;
}
static inline struct list_node *list_next(const struct list *l, const struct list_node *n)
{
    return n->next == &l->head ? NULL : n->next;
}
static inline struct list_node *list_prev(const struct list *l, const struct list_node *n)
{
    return n->prev == &l->head ? NULL : n->prev;
}

/* Unlinks the first node and returns it; NULL when empty. */
static inline struct list_node *list_pop_front(struct list *l)
{
    struct list_node *n = list_first(l);

    if (n != NULL)
        list_remove(n);
    return n;
}

/* For each member `pos` (a pointer to the structure) in order. The body must not unlink it... */
#define list_for_each(pos, l, member)                                    \
    for ((pos) = list_entry((l)->head.next, __typeof__(*(pos)), member); \
         &(pos)->member != &(l)->head;                                   \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

/* ... but may, or free it, here: `tmp` is another such pointer. */
#define list_for_each_safe(pos, tmp, l, member)                             \
    for ((pos) = list_entry((l)->head.next, __typeof__(*(pos)), member),    \
        (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member); \
         &(pos)->member != &(l)->head;                                      \
         (pos) = (tmp), (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

#endif
