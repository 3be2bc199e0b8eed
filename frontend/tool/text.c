/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/text.h"

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void text_of_size(char text_out[TEXT_SIZE_LEN], uint64_t nr_pages)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)nr_pages * 4;
    unsigned unit = 0;

    if (nr_pages == TEXT_UNLIMITED) {
        snprintf(text_out, TEXT_SIZE_LEN, "unlimited");
        return;
    }
    while (size >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
        size /= 1024;
        unit++;
    }
    if (size < 100 && unit > 0)
        snprintf(text_out, TEXT_SIZE_LEN, "%.1f %s", size, units[unit]);
    else
        snprintf(text_out, TEXT_SIZE_LEN, "%.0f %s", size, units[unit]);
}

void text_of_uuid(char text_out[TEXT_UUID_LEN], const uint8_t uuid[XENTMEM_UUID_LEN])
{
    static const char digits[] = "0123456789abcdef";
    char *to = text_out;

    for (unsigned i = 0; i < XENTMEM_UUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[uuid[i] >> 4];
        *to++ = digits[uuid[i] & 15];
    }
    *to = '\0';
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

bool text_to_uuid(const char *text, uint8_t uuid_out[XENTMEM_UUID_LEN])
{
    bool dashes = strlen(text) == TEXT_UUID_LEN - 1;
    uint8_t uuid[XENTMEM_UUID_LEN];

    for (unsigned i = 0; i < XENTMEM_UUID_LEN; i++) {
        int high, low;

        if (dashes && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        high = hex_digit(text[0]);
        low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text)
        return false;
    memcpy(uuid_out, uuid, sizeof(uuid));
    return true;
}

bool text_to_pool_uuid(const char *text, uint8_t uuid_out[XENTMEM_UUID_LEN])
{
    static const uint8_t zero[XENTMEM_UUID_LEN];
    uint8_t uuid[XENTMEM_UUID_LEN];

    if (!text_to_uuid(text, uuid) || memcmp(uuid, zero, sizeof(zero)) == 0)
        return false;
    memcpy(uuid_out, uuid, sizeof(uuid));
    return true;
}

bool text_to_number(const char *text, uint64_t max, uint64_t *number_out)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    uint64_t base = hex ? 16 : 10, number = 0;

    if (hex)
        text += 2;
    if (!*text)
        return false;
    for (; *text; text++) {
        int digit = hex_digit(*text);

        if (digit < 0 || (uint64_t)digit >= base)
            return false;
        if (number > (max - (uint64_t)digit) / base || (uint64_t)digit > max)
            return false;
        number = number * base + (uint64_t)digit;
    }
    *number_out = number;
    return true;
}

static bool hex_to_object(const char *digits, struct xentmem_object *object_out)
{
    struct xentmem_object object = {{0}};
    size_t length = strlen(digits);

    if (length == 0 || length > 48)
        return false;
    for (size_t i = 0; i < length; i++) {
        int digit = hex_digit(digits[length - 1 - i]);

        if (digit < 0)
            return false;
        object.id[i / 16] |= (uint64_t)digit << (4 * (i % 16));
    }
    *object_out = object;
    return true;
}

bool text_to_object(const char *text, struct xentmem_object *object_out)
{
    static const char prefix[] = "name:";
    uint64_t number;

    if (strncmp(text, prefix, strlen(prefix)) == 0) {
        const char *name = text + strlen(prefix);
        XXH128_hash_t hash;

        if (!*name)
            return false;
        hash = XXH3_128bits(name, strlen(name));
        *object_out = (struct xentmem_object){{hash.low64, hash.high64, UINT64_MAX}};
        return true;
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return hex_to_object(text + 2, object_out);
    if (!text_to_number(text, UINT64_MAX, &number))
        return false;
    *object_out = (struct xentmem_object){{number, 0, 0}};
    return true;
}

/* Octets of the character at @text, which is not at its end; 0: it is none. */
static size_t utf8_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (length == 1)
        return 1;
    /* not one that continues, nor the longer form of a character that fits in one, nor too large */
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90))
        return 0;
    /* halves of UTF-16; above 0x10ffff */
    return (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f) ? 0 : length;
}

bool text_is_utf8(const char *text)
{
    size_t length = 1;

    for (; *text && length; text += length)
        length = utf8_length(text);
    return length != 0;
}

void text_mend_utf8(char *text)
{
    while (*text) {
        size_t length = utf8_length(text);

        if (length == 0)
            *text = '?';
        text += length ? length : 1;
    }
}

void text_printable(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);

    for (size_t i = 0; i < length; i++)
        to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
    to[length] = '\0';
}
