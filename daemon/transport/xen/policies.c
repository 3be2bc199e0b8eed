/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/session/sessions.h"
#include "daemon/transport/xen/mapping.h"
#include "protocol/codec.h"

/* As a node has it; "no limit" in max-pages. */
#define NODE_UNLIMITED UINT32_MAX
/* When to ask again what xenstore did not say. */
#define AGAIN_MS 200u

/* A guest in the list `allow` of a pool. */
struct allowed {
    uint32_t domid;
    enum pool_right right;
};

struct member;

struct shared_pool {
    struct shared_pool *next;
    uint8_t uuid[TMEMIF_UUID_LEN];
    bool touched;
    uint64_t not_before_ms; /* it is not to be read before that time */
    bool told;              /* @policy was passed on */
    struct policy policy;
    struct allowed *allowed;
    unsigned nr_allowed;
    struct member **owed; /* to whom it could not be said what they may do */
    unsigned nr_owed, max_owed;
};

struct member {
    struct member *next;
    struct account_key key;
    struct policy policy; /* passed on */
};

struct policies {
    struct platform *platform;
    struct log *log;
    const struct xen_policy_ops *ops;
    void *ops_arg;
    struct shared_pool *pools;
    bool listing; /* there may be pools that are not in @pools */
    uint64_t list_not_before_ms;
    struct member *members; /* who is admitted */
    unsigned nr_members;
    struct log_limit log_limit;
};

struct policies *policies_create(struct platform *platform, struct log *log,
                                 const struct xen_policy_ops *ops, void *ops_arg)
{
    struct policies *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->platform = platform;
    p->log = log;
    p->ops = ops;
    p->ops_arg = ops_arg;
    return p;
}

void policies_destroy(struct policies *p)
{
    while (p->pools) {
        struct shared_pool *pool = p->pools;

        p->pools = pool->next;
        free(pool->allowed);
        free(pool->owed);
        free(pool);
    }
    while (p->members) {
        struct member *m = p->members;

        p->members = m->next;
        free(m);
    }
    free(p);
}

/* Was it taken? What was not is passed on again and again. */
static bool is_taken(struct policies *p, const char *what, enum tmemif_status rc)
{
    if (rc)
        log_limited(p->log, &p->log_limit, LOG_LEVEL_ERROR, "policy", "what=%s why=\"%s\"", what,
                    tmem_status_sentence(rc));
    return rc == TMEMIF_OK;
}

/* ---- reading the four numbers ---- */

struct policy_nodes {
    enum schema_node quota, min, max, weight;
};

static const struct policy_nodes guest_nodes = {SCHEMA_GUEST_QUOTA, SCHEMA_GUEST_MIN,
                                                SCHEMA_GUEST_MAX, SCHEMA_GUEST_WEIGHT};
static const struct policy_nodes shared_nodes = {SCHEMA_SHARED_QUOTA, SCHEMA_SHARED_MIN,
                                                 SCHEMA_SHARED_MAX, SCHEMA_SHARED_WEIGHT};

/* Whose numbers: a guest's (@uuid NULL) or a shared pool's. */
struct subject {
    const struct schema_place *place;
    const uint8_t *uuid;
};

static void path_of(const struct policies *p, const struct subject *subject, enum schema_node node,
                    char path_out[SCHEMA_PATH_LEN])
{
    if (subject->uuid)
        schema_shared_path(path_out, p->platform->domid, subject->uuid, node, 0);
    else
        schema_path(path_out, subject->place, node, 0);
}

/* On anything but NODE_FINE *policy_out is unchanged; NODE_BAD: *bad_out is the node. */
static enum node_result read_policy(struct policies *p, const struct subject *subject,
                                    struct policy *policy_out, enum schema_node *bad_out)
{
    const struct policy_nodes *nodes = subject->uuid ? &shared_nodes : &guest_nodes;
    const enum schema_node all[] = {nodes->quota, nodes->min, nodes->max, nodes->weight};
    uint64_t numbers[4] = {0};

