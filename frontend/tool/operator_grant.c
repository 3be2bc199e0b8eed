/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_grant.h"

#include <stdio.h>
#include <string.h>

#include "protocol/control.h"

const struct grant GRANT_DEFAULT = {
    .quota_pages = 0,
    .min_pages = 0,
    .max_pages = GRANT_UNLIMITED,
    .weight = 256,
};

#define PAGE 4096u

static const struct {
    const char *suffix;
    uint64_t bytes;
} units[] = {
    {"p", PAGE},
    {"K", UINT64_C(1) << 10},
    {"KiB", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"MiB", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"GiB", UINT64_C(1) << 30},
    {"T", UINT64_C(1) << 40},
    {"TiB", UINT64_C(1) << 40},
};

bool grant_parse_size(const char *text, uint64_t *pages_out, const char **why_out)
{
    size_t nr_digits = strspn(text, "0123456789");
    uint64_t number, bytes = 0;
    char digits[24];

    if (strcmp(text, "unlimited") == 0) {
        *pages_out = GRANT_UNLIMITED;
        return true;
    }
    if (strcmp(text, "0") == 0) {
        *pages_out = 0;
        return true;
    }
    *why_out = "a size is a number with a unit: 512K, 64M, 2G, 1T, 100p (pages); or unlimited";
    if (nr_digits == 0 || nr_digits >= sizeof(digits))
        return false;
    memcpy(digits, text, nr_digits);
    digits[nr_digits] = '\0';
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + nr_digits, units[i].suffix) == 0)
            bytes = units[i].bytes;
    }
    if (bytes == 0)
        return false;

    *why_out = "a size is at most 16 TiB; or unlimited";
    /* the bound keeps the product below 2^64 */
    if (!text_to_number(digits, GRANT_MAX_PAGES * PAGE / bytes, &number))
        return false;
    *why_out = "a size is a multiple of 4K";
    if (number * bytes % PAGE)
        return false;
    *pages_out = number * bytes / PAGE;
    return true;
}

bool grant_set(struct grant *grant, const char *name, const char *value, const char **why_out)
{
    uint64_t pages, weight;

    if (strcmp(name, "weight") == 0) {
        if (!text_to_number(value, GRANT_MAX_WEIGHT, &weight) || weight == 0) {
            *why_out = "a weight is a number from 1 to 65536";
            return false;
        }
        grant->weight = (uint32_t)weight;
        grant->fields |= TMEMCTL_SET_WEIGHT;
        return true;
    }

    if (strcmp(name, "quota") && strcmp(name, "min") && strcmp(name, "max")) {
        *why_out = "what can be set is quota=, min=, max= (sizes) and weight= (1 to 65536)";
        return false;
    }
    if (!grant_parse_size(value, &pages, why_out))
        return false;
    if (name[0] == 'q') {
        grant->quota_pages = pages;
        grant->fields |= TMEMCTL_SET_QUOTA;
    } else if (name[1] == 'i') {
        grant->min_pages = pages;
        grant->fields |= TMEMCTL_SET_MIN;
    } else {
        grant->max_pages = pages;
        grant->fields |= TMEMCTL_SET_MAX;
    }
    return true;
}

bool grant_assign(struct grant *grant, const char *assignment, const char **why_out)
{
    const char *value = strchr(assignment, '=');
    char name[8] = "";

    if (value && (size_t)(value - assignment) < sizeof(name))
        memcpy(name, assignment, (size_t)(value - assignment));
    return grant_set(grant, name, value ? value + 1 : "", why_out);
}

void grant_merge(struct grant *to, const struct grant *from)
{
    if (from->fields & TMEMCTL_SET_QUOTA)
        to->quota_pages = from->quota_pages;
    if (from->fields & TMEMCTL_SET_MIN)
        to->min_pages = from->min_pages;
    if (from->fields & TMEMCTL_SET_MAX)
        to->max_pages = from->max_pages;
    if (from->fields & TMEMCTL_SET_WEIGHT)
        to->weight = from->weight;
    to->fields |= from->fields;
}

bool grant_is_sound(const struct grant *grant, char why_out[GRANT_WHY_LEN])
{
    char min[TEXT_SIZE_LEN], max[TEXT_SIZE_LEN];

    if (grant->min_pages <= grant->max_pages)
        return true;
    text_of_size(min, grant->min_pages);
    text_of_size(max, grant->max_pages);
    snprintf(why_out, GRANT_WHY_LEN,
             "min would be %s, and max %s: pages that are kept for it are "
             "pages that it may hold",
             min, max);
    return false;
}

uint32_t grant_node_pages(uint64_t pages)
{
    return pages > GRANT_MAX_PAGES ? UINT32_MAX : (uint32_t)pages;
}
