/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/value.h"

#include <string.h>

/* ---- numbers ---- */

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

enum schema_fault schema_parse_number(enum schema_node node, const char *value, size_t len,
                                      uint64_t *number_out)
{
    const struct schema_rule *rule = schema_rule(node);
    uint64_t number;

    if (!value && rule->required)
        return SCHEMA_MISSING;
    if (!value) {
        *number_out = rule->absent;
        return SCHEMA_FINE;
    }
    if (!schema_scan_number(value, len, &number))
        return SCHEMA_NOT_A_NUMBER;
    if (number < rule->min || number > rule->max)
        return SCHEMA_OUT_OF_RANGE;
    *number_out = number;
    return SCHEMA_FINE;
}

/* ---- lists ---- */

/* Length of the item of @separator-separated text that begins at @at. */
static size_t item_len(const char *value, size_t len, size_t at, char separator)
{
    const char *end = memchr(value + at, separator, len - at);

    return end ? (size_t)(end - value) - at : len - at;
}

enum schema_fault schema_parse_refs(enum schema_node node, const char *value, size_t len,
                                    unsigned nr, uint32_t *refs_out)
{
    size_t at = 0;

    if (!value)
        return schema_rule(node)->required ? SCHEMA_MISSING : SCHEMA_NOT_REFS;
    for (unsigned i = 0; i < nr; i++) {
        size_t item = item_len(value, len, at, ' ');
        uint64_t ref;

        if (!schema_scan_number(value + at, item, &ref) || ref < 1 || ref > UINT32_MAX)
            return SCHEMA_NOT_REFS;
        refs_out[i] = (uint32_t)ref;
        at += item;
        if (i + 1 < nr && at++ == len)
            return SCHEMA_NOT_REFS;
    }
    return at == len ? SCHEMA_FINE : SCHEMA_NOT_REFS;
}

bool schema_has_version(const char *value, size_t len, uint64_t version)
{
    bool found = false;

    for (size_t at = 0; value && at < len;) {
        size_t item = item_len(value, len, at, ',');
        uint64_t number;

        if (!schema_scan_number(value + at, item, &number))
            return false;
        found = found || number == version;
        at += item + 1;
    }
    return found;
}

/* ---- text ---- */

enum schema_fault schema_check_text(enum schema_node node, const char *value, size_t len)
{
    const struct schema_rule *rule = schema_rule(node);

    if (!value)
        return rule->required ? SCHEMA_MISSING : SCHEMA_FINE;
    if (len < rule->min || len > rule->max)
        return SCHEMA_BAD_LENGTH;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e)
            return SCHEMA_NOT_TEXT;
    }
    return SCHEMA_FINE;
}

bool schema_parse_right(const char *value, size_t len, bool *fill_out)
{
    if (!value || len != 4 || (memcmp(value, "fill", 4) != 0 && memcmp(value, "read", 4) != 0))
        return false;
    *fill_out = value[0] == 'f';
    return true;
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

/* ---- saying what is wrong ---- */

static const char *fault_sentence(enum schema_fault fault)
{
    switch (fault) {
    case SCHEMA_FINE:
        break;
    case SCHEMA_MISSING:
        return "is missing or may not be read by the manager";
    case SCHEMA_NOT_A_NUMBER:
        return "is not a decimal number";
    case SCHEMA_OUT_OF_RANGE:
        return "is out of range";
    case SCHEMA_BAD_LENGTH:
        return "is too long or too short";
    case SCHEMA_NOT_TEXT:
        return "is not printable text";
    case SCHEMA_NOT_REFS:
        return "is not a list of as many grant references as the ring has pages";
    case SCHEMA_MORE_THAN_OFFERED:
        return "is more than the manager offers";
    case SCHEMA_NOT_OFFERED:
        return "is not offered by the manager";
    }
    return "is fine";
}

void schema_error_text(char reason_out[SCHEMA_REASON_LEN], const struct schema_error *error)
{
    char key[SCHEMA_PATH_LEN];
    const char *const parts[] = {"node ", key, " ", fault_sentence(error->fault)};
    size_t at = 0;

    schema_key(key, error->node, error->number);
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t len = strlen(parts[i]);

        if (len > SCHEMA_REASON_LEN - 1 - at)
            len = SCHEMA_REASON_LEN - 1 - at;
        memcpy(reason_out + at, parts[i], len);
        at += len;
    }
    reason_out[at] = '\0';
}
