/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/node.h"
#include "daemon/util/clock.h"

#define PACE_BURST     8u
#define PACE_PERIOD_MS 1000u
/* When to look again at what has to wait. */
#define LOOK_WAIT_MS 200u
/* While a debt cannot be paid that doubles so often: other news waits for that look, too. */
#define MOST_DOUBLED 2u
/* When to look at what cannot be watched. */
#define UNWATCHED_MS 1000u
/* How often to try a transaction that others have been faster than. */
#define MAX_TRIES 8u

bool backend_init(struct backend *b, const struct backend_kind *kind, struct platform *platform,
                  struct log *log, const struct schema_place *place)
{
    *b = (struct backend){.kind = kind,
                          .platform = platform,
                          .log = log,
                          .place = *place,
                          .touched = true,
                          .is_new = true};
    schema_path(b->front_state_path, place, kind->front_state, 0);
    b->published = XENBUS_UNKNOWN;
    return node_read_state(platform, place, kind->state, &b->published) || errno == ENOENT;
}

void backend_fini(struct backend *b)
{
    if (b->is_watched)
        b->platform->ops->unwatch(b->platform, b->front_state_path);
    b->is_watched = false;
}

/* ---- our nodes ---- */

/* xenstored refuses a domU more nodes or bytes than its quota. ESTALE: there is nothing wrong. */
static void log_refusal(struct backend *b)
{
    if (errno == ESTALE)
        return;
    log_limited(b->log, &b->log_limit, LOG_LEVEL_ERROR, "xenstore",
                "dom=%u %s=%u why=\"a node cannot be written: %s\" "
                "hint=\"xenstore-control quota\"",
                b->place.guest, b->kind->name, b->place.device, strerror(errno));
}

bool backend_is_as_seen(struct backend *b)
{
    uint32_t own_state;

    if (!node_read_state(b->platform, &b->place, b->kind->state, &own_state)) {
        errno = errno == ENOENT ? ESTALE : errno;
        return false;
    }
    errno = ESTALE;
    return own_state != XENBUS_INITIALISING || b->published == XENBUS_INITIALISING;
}

/*
 * What @write writes is written at once, and only if the nodes are those that were last seen: the
 * toolstack may have written them anew since. False: nothing was written, errno is ESTALE for that.
 */
static bool write_at_once(struct backend *b, bool (*write)(struct backend *b, const void *arg),
                          const void *arg)
{
    const struct platform_ops *ops = b->platform->ops;
    int error = EAGAIN;

    for (unsigned i = 0; i < MAX_TRIES && error == EAGAIN; i++) {
        bool ok;

        if (!ops->begin(b->platform))
            break; /* tried again later */
        b->in_transaction = true;
        ok = backend_is_as_seen(b) && write(b, arg);
        error = errno;
        b->in_transaction = false;
        if (!ok) {
            ops->end(b->platform, false);
            break;
        }
        /* nodes that are new count when they are committed: it may be this that is refused */
        if (ops->end(b->platform, true))
            return true;
        error = errno;
    }
    errno = error;
    return false;
}

struct text {
    enum schema_node node;
    const char *value;
};

static bool write_text(struct backend *b, const void *arg)
{
    const struct text *text = arg;

    return node_write(b->platform, &b->place, text->node, text->value);
}

static bool publish(struct backend *b, enum schema_node node, const char *value)
{
    const struct text text = {node, value};

    return b->in_transaction ? write_text(b, &text) : write_at_once(b, write_text, &text);
}

void backend_publish(struct backend *b, enum schema_node node, const char *text)
{
    if (publish(b, node, text))
        return;
    if (errno != ESTALE)
        b->refused = errno;
    log_refusal(b);
}

void backend_publish_number(struct backend *b, enum schema_node node, uint64_t number)
{
    char text[SCHEMA_NUMBER_LEN];

    schema_format_number(text, number);
    backend_publish(b, node, text);
}

struct statement {
    bool (*write)(struct backend *b);
    enum schema_xenbus state;
    bool *declined;
};

static bool write_statement(struct backend *b, const void *arg)
{
    const struct statement *s = arg;

    b->refused = 0; /* in a try before */
    *s->declined = s->write && !s->write(b);
    return !*s->declined && node_write_number(b->platform, &b->place, b->kind->state, s->state);
}

/* Of xenstored, that does not pass by itself. */
static bool is_limit(int error)
{
    return error == ENOSPC || error == E2BIG || error == EACCES || error == EPERM;
}

static bool publish_state(struct backend *b, bool (*write)(struct backend *b),
                          enum schema_xenbus state, bool owes_refused)
{
    bool declined = false;
    const struct statement statement = {write, state, &declined};
    bool ok;

    b->refused = 0;
    ok = write_at_once(b, write_statement, &statement);
    b->owed_errno = b->refused ? b->refused : errno;
    if (!ok && !declined) {
        b->refused = is_limit(errno) ? errno : 0;
        log_refusal(b);
    } else if (declined && b->refused && !is_limit(b->refused)) {
        b->refused = 0; /* it passes by itself, as what is met at the end */
        declined = false;
    }
    b->is_renewed = declined && !owes_refused;
    if (b->is_renewed)
        return false;
    if (ok && b->refusal_told)
        backend_say_error(b, NULL);
    b->state_owed = !ok && (owes_refused || !b->refused);
    if (ok || b->state_owed) {
        b->published = state;
        b->owed_with = ok ? NULL : write;
    }
    return ok;
}

