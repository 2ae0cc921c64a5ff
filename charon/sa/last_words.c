/* A queue in order of death with a map by SPI; the oldest ones leave when their time is over or the queue is
 * full. */
#include "charon/sa/last_words.h"
#include "charon/limits.h"
#include "libstrongswan/base/hashmap.h"
#include "libstrongswan/base/list.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct words {
    list_node node;
    uint8_t spi[8];
    uint64_t hash;
    int64_t until_ms;
    ikev2_packets answer;
} words;

struct last_words {
    pthread_mutex_t lock; /* guards all; leaf */
    hashmap *by_spi;
    list queue;
    unsigned n;
};

status last_words_new(last_words **out)
{
    last_words *w = calloc(1, sizeof(*w));

    if (!w || hashmap_new(&w->by_spi) != ST_OK) {
        free(w);
        return ST_NO_MEMORY;
    }
    pthread_mutex_init(&w->lock, NULL);
    list_init(&w->queue);
    *out = w;
    return ST_OK;
}

static void forget_oldest(last_words *w)
{
    words *x = container_of(list_pop(&w->queue), words, node);

    hashmap_remove(w->by_spi, SPAN_ARRAY(x->spi));
    ikev2_packets_free(&x->answer);
    free(x);
    w->n--;
}

void last_words_free(last_words *w)
{
    if (!w)
        return;
    while (!list_empty(&w->queue))
        forget_oldest(w);
    hashmap_free(w->by_spi);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void last_words_add(last_words *w, uint64_t own_spi, uint64_t hash, ikev2_packets *answer, int64_t until_ms)
{
    words *x = calloc(1, sizeof(*x));

    if (!x)
        return;
    set_u64(x->spi, own_spi);
    x->hash = hash;
    x->until_ms = until_ms;
    pthread_mutex_lock(&w->lock);
    if (w->n >= MAX_LAST_WORDS)
        forget_oldest(w);
    if (hashmap_add(w->by_spi, SPAN_ARRAY(x->spi), x) == ST_OK) {
        x->answer = *answer;
        *answer = (ikev2_packets){0};
        list_append(&w->queue, &x->node);
        w->n++;
        x = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    free(x);
}

bool last_words_answer(last_words *w, uint64_t own_spi, const packet *p, net *n, int64_t now_ms)
{
    uint8_t spi[8];
    bool found = false;
    words *x;

    set_u64(spi, own_spi);
    pthread_mutex_lock(&w->lock);
    while (!list_empty(&w->queue) && container_of(w->queue.next, words, node)->until_ms <= now_ms)
        forget_oldest(w);
    x = hashmap_get(w->by_spi, SPAN_ARRAY(spi));
    if (x && x->hash == hash_bytes(packet_span(p))) {
        found = true;
        for (size_t i = 0; i < x->answer.n; i++)
            (void)net_send(n, &p->local, &p->remote, p->natt, ikev2_packet_at(&x->answer, i));
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}
