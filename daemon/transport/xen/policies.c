/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/policies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/node.h"
#include "protocol/codec.h"

/* As a node has it; "no limit" in max-pages. */
#define NODE_UNLIMITED UINT32_MAX

/* A guest in the list `allow` of a pool. */
struct allowed {
    uint32_t domid;
    enum pool_right right;
};

struct shared_pool {
    struct shared_pool *next;
    uint8_t uuid[TMEMIF_UUID_LEN];
    bool touched;
    bool told; /* @policy was passed on */
    struct policy policy;
    struct allowed *allowed;
    unsigned nr_allowed;
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
    struct member *members; /* who is admitted */
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
        free(pool);
    }
    while (p->members) {
        struct member *m = p->members;

        p->members = m->next;
        free(m);
    }
    free(p);
}

static void complain(struct policies *p, const char *what, enum tmemif_status rc)
{
    if (rc)
        log_event(p->log, LOG_LEVEL_ERROR, "policy", "what=%s why=\"%s\"", what,
                  tmem_status_sentence(rc));
}

/* ---- reading the four numbers ---- */

struct policy_nodes {
    enum schema_node quota, min, max, weight;
};

static const struct policy_nodes guest_nodes = {SCHEMA_GUEST_QUOTA, SCHEMA_GUEST_MIN,
                                                SCHEMA_GUEST_MAX, SCHEMA_GUEST_WEIGHT};
static const struct policy_nodes shared_nodes = {SCHEMA_SHARED_QUOTA, SCHEMA_SHARED_MIN,
                                                 SCHEMA_SHARED_MAX, SCHEMA_SHARED_WEIGHT};

/* Of a guest (@uuid NULL) or of a shared pool. A value that is none is logged, and the default
 * holds. */
static uint64_t read_number(struct policies *p, const struct schema_place *place,
                            const uint8_t *uuid, enum schema_node node)
{
    char path[SCHEMA_PATH_LEN];
    enum schema_fault fault;
    uint64_t number = schema_rule(node)->absent;
    size_t len = 0;
    char *value;

    if (uuid)
        schema_shared_path(path, p->platform->domid, uuid, node, 0);
    else
        schema_path(path, place, node, 0);
    value = p->platform->ops->read(p->platform, path, &len);
    fault = schema_parse_number(node, value, len, &number);
    free(value);
    if (fault)
        log_event(p->log, LOG_LEVEL_WARNING, "policy",
                  "node=%s why=\"not a number in its range; the default holds\"", path);
    return number;
}

static struct policy read_policy(struct policies *p, const struct schema_place *place,
                                 const uint8_t *uuid, const struct policy_nodes *nodes)
{
    struct policy policy = {
        .quota_pages = read_number(p, place, uuid, nodes->quota),
        .min_pages = read_number(p, place, uuid, nodes->min),
        .max_pages = read_number(p, place, uuid, nodes->max),
        .weight = (uint32_t)read_number(p, place, uuid, nodes->weight),
    };

    if (policy.quota_pages == NODE_UNLIMITED)
        policy.quota_pages = PAGES_UNLIMITED;
    if (policy.max_pages == NODE_UNLIMITED)
        policy.max_pages = PAGES_UNLIMITED;
    return policy;
}

static bool is_same_policy(const struct policy *a, const struct policy *b)
{
    return a->quota_pages == b->quota_pages && a->min_pages == b->min_pages &&
           a->max_pages == b->max_pages && a->weight == b->weight;
}

/* ---- attachments ---- */

static bool is_same_key(const struct account_key *a, const struct account_key *b)
{
    return a->kind == b->kind && a->id == b->id && a->device == b->device &&
           memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
}

