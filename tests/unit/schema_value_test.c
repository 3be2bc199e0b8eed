/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/value.h"

#include <string.h>

#include "tests/lib/runner.h"
#include "xenstore-schema/front.h"

static enum schema_fault number(enum schema_node node, const char *text, uint64_t *out)
{
    return schema_parse_number(node, text, text ? strlen(text) : 0, out);
}

/* ---- numbers ---- */

static void numbers_in_range_are_read(void)
{
    uint64_t n = 77;

    CU_ASSERT_EQUAL(number(SCHEMA_FRONTEND_NUM_RINGS, "1", &n), SCHEMA_FINE);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(number(SCHEMA_FRONTEND_NUM_RINGS, "64", &n), SCHEMA_FINE);
    CU_ASSERT_EQUAL(n, 64);
    CU_ASSERT_EQUAL(number(SCHEMA_BACKEND_EPOCH, "4294967295", &n), SCHEMA_FINE);
    CU_ASSERT_EQUAL(n, UINT32_MAX);
    CU_ASSERT_EQUAL(number(SCHEMA_FRONTEND_ORDER, "0", &n), SCHEMA_FINE);
    CU_ASSERT_EQUAL(n, 0);
}

static void the_ends_of_every_range_are_in_and_their_neighbours_out(void)
{
    for (enum schema_node node = 0; node < SCHEMA_NR_NODES; node++) {
        const struct schema_rule *rule = schema_rule(node);
        char text[SCHEMA_NUMBER_LEN];
        uint64_t n;

        if (rule->type != SCHEMA_NUMBER)
            continue;
        schema_format_number(text, rule->min);
        CU_ASSERT_EQUAL(number(node, text, &n), SCHEMA_FINE);
        schema_format_number(text, rule->max);
        CU_ASSERT_EQUAL(number(node, text, &n), SCHEMA_FINE);
        schema_format_number(text, rule->max + 1);
        CU_ASSERT_EQUAL(number(node, text, &n), SCHEMA_OUT_OF_RANGE);
        if (rule->min > 0) {
            schema_format_number(text, rule->min - 1);
            CU_ASSERT_EQUAL(number(node, text, &n), SCHEMA_OUT_OF_RANGE);
        }
    }
}

static void what_is_not_strictly_decimal_is_refused(void)
{
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "01",
                                      "0x1",
                                      "1.0",
                                      "1e1",
                                      "1\n",
                                      "ab",
                                      "١",
                                      "1,2",
                                      "00",
                                      "18446744073709551617",
                                      "99999999999999999999"};
    uint64_t n = 77;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(number(SCHEMA_FRONTEND_FENCE, bad[i], &n), SCHEMA_NOT_A_NUMBER);
    CU_ASSERT_EQUAL(schema_parse_number(SCHEMA_FRONTEND_FENCE, "1\0", 2, &n), SCHEMA_NOT_A_NUMBER);
    CU_ASSERT_EQUAL(schema_parse_number(SCHEMA_FRONTEND_FENCE, "\0", 1, &n), SCHEMA_NOT_A_NUMBER);
    CU_ASSERT_EQUAL(n, 77); /* unchanged */
}

static void an_absent_node_has_its_default_or_is_missing(void)
{
    uint64_t n = 77;

    CU_ASSERT_EQUAL(number(SCHEMA_FRONTEND_NUM_RINGS, NULL, &n), SCHEMA_FINE);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(number(SCHEMA_GUEST_WEIGHT, NULL, &n), SCHEMA_FINE);
    CU_ASSERT_EQUAL(n, 256);
    n = 77;
    CU_ASSERT_EQUAL(number(SCHEMA_FRONTEND_DATA_PAGES, NULL, &n), SCHEMA_MISSING);
    CU_ASSERT_EQUAL(n, 77);
}

static void numbers_are_written_without_zeros_in_front(void)
{
    char text[SCHEMA_NUMBER_LEN];

    schema_format_number(text, 0);
    CU_ASSERT_STRING_EQUAL(text, "0");
    schema_format_number(text, 4294967295u);
    CU_ASSERT_STRING_EQUAL(text, "4294967295");
    schema_format_number(text, UINT64_MAX);
    CU_ASSERT_STRING_EQUAL(text, "18446744073709551615");
}

