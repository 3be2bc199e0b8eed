/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nodes_fuzz.c - values that a guest wrote, through everything that reads them.
 *
 * The input is a sequence of {node, number, length, bytes}: the store. All nodes of
 * a frontend are read from it, and each value goes through every parser.
 */
#include <stdlib.h>
#include <string.h>

#include "xenstore-schema/front.h"
#include "xenstore-schema/states.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!(c))                                                                                  \
            abort();                                                                               \
    } while (0)

struct store {
    const uint8_t *data;
    size_t size;
    char value[256];
};

/* The next entry of the input; false at its end. */
static bool next_entry(const uint8_t *data, size_t size, size_t *at, const uint8_t **entry_out)
{
    if (size - *at < 3 || size - *at - 3 < data[*at + 2])
        return false;
    *entry_out = data + *at;
    *at += 3u + data[*at + 2];
    return true;
}

static const char *read_node(void *arg, enum schema_node node, uint32_t number, size_t *len_out)
{
    struct store *s = arg;
    const uint8_t *entry;

    for (size_t at = 0; next_entry(s->data, s->size, &at, &entry);) {
        if (entry[0] % SCHEMA_NR_NODES == node && entry[1] == number) {
            /* a copy of its exact length, so that the sanitizer sees a read past its end */
            memset(s->value, 0, sizeof(s->value));
            memcpy(s->value + sizeof(s->value) - entry[2], entry + 3, entry[2]);
            *len_out = entry[2];
            return s->value + sizeof(s->value) - entry[2];
        }
    }
    return NULL;
}

static void check_front(const uint8_t *data, size_t size)
{
    struct store store = {.data = data, .size = size};
    const struct schema_reader reader = {read_node, &store};
    const struct schema_offer offer = {
        .max_rings = 8, .max_order = 2, .max_data_pages = 4096, .fence_ms_min = 200};
    struct schema_front f;
    struct schema_error error = {0};
    char reason[SCHEMA_REASON_LEN];

    if (!schema_front_read(&reader, &offer, &f, &error)) {
        REQUIRE(error.fault != SCHEMA_FINE);
        schema_error_text(reason, &error);
        REQUIRE(strlen(reason) < sizeof(reason));
        for (const char *c = reason; *c; c++)
            REQUIRE(*c >= 0x20 && *c < 0x7f);
        return;
    }
    REQUIRE(f.version == TMEMIF_VERSION_1);
    REQUIRE(f.nr_rings >= 1 && f.nr_rings <= offer.max_rings && f.order <= offer.max_order);
    REQUIRE(f.nr_data_pages >= 1 && f.nr_data_pages <= offer.max_data_pages);
    REQUIRE(f.nr_directory * SCHEMA_REFS_PER_PAGE >= f.nr_data_pages);
    REQUIRE(f.nr_directory <= SCHEMA_MAX_DIRECTORY);
    REQUIRE(f.fence_ms == 0 || f.fence_ms >= offer.fence_ms_min);
    for (uint32_t ring = 0; ring < f.nr_rings; ring++) {
        REQUIRE(f.channels[ring] >= 1);
        for (uint32_t i = 0; i < 1u << f.order; i++)
            REQUIRE(f.ring_refs[ring][i] >= 1);
    }
}

static void check_number(enum schema_node node, const char *value, size_t len)
{
    const struct schema_rule *rule = schema_rule(node);
    char text[SCHEMA_NUMBER_LEN];
    uint64_t number = UINT64_MAX;

    if (schema_parse_number(node, value, len, &number)) {
        REQUIRE(number == UINT64_MAX);
        return;
    }
    REQUIRE(number >= rule->min && number <= rule->max);
    schema_format_number(text, number);
    REQUIRE(strlen(text) == len && memcmp(text, value, len) == 0);
}

static void check_value(enum schema_node node, const char *value, size_t len)
{
    uint32_t refs[SCHEMA_RING_PAGES];
    char text[SCHEMA_UUID_TEXT_LEN];
    uint8_t uuid[16];
    bool fill;

    if (schema_rule(node)->type == SCHEMA_NUMBER)
        check_number(node, value, len);
    for (unsigned nr = 1; nr <= SCHEMA_RING_PAGES; nr *= 2) {
        if (schema_parse_refs(SCHEMA_FRONTEND_RING_REF, value, len, nr, refs) == SCHEMA_FINE)
            REQUIRE(len >= 2 * nr - 1 && refs[nr - 1] >= 1);
    }
    if (schema_check_text(node, value, len) == SCHEMA_FINE)
        REQUIRE(memchr(value, 0, len) == NULL);
    if (schema_scan_uuid(value, len, uuid)) {
        schema_format_uuid(text, uuid);
        REQUIRE(strncasecmp(text, value, len) == 0);
    }
    schema_has_version(value, len, 1);
    schema_parse_right(value, len, &fill);
}

static void check_path(const char *value, size_t len)
{
    struct schema_place place;
    char path[256], again[SCHEMA_PATH_LEN];
    uint8_t uuid[16];

    if (len >= sizeof(path))
        len = sizeof(path) - 1;
    memcpy(path, value, len);
    path[len] = '\0';
    if (schema_folder_of(path, 5, SCHEMA_IN_BACKEND, &place)) {
        schema_folder(again, &place, SCHEMA_IN_BACKEND);
        REQUIRE(strncmp(path, again, strlen(again)) == 0);
    }
    if (schema_folder_of(path, 5, SCHEMA_IN_GUEST, &place)) {
        schema_folder(again, &place, SCHEMA_IN_GUEST);
        REQUIRE(strncmp(path, again, strlen(again)) == 0);
    }
    if (schema_shared_of(path, 5, uuid)) {
        schema_shared_folder(again, 5, uuid);
        REQUIRE(strncasecmp(path, again, strlen(again)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *entry;

    check_front(data, size);
    for (size_t at = 0; next_entry(data, size, &at, &entry);) {
        char *exact = malloc(entry[2] ? entry[2] : 1);

        REQUIRE(exact);
        memcpy(exact, entry + 3, entry[2]);
        check_value(entry[0] % SCHEMA_NR_NODES, exact, entry[2]);
        check_path(exact, entry[2]);
        free(exact);
    }
    return 0;
}
