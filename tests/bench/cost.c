/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/cost.h"

#include "daemon/util/clock.h"

#define TURN 512u

/* Of all pages, one in so many is put in one way in a round. */
#define PARTS 8u

/* One turn: the pages, and the frames they have, gathered before it is timed. */
struct turn {
    uint32_t pages[TURN];
    void *frames[TURN];
};

static void turn_gather(const struct bed *b, const uint32_t *pages, struct turn *t)
{
    for (unsigned i = 0; i < TURN; i++) {
        t->pages[i] = pages[i];
        t->frames[i] = b->frames[pages[i]];
    }
}

static void turn_keep(struct bed *b, const struct turn *t)
{
    for (unsigned i = 0; i < TURN; i++)
        b->frames[t->pages[i]] = t->frames[i];
}

typedef void turn_run(struct bed *b, uint8_t *area, struct turn *t);

static uint8_t *area_page(uint8_t *area, unsigned i)
{
    return area + (size_t)(i % AREA_PAGES) * TMEMIF_PAGE_SIZE;
}

static uint32_t page_later(const struct turn *t, unsigned i)
{
    return i + ENGINE_AHEAD < TURN ? t->pages[i + ENGINE_AHEAD] : BED_NO_PAGE;
}

static void run_get(struct bed *b, uint8_t *area, struct turn *t)
{
    struct engine_ahead ahead = {0};

    for (unsigned i = 0; i < TURN; i++)
        bed_get_ahead(b, 0, &ahead, t->pages[i], page_later(t, i), area_page(area, i));
}

static void run_get_alone(struct bed *b, uint8_t *area, struct turn *t)
{
    for (unsigned i = 0; i < TURN; i++)
        bed_get(b, 0, t->pages[i], area_page(area, i));
}

static void run_copy_out(struct bed *b, uint8_t *area, struct turn *t)
{
    (void)b;
    for (unsigned i = 0; i < TURN; i++)
        memcpy(area_page(area, i), t->frames[i], TMEMIF_PAGE_SIZE);
}

static void run_put(struct bed *b, uint8_t *area, struct turn *t)
{
    struct engine_ahead ahead = {0};

    (void)area;
    for (unsigned i = 0; i < TURN; i++)
        t->frames[i] = bed_put_ahead(b, 0, &ahead, t->pages[i], page_later(t, i));
}

static void run_put_alone(struct bed *b, uint8_t *area, struct turn *t)
{
    (void)area;
    for (unsigned i = 0; i < TURN; i++)
        t->frames[i] = bed_put(b, 0, t->pages[i]);
}

static void run_copy_in(struct bed *b, uint8_t *area, struct turn *t)
{
    (void)area;
    for (unsigned i = 0; i < TURN; i++)
        memcpy(t->frames[i], bed_source(b, t->pages[i]), TMEMIF_PAGE_SIZE);
}

static double turn_ns(struct bed *b, uint8_t *area, turn_run *run, const uint32_t *pages)
{
    struct turn t;
    uint64_t begin;
    double ns;

    turn_gather(b, pages, &t);
    begin = clock_now_ns();
    run(b, area, &t);
    ns = (double)(clock_now_ns() - begin) / TURN;
    turn_keep(b, &t);
    return ns;
}

struct pair {
    double engine_ns, copy_ns;
};

/* @nr pages at @pages by the engine and as many at @others by a bare copy, in turns. */
static struct pair take_turns(struct bed *b, uint8_t *area, turn_run *engine, turn_run *copy,
                              const uint32_t *pages, const uint32_t *others, uint32_t nr)
{
    uint32_t nr_turns = nr / TURN;
    double *ns = malloc(2 * nr_turns * sizeof(*ns));
    struct pair medians;

    MUST(ns != NULL && nr_turns != 0);
    for (uint32_t i = 0; i < nr_turns; i++) {
        bool copy_first = i % 2;

        if (copy_first)
            ns[nr_turns + i] = turn_ns(b, area, copy, others + i * TURN);
        ns[i] = turn_ns(b, area, engine, pages + i * TURN);
        if (!copy_first)
            ns[nr_turns + i] = turn_ns(b, area, copy, others + i * TURN);
    }
    medians.engine_ns = median(ns, nr_turns);
    medians.copy_ns = median(ns + nr_turns, nr_turns);
    free(ns);
    return medians;
}

static void flush_all(struct bed *b, const uint32_t *pages, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++)
        bed_flush(b, pages[i]);
}

static void put_all(struct bed *b, const uint32_t *pages, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++)
        b->frames[pages[i]] = bed_put(b, 0, pages[i]);
}

static void add(struct cost_figure *f, struct figure *copy_ns, struct pair p)
{
    figure_add(&f->over_memcpy, p.engine_ns / p.copy_ns);
    figure_add(&f->ns, p.engine_ns);
    figure_add(copy_ns, p.copy_ns);
}

void cost_round(struct bed *b, uint8_t *area, struct cost_figures *figures)
{
    uint32_t nr = b->nr_pages - BED_SLACK;
    uint32_t half = nr / 2, part = nr / PARTS / TURN * TURN;
    const uint32_t *order = b->order, *others = order + half;

    random_shuffle(&b->random, b->order, b->nr_pages);
    flush_all(b, order + nr, BED_SLACK);

    add(&figures->get, &figures->copy_out_ns,
        take_turns(b, area, run_get, run_copy_out, order, others, half));
    add(&figures->get_alone, &figures->copy_out_ns,
        take_turns(b, area, run_get_alone, run_copy_out, others, order, half));
    add(&figures->overwrite, &figures->copy_in_ns,
        take_turns(b, area, run_put, run_copy_in, order, others, part));
    add(&figures->overwrite_alone, &figures->copy_in_ns,
        take_turns(b, area, run_put_alone, run_copy_in, order + part, others, part));
    flush_all(b, order, 2 * part);
    add(&figures->put, &figures->copy_in_ns,
        take_turns(b, area, run_put, run_copy_in, order, others, part));
    add(&figures->put_alone, &figures->copy_in_ns,
        take_turns(b, area, run_put_alone, run_copy_in, order + part, others, part));

    put_all(b, order + nr, BED_SLACK);
}
