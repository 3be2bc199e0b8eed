/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/conformance/harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/codec.h"
#include "tests/conformance/page.h"

/* ---- running tests ---- */

void harness_fail(struct harness *h, const char *file, int line, const char *what, ...)
{
    char text[256];
    va_list args;

    va_start(args, what);
    vsnprintf(text, sizeof(text), what, args);
    va_end(args);
    if (!h->why && asprintf(&h->why, "%s:%d: %s", file, line, text) < 0)
        abort();
}

bool harness_clean(struct harness *h)
{
    struct policy policy = {
        .quota_pages = DEFAULT_QUOTA, .max_pages = PAGES_UNLIMITED, .weight = 256};
    bool ok = true;

    for (unsigned g = 0; g < NR_GUESTS; g++) {
        struct call reset = {.act = ACT_RESET};

        if (h->used[g])
            ok = call_run(h, g, &reset) == TMEMIF_OK && ok;
        h->used[g] = false;
        ok = h->ops->freeze(h, g, false) && ok;
        ok = h->ops->set_policy(h, g, &policy) && ok;
    }
    return ok;
}

static void new_uuid(struct harness *h)
{
    for (unsigned i = 0; i < 4; i++) {
        if (++h->uuid[i])
            break;
    }
    h->uuid[15] = 0xcc;
    h->has_shared = false;
}

static void end_shared(struct harness *h)
{
    if (!h->has_shared)
        return;
    h->ops->remove_shared(h, h->uuid);
    for (unsigned g = 0; g < NR_GUESTS; g++)
        h->ops->allow(h, h->uuid, g, RIGHT_NONE);
}

char *harness_run_one(struct harness *h, const struct rule_test *test)
{
    const char *damage;
    char *why;

    h->why = NULL;
    new_uuid(h);
    if (!harness_clean(h))
        harness_fail(h, __FILE__, __LINE__, "the harness cannot be cleaned");
    else
        test->run(h);
    end_shared(h);
    damage = h->ops->check(h);
    if (damage)
        harness_fail(h, __FILE__, __LINE__, "the manager's counters: %s", damage);
    why = h->why;
    h->why = NULL;
    return why;
}

static bool is_named(const char *name, int nr_names, char **names)
{
    for (int i = 0; i < nr_names; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    }
    return nr_names == 0;
}

int harness_run(struct harness *h, int nr_names, char **names)
{
    const struct rule_test *all[] = {rules_pages, rules_limits, rules_shared};
    unsigned nr_run = 0, nr_failed = 0;

    memset(h->used, true, sizeof(h->used)); /* whatever was before us */

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (const struct rule_test *t = all[i]; t->name; t++) {
            char *why;

            if (!is_named(t->name, nr_names, names) || (t->applies && !t->applies(h)))
                continue;
            why = harness_run_one(h, t);
            if (why && h->ops->revive && h->ops->revive(h)) {
                free(why);
                why = harness_run_one(h, t);
            }
            nr_run++;
            nr_failed += why != NULL;
            if (why)
                printf("not ok %s: %s\n", t->name, why);
            else
                printf("ok %s\n", t->name);
            fflush(stdout);
            free(why);
        }
    }
    return nr_run > 0 && nr_failed == 0 ? 0 : 1;
}

/* ---- calls ---- */

int call_run(struct harness *h, unsigned guest, struct call *call)
{
    h->used[guest] = true;
    h->ops->begin(h, guest, call);
    h->ops->end(h, guest, call);
    return call->status;
}

static struct call page_call(enum act act, uint32_t pool, uint64_t object, uint32_t index)
{
    return (struct call){.act = act, .pool = pool, .object = {object, 2, 3}, .index = index};
}

int create(struct harness *h, unsigned guest, uint32_t flags, uint32_t *pool_out)
{
    struct call c = {.act = ACT_CREATE, .flags = flags};

    call_run(h, guest, &c);
    *pool_out = c.pool;
    return c.status;
}

int join(struct harness *h, unsigned guest, uint32_t flags, uint32_t *pool_out)
{
    struct call c = {.act = ACT_JOIN, .flags = flags};

    memcpy(c.uuid, h->uuid, sizeof(c.uuid));
    call_run(h, guest, &c);
    *pool_out = c.pool;
    return c.status;
}

