/* SPDX-License-Identifier: MIT */
/* Trees and lists: run queues, regions of emulated devices, domains and deferred work hang in them.
 */
#include "unit.h"

#include <lib/list.h>
#include <lib/tree.h>

#define ITEMS 500

struct item {
    struct tree_node node;
    uint32_t key, serial;
    bool in;
};

static struct item items[ITEMS];

static bool item_less(const struct tree_node *a, const struct tree_node *b)
{
    return tree_entry(a, struct item, node)->key < tree_entry(b, struct item, node)->key;
}

static bool item_before(const struct tree_node *n, const void *key)
{
    return tree_entry(n, struct item, node)->key < *(const uint32_t *)key;
}

/* Heights as stored are right, differ by one at most, and parents are those they should be. */
static int check_subtree(const struct tree_node *n, const struct tree_node *parent)
{
    if (n == NULL)
        return 0;
    assert_ptr_equal(n->parent, parent);
    int l = check_subtree(n->child[0], n), r = check_subtree(n->child[1], n);
    assert_in_range(l - r + 1, 0, 2);
    int height = 1 + (l > r ? l : r);
    assert_int_equal(n->height, height);
    return height;
}

static int by_key_and_serial(const void *a, const void *b)
{
    const struct item *p = *(struct item *const *)a, *q = *(struct item *const *)b;

    if (p->key != q->key)
        return p->key < q->key ? -1 : 1;
    return p->serial < q->serial ? -1 : 1;
}

/* Compares with the same members sorted by the C library, both ways, and searches. */
static void check_tree(const struct tree *t)
{
    struct item *sorted[ITEMS];
    size_t n = 0, i = 0;

    for (size_t k = 0; k < ITEMS; k++) {
        assert_int_equal(tree_is_linked(&items[k].node), items[k].in);
        if (items[k].in)
            sorted[n++] = &items[k];
    }
    qsort(sorted, n, sizeof(sorted[0]), by_key_and_serial);
    check_subtree(t->root, NULL);
    assert_int_equal(tree_is_empty(t), n == 0);
    for (struct tree_node *p = tree_first(t); p != NULL; p = tree_next(p))
        assert_ptr_equal(p, &sorted[i++]->node);
    assert_int_equal(i, n);
    for (struct tree_node *p = tree_last(t); p != NULL; p = tree_prev(p))
        assert_ptr_equal(p, &sorted[--i]->node);
    assert_int_equal(i, 0);

    uint32_t key = unit_random(70);
    for (i = 0; i < n && sorted[i]->key < key; i++)
        ;
    assert_ptr_equal(tree_search(t, item_before, &key), i < n ? &sorted[i]->node : NULL);
}

/*
 * A member lost or out of order is a vCPU that never runs again; a tree out of balance makes a
 * guest with many of something slow everyone's exits down.
 */
static void random_changes(void **state)
{
    struct tree t = { 0 };
    uint32_t serial = 0;

    for (int step = 0; step < 6000; step++) {
        struct item *it = &items[unit_random(step < 3000 ? ITEMS : ITEMS / 20)];

        if (it->in) {
            tree_erase(&t, &it->node);
        } else {
            it->key = unit_random(64);
            it->serial = serial++;
            tree_insert(&t, &it->node, item_less);
        }
        it->in = !it->in;
        if (step % 7 == 0)
            check_tree(&t);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        if (items[i].in)
            tree_erase(&t, &items[i].node);
        items[i].in = false;
    }
    check_tree(&t);
}

/* In order, the worst for a tree that does not balance. */
static void ordered_changes(void **state)
{
    struct tree t = { 0 };

    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = (struct item){ .key = i, .serial = i, .in = true };
        tree_insert(&t, &items[i].node, item_less);
    }
    check_tree(&t);
    for (uint32_t i = 0; i < ITEMS; i++) {
        assert_ptr_equal(tree_first(&t), &items[i].node);
        tree_erase(&t, tree_first(&t));
        items[i].in = false;
        if (i % 16 == 0)
            check_tree(&t);
    }
}

struct member {
    int n;
    struct list_node node;
};

/* Deferred work is done in the order it came, each once. */
static void lists(void **state)
{
    struct list l = LIST_INIT(l);
    struct member m[6] = { { .n = 0 }, { .n = 1 }, { .n = 2 }, { .n = 3 }, { .n = 4 }, { .n = 5 } };
    struct member *pos, *tmp;
    int expect = 0;

    assert_true(list_is_empty(&l));
    assert_null(list_first(&l));
    assert_null(list_last(&l));
    assert_null(list_pop_front(&l));
    list_for_each (pos, &l, node)
        fail();

    list_push_back(&l, &m[2].node);
    list_push_back(&l, &m[4].node);
    list_push_front(&l, &m[0].node);
    list_insert_after(&m[0].node, &m[1].node);
    list_insert_before(&m[4].node, &m[3].node);
    list_push_back(&l, &m[5].node);
    list_for_each (pos, &l, node)
        assert_int_equal(pos->n, expect++);
    assert_int_equal(expect, 6);
    assert_ptr_equal(list_next(&l, &m[2].node), &m[3].node);
    assert_ptr_equal(list_prev(&l, &m[2].node), &m[1].node);
    assert_null(list_next(&l, list_last(&l)));
    assert_null(list_prev(&l, list_first(&l)));

    list_for_each_safe (pos, tmp, &l, node) {
        if (pos->n % 2 == 0) {
            list_remove(&pos->node);
            assert_false(list_is_linked(&pos->node));
        }
    }
    for (expect = 1; expect < 6; expect += 2)
        assert_ptr_equal(list_pop_front(&l), &m[expect].node);
    assert_true(list_is_empty(&l));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes),
        cmocka_unit_test(ordered_changes),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
