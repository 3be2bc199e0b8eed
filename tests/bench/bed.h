/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bed.h - a store full of one guest's pages, with an engine over it, to measure.
 *
 * Page n of the bed is index n % pages_per_object of object n / pages_per_object
 * in a persistent pool. What it holds follows from n: a page of the source area
 * with n in its first word. So the source area is to the engine what a session's
 * data area is, and a plain copy of the right source page over a live frame
 * changes nothing there: the bare memcpy to compare with uses the very same frames.
 *
 * What cannot be set up stops the program, with a sentence.
 */
#ifndef TESTS_BENCH_BED_H
#define TESTS_BENCH_BED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/engine.h"

/* A session's data area is as large by default. */
#define AREA_PAGES 256u
/* Frames that stay free while the engine is measured, for puts over old pages. */
#define BED_SLACK   2048u
#define BED_WORKERS 2u

#define MUST(condition) bed_must((condition), #condition, __FILE__, __LINE__)

static inline void bed_must(bool ok, const char *what, const char *file, int line)
{
    if (ok)
        return;
    fprintf(stderr, "%s:%d: the benchmark needs: %s\n", file, line, what);
    abort();
}

struct bed {
    struct store *store;
    struct engine *e;
    account_nr account;
    uint32_t pool_id;
    uint32_t nr_pages; /* and frames */
    uint32_t pages_per_object;
    uint8_t *source; /* AREA_PAGES pages */
    void **frames;   /* of page n; the bed's user keeps them right */
    uint32_t *order; /* scratch: nr_pages numbers, shuffled */
    uint64_t random;
};

/* What a worker of its own copies to: AREA_PAGES pages. */
uint8_t *area_make(void);

/* Memory of the bed itself, touched, so that what comes later is the engine's. */
void bed_init(struct bed *b, uint32_t nr_pages, uint32_t pages_per_object);
void bed_fini(struct bed *b);

/* A new store and engine with one guest and its pool, empty. */
void bed_make(struct bed *b);
/* Close both; with @fds not NULL, keep the segments there. */
void bed_close(struct bed *b, int *fds);
/* Take kept segments up again. @fds are used up. */
void bed_open(struct bed *b, const int *fds);

/* The engine's configuration everywhere here: the daemon's on this machine. */
struct engine_config bed_config(void);
account_nr bed_guest(struct engine *e, uint32_t id);
uint32_t bed_pool(struct engine *e, account_nr account, uint32_t flags);

/* Put all pages in order of their numbers. */
void bed_fill(struct bed *b);
/* Get all pages and compare them. */
void bed_verify(struct bed *b);
/* Forget @page. */
void bed_flush(struct bed *b, uint32_t page);

/* The source page for @page, with its number in it. */
static inline const void *bed_source(struct bed *b, uint32_t page)
{
    uint8_t *source = b->source + (size_t)(page % AREA_PAGES) * TMEMIF_PAGE_SIZE;

    memcpy(source, &page, sizeof(page));
    return source;
}

static inline struct page_op bed_op(const struct bed *b, unsigned worker, uint32_t page)
{
    return (struct page_op){.worker = worker,
                            .account = b->account,
                            .pool_id = b->pool_id,
                            .object = {page / b->pages_per_object, 0x0b7ec7, 1},
                            .index = page % b->pages_per_object};
}

/* @page is what comes ENGINE_AHEAD operations later: a daemon sees it waiting in a ring. */
#define BED_NO_PAGE UINT32_MAX
static inline void bed_look_ahead(const struct bed *b, unsigned worker, struct engine_ahead *ahead,
                                  uint32_t page, bool is_put)
{
    struct page_op op;

    if (page != BED_NO_PAGE)
        op = bed_op(b, worker, page);
    engine_look_ahead(b->e, ahead, page != BED_NO_PAGE ? &op : NULL, is_put);
}

/* As the daemon does it: begin, one copy, end. @ahead may be NULL. */
static inline void bed_get_ahead(struct bed *b, unsigned worker, struct engine_ahead *ahead,
                                 uint32_t page, uint32_t later, void *to)
{
    struct page_op op = bed_op(b, worker, page);
    struct engine_get get;
    const void *frame;
    uint32_t word;

    MUST(engine_get_begin(b->e, &op, &get, &frame, &word, NULL, NULL) == TMEMIF_OK);
    if (ahead)
        bed_look_ahead(b, worker, ahead, later, false);
    memcpy(to, frame, TMEMIF_PAGE_SIZE);
    engine_get_end(b->e, &get, true);
}

/* The same, with nothing known of what comes next. */
static inline void bed_get(struct bed *b, unsigned worker, uint32_t page, void *to)
{
    bed_get_ahead(b, worker, NULL, page, BED_NO_PAGE, to);
}

static inline void *bed_put_ahead(struct bed *b, unsigned worker, struct engine_ahead *ahead,
                                  uint32_t page, uint32_t later)
{
    struct page_op op = bed_op(b, worker, page);
    const void *from = bed_source(b, page);
    struct engine_put put;
    void *frame;

    MUST(engine_put_begin(b->e, &op, &put, &frame) == TMEMIF_OK);
    if (ahead)
        bed_look_ahead(b, worker, ahead, later, true);
    page_copy(frame, from, put.seed, &put.facts);
    put.has_facts = true;
    MUST(engine_put_commit(b->e, &put) == TMEMIF_OK);
    return frame;
}

static inline void *bed_put(struct bed *b, unsigned worker, uint32_t page)
{
    return bed_put_ahead(b, worker, NULL, page, BED_NO_PAGE);
}

#endif /* TESTS_BENCH_BED_H */