    for (unsigned i = 0; i < 4; i++) {
        char path[SCHEMA_PATH_LEN];
        enum node_result result;

        path_of(p, subject, all[i], path);
        result = node_read_number(p->platform, path, all[i], &numbers[i]);
        *bad_out = all[i];
        if (result != NODE_FINE)
            return result;
    }
    *policy_out = (struct policy){
        .quota_pages = numbers[0] == NODE_UNLIMITED ? PAGES_UNLIMITED : numbers[0],
        .min_pages = numbers[1],
        .max_pages = numbers[2] == NODE_UNLIMITED ? PAGES_UNLIMITED : numbers[2],
        .weight = (uint32_t)numbers[3],
    };
    return NODE_FINE;
}

static void name_bad_node(struct policies *p, const struct subject *subject, enum schema_node bad)
{
    char path[SCHEMA_PATH_LEN];

    path_of(p, subject, bad, path);
    log_limited(p->log, &p->log_limit, LOG_LEVEL_WARNING, "policy",
                "node=%s why=\"not a number in its range; no node of this policy is taken over\"",
                path);
}

static bool is_same_policy(const struct policy *a, const struct policy *b)
{
    return a->quota_pages == b->quota_pages && a->min_pages == b->min_pages &&
           a->max_pages == b->max_pages && a->weight == b->weight;
}

/* ---- attachments ---- */

static struct member *find_member(struct policies *p, const struct account_key *key)
{
    for (struct member *m = p->members; m; m = m->next) {
        if (account_key_is(&m->key, key))
            return m;
    }
    return NULL;
}

static enum pool_right right_of(const struct shared_pool *pool, uint32_t domid)
{
    for (unsigned i = 0; i < pool->nr_allowed; i++) {
        if (pool->allowed[i].domid == domid)
            return pool->allowed[i].right;
    }
    return RIGHT_NONE;
}

enum node_result policies_read_key(struct policies *p, const struct schema_place *place,
                                   struct account_key *key_out)
{
    size_t len = 0;
    char *value = node_read(p->platform, place, SCHEMA_GUEST_UUID, 0, &len);
    struct account_key key = {.kind = ACCOUNT_XEN, .id = place->guest, .device = place->device};
    bool ok;

    if (!value)
        return errno == ENOENT ? NODE_ABSENT : NODE_UNKNOWN;
    ok = schema_scan_uuid(value, len, key.uuid);
    free(value);
    if (!ok)
        return NODE_BAD;
    *key_out = key;
    return NODE_FINE;
}

static enum admission refuse(char why_out[SCHEMA_REASON_LEN], const char *why)
{
    snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    return ADMISSION_REFUSED;
}

/* There is room for so many to whom something is owed. False: no memory. */
static bool make_room_for_owed(struct shared_pool *pool, unsigned nr)
{
    struct member **owed;

    if (nr <= pool->max_owed)
        return true;
    owed = reallocarray(pool->owed, nr, sizeof(struct member *));
    if (!owed)
        return false;
    pool->owed = owed;
    pool->max_owed = nr;
    return true;
}

/* Nothing is owed to @m any more. True: something was. */
static bool drop_owed(struct shared_pool *pool, const struct member *m)
{
    for (unsigned i = 0; i < pool->nr_owed; i++) {
        if (pool->owed[i] != m)
            continue;
        pool->owed[i] = pool->owed[--pool->nr_owed];
        return true;
    }
    return false;
}

/* What is not taken is owed, for which there is room. */
static void tell_member(struct policies *p, struct shared_pool *pool, struct member *m,
                        enum pool_right right)
{
    if (is_taken(p, "member", p->ops->member(p->ops_arg, pool->uuid, &m->key, right)))
        return;
    pool->owed[pool->nr_owed++] = m;
    pool->touched = true;
}

