/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.h - what was said of guests, in the order of time. The last word that fits decides, so each
 * holds for everybody of whom it speaks.
 *
 * Words that a later one covers are gone. So of two where one covers the other, the narrower is
 * the later one; words that overlap otherwise ("device 2, whatever the uuid", "every device of this
 * uuid") are why the order is kept.
 */
#ifndef XTM_CONTROL_WORDS_H
#define XTM_CONTROL_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"

/* As the device of a key: every attachment of that guest. */
#define POLICY_EVERY_DEVICE UINT32_MAX

struct word {
    uint8_t pool[TMEMIF_UUID_LEN]; /* zero where it is about none */
    struct account_key guest;      /* a uuid of zero fits every guest with that id */
    unsigned value;                /* 0 is what holds when nothing was said */
};

/* @at is the caller's, of @max. */
struct words {
    struct word *at;
    unsigned nr, max;
};

/* As that of a guest that has none, or in a word that is about whoever has the id. */
bool uuid_is_zero(const uint8_t uuid[TMEMIF_UUID_LEN]);

/* Does @wide speak of everybody of whom @narrow speaks? Of somebody of them? */
bool key_covers(const struct account_key *wide, const struct account_key *narrow);
bool key_meets(const struct account_key *a, const struct account_key *b);

/* What holds for @key. */
unsigned words_value(const struct words *words, const uint8_t pool[TMEMIF_UUID_LEN],
                     const struct account_key *key);
/* False: words_add() of @word would need a place, and there is none. */
bool words_have_room(const struct words *words, const struct word *word);
/* There has to be room. A value of 0 takes none where nothing else holds for whom it speaks of. */
void words_add(struct words *words, const struct word *word);
/* Out of the middle of a list: order is kept. */
void words_drop(struct words *words, unsigned i);

#endif /* XTM_CONTROL_WORDS_H */