/* ---- lists ---- */

static enum schema_fault refs(const char *text, unsigned nr, uint32_t *out)
{
    return schema_parse_refs(SCHEMA_FRONTEND_RING_REF, text, text ? strlen(text) : 0, nr, out);
}

static void references_are_read_in_order(void)
{
    uint32_t out[8] = {0};

    CU_ASSERT_EQUAL(refs("9", 1, out), SCHEMA_FINE);
    CU_ASSERT_EQUAL(out[0], 9);
    CU_ASSERT_EQUAL(refs("8 4294967295 10 11", 4, out), SCHEMA_FINE);
    CU_ASSERT(out[0] == 8 && out[1] == 4294967295u && out[2] == 10 && out[3] == 11);
}

static void lists_of_another_length_or_form_are_refused(void)
{
    static const char *const bad[] = {
        "",    " ",   "8",   "8 ",   "8  9", " 8 9",          "8 9 ", "8 9 1", "8,9",
        "8 x", "0 9", "8 0", "8\t9", "8 -9", "8 99999999999", "08 9", "8 9\n"};
    uint32_t out[8];

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(refs(bad[i], 2, out), SCHEMA_NOT_REFS);
    CU_ASSERT_EQUAL(refs(NULL, 2, out), SCHEMA_MISSING);
    CU_ASSERT_EQUAL(schema_parse_refs(SCHEMA_FRONTEND_RING_REF, "8\0009", 3, 2, out),
                    SCHEMA_NOT_REFS);
}

static void a_version_is_found_in_a_list_only_if_the_list_is_one(void)
{
    CU_ASSERT(schema_has_version("1", 1, 1));
    CU_ASSERT(schema_has_version("1,2", 3, 1));
    CU_ASSERT(schema_has_version("2,1", 3, 1));
    CU_ASSERT_FALSE(schema_has_version("2", 1, 1));
    CU_ASSERT_FALSE(schema_has_version("11", 2, 1));
    CU_ASSERT_FALSE(schema_has_version("", 0, 1));
    CU_ASSERT_FALSE(schema_has_version(NULL, 0, 1));
    CU_ASSERT_FALSE(schema_has_version("1,x", 3, 1));
    CU_ASSERT_FALSE(schema_has_version("1, 2", 4, 1));
}

/* ---- text ---- */

static void text_is_printable_and_of_the_length_allowed(void)
{
    char longest[256];

    memset(longest, 'a', sizeof(longest));
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_NAME, "web 1", 5), SCHEMA_FINE);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_NAME, longest, 127), SCHEMA_FINE);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_NAME, longest, 128), SCHEMA_BAD_LENGTH);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_UUID, longest, 35), SCHEMA_BAD_LENGTH);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_NAME, "a\nb", 3), SCHEMA_NOT_TEXT);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_NAME, "a\0b", 3), SCHEMA_NOT_TEXT);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_NAME, "\xc3\xa4", 2), SCHEMA_NOT_TEXT);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_NAME, NULL, 0), SCHEMA_FINE);
    CU_ASSERT_EQUAL(schema_check_text(SCHEMA_GUEST_UUID, NULL, 0), SCHEMA_MISSING);
}

static void a_right_is_one_of_two_words(void)
{
    bool fill = false;

    CU_ASSERT(schema_parse_right("fill", 4, &fill) && fill);
    CU_ASSERT(schema_parse_right("read", 4, &fill) && !fill);
    CU_ASSERT_FALSE(schema_parse_right("Fill", 4, &fill));
    CU_ASSERT_FALSE(schema_parse_right("fil", 3, &fill));
    CU_ASSERT_FALSE(schema_parse_right("fills", 5, &fill));
    CU_ASSERT_FALSE(schema_parse_right(NULL, 0, &fill));
}

