/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The suite's check of itself: a manager that breaks a rule must fail the
 * tests of that rule. Each breakage stands between the guests and a good engine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/engine_harness.h"
#include "tests/conformance/page.h"

enum breakage {
    FLUSH_IGNORED,
    FLUSH_OBJECT_IGNORED,
    RANGE_TOO_SHORT,
    FIRST_DATA_KEPT,
    PUT_NOT_COPIED_TO_THE_END,
    HIT_REMOVES,
    HIT_NEVER_REMOVES,
    MISS_WRITES_TO_THE_PAGE,
    REFUSAL_KEEPS_THE_OLD_PAGE,
    ANY_INDEX_OF_16_BITS,
    ANY_UUID_ALLOWED,
    LEASE_IGNORED,
    PERSISTENT_LOST,
    REFUSED_PUT_IS_OK,
};

static const struct {
    enum breakage breakage;
    const char *name;
    const char *rule; /* whose tests must fail, one of them at least */
} breakages[] = {
    {FLUSH_IGNORED, "a flush that does nothing", "c13"},
    {FLUSH_IGNORED, "a flush that does nothing, between guests", "c24"},
    {FLUSH_OBJECT_IGNORED, "an object flush that does nothing", "c14"},
    {RANGE_TOO_SHORT, "a range flush that leaves its last page", "c14"},
    {FIRST_DATA_KEPT, "a second put that is dropped and answered OK", "c05"},
    {PUT_NOT_COPIED_TO_THE_END, "a put that drops the last word", "c21"},
    {HIT_REMOVES, "a hit that removes from a persistent pool", "c11"},
    {HIT_REMOVES, "a hit that removes from a shared pool", "c10"},
    {HIT_NEVER_REMOVES, "an exclusive hit that leaves the page", "c09"},
    {MISS_WRITES_TO_THE_PAGE, "a miss that writes to the guest's page", "c12"},
    {REFUSAL_KEEPS_THE_OLD_PAGE, "a refused put that keeps the old page", "c17"},
    {ANY_INDEX_OF_16_BITS, "an index cut to 16 bits", "c22"},
    {ANY_UUID_ALLOWED, "a join that is never refused", "c26"},
    {LEASE_IGNORED, "a lease that is not looked at", "c31"},
    {PERSISTENT_LOST, "a persistent page lost now and then", "c03"},
    {REFUSED_PUT_IS_OK, "a refused put answered OK", "c02"},
};
#define NR_BREAKAGES (sizeof(breakages) / sizeof(breakages[0]))

struct broken_port {
    struct port port;
    struct port *good;
    enum breakage breakage;
    unsigned nr_puts;
    bool has_kept; /* the page of a refused put, which should be gone */
    uint32_t kept[PAGE_WORDS];
};

static struct broken_port *broken(struct port *p)
{
    return (struct broken_port *)p;
}

#define GOOD(p) (broken(p)->good)

static int broken_create(struct port *p, uint32_t flags, uint32_t *pool_out)
{
    return GOOD(p)->ops->create(GOOD(p), flags, pool_out);
}

static int broken_join(struct port *p, const uint8_t *uuid, uint32_t flags, uint32_t *pool_out)
{
    int status = GOOD(p)->ops->join(GOOD(p), uuid, flags, pool_out);

    if (status == TMEMIF_NOT_ALLOWED && broken(p)->breakage == ANY_UUID_ALLOWED)
        return GOOD(p)->ops->create(GOOD(p), flags, pool_out); /* as the historic code did */
    return status;
}

static int broken_leave(struct port *p, uint32_t pool)
{
    return GOOD(p)->ops->leave(GOOD(p), pool);
}

static int broken_destroy(struct port *p, uint32_t pool)
{
    return GOOD(p)->ops->destroy(GOOD(p), pool);
}

static int broken_reset(struct port *p)
{
    return GOOD(p)->ops->reset(GOOD(p));
}

static int broken_info(struct port *p, uint32_t pool, struct tmemif_pool_info *info_out)
{
    return GOOD(p)->ops->info(GOOD(p), pool, info_out);
}

static int get_good(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
                    void *page_out)
{
    bool leased;

    return GOOD(p)->ops->get(GOOD(p), pool, object, index, page_out, NULL, &leased, false);
}

static int broken_put(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
                      const void *page, const struct tmemif_lease *lease, bool bad)
{
    uint32_t old[PAGE_WORDS], copy[PAGE_WORDS];
    bool had = false;
    int status;

    memcpy(copy, page, sizeof(copy));
    switch (broken(p)->breakage) {
    case FIRST_DATA_KEPT:
        if (get_good(p, pool, object, index, old) == TMEMIF_OK)
            memcpy(copy, old, sizeof(copy));
        break;
    case PUT_NOT_COPIED_TO_THE_END:
        copy[PAGE_WORDS - 1] = 0;
        break;
    case REFUSAL_KEEPS_THE_OLD_PAGE:
        had = get_good(p, pool, object, index, old) == TMEMIF_OK;
        break;
    case ANY_INDEX_OF_16_BITS:
        index &= 0xffff;
        break;
    case LEASE_IGNORED:
        lease = NULL;
        break;
    case PERSISTENT_LOST:
        if (++broken(p)->nr_puts % 50 == 0)
            return TMEMIF_OK;
        break;
    default:
        break;
    }
    status = GOOD(p)->ops->put(GOOD(p), pool, object, index, copy, lease, bad);
    if (status == TMEMIF_FROZEN && had) {
        memcpy(broken(p)->kept, old, sizeof(old));
        broken(p)->has_kept = true;
    }
    return broken(p)->breakage == REFUSED_PUT_IS_OK ? TMEMIF_OK : status;
}