bool backend_publish_state_with(struct backend *b, bool (*write)(struct backend *b),
                                enum schema_xenbus state)
{
    return publish_state(b, write, state, false);
}

bool backend_owe_state_with(struct backend *b, bool (*write)(struct backend *b),
                            enum schema_xenbus state)
{
    return publish_state(b, write, state, true);
}

bool backend_repeat_state_with(struct backend *b, bool (*write)(struct backend *b))
{
    bool ok;

    if (b->state_owed)
        return false;
    ok = publish_state(b, write, (enum schema_xenbus)b->published, false);
    b->state_owed = false;
    b->owed_with = NULL;
    return ok;
}

void backend_owe_state(struct backend *b, enum schema_xenbus state)
{
    (void)backend_owe_state_with(b, NULL, state);
}

static bool write_error(struct backend *b, const void *arg)
{
    (void)arg;
    if (b->error[0])
        return node_write(b->platform, &b->place, b->kind->error, b->error);
    return node_remove(b->platform, &b->place, b->kind->error) || errno == ENOENT;
}

/* Nodes that are new are not those that it is about. */
static void pay_error(struct backend *b)
{
    bool ok = b->in_transaction ? write_error(b, NULL) : write_at_once(b, write_error, NULL);

    b->error_owed = !ok && errno != ESTALE;
    if (!ok)
        log_refusal(b);
}

void backend_say_error(struct backend *b, const char *why)
{
    b->refusal_told = false;
    snprintf(b->error, sizeof(b->error), "%s", why ? why : "");
    pay_error(b);
}

void backend_publish_error(struct backend *b, const char *why)
{
    backend_say_error(b, why);
    log_limited(b->log, &b->log_limit, LOG_LEVEL_NOTICE, "refused", "dom=%u %s=%u why=\"%s\"",
                b->place.guest, b->kind->name, b->place.device, why);
}

void backend_publish_refusal(struct backend *b, const char *why)
{
    backend_publish_error(b, why);
    b->refusal_told = true;
}

void backend_remove(struct backend *b, enum schema_node node)
{
    node_remove(b->platform, &b->place, node);
}

/* False: it is not to be removed, or xenstore does not say. ENOENT: there is none. */
static bool remove_folder(struct backend *b)
{
    char folder[SCHEMA_PATH_LEN];
    uint32_t own_state, front_state;
    bool gone = true;

    if (!node_read_state(b->platform, &b->place, b->kind->state, &own_state))
        return false;
    errno = ESTALE;
    if (own_state != b->published)
        return false;
    /* who has removed it before we wrote anything may have begun it anew with the same state */
    if (own_state == XENBUS_INITIALISING && !backend_read_front(b, &front_state, &gone))
        return false;
    if (!gone) {
        b->published = XENBUS_CLOSED; /* so that its 1 is seen as what it is */
        b->touched = true;
        errno = ESTALE;
        return false;
    }
    schema_folder(folder, &b->place, b->kind->folder);
    b->platform->ops->remove(b->platform, folder);
    return true;
}

/*
 * Only what says what we have said last: who has removed it may have begun it anew, and a state
 * that we owe has to be seen before.
 */
void backend_remove_folder(struct backend *b)
{
    const struct platform_ops *ops = b->platform->ops;

    for (unsigned i = 0; i < MAX_TRIES && ops->begin(b->platform); i++) {
        bool ok = remove_folder(b);
        bool none = !ok && errno == ENOENT;

        if (ops->end(b->platform, ok) && ok)
            none = true;
        if (none)
            b->published = XENBUS_UNKNOWN;
        if (none || !ok)
            return;
        if (errno != EAGAIN)
            break;
    }
    backend_look_again(b, clock_now_ms());
}

/* ---- looking ---- */

void backend_watch(struct backend *b)
{
    if (b->is_watched)
        return;
    b->is_watched = b->platform->ops->watch(b->platform, b->front_state_path);
    if (!b->is_watched && !b->unwatched_told)
        log_limited(b->log, &b->log_limit, LOG_LEVEL_ERROR, "xenstore",
                    "dom=%u %s=%u why=\"the frontend cannot be watched: %s\" "
                    "hint=\"xenstore-control quota\"",
                    b->place.guest, b->kind->name, b->place.device, strerror(errno));
    b->unwatched_told = !b->is_watched;
}

void backend_look_again(struct backend *b, uint64_t now_ms)
{
    b->touched = true;
    b->not_before_ms = now_ms + LOOK_WAIT_MS;
}

/* Of a state that ends something the reason is there already, and says more. */
static void tell_debt(struct backend *b)
{
    char why[SCHEMA_REASON_LEN];

    if (b->published == XENBUS_CLOSING || b->published == XENBUS_CLOSED)
        return;
    snprintf(why, sizeof(why), "a node cannot be written: %s", strerror(b->owed_errno));
    backend_publish_refusal(b, why);
}

