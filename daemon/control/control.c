/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/control.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/blk/base.h"
#include "daemon/control/counters.h"
#include "daemon/control/describe.h"
#include "daemon/control/disk_commands.h"
#include "daemon/control/minimums.h"
#include "daemon/control/reply.h"
#include "daemon/util/bug.h"
#include "protocol/codec.h"
#include "protocol/control.h"

struct control {
    struct control_config daemon;
    struct control_sessions sessions;
};

/* ---- between the wire's words and ours ---- */

_Static_assert((int)ACCOUNT_XEN == (int)TMEMCTL_XEN && (int)ACCOUNT_LOCAL == (int)TMEMCTL_LOCAL,
               "kinds");
_Static_assert((int)RIGHT_READ == (int)TMEMCTL_RIGHT_READ &&
                   (int)RIGHT_FILL == (int)TMEMCTL_RIGHT_FILL,
               "rights");
_Static_assert(PAGES_UNLIMITED == TMEMCTL_UNLIMITED, "unlimited");
_Static_assert(POLICY_EVERY_DEVICE == TMEMCTL_EVERY_DEVICE, "every device");
_Static_assert(POLICY_QUOTA == TMEMCTL_SET_QUOTA && POLICY_MIN == TMEMCTL_SET_MIN &&
                   POLICY_MAX == TMEMCTL_SET_MAX && POLICY_WEIGHT == TMEMCTL_SET_WEIGHT,
               "fields");
_Static_assert((int)LOG_LEVEL_ERROR == (int)TMEMCTL_LOG_ERROR &&
                   (int)LOG_LEVEL_DEBUG == (int)TMEMCTL_LOG_DEBUG,
               "levels");
_Static_assert(CONTROL_MAX_MESSAGE >= TMEMCTL_MAX_MESSAGE && CONTROL_MAX_REPLY >= TMEMCTL_MAX_REPLY,
               "bounds");

static struct account_key key_of(const struct tmemctl_who *who)
{
    struct account_key key = {
        .kind = (enum account_kind)who->kind, .id = who->id, .device = who->device};

    memcpy(key.uuid, who->uuid, sizeof(key.uuid));
    return key;
}

static struct tmemctl_who who_of(const struct account_key *key)
{
    struct tmemctl_who who = {.kind = key->kind, .id = key->id, .device = key->device};

    memcpy(who.uuid, key->uuid, sizeof(who.uuid));
    return who;
}

static struct policy policy_of(const struct tmemctl_policy *p)
{
    return (struct policy){.quota_pages = p->quota_pages,
                           .min_pages = p->min_pages,
                           .max_pages = p->max_pages,
                           .weight = p->weight};
}

static struct tmemctl_policy wire_policy_of(const struct policy *p)
{
    return (struct tmemctl_policy){.quota_pages = p->quota_pages,
                                   .min_pages = p->min_pages,
                                   .max_pages = p->max_pages,
                                   .weight = p->weight};
}

/* ---- lists ---- */

static enum tmemif_status list_guests(struct control *c, const union tmemctl_message *m,
                                      struct reply *r)
{
    uint32_t cursor = (uint32_t)m->head.cursor;
    struct account_stats stats;
    struct session_stats session;
    struct account_key key;
    account_nr account;

    while (reply_has_room(r)) {
        struct tmemctl_guest *guest;

        if (!engine_account_next(c->daemon.engine, &cursor, &account, &key))
            return TMEMIF_OK;
        if (!account_is_guests(&key) || !engine_account_stats(c->daemon.engine, account, &stats))
            continue;
        guest = reply_add(r);
        guest->guest = who_of(&key);
        guest->policy = wire_policy_of(&stats.policy);
        guest->ephemeral_pages = stats.ephemeral_pages;
        guest->persistent_pages = stats.persistent_pages;
        guest->frozen = stats.frozen;
        if (!c->sessions.table || !sessions_find(c->sessions.table, &key, &session))
            continue;
        guest->attached = 1;
        guest->nr_rings = session.nr_rings;
        guest->fenced = session.fenced;
        guest->data_bytes = session.data_bytes;
        guest->requests = session.requests;
    }
    r->head->cursor = cursor;
    return TMEMIF_OK;
}

static enum tmemif_status list_pools(struct control *c, const union tmemctl_message *m,
                                     struct reply *r)
{
    uint32_t cursor = (uint32_t)m->head.cursor;
    struct pool_stats stats;

    while (reply_has_room(r)) {
        struct account_stats owner = {0};
        struct tmemctl_pool *pool;

        if (!engine_pool_next(c->daemon.engine, &cursor, &stats))
            return TMEMIF_OK;
        if (stats.account != LAYOUT_NONE &&
            !engine_account_stats(c->daemon.engine, stats.account, &owner))
            continue;
        if (owner.key.kind != 0 && !account_is_guests(&owner.key))
            continue;
        pool = reply_add(r);
        pool->owner = who_of(&owner.key);
        pool->pool_id = stats.pool_id;
        pool->nr_members = stats.nr_members;
        pool->policy = wire_policy_of(&stats.policy);
        pool->info = stats.info;
    }
    r->head->cursor = cursor;
    return TMEMIF_OK;
}

