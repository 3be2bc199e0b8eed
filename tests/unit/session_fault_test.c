/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory, descriptors and threads run out, one call after the other, while a
 * daemon is made and while a client attaches: it says no, leaves nothing
 * behind, and the next who asks is served.
 */
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/transport/local/local.h"
#include "tests/lib/fault.h"
#include "tests/lib/peer.h"
#include "tests/lib/runner.h"

#define PATIENCE_MS 10000
#define MOST_FAULTS 1000u

/* What main.c builds, without its loop. */
struct world {
    char path[96];
    struct log log;
    int log_fd;
    struct store *store;
    struct engine *engine;
    struct policy_book *policy;
    struct control *control;
    struct session_table *sessions;
    struct event_base *base;
    struct local_transport *local;
};

static bool build_sessions(struct world *w)
{
    const struct session_config config = {.engine = w->engine,
                                          .store = w->store,
                                          .log = &w->log,
                                          .nr_workers = 2,
                                          .control = &control_functions,
                                          .control_arg = w->control};
    struct control_sessions bound = {.pause = sessions_pause, .resume = sessions_resume};
    const char *why = NULL;

    if (!sessions_create(&config, &w->sessions, &why)) {
        CU_ASSERT_PTR_NOT_NULL(why);
        return false;
    }
    bound.table = w->sessions;
    control_bind(w->control, &bound);
    return true;
}

static bool build_local(struct world *w)
{
    const struct local_config config = {.base = w->base,
                                        .sessions = w->sessions,
                                        .log = &w->log,
                                        .path = w->path,
                                        .mode = 0600,
                                        .epoch = 1};
    const char *why = NULL;

    w->local = local_transport_start(&config, &why);
    CU_ASSERT(w->local || why != NULL);
    return w->local != NULL;
}

/* False: something was refused; what there is, is in @w. */
static bool build(struct world *w)
{
    static const struct policy policy = {
        .quota_pages = 100, .max_pages = 100, .weight = POLICY_WEIGHT_DEFAULT};
    const struct store_config store_config = {.nr_frames = 1024, .nr_filled = 64};
    const struct engine_config engine_config = {.nr_workers = 2, .nr_shards = 2};
    const char *tmp = getenv("TMPDIR"), *why;
    struct control_config config;

    *w = (struct world){0};
    snprintf(w->path, sizeof(w->path), "%.60s/fault.%d", tmp ? tmp : "/tmp", (int)getpid());
    w->log_fd = dup(STDERR_FILENO);
    log_init(&w->log, w->log_fd, LOG_LEVEL_ERROR);
    if (!store_create(&store_config, &w->store, &why))
        return false;
    w->engine = engine_create(w->store, &engine_config);
    if (!w->engine)
        return false;
    w->policy = policy_create(w->engine, &policy);
    if (!w->policy)
        return false;
    config = (struct control_config){
        .engine = w->engine, .store = w->store, .policy = w->policy, .log = &w->log};
    w->control = control_create(&config);
    if (!w->control || !build_sessions(w))
        return false;
    w->base = event_base_new();
    return w->base && build_local(w);
}

static void take_down(struct world *w)
{
    local_transport_stop(w->local);
    if (w->base)
        event_base_free(w->base);
    if (w->sessions)
        sessions_destroy(w->sessions);
    if (w->engine)
        CU_ASSERT_PTR_NULL(engine_check(w->engine));
    if (w->control)
        control_destroy(w->control);
    if (w->policy)
        policy_destroy(w->policy);
    engine_destroy(w->engine);
    store_close(w->store);
    close(w->log_fd);
}

/* The control thread's loop, until the client's @fd is readable, or for a while. */
static bool run_until_readable(struct world *w, int fd)
{
    for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        event_base_loop(w->base, EVLOOP_NONBLOCK);
        sessions_run(w->sessions);
        if (poll(&pfd, 1, 1) == 1)
            return true;
    }
    return false;
}

