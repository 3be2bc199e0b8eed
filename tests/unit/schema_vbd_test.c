/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes and states of disks. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/runner.h"
#include "xenstore-schema/vbd_front.h"
#include "xenstore-schema/vbd_states.h"

static const struct schema_place place = {.manager = 5, .guest = 7, .device = 51728};

static void paths_are_those_of_the_block_protocol(void)
{
    static const struct {
        enum schema_node node;
        uint32_t number;
        const char *path;
    } golden[] = {
        {SCHEMA_VBD_STATE, 0, "/local/domain/5/backend/vbd/7/51728/state"},
        {SCHEMA_VBD_SEGMENTS, 0,
         "/local/domain/5/backend/vbd/7/51728/feature-max-indirect-segments"},
        {SCHEMA_VBDFRONT_STATE, 0, "/local/domain/7/device/vbd/51728/state"},
        {SCHEMA_VBDFRONT_REF, 3, "/local/domain/7/device/vbd/51728/ring-ref"},
        {SCHEMA_VBDFRONT_REF_N, 3, "/local/domain/7/device/vbd/51728/ring-ref3"},
        {SCHEMA_VBDFRONT_QUEUE_REF, 3, "/local/domain/7/device/vbd/51728/queue-3/ring-ref"},
        {SCHEMA_VBDFRONT_QUEUE_REF_N, SCHEMA_PAIR(3, 7),
         "/local/domain/7/device/vbd/51728/queue-3/ring-ref7"},
        {SCHEMA_VBDFRONT_QUEUE_CHANNEL, 12,
         "/local/domain/7/device/vbd/51728/queue-12/event-channel"},
    };
    char path[SCHEMA_PATH_LEN];
    struct schema_place found = {0};

    for (unsigned i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        schema_path(path, &place, golden[i].node, golden[i].number);
        CU_ASSERT_STRING_EQUAL(path, golden[i].path);
    }
    schema_folder(path, &place, SCHEMA_IN_VBD_BACKEND);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/5/backend/vbd/7/51728");
    schema_vbds(path, 5);
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/5/backend/vbd");
    CU_ASSERT_TRUE(schema_folder_of("/local/domain/5/backend/vbd/7/51728/state", 5,
                                    SCHEMA_IN_VBD_BACKEND, &found));
    CU_ASSERT_TRUE(found.manager == 5 && found.guest == 7 && found.device == 51728);
    CU_ASSERT_FALSE(schema_folder_of("/local/domain/5/backend/tmem/7/0/state", 5,
                                     SCHEMA_IN_VBD_BACKEND, &found));
    CU_ASSERT_FALSE(
        schema_folder_of("/local/domain/5/backend/vbd/7", 5, SCHEMA_IN_VBD_BACKEND, &found));
}

/* ---- reading a frontend ---- */

struct nodes {
    const char *text; /* "key=value key=value" */
    char value[80];
};

static const char *read_node(void *arg, enum schema_node node, uint32_t number, size_t *len_out)
{
    struct nodes *n = arg;
    char key[SCHEMA_PATH_LEN + 1];

    schema_key(key, node, number);
    strcat(key, "=");
    for (const char *at = strstr(n->text, key); at; at = strstr(at + 1, key)) {
        if (at != n->text && at[-1] != ' ')
            continue;
        at += strlen(key);
        *len_out = strcspn(at, " ");
        memcpy(n->value, at, *len_out);
        return n->value;
    }
    return NULL;
}

static bool read_front(const char *text, struct schema_vbd_front *f, struct schema_error *error)
{
    const struct schema_vbd_offer offer = {.max_queues = 4, .max_order = 2};
    struct nodes nodes = {.text = text};
    const struct schema_reader reader = {read_node, &nodes};

    *error = (struct schema_error){0};
    return schema_vbd_front_read(&reader, &offer, f, error);
}

static void one_ring_of_one_page_has_the_old_keys(void)
{
    struct schema_vbd_front f;
    struct schema_error error;

    CU_ASSERT_TRUE(read_front("ring-ref=8 event-channel=9 protocol=x86_64-abi", &f, &error));
    CU_ASSERT_TRUE(f.nr_queues == 1 && f.order == 0 && f.ring_refs[0][0] == 8 &&
                   f.channels[0] == 9 && !f.is_32_bit);
    CU_ASSERT_TRUE(read_front("ring-ref=8 event-channel=9", &f, &error));
    CU_ASSERT_FALSE(f.is_32_bit);
    CU_ASSERT_TRUE(read_front("ring-ref=8 event-channel=9 protocol=x86_32-abi", &f, &error));
    CU_ASSERT_TRUE(f.is_32_bit);
}

static void grants_are_persistent_if_the_frontend_says_so(void)
{
    struct schema_vbd_front f;
    struct schema_error error;

    CU_ASSERT_TRUE(read_front("ring-ref=8 event-channel=9", &f, &error));
    CU_ASSERT_FALSE(f.is_persistent);
    CU_ASSERT_TRUE(read_front("ring-ref=8 event-channel=9 feature-persistent=0", &f, &error));
    CU_ASSERT_FALSE(f.is_persistent);
    CU_ASSERT_TRUE(read_front("ring-ref=8 event-channel=9 feature-persistent=1", &f, &error));
    CU_ASSERT_TRUE(f.is_persistent);
}