/* A pool of which @key may be a member is to have room for it. False: no memory. */
static bool prepare_pools(struct policies *p, const struct account_key *key)
{
    for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
        if (right_of(pool, key->id) != RIGHT_NONE && !make_room_for_owed(pool, p->nr_members + 1))
            return false;
    }
    return true;
}

/* Pass on what @key may hold, and of which pools it is a member. */
static enum admission add_member(struct policies *p, const struct account_key *key,
                                 const struct policy *policy, char why_out[SCHEMA_REASON_LEN])
{
    struct member *m = calloc(1, sizeof(*m));

    if (!m || !prepare_pools(p, key)) {
        free(m);
        return refuse(why_out, "the manager is out of memory");
    }
    if (!is_taken(p, "guest", p->ops->guest(p->ops_arg, key, policy))) {
        free(m);
        return refuse(why_out, "the manager has no room for the policy of this attachment");
    }
    m->key = *key;
    m->policy = *policy;
    m->next = p->members;
    p->members = m;
    p->nr_members++;
    for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
        enum pool_right right = right_of(pool, m->key.id);

        if (right != RIGHT_NONE)
            tell_member(p, pool, m, right);
    }
    return ADMITTED;
}

/* The last number is every device in what is said of policy, and dom0's attachment for messages. */
static bool is_device(const struct schema_place *place)
{
    return place->device <= SCHEMA_MAX_DEVICE ||
           (place->guest == 0 && place->device == SESSION_NO_ACCOUNT);
}

enum admission policies_admit(struct policies *p, const struct schema_place *place,
                              struct account_key *key_out, char why_out[SCHEMA_REASON_LEN])
{
    const struct subject subject = {.place = place};
    struct account_key key = {0};
    struct policy policy = {0};
    enum schema_node bad;
    enum admission admission;

    if (mapping_forbidden(place))
        return refuse(why_out, mapping_forbidden(place));
    if (!is_device(place))
        return refuse(why_out, "there is no such device: they end at 4294967293");
    switch (policies_read_key(p, place, &key)) {
    case NODE_FINE:
        break;
    case NODE_ABSENT:
        return refuse(why_out,
                      "there is no policy for this attachment (node uuid below xentmem/guest)");
    case NODE_BAD:
        return refuse(why_out, "node uuid below xentmem/guest is not a UUID");
    case NODE_UNKNOWN:
        return ADMISSION_UNKNOWN;
    }
    if (find_member(p, &key)) {
        if (!policies_refresh(p, place, &key))
            return ADMISSION_UNKNOWN;
        *key_out = key;
        return ADMITTED;
    }
    switch (read_policy(p, &subject, &policy, &bad)) {
    case NODE_FINE:
        break;
    case NODE_BAD:
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "node %s of its policy (below xentmem/guest) is not a number in its range",
                 schema_rule(bad)->key);
        return ADMISSION_REFUSED;
    default:
        return ADMISSION_UNKNOWN;
    }
    admission = add_member(p, &key, &policy, why_out);
    if (admission == ADMITTED)
        *key_out = key;
    return admission;
}

bool policies_refresh(struct policies *p, const struct schema_place *place,
                      const struct account_key *key)
{
    const struct subject subject = {.place = place};
    struct member *m = find_member(p, key);
    struct policy policy = {0};
    enum node_result result;
    enum schema_node bad;

    if (!m)
        return true;
    result = read_policy(p, &subject, &policy, &bad);
    if (result == NODE_BAD)
        name_bad_node(p, &subject, bad);
    if (result != NODE_FINE)
        return result == NODE_BAD;
    if (is_same_policy(&policy, &m->policy))
        return true;
    if (!is_taken(p, "guest", p->ops->guest(p->ops_arg, &m->key, &policy)))
        return false;
    m->policy = policy;
    return true;
}

