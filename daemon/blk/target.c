/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/target.h"

#include <string.h>

#include "daemon/util/size.h"
#include "protocol/tmemif.h"

/* Digits of 64 bits, and a unit. */
#define SIZE_TEXT_LEN 24u

static const char unknown[] =
    "target: neither swap/SIZE, clone/BASE, clone/BASE/NAME nor cache/DEVICE";
static const char bad_size[] = "target: the size is a number of K, M, G or T: swap/512M";
static const char odd_size[] = "target: the size is not a multiple of 4K";
static const char no_size[] = "target: the size is from 4K to less than 16T";
static const char bad_name[] = "target: a name is a letter or digit, then letters, digits, '.', "
                               "'_' and '-', at most 63 in all";

static const char bad_device[] =
    "target: DEVICE is a name below /dev in the manager's domain, at most 63 letters: cache/xvdb";

static bool take_name(const char *text, size_t len, char name_out[TARGET_NAME_SIZE])
{
    if (!tmemctl_is_name(text, len))
        return false;
    memcpy(name_out, text, len);
    name_out[len] = '\0';
    return true;
}

static const char *parse_swap(const char *text, size_t len, struct target *t)
{
    char size[SIZE_TEXT_LEN];
    uint64_t bytes;

    if (len >= sizeof(size))
        return bad_size;
    memcpy(size, text, len);
    size[len] = '\0';
    if (strlen(size) != len || !size_parse(size, &bytes))
        return bad_size;
    if (bytes % TMEMIF_PAGE_SIZE != 0)
        return odd_size;
    if (bytes == 0 || bytes / TMEMIF_PAGE_SIZE > UINT32_MAX)
        return no_size;
    t->nr_pages = (uint32_t)(bytes / TMEMIF_PAGE_SIZE);
    return NULL;
}

static const char *parse_clone(const char *text, size_t len, struct target *t)
{
    const char *slash = memchr(text, '/', len);
    size_t base_len = slash ? (size_t)(slash - text) : len;

    if (!take_name(text, base_len, t->base))
        return bad_name;
    if (slash && !take_name(slash + 1, len - base_len - 1, t->name))
        return bad_name;
    return NULL;
}

static const char *parse_cache(const char *text, size_t len, struct target *t)
{
    size_t at = 0;

    if (len >= sizeof(t->device))
        return bad_device;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && text[i] != '/')
            continue;
        if (!tmemctl_is_name(text + at, i - at))
            return bad_device;
        at = i + 1;
    }
    memcpy(t->device, text, len);
    t->device[len] = '\0';
    return NULL;
}

/* Every kind's word, and what reads the rest. */
static const struct {
    const char *word;
    enum target_kind kind;
    const char *(*parse)(const char *text, size_t len, struct target *t); /* NULL: fine */
} kinds[] = {
    {"swap/", TARGET_SWAP, parse_swap},
    {"clone/", TARGET_CLONE, parse_clone},
    {"cache/", TARGET_CACHE, parse_cache},
};

bool target_parse(const char *text, size_t len, struct target *target_out, const char **why_out)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t word_len = strlen(kinds[i].word);

        if (len < word_len || memcmp(text, kinds[i].word, word_len) != 0)
            continue;
        *target_out = (struct target){.kind = kinds[i].kind};
        *why_out = kinds[i].parse(text + word_len, len - word_len, target_out);
        return *why_out == NULL;
    }
    *why_out = unknown;
    return false;
}