int leave(struct harness *h, unsigned guest, uint32_t pool)
{
    struct call c = {.act = ACT_LEAVE, .pool = pool};

    return call_run(h, guest, &c);
}

int destroy(struct harness *h, unsigned guest, uint32_t pool)
{
    struct call c = {.act = ACT_DESTROY, .pool = pool};

    return call_run(h, guest, &c);
}

int put(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
        uint32_t tag)
{
    struct call c = page_call(ACT_PUT, pool, object, index);

    c.tag = tag;
    return call_run(h, guest, &c);
}

int get(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
        uint32_t *tag_out)
{
    struct call c = page_call(ACT_GET, pool, object, index);

    call_run(h, guest, &c);
    *tag_out = c.tag;
    if (c.changed)
        harness_fail(h, __FILE__, __LINE__, "a get that was no hit has changed the guest's page");
    return c.status;
}

int get_leased(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
               struct tmemif_lease *lease_out, bool *leased_out)
{
    struct call c = page_call(ACT_GET, pool, object, index);

    c.flags = CALL_WANT_LEASE;
    call_run(h, guest, &c);
    *lease_out = c.lease;
    *leased_out = c.leased;
    return c.status;
}

int put_leased(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
               uint32_t tag, const struct tmemif_lease *lease)
{
    struct call c = page_call(ACT_PUT, pool, object, index);

    c.flags = CALL_LEASED;
    c.tag = tag;
    c.lease = *lease;
    return call_run(h, guest, &c);
}

int flush(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index)
{
    struct call c = page_call(ACT_FLUSH, pool, object, index);

    return call_run(h, guest, &c);
}

int flush_object(struct harness *h, unsigned guest, uint32_t pool, uint64_t object)
{
    struct call c = page_call(ACT_FLUSH_OBJECT, pool, object, 0);

    return call_run(h, guest, &c);
}

int flush_range(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t first,
                uint32_t last)
{
    struct call c = page_call(ACT_FLUSH_RANGE, pool, object, first);

    c.last = last;
    return call_run(h, guest, &c);
}

struct tmemif_pool_info info(struct harness *h, unsigned guest, uint32_t pool)
{
    struct call c = {.act = ACT_INFO, .pool = pool};

    if (call_run(h, guest, &c) != TMEMIF_OK)
        harness_fail(h, __FILE__, __LINE__, "POOL_INFO: %s", tmem_status_name((unsigned)c.status));
    return c.info;
}

bool holds(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
           uint32_t tag)
{
    uint32_t got = TAG_WRONG;

    return get(h, guest, pool, object, index, &got) == TMEMIF_OK && got == tag;
}

bool misses(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index)
{
    uint32_t got;

    return get(h, guest, pool, object, index, &got) == TMEMIF_MISS;
}

static struct call bulk(struct harness *h, enum act act, unsigned guest, uint32_t pool,
                        uint64_t object, uint32_t nr, uint32_t tag)
{
    struct call c = page_call(act, pool, object, 0);

    c.last = nr - 1;
    c.tag = tag;
    call_run(h, guest, &c);
    if (c.changed)
        harness_fail(h, __FILE__, __LINE__, "a get that was no hit has changed the guest's page");
    return c;
}

struct call fill(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t nr,
                 uint32_t tag)
{
    return bulk(h, ACT_FILL, guest, pool, object, nr, tag);
}

struct call scan(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t nr,
                 uint32_t tag)
{
    return bulk(h, ACT_SCAN, guest, pool, object, nr, tag);
}

/* ---- the operator ---- */

bool allow(struct harness *h, unsigned guest, enum pool_right right)
{
    if (!h->has_shared && !shared_quota(h, DEFAULT_QUOTA))
        return false;
    return h->ops->allow(h, h->uuid, guest, right);
}

bool quota(struct harness *h, unsigned guest, uint64_t nr_pages)
{
    struct policy p = {.quota_pages = nr_pages, .max_pages = PAGES_UNLIMITED, .weight = 256};

    return h->ops->set_policy(h, guest, &p);
}

bool shared_quota(struct harness *h, uint64_t nr_pages)
{
    struct policy p = {.quota_pages = nr_pages, .max_pages = PAGES_UNLIMITED, .weight = 256};

    h->has_shared = true;
    return h->ops->set_shared(h, h->uuid, &p);
}

bool freeze(struct harness *h, unsigned guest, bool frozen)
{
    return h->ops->freeze(h, guest, frozen);
}
