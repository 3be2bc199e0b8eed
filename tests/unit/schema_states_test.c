/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/states.h"

#include <stdbool.h>
#include <string.h>

#include "tests/lib/runner.h"

/* ---- the backend ---- */

/*
 * The table once more, in letters, written from SCHEMA.md and not from the
 * code: state after, and action. '.' is a refusal.
 *
 *   states   w waiting  s serving  c closed  e ended
 *   actions  - nothing  O offer  A attach  C close  D disown  E end
 */
static const struct {
    enum schema_back_state state;
    /*                    prepares ready closes closed odd broken left renewed offline gone */
    const char *cells[SCHEMA_BACK_NR_EVENTS];
} back_golden[] = {
    {SCHEMA_BACK_NEW, {"wO", "wO", "wO", "wO", "wO", "cD", ".", "wO", "eE", "eE"}},
    {SCHEMA_BACK_RESUMING, {"wO", "sA", "cC", "cC", "cD", "cD", ".", "wO", "eE", "eE"}},
    {SCHEMA_BACK_WAITING, {"w-", "sA", "cC", "w-", "cD", "cD", ".", "wO", "eE", "eE"}},
    {SCHEMA_BACK_SERVING, {"wO", "s-", "cC", "cC", "cD", "cD", "cC", "wO", "eE", "eE"}},
    {SCHEMA_BACK_CLOSED, {"wO", "c-", "c-", "wO", "c-", ".", ".", "wO", "eE", "eE"}},
    {SCHEMA_BACK_ENDED, {"e-", "e-", "e-", "e-", "e-", ".", ".", "wO", "e-", "e-"}},
};

static char back_letter(enum schema_back_state state)
{
    return "?nrwsce"[state];
}

static void the_backends_table_is_the_one_of_the_schema(void)
{
    CU_ASSERT_EQUAL(sizeof(back_golden) / sizeof(back_golden[0]), SCHEMA_BACK_NR_STATES - 1);
    for (unsigned i = 0; i < sizeof(back_golden) / sizeof(back_golden[0]); i++) {
        for (enum schema_back_event event = 0; event < SCHEMA_BACK_NR_EVENTS; event++) {
            struct schema_back_step step = schema_back_step(back_golden[i].state, event);
            const char *cell = back_golden[i].cells[event];

            if (cell[0] == '.') {
                CU_ASSERT_EQUAL(step.next, SCHEMA_BACK_REFUSED);
                continue;
            }
            CU_ASSERT_EQUAL(back_letter(step.next), cell[0]);
            CU_ASSERT_EQUAL("-OACDE"[step.action], cell[1]);
        }
    }
}

static void no_step_leads_out_of_the_refused_state(void)
{
    for (enum schema_back_event event = 0; event < SCHEMA_BACK_NR_EVENTS; event++)
        CU_ASSERT_EQUAL(schema_back_step(SCHEMA_BACK_REFUSED, event).next, SCHEMA_BACK_REFUSED);
    for (enum schema_front_event event = 0; event < SCHEMA_FRONT_NR_EVENTS; event++)
        CU_ASSERT_EQUAL(schema_front_step(SCHEMA_FRONT_REFUSED, event).next, SCHEMA_FRONT_REFUSED);
}

/* Whatever the frontend's node says, there is an answer. */
static void no_value_of_the_frontends_node_is_refused(void)
{
    for (enum schema_back_state state = 1; state < SCHEMA_BACK_NR_STATES; state++) {
        for (uint32_t value = 0; value <= XENBUS_GARBAGE; value++)
            CU_ASSERT_NOT_EQUAL(schema_back_step(state, schema_back_event_of(value)).next,
                                SCHEMA_BACK_REFUSED);
    }
}

/* What happens to the attachment as such can happen in every state, also twice. */
static void the_toolstack_and_death_are_heard_in_every_state(void)
{
    for (enum schema_back_state state = 1; state < SCHEMA_BACK_NR_STATES; state++) {
        CU_ASSERT_EQUAL(schema_back_step(state, SCHEMA_NODES_GONE).next, SCHEMA_BACK_ENDED);
        CU_ASSERT_EQUAL(schema_back_step(state, SCHEMA_NODES_OFFLINE).next, SCHEMA_BACK_ENDED);
        CU_ASSERT_EQUAL(schema_back_step(state, SCHEMA_NODES_RENEWED).next, SCHEMA_BACK_WAITING);
    }
}