static enum tmemif_status list_members(struct control *c, const union tmemctl_message *m,
                                       struct reply *r)
{
    uint32_t cursor = (uint32_t)m->head.cursor;
    struct account_key key;
    enum pool_right right;
    bool joined;

    while (reply_has_room(r)) {
        struct tmemctl_member *member;

        if (!policy_member_next(c->daemon.policy, m->shared.uuid, &cursor, &key, &right, &joined))
            return TMEMIF_OK;
        if (!account_is_guests(&key))
            continue; /* a cache is its pool's own member */
        member = reply_add(r);
        member->guest = who_of(&key);
        member->right = right;
        member->joined = joined;
    }
    r->head->cursor = cursor;
    return TMEMIF_OK;
}

static void count(struct control *c, struct counters *to)
{
    struct session_stats session;
    struct account_key key;
    account_nr account;
    uint32_t cursor = 0;

    memset(to, 0, sizeof(*to));
    engine_metrics(c->daemon.engine, &to->engine);
    to->store = store_usage(c->daemon.store);
    to->control.minimum_pages = engine_reserve(c->daemon.engine).minimums;
    to->control.incarnation = store_super(c->daemon.store)->incarnation;
    while (engine_account_next(c->daemon.engine, &cursor, &account, &key))
        to->control.accounts += account_is_guests(&key);
    cursor = 0;
    while (c->sessions.table && sessions_next(c->sessions.table, &cursor, &session)) {
        to->control.sessions++;
        to->control.requests += session.requests;
        to->control.notifies += session.notifies;
    }
}

static enum tmemif_status stats(struct control *c, const union tmemctl_message *m, struct reply *r)
{
    struct counters counters;
    uint64_t number = m->head.cursor;

    count(c, &counters);
    while (number < counters_nr() && reply_has_room(r))
        counter_get(&counters, (uint32_t)number++, reply_add(r));
    r->head->cursor = number < counters_nr() ? number : 0;
    return TMEMIF_OK;
}

/* Nobody but us is inside the engine from here on. */
static void pause(struct control *c)
{
    if (c->sessions.table)
        c->sessions.pause(c->sessions.table);
    if (c->daemon.disks)
        disks_pause(c->daemon.disks);
}

static void resume(struct control *c)
{
    if (c->daemon.disks)
        disks_resume(c->daemon.disks);
    if (c->sessions.table)
        c->sessions.resume(c->sessions.table);
}

static enum tmemif_status check(struct control *c, const union tmemctl_message *m, struct reply *r)
{
    struct tmemctl_verdict *verdict;
    const char *what;

    (void)m;
    if (c->sessions.table && !c->sessions.pause)
        return TMEMIF_NOT_SUPPORTED;
    pause(c);
    what = engine_check(c->daemon.engine);
    resume(c);

    verdict = reply_add(r);
    verdict->whole = !what;
    if (what) {
        /* zeroed by reply_add(), so a text that is cut off stays terminated */
        strncpy(verdict->what, what, sizeof(verdict->what) - 1);
        log_event(c->daemon.log, LOG_LEVEL_ERROR, "check", "broken=\"%s\"", what);
    }
    return TMEMIF_OK;
}

/* ---- changes ---- */

static enum tmemif_status set_guest(struct control *c, const union tmemctl_message *m,
                                    struct reply *r)
{
    struct account_key guest = key_of(&m->set_guest.guest);
    struct policy policy = policy_of(&m->set_guest.policy);

    (void)r;
    if ((m->set_guest.policy.fields & POLICY_MIN) &&
        !minimums_admit_guest(c->daemon.policy, c->daemon.engine, c->daemon.log, &guest,
                              policy.min_pages))
        return TMEMIF_NO_MEMORY;
    return policy_set_guest(c->daemon.policy, &guest, m->set_guest.policy.fields, &policy);
}

static enum tmemif_status set_shared(struct control *c, const union tmemctl_message *m,
                                     struct reply *r)
{
    struct policy policy = policy_of(&m->set_shared.policy);

    (void)r;
    if ((m->set_shared.policy.fields & POLICY_MIN) &&
        !minimums_admit_shared(c->daemon.policy, c->daemon.engine, c->daemon.log,
                               m->set_shared.uuid, policy.min_pages))
        return TMEMIF_NO_MEMORY;
    return policy_set_shared(c->daemon.policy, m->set_shared.uuid, m->set_shared.policy.fields,
                             &policy);
}

static enum tmemif_status allow(struct control *c, const union tmemctl_message *m, struct reply *r)
{
    struct account_key guest = key_of(&m->allow.guest);

    (void)r;
    return policy_allow(c->daemon.policy, m->allow.uuid, &guest, (enum pool_right)m->allow.right);
}

static enum tmemif_status deny(struct control *c, const union tmemctl_message *m, struct reply *r)
{
    struct account_key guest = key_of(&m->allow.guest);

    (void)r;
    return policy_deny(c->daemon.policy, m->allow.uuid, &guest);
}

