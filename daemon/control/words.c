/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/words.h"

#include <string.h>

bool uuid_is_zero(const uint8_t uuid[TMEMIF_UUID_LEN])
{
    static const uint8_t zero[TMEMIF_UUID_LEN];

    return memcmp(uuid, zero, sizeof(zero)) == 0;
}

static bool uuid_is(const uint8_t a[TMEMIF_UUID_LEN], const uint8_t b[TMEMIF_UUID_LEN])
{
    return memcmp(a, b, TMEMIF_UUID_LEN) == 0;
}

bool key_covers(const struct account_key *wide, const struct account_key *narrow)
{
    return wide->kind == narrow->kind && wide->id == narrow->id &&
           (uuid_is_zero(wide->uuid) || uuid_is(wide->uuid, narrow->uuid)) &&
           (wide->device == POLICY_EVERY_DEVICE || wide->device == narrow->device);
}

bool key_meets(const struct account_key *a, const struct account_key *b)
{
    return a->kind == b->kind && a->id == b->id &&
           (uuid_is_zero(a->uuid) || uuid_is_zero(b->uuid) || uuid_is(a->uuid, b->uuid)) &&
           (a->device == POLICY_EVERY_DEVICE || b->device == POLICY_EVERY_DEVICE ||
            a->device == b->device);
}

unsigned words_value(const struct words *words, const uint8_t pool[TMEMIF_UUID_LEN],
                     const struct account_key *key)
{
    for (unsigned i = words->nr; i-- > 0;) {
        if (uuid_is(words->at[i].pool, pool) && key_covers(&words->at[i].guest, key))
            return words->at[i].value;
    }
    return 0;
}

static bool word_covers(const struct word *word, const struct word *other)
{
    return uuid_is(word->pool, other->pool) && key_covers(&word->guest, &other->guest);
}

/*
 * Does @word say what holds without it? A word that gives nothing does where no other one gives
 * something. One that gives something may have to outlive those that give it now.
 */
static bool is_needless(const struct words *words, const struct word *word)
{
    if (word->value != 0)
        return false;
    for (unsigned i = words->nr; i-- > 0;) {
        const struct word *w = &words->at[i];

        if (!uuid_is(w->pool, word->pool) || !key_meets(&w->guest, &word->guest))
            continue;
        if (w->value != 0)
            return false;
        if (word_covers(w, word))
            return true;
    }
    return true;
}

bool words_have_room(const struct words *words, const struct word *word)
{
    for (unsigned i = 0; i < words->nr; i++) {
        if (word_covers(word, &words->at[i]))
            return true;
    }
    return words->nr < words->max || is_needless(words, word);
}

void words_add(struct words *words, const struct word *word)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < words->nr; i++) {
        if (!word_covers(word, &words->at[i]))
            words->at[nr++] = words->at[i];
    }
    words->nr = nr;
    if (!is_needless(words, word))
        words->at[words->nr++] = *word;
}

void words_drop(struct words *words, unsigned i)
{
    words->nr--;
    memmove(&words->at[i], &words->at[i + 1], (words->nr - i) * sizeof(words->at[0]));
}