static void a_uuid_has_one_form(void)
{
    static const char text[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    static const char *const bad[] = {"",
                                      "6ba7b810-9dad-11d1-80b4-00c04fd430c",
                                      "6ba7b810-9dad-11d1-80b4-00c04fd430c88",
                                      "6ba7b8109dad11d180b400c04fd430c8----",
                                      "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
                                      "6ba7b81-09dad-11d1-80b4-00c04fd430c8",
                                      "{ba7b810-9dad-11d1-80b4-00c04fd430c}"};
    uint8_t uuid[16] = {0};
    char back[SCHEMA_UUID_TEXT_LEN];

    CU_ASSERT(schema_scan_uuid(text, sizeof(text) - 1, uuid));
    CU_ASSERT(uuid[0] == 0x6b && uuid[4] == 0x9d && uuid[10] == 0x00 && uuid[15] == 0xc8);
    schema_format_uuid(back, uuid);
    CU_ASSERT_STRING_EQUAL(back, text);
    CU_ASSERT(schema_scan_uuid("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", 36, uuid));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(schema_scan_uuid(bad[i], strlen(bad[i]), uuid));
}

/* ---- all nodes of a frontend ---- */

#define MAX_WRITTEN 16

struct written {
    enum schema_node node;
    uint32_t number;
    const char *value;
};

struct guest {
    struct written nodes[MAX_WRITTEN];
    unsigned nr_reads;
};

static const char *guest_read(void *arg, enum schema_node node, uint32_t n, size_t *len_out)
{
    struct guest *g = arg;

    g->nr_reads++;
    for (unsigned i = 0; i < MAX_WRITTEN && g->nodes[i].value; i++) {
        if (g->nodes[i].node == node && g->nodes[i].number == n) {
            *len_out = strlen(g->nodes[i].value);
            return g->nodes[i].value;
        }
    }
    return NULL;
}

static const struct schema_offer offer = {
    .max_rings = 4, .max_order = 2, .max_data_pages = 2048, .fence_ms_min = 200};

static const struct guest good = {.nodes = {
                                      {SCHEMA_FRONTEND_VERSION, 0, "1"},
                                      {SCHEMA_FRONTEND_NUM_RINGS, 0, "2"},
                                      {SCHEMA_FRONTEND_ORDER, 0, "1"},
                                      {SCHEMA_FRONTEND_RING_REF, 0, "100 101"},
                                      {SCHEMA_FRONTEND_RING_REF, 1, "102 103"},
                                      {SCHEMA_FRONTEND_CHANNEL, 0, "11"},
                                      {SCHEMA_FRONTEND_CHANNEL, 1, "12"},
                                      {SCHEMA_FRONTEND_DATA_PAGES, 0, "1025"},
                                      {SCHEMA_FRONTEND_DATA_REF, 0, "200"},
                                      {SCHEMA_FRONTEND_DATA_REF, 1, "201"},
                                      {SCHEMA_FRONTEND_FENCE, 0, "1000"},
                                  }};

static bool read_front(struct guest *g, struct schema_front *front, struct schema_error *error)
{
    const struct schema_reader reader = {guest_read, g};

    return schema_front_read(&reader, &offer, front, error);
}

static void a_frontends_nodes_are_read_once_each(void)
{
    struct guest g = good;
    struct schema_front front;
    struct schema_error error;

    CU_ASSERT_FATAL(read_front(&g, &front, &error));
    CU_ASSERT(front.version == 1 && front.nr_rings == 2 && front.order == 1);
    CU_ASSERT(front.nr_data_pages == 1025 && front.nr_directory == 2 && front.fence_ms == 1000);
    CU_ASSERT(front.ring_refs[0][0] == 100 && front.ring_refs[0][1] == 101);
    CU_ASSERT(front.ring_refs[1][0] == 102 && front.ring_refs[1][1] == 103);
    CU_ASSERT(front.channels[0] == 11 && front.channels[1] == 12);
    CU_ASSERT(front.directory_refs[0] == 200 && front.directory_refs[1] == 201);
    CU_ASSERT_EQUAL(g.nr_reads, 5 + 2 * 2 + 2);
}

/* Every node in turn is removed, or holds something else. */
static void each_wrong_node_is_named(void)
{
    static const struct {
        enum schema_node node;
        uint32_t number;
        const char *value; /* NULL: absent */
        enum schema_fault fault;
    } wrong[] = {
        {SCHEMA_FRONTEND_VERSION, 0, NULL, SCHEMA_MISSING},
        {SCHEMA_FRONTEND_VERSION, 0, "2", SCHEMA_OUT_OF_RANGE},
        {SCHEMA_FRONTEND_NUM_RINGS, 0, "0", SCHEMA_OUT_OF_RANGE},
        {SCHEMA_FRONTEND_NUM_RINGS, 0, "5", SCHEMA_MORE_THAN_OFFERED},
        {SCHEMA_FRONTEND_NUM_RINGS, 0, "65", SCHEMA_OUT_OF_RANGE},
        {SCHEMA_FRONTEND_ORDER, 0, "3", SCHEMA_MORE_THAN_OFFERED},
        {SCHEMA_FRONTEND_ORDER, 0, "one", SCHEMA_NOT_A_NUMBER},
        {SCHEMA_FRONTEND_RING_REF, 0, NULL, SCHEMA_MISSING},
        {SCHEMA_FRONTEND_RING_REF, 1, "102", SCHEMA_NOT_REFS},
        {SCHEMA_FRONTEND_CHANNEL, 0, "0", SCHEMA_OUT_OF_RANGE},
        {SCHEMA_FRONTEND_CHANNEL, 1, NULL, SCHEMA_MISSING},
        {SCHEMA_FRONTEND_DATA_PAGES, 0, "2049", SCHEMA_MORE_THAN_OFFERED},
        {SCHEMA_FRONTEND_DATA_PAGES, 0, "99999999", SCHEMA_OUT_OF_RANGE},
        {SCHEMA_FRONTEND_DATA_REF, 1, NULL, SCHEMA_MISSING},
        {SCHEMA_FRONTEND_DATA_REF, 0, "0", SCHEMA_OUT_OF_RANGE},
        {SCHEMA_FRONTEND_FENCE, 0, "199", SCHEMA_NOT_OFFERED},
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct guest g = good;
        struct schema_front front;
        struct schema_error error = {0};

        for (unsigned k = 0; k < MAX_WRITTEN && g.nodes[k].value; k++) {
            if (g.nodes[k].node != wrong[i].node || g.nodes[k].number != wrong[i].number)
                continue;
            if (wrong[i].value)
                g.nodes[k].value = wrong[i].value;
            else
                g.nodes[k].node = SCHEMA_NR_NODES;
        }
        CU_ASSERT_FALSE(read_front(&g, &front, &error));
        CU_ASSERT_EQUAL(error.fault, wrong[i].fault);
        CU_ASSERT_EQUAL(error.node, wrong[i].node);
        CU_ASSERT_EQUAL(error.number, wrong[i].number);
    }
}

static void a_reason_names_the_node_with_its_number(void)
{
    const struct schema_error missing = {SCHEMA_MISSING, SCHEMA_FRONTEND_RING_REF, 3};
    const struct schema_error range = {SCHEMA_OUT_OF_RANGE, SCHEMA_FRONTEND_DATA_PAGES, 0};
    char reason[SCHEMA_REASON_LEN];

    schema_error_text(reason, &missing);
    CU_ASSERT_STRING_EQUAL(reason, "node ring-ref3 is missing or may not be read by the manager");
    schema_error_text(reason, &range);
    CU_ASSERT_STRING_EQUAL(reason, "node data-pages is out of range");
}

#define TESTS(T)                                                                                   \
    T(numbers_in_range_are_read)                                                                   \
    T(the_ends_of_every_range_are_in_and_their_neighbours_out)                                     \
    T(what_is_not_strictly_decimal_is_refused)                                                     \
    T(an_absent_node_has_its_default_or_is_missing)                                                \
    T(numbers_are_written_without_zeros_in_front)                                                  \
    T(references_are_read_in_order)                                                                \
    T(lists_of_another_length_or_form_are_refused)                                                 \
    T(a_version_is_found_in_a_list_only_if_the_list_is_one)                                        \
    T(text_is_printable_and_of_the_length_allowed)                                                 \
    T(a_right_is_one_of_two_words)                                                                 \
    T(a_uuid_has_one_form)                                                                         \
    T(a_frontends_nodes_are_read_once_each)                                                        \
    T(each_wrong_node_is_named)                                                                    \
    T(a_reason_names_the_node_with_its_number)
RUN_TESTS(TESTS)
