/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/nodes.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/runner.h"

static const struct schema_place place = {.manager = 5, .guest = 7, .device = 2};
static const struct schema_place longest = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
static const uint8_t uuid[16] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
#define UUID_TEXT "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

static void paths_are_those_of_the_schema(void)
{
    static const struct {
        enum schema_node node;
        uint32_t number;
        const char *path;
    } golden[] = {
        {SCHEMA_BACKEND_STATE, 0, "/local/domain/5/backend/tmem/7/2/state"},
        {SCHEMA_BACKEND_MAX_ORDER, 0, "/local/domain/5/backend/tmem/7/2/max-ring-page-order"},
        {SCHEMA_BACKEND_ERROR, 0, "/local/domain/5/backend/tmem/7/2/error"},
        {SCHEMA_FRONTEND_STATE, 0, "/local/domain/7/device/tmem/2/state"},
        {SCHEMA_FRONTEND_RING_REF, 0, "/local/domain/7/device/tmem/2/ring-ref0"},
        {SCHEMA_FRONTEND_CHANNEL, 63, "/local/domain/7/device/tmem/2/event-channel-63"},
        {SCHEMA_FRONTEND_DATA_REF, 9, "/local/domain/7/device/tmem/2/data-ref9"},
        {SCHEMA_GUEST_QUOTA, 0, "/local/domain/5/xentmem/guest/7/2/quota-pages"},
        {SCHEMA_MANAGER_READY, 0, "/local/domain/5/data/xentmem/ready"},
    };
    char path[SCHEMA_PATH_LEN];

    for (unsigned i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        schema_path(path, &place, golden[i].node, golden[i].number);
        CU_ASSERT_STRING_EQUAL(path, golden[i].path);
    }
    schema_shared_path(path, 5, uuid, SCHEMA_SHARED_ALLOW, 9);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/5/xentmem/shared/" UUID_TEXT "/allow/9");
    schema_folder(path, &place, SCHEMA_IN_BACKEND);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/5/backend/tmem/7/2");
    schema_folder(path, &place, SCHEMA_IN_FRONTEND);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/7/device/tmem/2");
    schema_folder(path, &place, SCHEMA_IN_GUEST);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/5/xentmem/guest/7/2");
    schema_shared_folder(path, 5, uuid);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/5/xentmem/shared/" UUID_TEXT);
}

static void folders_above_are_where_children_are_listed(void)
{
    char path[SCHEMA_PATH_LEN];

    schema_backends(path, 0);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/0/backend/tmem");
    schema_policies(path, 0);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/0/xentmem");
    schema_shared_pools(path, 0);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/0/xentmem/shared");
}

static void every_path_with_the_largest_numbers_fits(void)
{
    char path[SCHEMA_PATH_LEN];

    for (enum schema_node node = 0; node < SCHEMA_NR_NODES; node++) {
        if (schema_rule(node)->where == SCHEMA_IN_SHARED)
            schema_shared_path(path, UINT32_MAX, uuid, node, UINT32_MAX);
        else
            schema_path(path, &longest, node, UINT32_MAX);
        /* a builder that had to cut would have filled its room */
        CU_ASSERT(strlen(path) < SCHEMA_PATH_LEN - 1);
    }
}

static void no_two_nodes_of_a_folder_have_one_key(void)
{
    for (enum schema_node a = 0; a < SCHEMA_NR_NODES; a++) {
        for (enum schema_node b = 0; b < a; b++)
            CU_ASSERT(schema_rule(a)->where != schema_rule(b)->where ||
                      strcmp(schema_rule(a)->key, schema_rule(b)->key) != 0);
    }
}

static void every_rule_has_a_range_and_its_default_lies_in_it(void)
{
    for (enum schema_node node = 0; node < SCHEMA_NR_NODES; node++) {
        const struct schema_rule *rule = schema_rule(node);

        CU_ASSERT(rule->min <= rule->max);
        if (rule->type == SCHEMA_TEXT)
            CU_ASSERT(rule->max <= 2048); /* xenstored's limit for a domU */
        /* 0 may stand for "nobody has written it", else a default is a legal value */
        if (rule->type == SCHEMA_NUMBER && !rule->required && rule->absent != 0)
            CU_ASSERT(rule->absent >= rule->min && rule->absent <= rule->max);
    }
}