static enum tmemif_status freeze(struct control *c, const union tmemctl_message *m, struct reply *r)
{
    const struct tmemctl_target *target = &m->target;
    bool frozen = m->head.command == TMEMCTL_FREEZE;

    (void)r;
    if (target->guest.kind) {
        struct account_key guest = key_of(&target->guest);

        return policy_set_frozen(c->daemon.policy, &guest, frozen);
    }
    return engine_shared_set_frozen(c->daemon.engine, target->uuid, frozen);
}

static enum tmemif_status remove_pool(struct control *c, const union tmemctl_message *m,
                                      struct reply *r)
{
    bool known = policy_forget_shared(c->daemon.policy, m->shared.uuid);
    enum tmemif_status rc = engine_shared_remove(c->daemon.engine, m->shared.uuid);

    (void)r;
    /* a pool that nobody had joined yet was a policy and no more */
    return rc == TMEMIF_NOT_FOUND && known ? TMEMIF_OK : rc;
}

static enum tmemif_status set_log(struct control *c, const union tmemctl_message *m,
                                  struct reply *r)
{
    (void)r;
    log_set_level(c->daemon.log, (enum log_level)m->log.level);
    return TMEMIF_OK;
}

/* ---- the table ---- */

static const struct handler {
    enum tmemif_status (*run)(struct control *c, const union tmemctl_message *m, struct reply *r);
} handlers[] = {
    [TMEMCTL_LIST_GUESTS] = {list_guests},
    [TMEMCTL_LIST_POOLS] = {list_pools},
    [TMEMCTL_LIST_MEMBERS] = {list_members},
    [TMEMCTL_STATS] = {stats},
    [TMEMCTL_CHECK] = {check},
    [TMEMCTL_SET_GUEST] = {set_guest},
    [TMEMCTL_SET_SHARED] = {set_shared},
    [TMEMCTL_ALLOW] = {allow},
    [TMEMCTL_DENY] = {deny},
    [TMEMCTL_FREEZE] = {freeze},
    [TMEMCTL_THAW] = {freeze},
    [TMEMCTL_REMOVE] = {remove_pool},
    [TMEMCTL_LOG] = {set_log},
};

static bool is_change(uint32_t command)
{
    switch (command) {
#define X(value, name, message, bytes, record, list, change)                                       \
    case value:                                                                                    \
        return change;
        TMEMCTL_COMMANDS(X)
#undef X
    default:
        return false;
    }
}

static void log_change(struct control *c, const struct account_key *caller,
                       const union tmemctl_message *m, enum tmemif_status rc)
{
    char about[DESCRIBE_LEN];

    describe(about, m);
    log_event(c->daemon.log, rc ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "control",
              "command=%s by=%s%u result=%s%s", tmemctl_command_name(m->head.command),
              caller->kind == ACCOUNT_XEN ? "dom" : "uid", caller->id, tmem_status_name(rc), about);
}

static enum tmemif_status run(struct control *c, const struct control_caller *caller,
                              const union tmemctl_message *m, const void *message, struct reply *r)
{
    const void *pages = (const uint8_t *)message + sizeof(m->base_pages);

    if (!disk_command_is(m->head.command))
        return handlers[m->head.command].run(c, m, r);
    if (!c->daemon.disks)
        return TMEMIF_NOT_SUPPORTED;
    return disk_command_run(c->daemon.disks, m, pages, caller->session, r);
}

enum tmemif_status control_handle(struct control *c, const struct control_caller *caller,
                                  const void *message, uint32_t length, void *reply,
                                  uint32_t reply_cap, uint32_t *length_out)
{
    union tmemctl_message m;
    enum tmemif_status rc;
    struct reply r;

    *length_out = 0;
    rc = tmemctl_decode(message, length, &m);
    if (rc)
        return rc;
    if (!reply_init(&r, reply, reply_cap, m.head.command))
        return TMEMIF_BAD_DATA;

    rc = run(c, caller, &m, message, &r);
    if (is_change(m.head.command))
        log_change(c, caller->key, &m, rc);
    if (rc == TMEMIF_OK)
        *length_out = r.head->length;
    return rc;
}

/* ---- the daemon's side ---- */

struct control *control_create(const struct control_config *config)
{
    struct control *c = calloc(1, sizeof(*c));

    if (c)
        c->daemon = *config;
    return c;
}

void control_destroy(struct control *c)
{
    free(c);
}

void control_bind(struct control *c, const struct control_sessions *sessions)
{
    c->sessions = *sessions;
}

static enum tmemif_status handle(void *arg, const struct control_caller *caller,
                                 const void *message, uint32_t length, void *reply,
                                 uint32_t reply_cap, uint32_t *length_out)
{
    return control_handle(arg, caller, message, length, reply, reply_cap, length_out);
}

static void account_opened(void *arg, account_nr account, const struct account_key *key)
{
    struct control *c = arg;

    policy_account_opened(c->daemon.policy, account, key);
}

static void session_ended(void *arg, const void *session)
{
    struct control *c = arg;

    if (c->daemon.disks)
        base_import_drop(c->daemon.disks, session);
}

const struct control_ops control_functions = {
    .handle = handle,
    .account_opened = account_opened,
    .session_ended = session_ended,
};