void policies_dismiss(struct policies *p, const struct account_key *key)
{
    for (struct member **at = &p->members; *at; at = &(*at)->next) {
        struct member *m = *at;

        if (!account_key_is(&m->key, key))
            continue;
        for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
            drop_owed(pool, m);
            if (right_of(pool, m->key.id) != RIGHT_NONE)
                (void)is_taken(p, "member",
                               p->ops->member(p->ops_arg, pool->uuid, &m->key, RIGHT_NONE));
        }
        (void)is_taken(p, "guest", p->ops->guest(p->ops_arg, &m->key, NULL));
        *at = m->next;
        p->nr_members--;
        free(m);
        return;
    }
}

/* ---- shared pools ---- */

static struct shared_pool *find_pool(struct policies *p, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
        if (memcmp(pool->uuid, uuid, sizeof(pool->uuid)) == 0)
            return pool;
    }
    return NULL;
}

void policies_touch_shared(struct policies *p, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    struct shared_pool *pool = find_pool(p, uuid);

    if (!pool) {
        pool = calloc(1, sizeof(*pool));
        if (!pool) {
            log_event(p->log, LOG_LEVEL_ERROR, "policy", "what=shared why=\"out of memory\"");
            p->listing = true;
            return;
        }
        memcpy(pool->uuid, uuid, sizeof(pool->uuid));
        pool->next = p->pools;
        p->pools = pool;
    }
    pool->touched = true;
}

void policies_touch_all_shared(struct policies *p)
{
    for (struct shared_pool *pool = p->pools; pool; pool = pool->next)
        pool->touched = true;
    p->listing = true;
}

static void list_pools(struct policies *p, uint64_t now_ms)
{
    char path[SCHEMA_PATH_LEN];
    uint8_t uuid[TMEMIF_UUID_LEN];
    unsigned nr = 0;
    char **names;

    p->list_not_before_ms = now_ms + AGAIN_MS;
    schema_shared_pools(path, p->platform->domid);
    names = p->platform->ops->list(p->platform, path, &nr);
    p->listing = !names && errno != ENOENT;
    for (unsigned i = 0; names && i < nr; i++) {
        if (schema_scan_uuid(names[i], strlen(names[i]), uuid))
            policies_touch_shared(p, uuid);
    }
    free(names);
}

/* The folder "allow" is what stands before the number in its nodes. */
static char **list_allowed(struct policies *p, const uint8_t *uuid, unsigned *nr_out)
{
    char path[SCHEMA_PATH_LEN];

    schema_shared_path(path, p->platform->domid, uuid, SCHEMA_SHARED_ALLOW, 0);
    *strrchr(path, '/') = '\0';
    *nr_out = 0;
    return p->platform->ops->list(p->platform, path, nr_out);
}

/* NODE_ABSENT: @name says nothing. */
static enum node_result read_allowed(struct policies *p, const uint8_t *uuid, const char *name,
                                     struct allowed *allowed_out)
{
    char path[SCHEMA_PATH_LEN];
    uint64_t domid;
    size_t len = 0;
    bool fill, ok;
    char *value;

    if (!schema_scan_number(name, strlen(name), &domid) || domid > UINT16_MAX)
        return NODE_ABSENT;
    schema_shared_path(path, p->platform->domid, uuid, SCHEMA_SHARED_ALLOW, (uint32_t)domid);
    value = p->platform->ops->read(p->platform, path, &len);
    if (!value)
        return errno == ENOENT ? NODE_ABSENT : NODE_UNKNOWN;
    ok = schema_parse_right(value, len, &fill);
    free(value);
    if (!ok) {
        log_limited(p->log, &p->log_limit, LOG_LEVEL_WARNING, "policy",
                    "node=%s why=\"neither read nor fill; nothing is allowed\"", path);
        return NODE_ABSENT;
    }
    *allowed_out = (struct allowed){(uint32_t)domid, fill ? RIGHT_FILL : RIGHT_READ};
    return NODE_FINE;
}