static struct member *find_member(struct policies *p, const struct account_key *key)
{
    for (struct member *m = p->members; m; m = m->next) {
        if (is_same_key(&m->key, key))
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

static bool read_key(struct policies *p, const struct schema_place *place,
                     struct account_key *key_out)
{
    size_t len = 0;
    char *value = node_read(p->platform, place, SCHEMA_GUEST_UUID, 0, &len);
    struct account_key key = {.kind = ACCOUNT_XEN, .id = place->guest, .device = place->device};
    bool ok = value && schema_scan_uuid(value, len, key.uuid);

    free(value);
    if (ok)
        *key_out = key;
    return ok;
}

bool policies_admit(struct policies *p, const struct schema_place *place,
                    struct account_key *key_out, const char **why_out)
{
    struct member *m;

    if (!read_key(p, place, key_out)) {
        *why_out = "there is no policy for this attachment (node uuid below xentmem/guest)";
        return false;
    }
    if (find_member(p, key_out)) {
        policies_refresh(p, place, key_out);
        return true;
    }
    m = calloc(1, sizeof(*m));
    if (!m) {
        *why_out = "the manager is out of memory";
        return false;
    }
    m->key = *key_out;
    m->policy = read_policy(p, place, NULL, &guest_nodes);
    m->next = p->members;
    p->members = m;
    complain(p, "guest", p->ops->guest(p->ops_arg, &m->key, &m->policy));
    for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
        enum pool_right right = right_of(pool, m->key.id);

        if (right != RIGHT_NONE)
            complain(p, "member", p->ops->member(p->ops_arg, pool->uuid, &m->key, right));
    }
    return true;
}

void policies_refresh(struct policies *p, const struct schema_place *place,
                      const struct account_key *key)
{
    struct member *m = find_member(p, key);
    struct policy policy;

    if (!m)
        return;
    policy = read_policy(p, place, NULL, &guest_nodes);
    if (is_same_policy(&policy, &m->policy))
        return;
    m->policy = policy;
    complain(p, "guest", p->ops->guest(p->ops_arg, &m->key, &m->policy));
}

void policies_dismiss(struct policies *p, const struct account_key *key)
{
    for (struct member **at = &p->members; *at; at = &(*at)->next) {
        struct member *m = *at;

        if (!is_same_key(&m->key, key))
            continue;
        for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
            if (right_of(pool, m->key.id) != RIGHT_NONE)
                complain(p, "member", p->ops->member(p->ops_arg, pool->uuid, &m->key, RIGHT_NONE));
        }
        complain(p, "guest", p->ops->guest(p->ops_arg, &m->key, NULL));
        *at = m->next;
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
    char path[SCHEMA_PATH_LEN];
    uint8_t uuid[TMEMIF_UUID_LEN];
    unsigned nr = 0;
    char **names;

    for (struct shared_pool *pool = p->pools; pool; pool = pool->next)
        pool->touched = true;
    schema_shared_pools(path, p->platform->domid);
    names = p->platform->ops->list(p->platform, path, &nr);
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

static bool read_allowed(struct policies *p, const uint8_t *uuid, const char *name,
                         struct allowed *allowed_out)
{
    char path[SCHEMA_PATH_LEN];
    uint64_t domid;
    size_t len = 0;
    bool fill, ok;
    char *value;

    if (!schema_scan_number(name, strlen(name), &domid) || domid > UINT16_MAX)
        return false;
    schema_shared_path(path, p->platform->domid, uuid, SCHEMA_SHARED_ALLOW, (uint32_t)domid);
    value = p->platform->ops->read(p->platform, path, &len);
    ok = schema_parse_right(value, len, &fill);
    if (value && !ok)
        log_event(p->log, LOG_LEVEL_WARNING, "policy",
                  "node=%s why=\"neither read nor fill; nothing is allowed\"", path);
    free(value);
    if (ok)
        *allowed_out = (struct allowed){(uint32_t)domid, fill ? RIGHT_FILL : RIGHT_READ};
    return ok;
}

/* False: no memory; what was known stays. */
static bool read_all_allowed(struct policies *p, const uint8_t *uuid, struct allowed **allowed_out,
                             unsigned *nr_out)
{
    unsigned nr_names, nr = 0;
    char **names = list_allowed(p, uuid, &nr_names);
    struct allowed *allowed = calloc(nr_names + 1u, sizeof(*allowed));

    if (allowed) {
        for (unsigned i = 0; names && i < nr_names; i++) {
            if (read_allowed(p, uuid, names[i], &allowed[nr]))
                nr++;
        }
        *allowed_out = allowed;
        *nr_out = nr;
    }
    free(names);
    return allowed != NULL;
}

static void tell_members(struct policies *p, const struct shared_pool *before,
                         const struct shared_pool *now)
{
    for (struct member *m = p->members; m; m = m->next) {
        enum pool_right right = right_of(now, m->key.id);

        if (right != right_of(before, m->key.id))
            complain(p, "member", p->ops->member(p->ops_arg, now->uuid, &m->key, right));
    }
}

static void run_pool(struct policies *p, struct shared_pool *pool)
{
    struct policy policy = read_policy(p, NULL, pool->uuid, &shared_nodes);
    struct shared_pool before = *pool;

    pool->touched = false;
    if (!pool->told || !is_same_policy(&policy, &pool->policy)) {
        pool->told = true;
        pool->policy = policy;
        complain(p, "shared", p->ops->shared(p->ops_arg, pool->uuid, &policy));
    }
    if (!read_all_allowed(p, pool->uuid, &pool->allowed, &pool->nr_allowed)) {
        log_event(p->log, LOG_LEVEL_ERROR, "policy", "what=allow why=\"out of memory\"");
        return;
    }
    tell_members(p, &before, pool);
    free(before.allowed);
}

bool policies_run(struct policies *p, unsigned nr)
{
    for (struct shared_pool *pool = p->pools; pool; pool = pool->next) {
        if (!pool->touched)
            continue;
        if (nr-- == 0)
            return true;
        run_pool(p, pool);
    }
    return false;
}