/* Memory of a guest is mapped in SERVING only: every way out of it unmaps. */
static void every_way_out_of_serving_ends_the_session(void)
{
    for (enum schema_back_event event = 0; event < SCHEMA_BACK_NR_EVENTS; event++) {
        struct schema_back_step step = schema_back_step(SCHEMA_BACK_SERVING, event);

        CU_ASSERT_NOT_EQUAL(step.next, SCHEMA_BACK_REFUSED);
        CU_ASSERT((step.next == SCHEMA_BACK_SERVING) == (step.action == SCHEMA_BACK_NOTHING));
        CU_ASSERT(step.action != SCHEMA_BACK_ATTACH);
    }
}

static void only_an_attach_leads_into_serving(void)
{
    for (enum schema_back_state state = 1; state < SCHEMA_BACK_NR_STATES; state++) {
        for (enum schema_back_event event = 0; event < SCHEMA_BACK_NR_EVENTS; event++) {
            struct schema_back_step step = schema_back_step(state, event);

            if (state != SCHEMA_BACK_SERVING)
                CU_ASSERT((step.next == SCHEMA_BACK_SERVING) ==
                          (step.action == SCHEMA_BACK_ATTACH));
        }
    }
}

static void a_frontend_that_was_disowned_has_to_begin_anew(void)
{
    /* the same old "ready" does not bring the attach back that has just failed */
    CU_ASSERT_EQUAL(schema_back_step(SCHEMA_BACK_CLOSED, SCHEMA_FRONT_READY).next,
                    SCHEMA_BACK_CLOSED);
    CU_ASSERT_EQUAL(schema_back_step(SCHEMA_BACK_CLOSED, SCHEMA_FRONT_PREPARES).next,
                    SCHEMA_BACK_WAITING);
    CU_ASSERT_EQUAL(schema_back_step(SCHEMA_BACK_CLOSED, SCHEMA_FRONT_CLOSED).next,
                    SCHEMA_BACK_WAITING);
}

static void values_of_the_frontends_node_mean_events(void)
{
    static const enum schema_back_event golden[] = {
        SCHEMA_FRONT_PREPARES, SCHEMA_FRONT_PREPARES, SCHEMA_FRONT_PREPARES, SCHEMA_FRONT_READY,
        SCHEMA_FRONT_READY,    SCHEMA_FRONT_CLOSES,   SCHEMA_FRONT_CLOSED,   SCHEMA_FRONT_ODD,
        SCHEMA_FRONT_ODD,      SCHEMA_FRONT_ODD};

    for (uint32_t value = 0; value <= XENBUS_GARBAGE; value++)
        CU_ASSERT_EQUAL(schema_back_event_of(value), golden[value]);
    CU_ASSERT_EQUAL(schema_back_event_of(UINT32_MAX), SCHEMA_FRONT_ODD);
}

static void a_daemon_that_starts_takes_up_what_the_nodes_say(void)
{
    CU_ASSERT_EQUAL(schema_back_begin(XENBUS_UNKNOWN), SCHEMA_BACK_NEW);
    CU_ASSERT_EQUAL(schema_back_begin(XENBUS_INITIALISING), SCHEMA_BACK_NEW);
    CU_ASSERT_EQUAL(schema_back_begin(XENBUS_INIT_WAIT), SCHEMA_BACK_NEW);
    CU_ASSERT_EQUAL(schema_back_begin(XENBUS_CONNECTED), SCHEMA_BACK_RESUMING);
    CU_ASSERT_EQUAL(schema_back_begin(XENBUS_CLOSING), SCHEMA_BACK_CLOSED);
    CU_ASSERT_EQUAL(schema_back_begin(XENBUS_CLOSED), SCHEMA_BACK_CLOSED);
    CU_ASSERT_EQUAL(schema_back_begin(XENBUS_GARBAGE), SCHEMA_BACK_NEW);
}

/* ---- the frontend; letters as above: i idle t starting h shared a attached g closing d disowned
 * o orphaned; - nothing N announce S share A attach L leave R retract X discard K look ---- */

static const struct {
    enum schema_front_state state;
    /*                    opens closes prepares waits serves closing closed restarted gone */
    const char *cells[SCHEMA_FRONT_NR_EVENTS];
} front_golden[] = {
    {SCHEMA_FRONT_IDLE, {"tN", "i-", "i-", "i-", "i-", "i-", "i-", "i-", "o-"}},
    {SCHEMA_FRONT_STARTING, {".", "iR", "t-", "hS", "t-", "t-", "t-", "t-", "oX"}},
    {SCHEMA_FRONT_SHARED, {".", "gL", "oX", "h-", "aA", "h-", "dR", "h-", "oX"}},
    {SCHEMA_FRONT_ATTACHED, {".", "gL", "oX", "dR", "a-", "a-", "dR", "aK", "oX"}},
    {SCHEMA_FRONT_CLOSING, {".", "g-", "oX", "g-", "g-", "g-", "iR", "g-", "oX"}},
    {SCHEMA_FRONT_DISOWNED, {"tN", "i-", "d-", "d-", "d-", "d-", "d-", "d-", "o-"}},
    {SCHEMA_FRONT_ORPHANED, {"tN", "i-", "o-", "o-", "o-", "o-", "o-", "o-", "o-"}},
};