/* False: one of the nodes @names could not be read. */
static bool read_names(struct policies *p, const uint8_t *uuid, char **names, unsigned nr_names,
                       struct allowed *allowed, unsigned *nr_out)
{
    *nr_out = 0;
    for (unsigned i = 0; i < nr_names; i++) {
        switch (read_allowed(p, uuid, names[i], &allowed[*nr_out])) {
        case NODE_FINE:
            (*nr_out)++;
            break;
        case NODE_UNKNOWN:
            return false;
        default:
            break;
        }
    }
    return true;
}

/* False: xenstore does not say, or there is no memory; what was known stays. */
static bool read_all_allowed(struct policies *p, const uint8_t *uuid, struct allowed **allowed_out,
                             unsigned *nr_out)
{
    unsigned nr_names, nr;
    char **names = list_allowed(p, uuid, &nr_names);
    struct allowed *allowed;
    bool ok;

    if (!names && errno != ENOENT)
        return false;
    allowed = calloc(nr_names + 1u, sizeof(*allowed));
    ok = allowed && read_names(p, uuid, names, nr_names, allowed, &nr);
    free(names);
    if (!ok) {
        free(allowed);
        return false;
    }
    *allowed_out = allowed;
    *nr_out = nr;
    return true;
}

/*
 * What was taken is not said again, whatever is owed to others: somebody else may have had a later
 * word since.
 */
static void tell_members(struct policies *p, const struct shared_pool *before,
                         struct shared_pool *now)
{
    for (struct member *m = p->members; m; m = m->next) {
        enum pool_right right = right_of(now, m->key.id);

        if (drop_owed(now, m) || right != right_of(before, m->key.id))
            tell_member(p, now, m, right);
    }
}

/* False: it was not taken. */
static bool tell_policy(struct policies *p, struct shared_pool *pool, const struct policy *policy)
{
    if (pool->told && is_same_policy(policy, &pool->policy))
        return true;
    if (!is_taken(p, "shared", p->ops->shared(p->ops_arg, pool->uuid, policy)))
        return false;
    pool->told = true;
    pool->policy = *policy;
    return true;
}

/* False: something could not be read, and nothing has changed; or not all was taken. */
static bool run_pool(struct policies *p, struct shared_pool *pool)
{
    const struct subject subject = {.uuid = pool->uuid};
    const struct shared_pool before = *pool; /* of which only who was allowed is used */
    struct policy policy = {0};
    enum schema_node bad;
    enum node_result result = read_policy(p, &subject, &policy, &bad);
    bool ok = true;

    if (result == NODE_BAD)
        name_bad_node(p, &subject, bad);
    if (result == NODE_BAD && !pool->told)
        return true; /* nobody joins a pool of which it is not known what it may hold */
    if ((result != NODE_FINE && result != NODE_BAD) || !make_room_for_owed(pool, p->nr_members) ||
        !read_all_allowed(p, pool->uuid, &pool->allowed, &pool->nr_allowed))
        return false;
    if (result == NODE_FINE)
        ok = tell_policy(p, pool, &policy);
    tell_members(p, &before, pool);
    free(before.allowed);
    return ok && pool->nr_owed == 0;
}

bool policies_run(struct policies *p, unsigned nr, uint64_t now_ms)
{
    if (p->listing && p->list_not_before_ms <= now_ms)
        list_pools(p, now_ms);
    for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
        if (!pool->touched || pool->not_before_ms > now_ms)
            continue;
        if (nr-- == 0)
            return true;
        pool->touched = !run_pool(p, pool);
        pool->not_before_ms = pool->touched ? now_ms + AGAIN_MS : 0;
    }
    return false;
}

bool policies_wait(const struct policies *p)
{
    bool waiting = p->listing;

    for (const struct shared_pool *pool = p->pools; pool; pool = pool->next)
        waiting = waiting || pool->touched;
    return waiting;
}