static int broken_get(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
                      void *page_out, struct tmemif_lease *lease_out, bool *leased_out, bool bad)
{
    int status;

    if (broken(p)->breakage == ANY_INDEX_OF_16_BITS)
        index &= 0xffff;
    status = GOOD(p)->ops->get(GOOD(p), pool, object, index, page_out, lease_out, leased_out, bad);
    switch (broken(p)->breakage) {
    case HIT_REMOVES:
        if (status == TMEMIF_OK)
            GOOD(p)->ops->flush(GOOD(p), pool, object, index);
        break;
    case HIT_NEVER_REMOVES:
        if (status == TMEMIF_OK)
            GOOD(p)->ops->put(GOOD(p), pool, object, index, page_out, NULL, false);
        break;
    case MISS_WRITES_TO_THE_PAGE:
        if (status == TMEMIF_MISS)
            memset(page_out, 0, 8);
        break;
    case REFUSAL_KEEPS_THE_OLD_PAGE:
        if (status == TMEMIF_MISS && broken(p)->has_kept) {
            memcpy(page_out, broken(p)->kept, TMEMIF_PAGE_SIZE);
            return TMEMIF_OK;
        }
        break;
    default:
        break;
    }
    return status;
}

static int broken_flush(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index)
{
    if (broken(p)->breakage == FLUSH_IGNORED)
        return TMEMIF_OK;
    return GOOD(p)->ops->flush(GOOD(p), pool, object, index);
}

static int broken_flush_range(struct port *p, uint32_t pool, const uint64_t *object, uint32_t first,
                              uint32_t last, bool whole_object)
{
    if (broken(p)->breakage == FLUSH_OBJECT_IGNORED && whole_object)
        return TMEMIF_OK;
    if (broken(p)->breakage == RANGE_TOO_SHORT && !whole_object && last > first)
        last--;
    return GOOD(p)->ops->flush_range(GOOD(p), pool, object, first, last, whole_object);
}

static int broken_copies(struct port *p, uint32_t pool, const uint64_t *object)
{
    return GOOD(p)->ops->copies(GOOD(p), pool, object);
}

static struct port *broken_sibling(struct port *p)
{
    return GOOD(p)->ops->sibling(GOOD(p));
}

static const struct port_ops broken_ops = {
    .create = broken_create,
    .join = broken_join,
    .leave = broken_leave,
    .destroy = broken_destroy,
    .reset = broken_reset,
    .info = broken_info,
    .put = broken_put,
    .get = broken_get,
    .flush = broken_flush,
    .flush_range = broken_flush_range,
    .copies = broken_copies,
    .sibling = broken_sibling,
};

static struct broken_port *ports[NR_GUESTS];

static struct port *wrap(struct port *port, unsigned guest)
{
    struct broken_port *b = calloc(1, sizeof(*b));

    if (!b)
        abort();
    b->port.ops = &broken_ops;
    b->good = port;
    ports[guest] = b;
    return &b->port;
}

/* How many tests of @rule fail under @breakage. */
static unsigned count_failures(struct harness *h, enum breakage breakage, const char *rule)
{
    const struct rule_test *all[] = {rules_pages, rules_limits, rules_shared};
    unsigned nr_failed = 0;

    for (unsigned g = 0; g < NR_GUESTS; g++) {
        ports[g]->breakage = breakage;
        ports[g]->nr_puts = 0;
        ports[g]->has_kept = false;
    }
    for (unsigned i = 0; i < 3; i++) {
        for (const struct rule_test *t = all[i]; t->name; t++) {
            if (strncmp(t->name, rule, strlen(rule)) != 0 || (t->applies && !t->applies(h)))
                continue;
            char *why = harness_run_one(h, t);

            nr_failed += why != NULL;
            free(why);
        }
    }
    return nr_failed;
}

int main(void)
{
    struct harness h;
    int status = 0;

    if (!engine_harness_open(&h, wrap)) {
        printf("not ok conformance_broken: no engine\n");
        return 1;
    }
    for (unsigned i = 0; i < NR_BREAKAGES; i++) {
        if (count_failures(&h, breakages[i].breakage, breakages[i].rule) > 0) {
            printf("ok self-check: %s fails %s\n", breakages[i].name, breakages[i].rule);
        } else {
            printf("not ok self-check: %s: no test of %s failed\n", breakages[i].name,
                   breakages[i].rule);
            status = 1;
        }
    }
    engine_harness_close(&h);
    for (unsigned g = 0; g < NR_GUESTS; g++)
        free(ports[g]);
    return status;
}
