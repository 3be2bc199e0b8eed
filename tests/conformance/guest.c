/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <string.h>

#include "tests/conformance/page.h"
#include "tests/conformance/port.h"

static int put_tag(struct port *p, const struct call *c, uint32_t index, uint32_t tag)
{
    uint32_t page[PAGE_WORDS];
    int status;

    page_make(page, tag);
    status = p->ops->put(p, c->pool, c->object, index, page,
                         c->flags & CALL_LEASED ? &c->lease : NULL, c->flags & CALL_BAD_PAGE);
    memset(page, 0x5a, sizeof(page)); /* it is ours again (C1) */
    return status;
}

static int get_tag(struct port *p, struct call *c, uint32_t index, uint32_t *tag_out)
{
    uint32_t page[PAGE_WORDS], before[PAGE_WORDS];
    struct tmemif_lease lease = {0};
    bool leased = false;
    int status;

    page_make(page, TAG_SENTINEL);
    memcpy(before, page, sizeof(page));
    status =
        p->ops->get(p, c->pool, c->object, index, page, c->flags & CALL_WANT_LEASE ? &lease : NULL,
                    &leased, c->flags & CALL_BAD_PAGE);
    *tag_out = status == TMEMIF_OK ? page_tag(page) : 0;
    c->leased = leased;
    c->lease = lease;
    c->changed = status != TMEMIF_OK && memcmp(page, before, sizeof(page)) != 0;
    return status;
}

void guest_count_put(struct call *c, int status)
{
    c->status = status;
    if (status == TMEMIF_OK)
        c->nr_ok++;
    else
        c->nr_refused++;
}

void guest_count_get(struct call *c, int status, uint32_t tag, uint32_t want)
{
    c->status = status;
    if (status == TMEMIF_OK && tag == want)
        c->nr_ok++;
    else if (status == TMEMIF_MISS)
        c->nr_missed++;
    else
        c->nr_wrong++;
}

static void do_fill(struct port *p, struct call *c)
{
    for (uint32_t i = 0; i <= c->last - c->index; i++)
        guest_count_put(c, put_tag(p, c, c->index + i, c->tag + i));
}

static void do_scan(struct port *p, struct call *c)
{
    for (uint32_t i = 0; i <= c->last - c->index; i++) {
        uint32_t tag;
        int status = get_tag(p, c, c->index + i, &tag);

        guest_count_get(c, status, tag, c->tag + i);
    }
}

struct racer {
    struct port *port;
    struct call call;
    pthread_barrier_t *start;
};

static void *race(void *arg)
{
    struct racer *r = arg;

    pthread_barrier_wait(r->start);
    do_scan(r->port, &r->call);
    return NULL;
}

static void do_race(struct port *p, struct call *c)
{
    pthread_barrier_t start;
    struct racer racers[2] = {{p, *c, &start}, {p->ops->sibling(p), *c, &start}};
    pthread_t thread;

    pthread_barrier_init(&start, NULL, 2);
    if (pthread_create(&thread, NULL, race, &racers[1]) != 0) {
        c->status = -1;
        return;
    }
    race(&racers[0]);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&start);
    c->status = TMEMIF_OK;
    c->nr_ok = racers[0].call.nr_ok + racers[1].call.nr_ok;
    c->nr_wrong = racers[0].call.nr_wrong + racers[1].call.nr_wrong;
}

/*
 * A writer stores base + 4k + shape in round k. Everybody who reads must see
 * whole pages, and of each writer never an older one after a newer (C5, C19). A
 * tag has its writer in the top byte.
 */
static void do_storm(struct port *p, struct call *c)
{
    uint32_t newest[256] = {0};

    c->status = TMEMIF_OK;
    for (uint32_t k = 1; k <= c->rounds; k++) {
        uint32_t tag = c->tag + 4 * k + k % 4;
        int status = TMEMIF_OK;

        if (c->role == STORM_WRITER) {
            status = put_tag(p, c, c->index, tag);
            if (status == TMEMIF_OK)
                newest[tag >> 24] = tag;
        } else if (c->role == STORM_FLUSHER) {
            status = p->ops->flush(p, c->pool, c->object, c->index);
        }
        if (status == TMEMIF_OK)
            status = get_tag(p, c, c->index, &tag);
        if (status == TMEMIF_OK) {
            c->nr_wrong += tag == TAG_WRONG || tag < newest[tag >> 24];
            newest[tag >> 24] = tag;
            c->nr_ok++;
        } else if (status == TMEMIF_MISS) {
            c->nr_missed++;
        } else {
            c->nr_refused++;
        }
    }
}