static void the_frontends_table_is_the_one_of_the_schema(void)
{
    CU_ASSERT_EQUAL(sizeof(front_golden) / sizeof(front_golden[0]), SCHEMA_FRONT_NR_STATES - 1);
    for (unsigned i = 0; i < sizeof(front_golden) / sizeof(front_golden[0]); i++) {
        for (enum schema_front_event event = 0; event < SCHEMA_FRONT_NR_EVENTS; event++) {
            struct schema_front_step step = schema_front_step(front_golden[i].state, event);
            const char *cell = front_golden[i].cells[event];

            if (cell[0] == '.') {
                CU_ASSERT_EQUAL(step.next, SCHEMA_FRONT_REFUSED);
                continue;
            }
            CU_ASSERT_EQUAL("?ithagdo"[step.next], cell[0]);
            CU_ASSERT_EQUAL("-NSALRXK"[step.action], cell[1]);
        }
    }
}

/* ---- both, played against each other ---- */

struct play {
    enum schema_back_state back;
    enum schema_front_state front;
    uint32_t back_node, front_node;
    bool shared, mapped;
};

static void back_hears(struct play *p, enum schema_back_event event)
{
    struct schema_back_step step = schema_back_step(p->back, event);

    CU_ASSERT_NOT_EQUAL_FATAL(step.next, SCHEMA_BACK_REFUSED);
    p->back = step.next;
    switch (step.action) {
    case SCHEMA_BACK_NOTHING:
        break;
    case SCHEMA_BACK_OFFER:
        p->mapped = false;
        p->back_node = XENBUS_INIT_WAIT;
        break;
    case SCHEMA_BACK_ATTACH:
        CU_ASSERT(p->shared); /* or there is nothing to map */
        p->mapped = true;
        p->back_node = XENBUS_CONNECTED;
        break;
    case SCHEMA_BACK_CLOSE:
    case SCHEMA_BACK_DISOWN:
    case SCHEMA_BACK_END:
        p->mapped = false;
        p->back_node = XENBUS_CLOSED;
        break;
    }
}

static void front_hears(struct play *p, enum schema_front_event event)
{
    struct schema_front_step step = schema_front_step(p->front, event);

    CU_ASSERT_NOT_EQUAL_FATAL(step.next, SCHEMA_FRONT_REFUSED);
    p->front = step.next;
    switch (step.action) {
    case SCHEMA_FRONT_NOTHING:
    case SCHEMA_FRONT_LOOK:
        break;
    case SCHEMA_FRONT_ANNOUNCE:
        p->front_node = XENBUS_INITIALISING;
        break;
    case SCHEMA_FRONT_SHARE:
        p->shared = true;
        p->front_node = XENBUS_INITIALISED;
        break;
    case SCHEMA_FRONT_ATTACH:
        p->front_node = XENBUS_CONNECTED;
        break;
    case SCHEMA_FRONT_LEAVE:
        p->front_node = XENBUS_CLOSING;
        break;
    case SCHEMA_FRONT_RETRACT:
        CU_ASSERT_FALSE(p->mapped); /* nothing is freed under the backend's eyes */
        p->shared = false;
        p->front_node = XENBUS_CLOSED;
        break;
    case SCHEMA_FRONT_DISCARD:
        p->shared = false;
        break;
    }
}

/* Each end reads the other's node until nothing moves. */
static void settle(struct play *p)
{
    for (unsigned turn = 0; turn < 10; turn++) {
        back_hears(p, schema_back_event_of(p->front_node));
        front_hears(p, schema_front_event_of(p->back_node));
    }
}

static struct play attached(void)
{
    struct play p = {.back = SCHEMA_BACK_NEW,
                     .front = SCHEMA_FRONT_IDLE,
                     .back_node = XENBUS_INITIALISING,
                     .front_node = XENBUS_INITIALISING};

    settle(&p);
    CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_WAITING);
    front_hears(&p, SCHEMA_USER_OPENS);
    settle(&p);
    CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_SERVING);
    CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ATTACHED);
    return p;
}

