/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/form.h"

#include <string.h>

bool schema_scan_number(const char *text, size_t len, uint64_t *number_out)
{
    uint64_t number = 0;

    if (len == 0 || len > 19 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0'); /* 19 digits fit */
    }
    *number_out = number;
    return true;
}

void schema_format_number(char text_out[SCHEMA_NUMBER_LEN], uint64_t number)
{
    char digits[SCHEMA_NUMBER_LEN];
    size_t nr = 0;

    do {
        digits[nr++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < nr; i++)
        text_out[i] = digits[nr - 1 - i];
    text_out[nr] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Is there a hyphen before octet @i of a UUID's text? */
static bool hyphen_before(unsigned i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

bool schema_scan_uuid(const char *text, size_t len, uint8_t uuid_out[TMEMIF_UUID_LEN])
{
    uint8_t uuid[TMEMIF_UUID_LEN];
    const char *at = text;

    if (len != SCHEMA_UUID_TEXT_LEN - 1)
        return false;
    for (unsigned i = 0; i < TMEMIF_UUID_LEN; i++) {
        int high, low;

        if (hyphen_before(i) && *at++ != '-')
            return false;
        high = hex_digit(at[0]);
        low = hex_digit(at[1]);
        if (high < 0 || low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    memcpy(uuid_out, uuid, sizeof(uuid));
    return true;
}

void schema_format_uuid(char text_out[SCHEMA_UUID_TEXT_LEN], const uint8_t uuid[TMEMIF_UUID_LEN])
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned i = 0; i < TMEMIF_UUID_LEN; i++) {
        if (hyphen_before(i))
            *text_out++ = '-';
        *text_out++ = digits[uuid[i] >> 4];
        *text_out++ = digits[uuid[i] & 15];
    }
    *text_out = '\0';
}