static void ring_of_several_pages_has_numbered_keys(void)
{
    struct schema_vbd_front f;
    struct schema_error error;

    CU_ASSERT_TRUE(
        read_front("ring-page-order=1 ring-ref0=8 ring-ref1=18 event-channel=9", &f, &error));
    CU_ASSERT_TRUE(f.nr_queues == 1 && f.order == 1 && f.ring_refs[0][0] == 8 &&
                   f.ring_refs[0][1] == 18);
}

static void several_queues_have_folders(void)
{
    struct schema_vbd_front f;
    struct schema_error error;

    CU_ASSERT_TRUE(
        read_front("multi-queue-num-queues=2 queue-0/ring-ref=8 "
                   "queue-0/event-channel=9 queue-1/ring-ref=18 queue-1/event-channel=19",
                   &f, &error));
    CU_ASSERT_TRUE(f.nr_queues == 2 && f.ring_refs[1][0] == 18 && f.channels[1] == 19);
    CU_ASSERT_TRUE(read_front("multi-queue-num-queues=2 ring-page-order=1 queue-0/ring-ref0=1 "
                              "queue-0/ring-ref1=2 queue-0/event-channel=9 queue-1/ring-ref0=3 "
                              "queue-1/ring-ref1=4 queue-1/event-channel=19",
                              &f, &error));
    CU_ASSERT_TRUE(f.ring_refs[0][1] == 2 && f.ring_refs[1][1] == 4);
}

static void what_a_frontend_may_not_say_is_named(void)
{
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"", "node ring-ref is missing or may not be read by the manager"},
        {"ring-ref=8", "node event-channel is missing or may not be read by the manager"},
        {"ring-ref=0 event-channel=9", "node ring-ref is out of range"},
        {"ring-ref=-1 event-channel=9", "node ring-ref is not a decimal number"},
        {"ring-ref=8 event-channel=9 protocol=sparc-abi",
         "node protocol is not offered by the manager"},
        {"ring-ref=8 event-channel=9 feature-persistent=2",
         "node feature-persistent is out of range"},
        {"ring-ref=8 event-channel=9 ring-page-order=3",
         "node ring-page-order is more than the manager offers"},
        {"ring-ref=8 event-channel=9 ring-page-order=99", "node ring-page-order is out of range"},
        {"ring-ref=8 event-channel=9 multi-queue-num-queues=5",
         "node multi-queue-num-queues is more than the manager offers"},
        {"ring-ref=8 event-channel=9 multi-queue-num-queues=0",
         "node multi-queue-num-queues is out of range"},
        {"multi-queue-num-queues=2 queue-0/ring-ref=8 queue-0/event-channel=9 queue-1/ring-ref=1",
         "node queue-1/event-channel is missing or may not be read by the manager"},
        {"multi-queue-num-queues=2 ring-page-order=1 queue-0/ring-ref0=8",
         "node queue-0/ring-ref1 is missing or may not be read by the manager"},
    };
    char reason[SCHEMA_REASON_LEN];
    struct schema_vbd_front f;
    struct schema_error error;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_FALSE(read_front(bad[i].text, &f, &error));
        schema_error_text(reason, &error);
        CU_ASSERT_STRING_EQUAL(reason, bad[i].reason);
    }
}

/* ---- states ---- */

/*
 * The table once more, in letters, written from SCHEMA.md and not from the code: state after,
 * and action. '.' is a refusal.
 *
 *   states   w waiting  s serving  l leaving  c closed  u unfit  e ended
 *   actions  - nothing  O offer  A attach  R resize  L leave  C close  D disown  E end
 */
static const struct {
    enum schema_vbd_state state;
    /*                   prepares ready closes closed odd no-disk broken renewed unwanted offline
     * gone */
    const char *cells[SCHEMA_VBD_NR_EVENTS];
} golden_steps[] = {
    {SCHEMA_VBD_NEW, {"wO", "wO", "wO", "wO", "wO", "uD", "cD", "wO", "eE", "eE", "eE"}},
    {SCHEMA_VBD_RESUMING, {"wO", "sA", "sA", "cC", "cD", "uD", "cD", "wO", "sA", "eE", "eE"}},
    {SCHEMA_VBD_WAITING, {"w-", "sA", "cC", "w-", "cD", "uD", "cD", "wO", "eE", "eE", "eE"}},
    {SCHEMA_VBD_SERVING, {"wO", "sR", "lL", "cC", "cD", "uD", "cD", "wO", "lL", "eE", "eE"}},
    {SCHEMA_VBD_LEAVING, {"wO", "l-", "l-", "cC", "cD", "uD", "cD", "wO", "l-", "eE", "eE"}},
    {SCHEMA_VBD_CLOSED, {"wO", "c-", "c-", "c-", "c-", "uD", "cD", "wO", "eE", "eE", "eE"}},
    {SCHEMA_VBD_UNFIT, {"u-", "u-", "u-", "u-", "u-", ".", ".", "wO", "eE", "eE", "eE"}},
    {SCHEMA_VBD_ENDED, {"e-", "e-", "e-", "e-", "e-", ".", ".", "wO", "e-", "e-", "e-"}},
};

