/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/value.h"

#include <string.h>

/* ---- numbers ---- */

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
