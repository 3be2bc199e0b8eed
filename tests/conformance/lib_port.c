/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that stands on libxentmem, over whichever transport. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/include/xentmem.h"
#include "tests/conformance/page.h"
#include "tests/conformance/port.h"

struct lib_port {
    struct port port;
    struct xentmem *t;
};

static struct xentmem *handle(struct port *p)
{
    return ((struct lib_port *)p)->t;
}

static struct xentmem_object object_of(const uint64_t *object)
{
    return (struct xentmem_object){{object[0], object[1], object[2]}};
}

static int lib_create(struct port *p, uint32_t flags, uint32_t *pool_out)
{
    return xentmem_pool_create(handle(p), flags, pool_out);
}

static int lib_join(struct port *p, const uint8_t *uuid, uint32_t flags, uint32_t *pool_out)
{
    return xentmem_pool_join(handle(p), uuid, flags, pool_out);
}

static int lib_leave(struct port *p, uint32_t pool)
{
    return xentmem_pool_leave(handle(p), pool);
}

static int lib_destroy(struct port *p, uint32_t pool)
{
    return xentmem_pool_destroy(handle(p), pool);
}

static int lib_reset(struct port *p)
{
    return xentmem_reset(handle(p));
}

static int lib_info(struct port *p, uint32_t pool, struct tmemif_pool_info *info_out)
{
    struct xentmem_pool_info i;
    int status = xentmem_pool_info(handle(p), pool, &i);

    if (status != XENTMEM_OK)
        return status;
    *info_out = (struct tmemif_pool_info){
        .flags = i.flags,
        .epoch = i.epoch,
        .nr_pages = i.nr_pages,
        .quota_pages = i.quota_pages,
        .puts = i.puts,
        .puts_refused = i.puts_refused,
        .gets = i.gets,
        .hits = i.hits,
        .flushes = i.flushes,
        .evictions = i.evictions,
        .read_only = i.read_only,
        .frozen = i.frozen,
    };
    memcpy(info_out->uuid, i.uuid, sizeof(info_out->uuid));
    return status;
}

static int lib_put(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
                   const void *page, const struct tmemif_lease *lease, bool bad)
{
    struct xentmem_object o = object_of(object);
    struct xentmem_lease l;

    (void)bad;
    if (!lease)
        return xentmem_put(handle(p), pool, &o, index, page);
    memcpy(&l, lease, sizeof(l));
    return xentmem_put_leased(handle(p), pool, &o, index, page, &l);
}

static int lib_get(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
                   void *page_out, struct tmemif_lease *lease_out, bool *leased_out, bool bad)
{
    struct xentmem_object o = object_of(object);
    struct xentmem_lease l;
    int leased = 0, status;

    (void)bad;
    if (!lease_out)
        return xentmem_get(handle(p), pool, &o, index, page_out);
    status = xentmem_get_lease(handle(p), pool, &o, index, page_out, &l, &leased);
    *leased_out = leased;
    if (leased)
        memcpy(lease_out, &l, sizeof(*lease_out));
    return status;
}

static int lib_flush(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index)
{
    struct xentmem_object o = object_of(object);

    return xentmem_flush_page(handle(p), pool, &o, index);
}

static int lib_flush_range(struct port *p, uint32_t pool, const uint64_t *object, uint32_t first,
                           uint32_t last, bool whole_object)
{
    struct xentmem_object o = object_of(object);

    return whole_object ? xentmem_flush_object(handle(p), pool, &o)
                        : xentmem_flush_range(handle(p), pool, &o, first, last);
}

#define NR_BULK 64u

static void lib_bulk(struct port *p, struct call *c)
{
    uint32_t pages[NR_BULK][PAGE_WORDS], sentinel[PAGE_WORDS];
    struct xentmem_op ops[NR_BULK];
    uint32_t nr = c->last - c->index + 1;

    page_make(sentinel, TAG_SENTINEL);
    for (uint32_t done = 0; done < nr; done += NR_BULK) {
        unsigned n = nr - done < NR_BULK ? nr - done : NR_BULK;

        for (unsigned i = 0; i < n; i++) {
            page_make(pages[i], c->act == ACT_FILL ? c->tag + done + i : TAG_SENTINEL);
            ops[i] = (struct xentmem_op){.kind = c->act == ACT_FILL ? XENTMEM_PUT : XENTMEM_GET,
                                         .pool = c->pool,
                                         .index = c->index + done + i,
                                         .object = object_of(c->object),
                                         .page = pages[i]};
        }
        xentmem_vector(handle(p), ops, n);
        for (unsigned i = 0; i < n; i++) {
            if (c->act == ACT_FILL) {
                guest_count_put(c, ops[i].status);
                continue;
            }
            guest_count_get(c, ops[i].status, page_tag(pages[i]), c->tag + done + i);
            c->changed |=
                ops[i].status != XENTMEM_OK && memcmp(pages[i], sentinel, sizeof(sentinel)) != 0;
        }
    }
}

