/* Hash map, heap, list against simple models. */
#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/heap.h"
#include "libstrongswan/base/list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* The vectors of the SipHash paper: key 00..0f, message 00..(n-1). */
static void test_siphash_vectors(void **state)
{
    uint8_t m[15];
    for (uint8_t i = 0; i < 15; i++)
        m[i] = i;
    hash_seed(0x0706050403020100u, 0x0f0e0d0c0b0a0908u);
    assert_true(hash_bytes(span_of(m, 0)) == 0x726fdb47dd0e0e31u);
    assert_true(hash_bytes(span_of(m, 8)) == 0x93f5f5799a932462u);
    assert_true(hash_bytes(span_of(m, 15)) == 0xa129ca6149be45e5u);
}

enum { KEYS = 500, ROUNDS = 40000 };

static void test_hashmap_against_model(void **state)
{
    static uint32_t keys[KEYS];
    static void *model[KEYS];
    hashmap *m;
    size_t count = 0;
    uint32_t rnd = 1;
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i] = i * 2654435761u;
    assert_int_equal(hashmap_new(&m), ST_OK);
    assert_null(hashmap_get(m, SPAN_LIT("x")));
    for (int r = 0; r < ROUNDS; r++) {
        rnd = rnd * 1664525u + 1013904223u;
        uint32_t i = (rnd >> 8) % KEYS;
        span key = span_of(&keys[i], sizeof(keys[i]));
        void *value = &model[(rnd >> 4) % KEYS], *old;
        switch (rnd >> 30) {
        case 0:
            assert_int_equal(hashmap_add(m, key, value), model[i] ? ST_EXISTS : ST_OK);
            count += !model[i];
            if (!model[i])
                model[i] = value;
            break;
        case 1:
            assert_int_equal(hashmap_set(m, key, value, &old), ST_OK);
            assert_ptr_equal(old, model[i]);
            count += !model[i];
            model[i] = value;
            break;
        default:
            assert_ptr_equal(hashmap_remove(m, key), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
            break;
        }
        assert_int_equal(hashmap_count(m), count);
        i = rnd % KEYS;
        assert_ptr_equal(hashmap_get(m, span_of(&keys[i], sizeof(keys[i]))), model[i]);
    }
    /* all of them, each once; removing on the way */
    size_t it = 0, seen = 0;
    while (hashmap_next(m, &it))
        seen++;
    assert_int_equal(seen, count);
    hashmap_free(m);
}

static void test_removing_while_iterating(void **state)
{
    static uint32_t keys[KEYS];
    hashmap *m;
    assert_int_equal(hashmap_new(&m), ST_OK);
    for (uint32_t i = 0; i < KEYS; i++) {
        keys[i] = i;
        assert_int_equal(hashmap_add(m, span_of(&keys[i], sizeof(keys[i])), &keys[i]), ST_OK);
    }
    size_t it = 0;
    uint32_t *v, n = 0;
    while ((v = hashmap_next(m, &it))) {
        assert_ptr_equal(hashmap_remove(m, span_of(v, sizeof(*v))), v);
        n++;
    }
    assert_int_equal(n, KEYS);
    assert_int_equal(hashmap_count(m), 0);
    hashmap_free(m);
}

static void test_heap_order_and_removal(void **state)
{
    enum { N = 1000 };
    static heap_node nodes[N];
    heap h;
    uint32_t rnd = 5;
    heap_init(&h);
    assert_null(heap_pop(&h));
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < N; i++) {
            rnd = rnd * 1664525u + 1013904223u;
            assert_int_equal(heap_push(&h, &nodes[i], (int64_t)(rnd >> 24)), ST_OK);
        }
        size_t left = N;
        for (int i = 0; i < N; i += 3) {
            heap_remove(&h, &nodes[i]);
            assert_true(nodes[i].index == HEAP_NONE);
            heap_remove(&h, &nodes[i]); /* harmless */
            left--;
        }
        heap_node *last = NULL, *n;
        while ((n = heap_pop(&h))) {
            if (last)
                assert_true(last->key < n->key || (last->key == n->key && last->seq < n->seq));
            last = n;
            left--;
        }
        assert_int_equal(left, 0);
    }
    heap_fini(&h);
}

typedef struct item {
    int v;
    list_node node;
} item;

static void test_list(void **state)
{
    list a, b;
    item items[5] = {{.v = 0}, {.v = 1}, {.v = 2}, {.v = 3}, {.v = 4}}, *i;
    list_init(&a);
    list_init(&b);
    assert_null(list_pop(&a));
    for (int k = 0; k < 3; k++)
        list_append(&a, &items[k].node);
    list_prepend(&b, &items[4].node);
    list_prepend(&b, &items[3].node);
    list_splice(&a, &b);
    assert_true(list_empty(&b));
    assert_int_equal(list_length(&a), 5);
    int want = 0;
    LIST_EACH(&a, item, node, i)
    {
        assert_int_equal(i->v, want++);
        list_remove(&i->node);
        list_remove(&i->node);
    }
    assert_int_equal(want, 5);
    assert_true(list_empty(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_hashmap_against_model),
        cmocka_unit_test(test_removing_while_iterating),
        cmocka_unit_test(test_heap_order_and_removal),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
