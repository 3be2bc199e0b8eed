/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/session/open.h"
#include "daemon/session/record.h"
#include "daemon/session/session.h"
#include "daemon/session/worker.h"
#include "daemon/util/bug.h"
#include "daemon/util/clock.h"

/* How often back_beat changes at the least while somebody is attached. */
#define BACK_BEAT_MS 1000

/* Guests share their log limits by id; a hostile one can hide the lines of a few others. */
#define NR_LOG_LIMITS 64u

struct session_table {
    struct session_config config;
    struct log_limit log_limits[NR_LOG_LIMITS];
    struct session *sessions;
    struct attention attention;
    unsigned nr_workers;
    struct worker *workers[];
};

static struct session *find_by_key(struct session_table *t, const struct account_key *key)
{
    for (struct session *s = t->sessions; s; s = s->next) {
        if (account_key_is(&s->link->peer, key))
            return s;
    }
    return NULL;
}

/* A peer in a line of the log. */
struct peer_name {
    char text[48];
};

static struct peer_name name_of(const struct account_key *key)
{
    const char *kind = key->kind == ACCOUNT_XEN ? "dom" : "uid";
    struct peer_name name;

    if (key->device == SESSION_NO_ACCOUNT)
        snprintf(name.text, sizeof(name.text), "%s=%u operator", kind, key->id);
    else
        snprintf(name.text, sizeof(name.text), "%s=%u device=%u", kind, key->id, key->device);
    return name;
}

/* Peers come and go as they like: what that makes of lines is limited. */
static struct log_limit *limit_of(struct session_table *t, const struct account_key *key)
{
    return &t->log_limits[key->id % NR_LOG_LIMITS];
}

/* ---- beginning and ending a session ---- */

static void unlink_session(struct session_table *t, struct session *gone)
{
    for (struct session **at = &t->sessions; *at; at = &(*at)->next) {
        if (*at == gone) {
            *at = gone->next;
            return;
        }
    }
    bug("a session is not on its table's list");
}

static struct worker *least_busy(struct session_table *t)
{
    struct worker *best = t->workers[0];

    for (unsigned i = 1; i < t->nr_workers; i++) {
        if (worker_nr_rings(t->workers[i]) < worker_nr_rings(best))
            best = t->workers[i];
    }
    return best;
}

static void stop_rings(struct session *s)
{
    for (unsigned i = 0; i < s->nr_rings; i++) {
        if (s->rings[i].ring.attached)
            worker_detach(s->rings[i].ring.worker, &s->rings[i].ring);
    }
}

static bool start_rings(struct session_table *t, struct session *s)
{
    for (unsigned i = 0; i < s->nr_rings; i++) {
        if (!worker_attach(least_busy(t), &s->rings[i].ring)) {
            stop_rings(s);
            return false;
        }
    }
    return true;
}

/* From when on workers wait for a look at the heartbeats. */
static void set_fence_deadline(struct session_table *t)
{
    uint64_t by_ms = HEARTBEAT_NEVER;

    for (struct session *s = t->sessions; s; s = s->next) {
        uint64_t deadline_ms = heartbeat_deadline_ms(&s->heartbeat);

        if (deadline_ms < by_ms)
            by_ms = deadline_ms;
    }
    atomic_store_explicit(&t->attention.fence_by_ms, by_ms, memory_order_release);
}

/* ---- accounts that hold nothing ---- */

static void close_account(struct session_table *t, account_nr account)
{
    record_close_all(t->config.store, account);
    engine_account_close(t->config.engine, account);
    /* its pages are to be reclaimed even if nobody sends a request */
    for (unsigned i = 0; i < t->nr_workers; i++)
        worker_kick(t->workers[i]);
}

/*
 * A local user makes attachments at will, so an account that holds nothing is
 * not kept. A frozen one is: it would come back thawed.
 */
static void tidy_account(struct session_table *t, account_nr account)
{
    struct account_stats stats;

    if (account == LAYOUT_NONE || !engine_account_stats(t->config.engine, account, &stats))
        return;
    if (stats.key.kind == ACCOUNT_LOCAL && !stats.frozen &&
        engine_account_pools(t->config.engine, account) == 0)
        close_account(t, account);
}

/* A client that was there before a restart, and did not come back, leaves such an account. */
static void tidy_accounts(struct session_table *t)
{
    struct account_key key;
    account_nr account;
    uint32_t cursor = 0;

    while (engine_account_next(t->config.engine, &cursor, &account, &key)) {
        if (!find_by_key(t, &key))
            tidy_account(t, account);
    }
}

static enum tmemif_status open_session(struct session_table *t, struct link *link,
                                       struct session **session_out, const char **why_out)
{
    enum tmemif_status rc = session_open(&t->config, &t->attention, link, session_out, why_out);

    if (rc != TMEMIF_TOO_MANY)
        return rc;
    tidy_accounts(t);
    return session_open(&t->config, &t->attention, link, session_out, why_out);
}