static void a_guest_writes_in_its_own_folder_only(void)
{
    for (enum schema_node node = 0; node < SCHEMA_NR_NODES; node++) {
        if (schema_rule(node)->owner == SCHEMA_GUEST_DOMAIN)
            CU_ASSERT(schema_rule(node)->where == SCHEMA_IN_FRONTEND ||
                      schema_rule(node)->where == SCHEMA_IN_VBD_FRONTEND);
        if (schema_rule(node)->where == SCHEMA_IN_GUEST ||
            schema_rule(node)->where == SCHEMA_IN_SHARED)
            CU_ASSERT_EQUAL(schema_rule(node)->owner, SCHEMA_TOOLSTACK);
    }
}

static void paths_of_watch_events_say_whose_they_are(void)
{
    struct schema_place found = {0};
    uint8_t which[16];

    CU_ASSERT(schema_folder_of("/local/domain/5/backend/tmem/7/2/state", 5, SCHEMA_IN_BACKEND, &found));
    CU_ASSERT(found.manager == 5 && found.guest == 7 && found.device == 2);
    CU_ASSERT(schema_folder_of("/local/domain/5/backend/tmem/8/4294967295", 5, SCHEMA_IN_BACKEND, &found));
    CU_ASSERT(found.guest == 8 && found.device == UINT32_MAX);
    CU_ASSERT(schema_folder_of("/local/domain/5/xentmem/guest/9/1/weight", 5, SCHEMA_IN_GUEST, &found));
    CU_ASSERT(found.guest == 9 && found.device == 1);
    CU_ASSERT(schema_shared_of("/local/domain/5/xentmem/shared/" UUID_TEXT "/allow/3", 5, which));
    CU_ASSERT(memcmp(which, uuid, 16) == 0);
}

static void other_paths_are_nobodys(void)
{
    static const char *const others[] = {
        "",
        "/",
        "@releaseDomain",
        "/local/domain/5/backend/tmem",
        "/local/domain/5/backend/tmem/",
        "/local/domain/5/backend/tmem/7",
        "/local/domain/5/backend/tmem/7/",
        "/local/domain/5/backend/tmem/7/x/state",
        "/local/domain/5/backend/tmem/07/2/state",
        "/local/domain/5/backend/tmem/-7/2/state",
        "/local/domain/5/backend/tmem/4294967296/2",
        "/local/domain/5/backend/tmem/7/99999999999999999999",
        "/local/domain/55/backend/tmem/7/2/state",
        "/local/domain/5/backend/tmemory/7/2/state",
        "/local/domain/5/backend/vbd/7/2/state",
    };
    struct schema_place found = {1, 2, 3};
    uint8_t which[16];

    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        CU_ASSERT_FALSE(schema_folder_of(others[i], 5, SCHEMA_IN_BACKEND, &found));
        CU_ASSERT_FALSE(schema_folder_of(others[i], 5, SCHEMA_IN_GUEST, &found));
        CU_ASSERT_FALSE(schema_shared_of(others[i], 5, which));
    }
    CU_ASSERT(found.manager == 1 && found.guest == 2 && found.device == 3);
    CU_ASSERT_FALSE(schema_shared_of("/local/domain/5/xentmem/shared/6ba7b810", 5, which));
}

#define TESTS(T)                                                                                   \
    T(paths_are_those_of_the_schema)                                                               \
    T(folders_above_are_where_children_are_listed)                                                 \
    T(every_path_with_the_largest_numbers_fits)                                                    \
    T(no_two_nodes_of_a_folder_have_one_key)                                                       \
    T(every_rule_has_a_range_and_its_default_lies_in_it)                                           \
    T(a_guest_writes_in_its_own_folder_only)                                                       \
    T(paths_of_watch_events_say_whose_they_are)                                                    \
    T(other_paths_are_nobodys)
RUN_TESTS(TESTS)