static void the_table_is_the_one_of_the_schema(void)
{
    CU_ASSERT_EQUAL(sizeof(golden_steps) / sizeof(golden_steps[0]), SCHEMA_VBD_NR_STATES - 1);
    for (unsigned i = 0; i < sizeof(golden_steps) / sizeof(golden_steps[0]); i++) {
        for (enum schema_vbd_event event = 0; event < SCHEMA_VBD_NR_EVENTS; event++) {
            struct schema_vbd_step step = schema_vbd_step(golden_steps[i].state, event);
            const char *cell = golden_steps[i].cells[event];

            if (cell[0] == '.') {
                CU_ASSERT_EQUAL(step.next, SCHEMA_VBD_REFUSED);
                continue;
            }
            CU_ASSERT_EQUAL("?nrwslcue"[step.next], cell[0]);
            CU_ASSERT_EQUAL("-OARLCDE"[step.action], cell[1]);
        }
    }
}

/* A guest's memory is mapped in SERVING and LEAVING only: every way out of them unmaps. */
static void every_way_out_of_service_ends_the_session(void)
{
    static const enum schema_vbd_state served[] = {SCHEMA_VBD_SERVING, SCHEMA_VBD_LEAVING};

    for (unsigned i = 0; i < 2; i++) {
        for (enum schema_vbd_event event = 0; event < SCHEMA_VBD_NR_EVENTS; event++) {
            struct schema_vbd_step step = schema_vbd_step(served[i], event);
            bool stays = step.next == SCHEMA_VBD_SERVING || step.next == SCHEMA_VBD_LEAVING;
            bool harmless = step.action == SCHEMA_VBD_NOTHING || step.action == SCHEMA_VBD_RESIZE ||
                            step.action == SCHEMA_VBD_LEAVE;

            CU_ASSERT_NOT_EQUAL(step.next, SCHEMA_VBD_REFUSED);
            CU_ASSERT_EQUAL(stays, harmless);
        }
    }
}

static void values_of_nodes_mean_events_and_states(void)
{
    static const enum schema_vbd_event events[XENBUS_GARBAGE + 1] = {
        SCHEMA_VBD_FRONT_PREPARES, SCHEMA_VBD_FRONT_PREPARES, SCHEMA_VBD_FRONT_PREPARES,
        SCHEMA_VBD_FRONT_READY,    SCHEMA_VBD_FRONT_READY,    SCHEMA_VBD_FRONT_CLOSES,
        SCHEMA_VBD_FRONT_CLOSED,   SCHEMA_VBD_FRONT_ODD,      SCHEMA_VBD_FRONT_ODD,
        SCHEMA_VBD_FRONT_ODD,
    };

    for (uint32_t value = 0; value <= XENBUS_GARBAGE; value++)
        CU_ASSERT_EQUAL(schema_vbd_event_of(value), events[value]);
    CU_ASSERT_EQUAL(schema_vbd_begin(XENBUS_INITIALISING), SCHEMA_VBD_NEW);
    CU_ASSERT_EQUAL(schema_vbd_begin(XENBUS_INIT_WAIT), SCHEMA_VBD_NEW);
    CU_ASSERT_EQUAL(schema_vbd_begin(XENBUS_CONNECTED), SCHEMA_VBD_RESUMING);
    CU_ASSERT_EQUAL(schema_vbd_begin(XENBUS_CLOSING), SCHEMA_VBD_RESUMING);
    CU_ASSERT_EQUAL(schema_vbd_begin(XENBUS_CLOSED), SCHEMA_VBD_CLOSED);
}

static void states_and_events_have_names(void)
{
    for (enum schema_vbd_state s = 0; s < SCHEMA_VBD_NR_STATES; s++)
        CU_ASSERT_STRING_NOT_EQUAL(schema_vbd_state_name(s), "unknown");
    for (enum schema_vbd_event e = 0; e < SCHEMA_VBD_NR_EVENTS; e++)
        CU_ASSERT_STRING_NOT_EQUAL(schema_vbd_event_name(e), "unknown");
}

#define TESTS(T)                                                                                   \
    T(paths_are_those_of_the_block_protocol)                                                       \
    T(one_ring_of_one_page_has_the_old_keys)                                                       \
    T(grants_are_persistent_if_the_frontend_says_so)                                               \
    T(ring_of_several_pages_has_numbered_keys)                                                     \
    T(several_queues_have_folders)                                                                 \
    T(what_a_frontend_may_not_say_is_named)                                                        \
    T(the_table_is_the_one_of_the_schema)                                                          \
    T(every_way_out_of_service_ends_the_session)                                                   \
    T(values_of_nodes_mean_events_and_states)                                                      \
    T(states_and_events_have_names)
RUN_TESTS(TESTS)
