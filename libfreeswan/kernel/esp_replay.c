/* Anti-replay (RFC 4303 3.4.3) and extended sequence numbers (RFC 4304 A2): which full number a packet's low
 * half stands for, whether it was seen, and noting that it was - only after it proved authentic.
 */
#include "libfreeswan/kernel/esp_priv.h"

void esp_replay_init(esp_replay *r, uint32_t window, bool esn)
{
    memset(r, 0, sizeof *r);
    r->window = window > ESP_REPLAY_MAX ? ESP_REPLAY_MAX : window;
    r->esn = esn;
}

uint64_t esp_replay_number(const esp_replay *r, uint32_t low)
{
    uint32_t top_low = (uint32_t)r->top, high = (uint32_t)(r->top >> 32);
    uint32_t window = r->window ? r->window : 64;

    if (!r->esn)
        return low;
    if (top_low >= window - 1) { /* the window is within one run of the low half */
        if (low < top_low - window + 1)
            high++; /* too old, so it is new: the low half has wrapped */
    } else if (low >= (uint32_t)(top_low - window + 1)) {
        high--; /* the window reaches back into the run before */
    }
    if (high == UINT32_MAX && r->top >> 32 == 0)
        return 0; /* before the very first */
    return (uint64_t)high << 32 | low;
}

static uint64_t *word_of(uint64_t *bits, uint64_t seq, uint64_t *bit)
{
    uint64_t at = seq % ESP_REPLAY_MAX;

    *bit = (uint64_t)1 << (at % 64);
    return &bits[at / 64];
}

bool esp_replay_fresh(const esp_replay *r, uint64_t seq)
{
    uint64_t bit;

    if (seq == 0)
        return false;
    if (!r->window || seq > r->top)
        return true;
    if (r->top - seq >= r->window)
        return false;
    return !(*word_of((uint64_t *)(uintptr_t)r->bits, seq, &bit) & bit);
}

void esp_replay_seen(esp_replay *r, uint64_t seq)
{
    uint64_t bit;

    if (seq > r->top) {
        /* the numbers in between have not been seen: their bits may be left from a run before */
        if (seq - r->top >= ESP_REPLAY_MAX) {
            memset(r->bits, 0, sizeof r->bits);
        } else {
            for (uint64_t s = r->top + 1; s <= seq; s++) {
                uint64_t *word = word_of(r->bits, s, &bit);
                *word &= ~bit;
            }
        }
        r->top = seq;
    }
    uint64_t *word = word_of(r->bits, seq, &bit);
    *word |= bit;
}
