/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* page.h - pages of four shapes, each made of a tag and known by it, whole or not at all. */
#ifndef CONFORMANCE_PAGE_H
#define CONFORMANCE_PAGE_H

#include <stdint.h>
#include <string.h>

#include "protocol/tmemif.h"

#define PAGE_WORDS (TMEMIF_PAGE_SIZE / 4u)
#define TAG_WRONG  0xffffffffu /* of a page that no tag makes; no page's tag */

/* Of what a guest's page holds before a get. */
#define TAG_SENTINEL 0xa5a5a5a1u

static inline void page_make(uint32_t words[PAGE_WORDS], uint32_t tag)
{
    uint32_t x = tag * 2654435761u + 1;

    for (unsigned i = 0; i < PAGE_WORDS; i++) {
        switch (tag % 4) {
        case 0: /* same-filled; tag 0 is the page of zeros */
            words[i] = tag;
            break;
        case 1: /* noise */
            x = x * 1664525u + 1013904223u;
            words[i] = i == 0 ? tag : x;
            break;
        case 2: /* zeros but for the last word */
            words[i] = i == PAGE_WORDS - 1 ? tag : 0;
            break;
        default: /* same-filled but for one bit in the middle */
            words[i] = tag ^ (i == 512 + tag / 4 % 256 ? 0x100u : 0);
        }
    }
}

static inline uint32_t page_tag(const uint32_t words[PAGE_WORDS])
{
    uint32_t candidates[2] = {words[0], words[PAGE_WORDS - 1]}, whole[PAGE_WORDS];

    for (unsigned i = 0; i < 2; i++) {
        page_make(whole, candidates[i]);
        if (candidates[i] != TAG_WRONG && memcmp(whole, words, sizeof(whole)) == 0)
            return candidates[i];
    }
    return TAG_WRONG;
}

#endif /* CONFORMANCE_PAGE_H */