enum tmemif_status sessions_attach(struct session_table *t, struct link *link, const char **why_out)
{
    enum tmemif_status rc;
    struct session *s;

    if (link->peer.device != SESSION_NO_ACCOUNT && find_by_key(t, &link->peer)) {
        *why_out = "the attachment is in use by another process";
        return TMEMIF_BUSY;
    }
    rc = open_session(t, link, &s, why_out);
    if (rc)
        return rc;
    s->next = t->sessions;
    t->sessions = s;
    set_fence_deadline(t); /* before a first get is served */
    if (!start_rings(t, s)) {
        unlink_session(t, s);
        session_abandon(s);
        *why_out = "out of memory or descriptors";
        return TMEMIF_TOO_MANY;
    }

    attention_ask(&t->attention); /* its heartbeat is to be looked at in time */
    /* a frontend that slept while the manager was away looks at its rings again */
    for (unsigned i = 0; link->resume && i < s->nr_rings; i++)
        link->ops->notify(link, i);
    log_limited(t->config.log, limit_of(t, &link->peer), LOG_LEVEL_INFO, "attach",
                "%s rings=%u data=%lluK%s%s", name_of(&link->peer).text, link->nr_rings,
                (unsigned long long)link->data_bytes / 1024, link->privileged ? " privileged" : "",
                link->resume ? " resumed" : "");
    return TMEMIF_OK;
}

static void fence(struct session_table *t, struct session *s, const char *why)
{
    if (s->account == LAYOUT_NONE)
        return;
    engine_account_fence(t->config.engine, s->account);
    log_limited(t->config.log, limit_of(t, &s->link->peer), LOG_LEVEL_NOTICE, "fence",
                "%s why=\"%s\"", name_of(&s->link->peer).text, why);
}

static void end_session(struct session_table *t, struct session *s, enum session_end end,
                        const char *why)
{
    account_nr account = s->account;

    log_limited(t->config.log, limit_of(t, &s->link->peer),
                end == SESSION_LOST ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO, "detach", "%s why=\"%s\"",
                name_of(&s->link->peer).text, why);
    unlink_session(t, s);
    stop_rings(s);
    if (end == SESSION_LOST)
        fence(t, s, why);
    t->config.control->session_ended(t->config.control_arg, s);
    /* nothing is under way any more: whoever attaches next begins anew */
    for (unsigned i = 0; end != SESSION_KEPT && i < s->nr_rings; i++)
        record_close(s->rings[i].record);
    s->link->ops->close(s->link);
    session_free(s);
    if (end != SESSION_KEPT)
        tidy_account(t, account);
}

void sessions_detach(struct session_table *t, struct link *link, enum session_end end,
                     const char *why)
{
    for (struct session *s = t->sessions; s; s = s->next) {
        if (s->link == link) {
            end_session(t, s, end, why);
            return;
        }
    }
    bug("a link was detached that is not attached");
}

void sessions_forget(struct session_table *t, const struct account_key *key)
{
    struct session *s = find_by_key(t, key);
    struct account_key found;
    account_nr account;
    uint32_t cursor = 0;

    if (s)
        end_session(t, s, SESSION_LOST, "the guest is gone");
    while (engine_account_next(t->config.engine, &cursor, &account, &found)) {
        if (!account_key_is(&found, key))
            continue;
        close_account(t, account);
        log_event(t->config.log, LOG_LEVEL_INFO, "forget", "%s", name_of(key).text);
        return;
    }
}

bool sessions_serve(struct session_table *t, struct worker_ring *r)
{
    return worker_attach(least_busy(t), r);
}

void sessions_leave(struct session_table *t, struct worker_ring *r)
{
    (void)t;
    worker_detach(r->worker, r);
}

void sessions_pause(struct session_table *t)
{
    for (unsigned i = 0; i < t->nr_workers; i++)
        worker_pause(t->workers[i]);
}

void sessions_resume(struct session_table *t)
{
    for (unsigned i = 0; i < t->nr_workers; i++)
        worker_resume(t->workers[i]);
}

/* ---- looking in ---- */

bool sessions_account_next(struct session_table *t, uint32_t *cursor, struct account_key *key_out)
{
    account_nr account;

    return engine_account_next(t->config.engine, cursor, &account, key_out);
}

static void look_in(const struct session *s, struct session_stats *stats_out)
{
    *stats_out = (struct session_stats){
        .peer = s->link->peer,
        .privileged = s->limits.privileged,
        .fenced = s->heartbeat.silent,
        .nr_rings = s->nr_rings,
        .data_bytes = s->limits.data_bytes,
    };
    for (unsigned i = 0; i < s->nr_rings; i++) {
        stats_out->requests +=
            atomic_load_explicit(&s->rings[i].ring.nr_requests, memory_order_relaxed);
        stats_out->notifies +=
            atomic_load_explicit(&s->rings[i].ring.nr_notifies, memory_order_relaxed);
    }
}

