/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/client.h"

#include <stdio.h>
#include <string.h>

#include "protocol/tmemif.h"
#include "tests/bench/bed.h"
#include "tests/bench/figures.h"

#define PAGES_PER_OBJECT 256u

static void say(void *arg, const char *sentence)
{
    (void)arg;
    fprintf(stderr, "  %s\n", sentence);
}

void client_open(struct client *c, const char *where, int poll_us)
{
    struct xentmem_options options = XENTMEM_OPTIONS_INIT;

    options.log = say;
    options.poll_us = poll_us;
    c->t = xentmem_open(where, 0, &options);
    MUST(c->t != NULL);
    MUST(xentmem_pool_create(c->t, XENTMEM_PERSISTENT, &c->pool) == XENTMEM_OK);
}

void client_close(struct client *c)
{
    xentmem_close(c->t);
}

void client_page(uint8_t *page, uint32_t number)
{
    uint64_t random = number + 1;

    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i += sizeof(uint64_t)) {
        uint64_t word = random_next(&random);

        memcpy(page + i, &word, sizeof(word));
    }
    memcpy(page, &number, sizeof(number));
}

void client_check(const void *page, uint32_t number)
{
    MUST(memcmp(page, &number, sizeof(number)) == 0);
}

static struct xentmem_object object_of(uint32_t number)
{
    return (struct xentmem_object){{number / PAGES_PER_OBJECT, 0x0b7ec7, 1}};
}

void client_get_each(struct client *c, const uint32_t *numbers, unsigned nr)
{
    uint8_t page[TMEMIF_PAGE_SIZE];

    for (unsigned i = 0; i < nr; i++) {
        struct xentmem_object object = object_of(numbers[i]);

        MUST(xentmem_get(c->t, c->pool, &object, numbers[i] % PAGES_PER_OBJECT, page) ==
             XENTMEM_OK);
        client_check(page, numbers[i]);
    }
}

/* The first octets alone are the page's own: what a put costs is not what filling it costs. */
void client_put_each(struct client *c, const uint32_t *numbers, unsigned nr)
{
    uint8_t page[TMEMIF_PAGE_SIZE];

    client_page(page, 0);
    for (unsigned i = 0; i < nr; i++) {
        struct xentmem_object object = object_of(numbers[i]);

        memcpy(page, &numbers[i], sizeof(numbers[i]));
        MUST(xentmem_put(c->t, c->pool, &object, numbers[i] % PAGES_PER_OBJECT, page) ==
             XENTMEM_OK);
    }
}

/* ---- several under way ---- */

struct window {
    struct client *client;
    uint32_t kind; /* enum xentmem_op_kind */
    unsigned depth;
    uint8_t pages[CLIENT_DEPTH_MOST][TMEMIF_PAGE_SIZE];
    struct xentmem_op ops[CLIENT_DEPTH_MOST];
};

static void begin(struct window *w, struct xentmem_op *op, uint32_t number)
{
    uint8_t *page = w->pages[op - w->ops];

    if (w->kind == XENTMEM_PUT)
        memcpy(page, &number, sizeof(number));
    *op = (struct xentmem_op){.kind = w->kind,
                              .pool = w->client->pool,
                              .index = number % PAGES_PER_OBJECT,
                              .object = object_of(number),
                              .page = page,
                              .user = (void *)(uintptr_t)number};
}

static void end(const struct xentmem_op *op)
{
    MUST(op->status == XENTMEM_OK);
    client_check(op->page, (uint32_t)(uintptr_t)op->user);
}

static void run(struct window *w, const uint32_t *numbers, unsigned nr)
{
    struct xentmem *t = w->client->t;
    struct xentmem_op *done[CLIENT_DEPTH_MOST];
    unsigned begun = 0, ended = 0;

    MUST(w->depth <= CLIENT_DEPTH_MOST && w->depth <= nr);
    for (; begun < w->depth; begun++)
        begin(w, &w->ops[begun], numbers[begun]);
    MUST(xentmem_submit(t, w->ops, w->depth) == (int)w->depth);
    while (ended < nr) {
        int answered = xentmem_reap(t, done, w->depth, -1);

        MUST(answered > 0);
        for (int i = 0; i < answered; i++, ended++) {
            end(done[i]);
            if (begun == nr)
                continue;
            begin(w, done[i], numbers[begun++]);
            MUST(xentmem_submit(t, done[i], 1) == 1);
        }
    }
}

void client_get_window(struct client *c, unsigned depth, const uint32_t *numbers, unsigned nr)
{
    static struct window w;

    w.client = c;
    w.depth = depth;
    w.kind = XENTMEM_GET;
    run(&w, numbers, nr);
}

void client_get_vector(struct client *c, unsigned depth, const uint32_t *numbers, unsigned nr)
{
    static struct window w;

    w.client = c;
    w.kind = XENTMEM_GET;
    MUST(depth <= CLIENT_DEPTH_MOST && nr % depth == 0);
    for (unsigned first = 0; first < nr; first += depth) {
        for (unsigned i = 0; i < depth; i++)
            begin(&w, &w.ops[i], numbers[first + i]);
        MUST(xentmem_vector(c->t, w.ops, depth) == 0);
        for (unsigned i = 0; i < depth; i++)
            end(&w.ops[i]);
    }
}

void client_put_window(struct client *c, unsigned depth, const uint32_t *numbers, unsigned nr)
{
    static struct window w;

    w.client = c;
    w.depth = depth;
    w.kind = XENTMEM_PUT;
    for (unsigned i = 0; i < depth; i++)
        client_page(w.pages[i], i);
    run(&w, numbers, nr);
}
