/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include "tmemif.h"
#include "trial.h"

#define WORD sizeof(uint64_t)
#define TURN (8 * WORD)

bool copy_in_words;

/* The compiler has each in a register of its own, and makes no vector of several. */
static inline void copy_word(uint8_t *to, const uint8_t *from)
{
    uint64_t word;

    memcpy(&word, from, WORD);
    __asm__ volatile("" : "+r"(word));
    memcpy(to, &word, WORD);
}

void copy_words(void *to, const void *from, size_t bytes)
{
    const uint8_t *in = from, *end = in + bytes / TURN * TURN;
    uint8_t *out = to;

    for (; in != end; in += TURN, out += TURN) {
        copy_word(out, in);
        copy_word(out + WORD, in + WORD);
        copy_word(out + 2 * WORD, in + 2 * WORD);
        copy_word(out + 3 * WORD, in + 3 * WORD);
        copy_word(out + 4 * WORD, in + 4 * WORD);
        copy_word(out + 5 * WORD, in + 5 * WORD);
        copy_word(out + 6 * WORD, in + 6 * WORD);
        copy_word(out + 7 * WORD, in + 7 * WORD);
    }
    memcpy(out, in, bytes % TURN);
}

/* ---- the trial ---- */

#define TRIAL_COPIES 256u

struct trial_pages {
    _Alignas(TMEMIF_PAGE_SIZE) uint8_t from[TMEMIF_PAGE_SIZE];
    uint8_t to[TMEMIF_PAGE_SIZE];
};

static void try_memcpy(void *pages)
{
    struct trial_pages *p = pages;
    size_t bytes = sizeof(p->to);

    __asm__ volatile("" : "+r"(bytes) : : "memory"); /* a call, as for any size */
    memcpy(p->to, p->from, bytes);
}

static void try_words(void *pages)
{
    struct trial_pages *p = pages;

    copy_words(p->to, p->from, sizeof(p->to));
}

bool copy_choose(uint64_t (*now_ns)(void))
{
    struct trial_pages pages = {.from = {0}};
    uint64_t memcpy_ns = trial_ns(try_memcpy, &pages, TRIAL_COPIES, now_ns);
    uint64_t words_ns = trial_ns(try_words, &pages, TRIAL_COPIES, now_ns);
    /* half of it in an emulated machine, a fifth in an emulated program, twice as much elsewhere */
    bool words = 3 * words_ns < 2 * memcpy_ns;

    __atomic_store_n(&copy_in_words, words, __ATOMIC_RELAXED);
    return words;
}
