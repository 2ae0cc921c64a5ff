/* The last answers of IKE_SAs that are gone (deleted on request, authentication failed): when such an answer
 * gets lost the peer repeats its request, and shall hear it again instead of silence. Bounded in number and
 * time. Any thread.
 */
#pragma once
#include "libfreeswan/net/net.h"
#include "libfreeswan/wire/ikev2_payloads.h"

typedef struct last_words last_words;

status last_words_new(last_words **out) MUST_CHECK;
void last_words_free(last_words *w);
/* Takes the packets (they are empty after it). hash: of the request. */
void last_words_add(last_words *w, uint64_t own_spi, uint64_t hash, ikev2_packets *answer, int64_t until_ms);
/* Sends the answer again if p is the request. */
bool last_words_answer(last_words *w, uint64_t own_spi, const packet *p, net *n, int64_t now_ms);