#define NR_ORDER 6u

static int run_all(struct xentmem *t, struct xentmem_op *ops, unsigned nr)
{
    struct xentmem_op *done[NR_ORDER];
    unsigned nr_started = 0, nr_done = 0;

    while (nr_done < nr) {
        int r = 0;

        if (nr_started < nr) {
            r = xentmem_submit(t, ops + nr_started, nr - nr_started);
            if (r < 0 && errno != EAGAIN)
                return -1;
            nr_started += r > 0 ? (unsigned)r : 0;
        }
        r = xentmem_reap(t, done, NR_ORDER, 10000);
        if (r <= 0)
            return -1;
        nr_done += (unsigned)r;
    }
    return 0;
}

static int lib_order(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index)
{
    uint32_t pages[NR_ORDER][PAGE_WORDS];
    static const uint32_t kinds[NR_ORDER] = {XENTMEM_PUT,        XENTMEM_PUT, XENTMEM_GET,
                                             XENTMEM_FLUSH_PAGE, XENTMEM_GET, XENTMEM_PUT};
    static const int want[NR_ORDER] = {XENTMEM_OK, XENTMEM_OK,   XENTMEM_OK,
                                       XENTMEM_OK, XENTMEM_MISS, XENTMEM_OK};
    struct xentmem_op ops[NR_ORDER] = {0};
    int nr_wrong = 0;

    for (unsigned i = 0; i < NR_ORDER; i++) {
        page_make(pages[i], 1000 + i);
        ops[i] = (struct xentmem_op){.kind = kinds[i],
                                     .pool = pool,
                                     .index = index,
                                     .object = object_of(object),
                                     .page = pages[i]};
    }
    if (run_all(handle(p), ops, NR_ORDER) < 0)
        return NR_ORDER;
    for (unsigned i = 0; i < NR_ORDER; i++)
        nr_wrong += ops[i].status != want[i];
    nr_wrong += page_tag(pages[2]) != 1001; /* the second put */
    return nr_wrong;
}

/*
 * The largest mapping that the library shares with a manager, without its first
 * pages: the data area, before which the rings may lie.
 */
#define RING_PAGES 16u /* more than the library makes unless it is told to */

static void *lib_shared(struct port *p, size_t *bytes_out)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long largest = 0, end = 0;
    char line[512];

    (void)p;
    while (maps && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;

        if (!strstr(line, "xentmem-attachment") && !strstr(line, "gntalloc"))
            continue;
        if (sscanf(line, "%lx-%lx", &from, &to) == 2 && to - from > largest) {
            largest = to - from;
            end = to;
        }
    }
    if (maps)
        fclose(maps);
    if (largest <= RING_PAGES * TMEMIF_PAGE_SIZE)
        return NULL;
    *bytes_out = largest - RING_PAGES * TMEMIF_PAGE_SIZE;
    return (void *)(end - *bytes_out);
}

static struct port *lib_sibling(struct port *p)
{
    return p;
}

static const struct port_ops lib_ops = {
    .create = lib_create,
    .join = lib_join,
    .leave = lib_leave,
    .destroy = lib_destroy,
    .reset = lib_reset,
    .info = lib_info,
    .put = lib_put,
    .get = lib_get,
    .flush = lib_flush,
    .flush_range = lib_flush_range,
    .bulk = lib_bulk,
    .order = lib_order,
    .shared = lib_shared,
    .sibling = lib_sibling,
};

struct port *port_open_lib(const char *where, const char **why_out)
{
    struct lib_port *p = calloc(1, sizeof(*p));

    if (!p) {
        *why_out = "out of memory";
        return NULL;
    }
    p->port.ops = &lib_ops;
    p->t = xentmem_open(where, 0, NULL);
    if (!p->t) {
        *why_out = strerror(errno);
        free(p);
        return NULL;
    }
    return &p->port;
}

void port_close_lib(struct port *p)
{
    xentmem_close(handle(p));
    free(p);
}
