/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/node.h"

#define PACE_BURST     8u
#define PACE_PERIOD_MS 1000u
/* When to look again at what has to wait. */
#define LOOK_WAIT_MS 200u
/* When to look at what cannot be watched. */
#define UNWATCHED_MS 1000u

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

/* xenstored refuses a domU more nodes or bytes than its quota. */
static void check_written(struct backend *b, bool ok)
{
    if (ok)
        return;
    b->refused = errno;
    log_limited(b->log, &b->log_limit, LOG_LEVEL_ERROR, "xenstore",
                "dom=%u %s=%u why=\"a node cannot be written: %s\" "
                "hint=\"xenstore-control quota\"",
                b->place.guest, b->kind->name, b->place.device, strerror(errno));
}

void backend_publish(struct backend *b, enum schema_node node, const char *text)
{
    check_written(b, node_write(b->platform, &b->place, node, text));
}

void backend_publish_number(struct backend *b, enum schema_node node, uint64_t number)
{
    check_written(b, node_write_number(b->platform, &b->place, node, number));
}

void backend_publish_state(struct backend *b, enum schema_xenbus state)
{
    b->published = state;
    b->state_owed = !node_write_number(b->platform, &b->place, b->kind->state, state);
    check_written(b, !b->state_owed);
}

void backend_publish_error(struct backend *b, const char *why)
{
    check_written(b, node_write(b->platform, &b->place, b->kind->error, why));
    log_limited(b->log, &b->log_limit, LOG_LEVEL_NOTICE, "refused", "dom=%u %s=%u why=\"%s\"",
                b->place.guest, b->kind->name, b->place.device, why);
}

void backend_remove(struct backend *b, enum schema_node node)
{
    node_remove(b->platform, &b->place, node);
}

/*
 * Only what says what we have said last: who has removed it may have begun it anew, and a state
 * that we owe has to be seen before.
 */
void backend_remove_folder(struct backend *b)
{
    char folder[SCHEMA_PATH_LEN];
    uint32_t own_state;

    if (node_read_state(b->platform, &b->place, b->kind->state, &own_state)) {
        if (own_state != b->published)
            return;
        schema_folder(folder, &b->place, b->kind->folder);
        b->platform->ops->remove(b->platform, folder);
    } else if (errno != ENOENT) {
        return;
    }
    b->published = XENBUS_UNKNOWN;
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

enum backend_news backend_look(struct backend *b, bool ended)
{
    uint32_t own_state;
    bool offline;

    if (!node_read_state(b->platform, &b->place, b->kind->state, &own_state))
        return errno == ENOENT ? BACKEND_GONE : BACKEND_UNKNOWN;
    if (own_state == XENBUS_INITIALISING && b->published != XENBUS_INITIALISING)
        return BACKEND_RENEWED;
    if (!read_offline(b, &offline))
        return BACKEND_UNKNOWN;
    if (own_state != b->published && (!offline || ended))
        backend_publish_state(b, b->published); /* a frontend may be waiting for it */
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
