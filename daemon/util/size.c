/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/size.h"

#include <string.h>

/* Digits only: no sign, no space. Returns what follows them, or NULL. */
static const char *digits(const char *text, uint64_t *number_out)
{
    uint64_t number = 0;

    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return NULL;
    }
    *number_out = number;
    return text;
}

bool size_parse(const char *text, uint64_t *bytes_out)
{
    static const char units[] = "KMGT";
    const char *unit;
    uint64_t number;

    text = digits(text, &number);
    if (!text)
        return false;
    if (*text == '\0' && number == 0) {
        *bytes_out = 0;
        return true;
    }
    unit = strchr(units, *text);
    if (*text == '\0' || !unit || text[1] != '\0')
        return false;
    if (__builtin_mul_overflow(number, 1ull << (10 * (unit - units + 1)), &number))
        return false;
    *bytes_out = number;
    return true;
}

bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *number_out)
{
    uint64_t number;

    text = digits(text, &number);
    if (!text || *text != '\0' || number < min || number > max)
        return false;
    *number_out = number;
    return true;
}