/* A second thread of the guest writes one of two words over all that is shared. */
struct scribbler {
    uint64_t *words;
    size_t nr_words;
    bool stop;
};
#define SCRIBBLE_A 0xa1a1a1a1a1a1a1a1ull
#define SCRIBBLE_B 0xb2b2b2b2b2b2b2b2ull

static void *scribble(void *arg)
{
    struct scribbler *s = arg;

    for (uint64_t word = SCRIBBLE_A; !__atomic_load_n(&s->stop, __ATOMIC_RELAXED);
         word ^= SCRIBBLE_A ^ SCRIBBLE_B) {
        for (size_t i = 0; i < s->nr_words; i++)
            __atomic_store_n(&s->words[i], word, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* What is stored is made of words that were there, and is the same each time. */
static void look_at_scribbled(struct port *p, struct call *c, uint32_t index, uint32_t tag)
{
    uint64_t own[PAGE_WORDS / 2], first[PAGE_WORDS / 2], second[PAGE_WORDS / 2];
    bool leased;

    page_make((uint32_t *)own, tag);
    if (p->ops->get(p, c->pool, c->object, index, first, NULL, &leased, false) != TMEMIF_OK ||
        p->ops->get(p, c->pool, c->object, index, second, NULL, &leased, false) != TMEMIF_OK ||
        memcmp(first, second, sizeof(first)) != 0) {
        c->nr_wrong++;
        return;
    }
    for (unsigned i = 0; i < PAGE_WORDS / 2; i++)
        c->nr_wrong += first[i] != own[i] && first[i] != SCRIBBLE_A && first[i] != SCRIBBLE_B;
    c->nr_ok += memcmp(first, own, sizeof(own)) != 0; /* the scribbler was there in time */
}

static void do_scribble(struct port *p, struct call *c)
{
    struct scribbler s = {.stop = false};
    size_t bytes = 0;
    pthread_t thread;

    s.words = p->ops->shared(p, &bytes);
    s.nr_words = bytes / sizeof(*s.words);
    c->status = -1;
    if (!s.words || pthread_create(&thread, NULL, scribble, &s) != 0)
        return;
    for (uint32_t i = c->index; i <= c->last; i++)
        c->status = put_tag(p, c, i, c->tag + i);
    __atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    for (uint32_t i = c->index; i <= c->last; i++)
        look_at_scribbled(p, c, i, c->tag + i);
}

void guest_do(struct port *p, struct call *c)
{
    c->nr_ok = c->nr_missed = c->nr_refused = c->nr_wrong = c->changed = 0;
    switch (c->act) {
    case ACT_CREATE:
        c->status = p->ops->create(p, c->flags, &c->pool);
        break;
    case ACT_JOIN:
        c->status = p->ops->join(p, c->uuid, c->flags, &c->pool);
        break;
    case ACT_LEAVE:
        c->status = p->ops->leave(p, c->pool);
        break;
    case ACT_DESTROY:
        c->status = p->ops->destroy(p, c->pool);
        break;
    case ACT_RESET:
        c->status = p->ops->reset(p);
        break;
    case ACT_INFO:
        c->status = p->ops->info(p, c->pool, &c->info);
        break;
    case ACT_PUT:
        c->status = put_tag(p, c, c->index, c->tag);
        break;
    case ACT_GET:
        c->status = get_tag(p, c, c->index, &c->tag);
        break;
    case ACT_FLUSH:
        c->status = p->ops->flush(p, c->pool, c->object, c->index);
        break;
    case ACT_FLUSH_OBJECT:
        c->status = p->ops->flush_range(p, c->pool, c->object, 0, TMEMIF_INDEX_MAX, true);
        break;
    case ACT_FLUSH_RANGE:
        c->status = p->ops->flush_range(p, c->pool, c->object, c->index, c->last, false);
        break;
    case ACT_FILL:
        (p->ops->bulk ? p->ops->bulk : do_fill)(p, c);
        break;
    case ACT_SCAN:
        (p->ops->bulk ? p->ops->bulk : do_scan)(p, c);
        break;
    case ACT_RACE:
        do_race(p, c);
        break;
    case ACT_STORM:
        do_storm(p, c);
        break;
    case ACT_COPIES:
        c->nr_wrong = (uint32_t)p->ops->copies(p, c->pool, c->object);
        c->status = TMEMIF_OK;
        break;
    case ACT_SCRIBBLE:
        do_scribble(p, c);
        break;
    case ACT_ORDER:
        c->nr_wrong = (uint32_t)p->ops->order(p, c->pool, c->object, c->index);
        c->status = TMEMIF_OK;
        break;
    default:
        c->status = TMEMIF_BAD_OP;
    }
}