/* A limit of xenstored may be in the way for as long as nobody raises it. */
bool backend_look_for_debts(struct backend *b, uint64_t now_ms)
{
    if (!b->state_owed && !b->error_owed) {
        b->nr_unpaid = 0;
        return false;
    }
    if (b->state_owed && b->nr_unpaid == MOST_DOUBLED && !b->refusal_told)
        tell_debt(b);
    b->touched = true;
    b->not_before_ms = now_ms + ((uint64_t)LOOK_WAIT_MS << b->nr_unpaid);
    if (b->nr_unpaid < MOST_DOUBLED)
        b->nr_unpaid++;
    return true;
}

void backend_look_unwatched(struct backend *b, uint64_t now_ms)
{
    if (b->is_watched || b->touched)
        return;
    b->touched = true;
    b->not_before_ms = now_ms + UNWATCHED_MS;
}

bool backend_may_attach(struct backend *b, uint64_t now_ms)
{
    return pace_take(&b->attaches, now_ms, PACE_BURST, PACE_PERIOD_MS);
}

bool backend_may_offer(struct backend *b, uint64_t now_ms)
{
    return pace_take(&b->offers, now_ms, PACE_BURST, PACE_PERIOD_MS);
}

/*
 * The state 5 says nothing: that may be our own, left by a daemon that was killed before it wrote
 * 6. False: xenstore does not say.
 */
static bool read_offline(struct backend *b, bool *offline_out)
{
    uint64_t online = 1;
    char path[SCHEMA_PATH_LEN];
    enum node_result result;

    schema_path(path, &b->place, b->kind->online, 0);
    result = node_read_number(b->platform, path, b->kind->online, &online);
    *offline_out = online == 0;
    return result != NODE_UNKNOWN;
}

/*
 * It has ended, which may have been without a word: a guest that is gone has nobody to read one.
 * But who detaches it waits for 6, and what somebody else has written keeps the folder from being
 * removed.
 */
static void close_for_good(struct backend *b, uint32_t own_state, bool offline)
{
    b->error_owed = false;
    if (b->state_owed || own_state != (offline ? XENBUS_CLOSED : b->published))
        backend_owe_state(b, XENBUS_CLOSED);
}

/* It may be waited for. The state alone says nothing of what was to be written with it. */
static void pay(struct backend *b, uint32_t own_state, bool offline)
{
    if (b->error_owed)
        pay_error(b);
    if (!offline && (b->state_owed || own_state != b->published))
        (void)backend_owe_state_with(b, b->owed_with, b->published);
}

enum backend_news backend_look(struct backend *b, bool ended)
{
    uint32_t own_state;
    bool offline;

    if (!node_read_state(b->platform, &b->place, b->kind->state, &own_state))
        return errno == ENOENT ? BACKEND_GONE : BACKEND_UNKNOWN;
    b->is_renewed =
        own_state == XENBUS_INITIALISING && (b->is_renewed || b->published != XENBUS_INITIALISING);
    if (b->is_renewed) {
        b->published = XENBUS_INITIALISING;
        b->error_owed = false;
        return BACKEND_RENEWED;
    }
    if (!read_offline(b, &offline))
        return BACKEND_UNKNOWN;
    if (ended)
        close_for_good(b, own_state, offline);
    else
        pay(b, own_state, offline);
    return offline ? BACKEND_OFFLINE : BACKEND_ONLINE;
}

bool backend_read_front(struct backend *b, uint32_t *state_out, bool *gone_out)
{
    size_t len;
    char *link;

    *gone_out = false;
    if (node_read_state(b->platform, &b->place, b->kind->front_state, state_out))
        return true;
    if (!node_is_hidden(errno))
        return false;
    /* the state alone may be missing for a moment; without its link to us the whole folder is */
    *state_out = XENBUS_UNKNOWN;
    link = node_read(b->platform, &b->place, b->kind->front_backend, 0, &len);
    if (!link && !node_is_hidden(errno))
        return false;
    *gone_out = !link;
    free(link);
    return true;
}

static const char *read_next(void *arg, enum schema_node node, uint32_t number, size_t *len_out)
{
    struct backend_reader *r = arg;

    free(r->last);
    r->last = node_read(r->backend->platform, &r->backend->place, node, number, len_out);
    if (!r->last && !node_is_hidden(errno))
        r->is_unsure = true;
    return r->last;
}

void backend_reader_begin(struct backend_reader *r, struct backend *b)
{
    *r = (struct backend_reader){.reader = {read_next, r}, .backend = b};
}

enum backend_read backend_reader_end(struct backend_reader *r, bool ok,
                                     const struct schema_error *error,
                                     char why_out[SCHEMA_REASON_LEN])
{
    free(r->last);
    if (r->is_unsure)
        return BACKEND_READ_UNSURE;
    if (ok)
        return BACKEND_READ;
    schema_error_text(why_out, error);
    return BACKEND_READ_BAD;
}