static void both_ends_attach_and_close_and_attach_again(void)
{
    struct play p = attached();

    for (unsigned i = 0; i < 3; i++) {
        front_hears(&p, SCHEMA_USER_CLOSES);
        settle(&p);
        CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_IDLE);
        CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_WAITING);
        CU_ASSERT_FALSE(p.mapped || p.shared);
        front_hears(&p, SCHEMA_USER_OPENS);
        settle(&p);
        CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ATTACHED);
        CU_ASSERT(p.mapped);
    }
}

static void a_new_process_takes_over_from_a_dead_one(void)
{
    for (unsigned noticed = 0; noticed < 2; noticed++) {
        struct play p = attached();

        p.front = SCHEMA_FRONT_IDLE; /* its node still says Connected */
        p.shared = false;
        if (noticed) {
            back_hears(&p, SCHEMA_PEER_LEFT);
            settle(&p);
            CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_CLOSED);
        }
        front_hears(&p, SCHEMA_USER_OPENS);
        settle(&p);
        CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ATTACHED);
        CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_SERVING);
    }
}

static void a_restarted_daemon_serves_again_without_the_frontends_help(void)
{
    struct play p = attached();

    p.back = schema_back_begin(p.back_node);
    p.mapped = false;
    CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_RESUMING);
    back_hears(&p, schema_back_event_of(p.front_node));
    front_hears(&p, SCHEMA_BACK_RESTARTED);
    settle(&p);
    CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_SERVING);
    CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ATTACHED);
    CU_ASSERT_EQUAL(p.front_node, XENBUS_CONNECTED);
    CU_ASSERT(p.mapped);
}

static void a_daemon_may_restart_at_any_point_of_a_handshake(void)
{
    for (unsigned turns = 0; turns < 6; turns++) {
        struct play p = {.back = SCHEMA_BACK_NEW,
                         .front = SCHEMA_FRONT_IDLE,
                         .back_node = XENBUS_INITIALISING,
                         .front_node = XENBUS_INITIALISING};

        front_hears(&p, SCHEMA_USER_OPENS);
        for (unsigned i = 0; i < turns; i++) {
            if (i % 2 == 0)
                back_hears(&p, schema_back_event_of(p.front_node));
            else
                front_hears(&p, schema_front_event_of(p.back_node));
        }
        p.back = schema_back_begin(p.back_node);
        p.mapped = false;
        settle(&p);
        CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_SERVING);
        CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ATTACHED);
    }
}

static void a_disowned_frontend_learns_it_and_may_come_back(void)
{
    struct play p = attached();

    back_hears(&p, SCHEMA_PEER_BROKEN);
    CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_CLOSED);
    settle(&p);
    CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_DISOWNED);
    CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_WAITING);
    front_hears(&p, SCHEMA_USER_OPENS);
    settle(&p);
    CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ATTACHED);
}

static void a_guest_that_was_resumed_under_new_nodes_attaches_again(void)
{
    struct play p = attached();

    /* the toolstack's transaction */
    p.back_node = XENBUS_INITIALISING;
    p.front_node = XENBUS_INITIALISING;
    p.mapped = false; /* grants are void */
    front_hears(&p, schema_front_event_of(p.back_node));
    CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ORPHANED);
    back_hears(&p, SCHEMA_NODES_RENEWED);
    settle(&p);
    front_hears(&p, SCHEMA_USER_OPENS);
    settle(&p);
    CU_ASSERT_EQUAL(p.front, SCHEMA_FRONT_ATTACHED);
    CU_ASSERT_EQUAL(p.back, SCHEMA_BACK_SERVING);
}

#define TESTS(T)                                                                                   \
    T(the_backends_table_is_the_one_of_the_schema)                                                 \
    T(no_step_leads_out_of_the_refused_state)                                                      \
    T(no_value_of_the_frontends_node_is_refused)                                                   \
    T(the_toolstack_and_death_are_heard_in_every_state)                                            \
    T(every_way_out_of_serving_ends_the_session)                                                   \
    T(only_an_attach_leads_into_serving)                                                           \
    T(a_frontend_that_was_disowned_has_to_begin_anew)                                              \
    T(values_of_the_frontends_node_mean_events)                                                    \
    T(a_daemon_that_starts_takes_up_what_the_nodes_say)                                            \
    T(the_frontends_table_is_the_one_of_the_schema)                                                \
    T(both_ends_attach_and_close_and_attach_again)                                                 \
    T(a_new_process_takes_over_from_a_dead_one)                                                    \
    T(a_restarted_daemon_serves_again_without_the_frontends_help)                                  \
    T(a_daemon_may_restart_at_any_point_of_a_handshake)                                            \
    T(a_disowned_frontend_learns_it_and_may_come_back)                                             \
    T(a_guest_that_was_resumed_under_new_nodes_attaches_again)
RUN_TESTS(TESTS)