/* Attach; the first @nth call of the daemon is refused if it is not 0. A client's status, or -1. */
static int attach(struct world *w, struct peer *p, uint64_t nth, bool on, bool *refused_out)
{
    p->socket = peer_connect(w->path);
    CU_ASSERT_FATAL(p->socket >= 0);
    CU_ASSERT_TRUE_FATAL(peer_send(p->socket, &p->hello, sizeof(p->hello), &p->memfd, 1));
    if (nth > 0)
        fault_arm(nth, on);
    for (unsigned i = 0; i < 4; i++) {
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        sessions_run(w->sessions);
    }
    *refused_out = fault_disarm();
    CU_ASSERT_TRUE_FATAL(run_until_readable(w, p->socket));
    return peer_receive_welcome(p);
}

/* The client goes, and the daemon has time to see it. */
static void detach(struct world *w, struct peer *p, const struct fault_held *held)
{
    peer_leave(p);
    peer_fini(p);
    for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        sessions_run(w->sessions);
        if (fault_held().pieces <= held->pieces && fault_held().fds <= held->fds)
            break;
        usleep(1000);
    }
    CU_ASSERT_FATAL(fault_nothing_leaked(held));
}

static void use(struct peer *p)
{
    int pool = peer_create_pool(p, TMEMIF_POOL_PERSISTENT);
    struct tmemif_request reset = peer_request(TMEMIF_OP_RESET, 0);
    struct tmemif_response rsp;

    CU_ASSERT_TRUE_FATAL(pool >= 0);
    CU_ASSERT_EQUAL(peer_put(p, (uint32_t)pool, 1, 2, 3), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_get(p, (uint32_t)pool, 1, 2, 3), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_call(p, 0, &reset, &rsp), TMEMIF_OK);
}

static void daemon_that_cannot_be_made_leaves_nothing(void)
{
    for (unsigned on = 0; on < 2; on++) {
        const struct fault_held before = fault_held();
        uint64_t nth = 0;
        bool refused;

        do {
            struct world w;
            bool built;

            fault_arm(++nth, on);
            built = build(&w);
            refused = fault_disarm();
            CU_ASSERT(built || refused);
            take_down(&w);
            CU_ASSERT(fault_nothing_leaked(&before));
        } while (refused && nth < MOST_FAULTS);
        CU_ASSERT(nth > 60 && nth < MOST_FAULTS);
    }
}

static void client_that_cannot_be_served_is_refused_and_the_next_is_served(void)
{
    struct fault_held held;
    unsigned nr_refused = 0;
    struct world w;
    struct peer p;
    bool refused;

    CU_ASSERT_TRUE_FATAL(build(&w));
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 2, 0, 8));
    /* the first makes what stays: an index's first items */
    CU_ASSERT_EQUAL_FATAL(attach(&w, &p, 0, false, &refused), TMEMIF_OK);
    use(&p);
    peer_leave(&p);
    peer_fini(&p);
    for (unsigned i = 0; i < 100; i++) {
        event_base_loop(w.base, EVLOOP_NONBLOCK);
        sessions_run(w.sessions);
        usleep(1000);
    }
    held = fault_held();

    for (unsigned on = 0; on < 2; on++) {
        uint64_t nth = 0;

        do {
            struct peer q;
            int status;

            CU_ASSERT_TRUE_FATAL(peer_init(&q, 0, 2, 0, 8));
            status = attach(&w, &q, ++nth, on, &refused);
            CU_ASSERT(status == TMEMIF_OK || refused);
            nr_refused += status != TMEMIF_OK;
            if (status == TMEMIF_OK)
                use(&q);
            detach(&w, &q, &held);

            CU_ASSERT_TRUE_FATAL(peer_init(&q, 0, 2, 0, 8));
            CU_ASSERT_EQUAL_FATAL(attach(&w, &q, 0, false, &(bool){0}), TMEMIF_OK);
            use(&q);
            detach(&w, &q, &held);
        } while (refused && nth < MOST_FAULTS);
        CU_ASSERT(nth > 10 && nth < MOST_FAULTS);
    }
    CU_ASSERT(nr_refused > 20);
    take_down(&w);
}