bool sessions_next(struct session_table *t, uint32_t *cursor, struct session_stats *stats_out)
{
    const struct session *s = t->sessions;

    for (uint32_t i = 0; s && i < *cursor; i++)
        s = s->next;
    if (!s)
        return false;
    (*cursor)++;
    look_in(s, stats_out);
    return true;
}

bool sessions_find(struct session_table *t, const struct account_key *key,
                   struct session_stats *stats_out)
{
    const struct session *s = find_by_key(t, key);

    if (s)
        look_in(s, stats_out);
    return s != NULL;
}

/* ---- the control thread's turn ---- */

int sessions_wait_fd(const struct session_table *t)
{
    return t->attention.fd;
}

static void answer_call(struct session_table *t, struct session *s, struct session_ring *r)
{
    const struct control_caller caller = {.key = &s->link->peer, .session = s};
    struct control_call *call = r->call;

    if (!call || atomic_load_explicit(&call->state, memory_order_acquire) != CALL_ASKED)
        return;
    call->status =
        t->config.control->handle(t->config.control_arg, &caller, call->message, call->message_len,
                                  call->reply, call->reply_cap, &call->reply_len);
    BUG_UNLESS(call->reply_len <= call->reply_cap);
    /* the worker sees the reply /before/ it sees that it is there */
    atomic_store_explicit(&call->state, CALL_ANSWERED, memory_order_release);
    worker_kick(r->ring.worker);
}

static void answer_calls(struct session_table *t)
{
    for (struct session *s = t->sessions; s; s = s->next) {
        for (unsigned i = 0; i < s->nr_rings; i++)
            answer_call(t, s, &s->rings[i]);
    }
}

static struct session *find_broken(struct session_table *t)
{
    for (struct session *s = t->sessions; s; s = s->next) {
        if (session_is_broken(s) && !s->failed)
            return s;
    }
    return NULL;
}

static void fail_broken(struct session_table *t)
{
    struct session *s;

    /* failing one may detach it, or others: begin anew each time */
    while ((s = find_broken(t)) != NULL) {
        s->failed = true;
        s->link->ops->fail(s->link, atomic_load(&s->broken));
    }
}

/* Returns when to look again, or -1. */
static int look_at_heartbeats(struct session_table *t)
{
    int wait_ms = t->sessions ? BACK_BEAT_MS : -1;

    for (struct session *s = t->sessions; s; s = s->next) {
        int period_ms = (int)heartbeat_period_ms(&s->heartbeat);

        if (heartbeat_look(&s->heartbeat, session_beat(s), clock_boot_ms()))
            fence(t, s, "silent for half its fence time");
        ring_publish(&s->rings[0].back.view.shared->back_beat, ++s->back_beat);
        if (period_ms > 0 && period_ms < wait_ms)
            wait_ms = period_ms;
    }
    set_fence_deadline(t);
    return wait_ms;
}

int sessions_run(struct session_table *t)
{
    uint64_t value;
    ssize_t r;

    /* cleared /before/ the look around, so that nothing asked later is missed */
    r = read(t->attention.fd, &value, sizeof(value));
    (void)r;
    fail_broken(t);
    answer_calls(t);
    return look_at_heartbeats(t);
}

/* ---- the table ---- */

static void table_free(struct session_table *t)
{
    for (unsigned i = 0; i < t->nr_workers; i++)
        worker_destroy(t->workers[i]);
    if (t->attention.fd >= 0)
        close(t->attention.fd);
    free(t);
}

/* Those that a restart found: their guests need not be here for their policy to hold. */
static void give_policies(struct session_table *t)
{
    struct account_key key;
    account_nr account;
    uint32_t cursor = 0;

    while (engine_account_next(t->config.engine, &cursor, &account, &key))
        t->config.control->account_opened(t->config.control_arg, account, &key);
}

bool sessions_create(const struct session_config *config, struct session_table **table_out,
                     const char **why_out)
{
    struct session_table *t;

    BUG_UNLESS(config->nr_workers >= 1);
    *why_out = "no memory, thread or descriptor for the workers";
    t = calloc(1, sizeof(*t) + config->nr_workers * sizeof(t->workers[0]));
    if (!t)
        return false;
    t->config = *config;
    t->nr_workers = config->nr_workers;
    atomic_init(&t->attention.fence_by_ms, HEARTBEAT_NEVER);
    t->attention.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (unsigned i = 0; t->attention.fd >= 0 && i < t->nr_workers; i++) {
        t->workers[i] = worker_create(config->engine, &t->attention, i, &config->polling);
        if (!t->workers[i]) {
            table_free(t);
            return false;
        }
    }
    if (t->attention.fd < 0) {
        table_free(t);
        return false;
    }
    give_policies(t);
    *table_out = t;
    return true;
}

void sessions_destroy(struct session_table *t)
{
    while (t->sessions)
        end_session(t, t->sessions, SESSION_KEPT, "stopping");
    table_free(t);
}