/* Its end of the socket takes nothing any more, though the socket has not ended. */
static void client_that_cannot_be_welcomed_is_detached(void)
{
    struct session_stats stats;
    uint32_t cursor = 0;
    bool refused;
    struct world w;
    struct peer p;

    CU_ASSERT_TRUE_FATAL(build(&w));
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 2, 0, 8));
    p.socket = peer_connect(w.path);
    CU_ASSERT_FATAL(p.socket >= 0);
    CU_ASSERT_EQUAL(shutdown(p.socket, SHUT_RD), 0);
    CU_ASSERT_TRUE_FATAL(peer_send(p.socket, &p.hello, sizeof(p.hello), &p.memfd, 1));
    for (unsigned i = 0; i < 4; i++) {
        event_base_loop(w.base, EVLOOP_NONBLOCK);
        sessions_run(w.sessions);
    }
    CU_ASSERT_FALSE(sessions_next(w.sessions, &cursor, &stats));
    CU_ASSERT_NOT_EQUAL(p.rings[0].view.shared->back_epoch, 0); /* it had been attached */
    peer_fini(&p);

    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 2, 0, 8));
    CU_ASSERT_EQUAL_FATAL(attach(&w, &p, 0, false, &refused), TMEMIF_OK);
    use(&p);
    peer_fini(&p);
    take_down(&w);
}

/* As after a restart: what the store and the engine hold is there, and nobody is attached. */
static void restart(struct world *w, struct peer *p)
{
    local_transport_stop(w->local);
    sessions_destroy(w->sessions);
    CU_ASSERT_TRUE_FATAL(build_sessions(w));
    CU_ASSERT_TRUE_FATAL(build_local(w));
    peer_drop(p);
}

static void client_that_comes_back_and_cannot_be_served_loses_nothing(void)
{
    unsigned nr_failed = 0;
    uint64_t nth = 0;
    bool refused;
    struct world w;
    struct peer p;
    int pool;

    CU_ASSERT_TRUE_FATAL(build(&w));
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 2, 0, 8));
    CU_ASSERT_EQUAL_FATAL(attach(&w, &p, 0, false, &refused), TMEMIF_OK);
    pool = peer_create_pool(&p, TMEMIF_POOL_PERSISTENT);
    CU_ASSERT_FATAL(pool >= 0);
    CU_ASSERT_EQUAL(peer_put(&p, (uint32_t)pool, 1, 2, 3), TMEMIF_OK);
    do {
        restart(&w, &p);
        if (attach(&w, &p, ++nth, false, &refused) != TMEMIF_OK) {
            CU_ASSERT_TRUE(refused);
            nr_failed++;
            peer_drop(&p);
            CU_ASSERT_EQUAL_FATAL(attach(&w, &p, 0, false, &(bool){0}), TMEMIF_OK);
        }
        CU_ASSERT_EQUAL(peer_get(&p, (uint32_t)pool, 1, 2, 3), TMEMIF_OK);
    } while (refused && nth < MOST_FAULTS);
    CU_ASSERT(nr_failed > 10 && nth < MOST_FAULTS);
    peer_leave(&p);
    peer_fini(&p);
    take_down(&w);
}

#define TESTS(T)                                                                                   \
    T(daemon_that_cannot_be_made_leaves_nothing)                                                   \
    T(client_that_cannot_be_served_is_refused_and_the_next_is_served)                              \
    T(client_that_cannot_be_welcomed_is_detached)                                                  \
    T(client_that_comes_back_and_cannot_be_served_loses_nothing)

static void ignore(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

int main(int argc, char **argv)
{
    static const struct named_test tests[] = {TESTS(RUNNER_ENTRY){0}};

    /* what the event library takes may run out, too, and what it says of it is not of interest */
    event_set_log_callback(ignore);
    event_set_mem_functions(malloc, realloc, free);
    return run_tests(__FILE__, tests, argc, argv);
}
