/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/vchan.h"

#include <libxenvchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/tmemif.h"
#include "tests/bench/bed.h"
#include "tests/bench/client.h"

#define PATH_LEN   64
#define RING_BYTES (256u << 10) /* VCHAN_DEPTH pages and what goes with them, a power of two */

enum operation { OPERATION_GET, OPERATION_PUT };

struct vchan_request {
    uint32_t operation;
    uint32_t number;
};

static void receive(struct libxenvchan *v, void *data, size_t len_bytes)
{
    MUST(libxenvchan_recv(v, data, len_bytes) == (int)len_bytes);
}

static void transmit(struct libxenvchan *v, const void *data, size_t len_bytes)
{
    MUST(libxenvchan_send(v, data, len_bytes) == (int)len_bytes);
}

/* ---- server ---- */

static void answer(struct libxenvchan *v, const struct vchan_request *r, uint8_t *pages)
{
    uint8_t *page = pages + (size_t)(r->number % VCHAN_PAGES) * TMEMIF_PAGE_SIZE;

    if (r->operation == OPERATION_GET) {
        transmit(v, page, TMEMIF_PAGE_SIZE);
    } else {
        receive(v, page, TMEMIF_PAGE_SIZE);
        transmit(v, &r->number, sizeof(r->number));
    }
}

void vchan_serve(unsigned client)
{
    uint8_t *pages = calloc(VCHAN_PAGES, TMEMIF_PAGE_SIZE);
    struct libxenvchan *v;
    struct vchan_request r;

    MUST(pages != NULL);
    for (uint32_t i = 0; i < VCHAN_PAGES; i++)
        client_page(pages + (size_t)i * TMEMIF_PAGE_SIZE, i);
    v = libxenvchan_server_init(NULL, (int)client, "data/vchan", RING_BYTES, RING_BYTES);
    MUST(v != NULL);
    v->blocking = -1; /* a flag of one signed bit */
    while (libxenvchan_recv(v, &r, sizeof(r)) == (int)sizeof(r))
        answer(v, &r, pages);
    libxenvchan_close(v);
    free(pages);
}

/* ---- client ---- */

struct libxenvchan *vchan_connect(unsigned server)
{
    char path[PATH_LEN];
    struct libxenvchan *v;

    snprintf(path, sizeof(path), "/local/domain/%u/data/vchan", server);
    v = libxenvchan_client_init(NULL, (int)server, path);
    MUST(v != NULL);
    v->blocking = -1; /* a flag of one signed bit */
    return v;
}

void vchan_disconnect(struct libxenvchan *v)
{
    libxenvchan_close(v);
}

static void ask_for(struct libxenvchan *v, uint32_t number)
{
    struct vchan_request r = {OPERATION_GET, number};

    transmit(v, &r, sizeof(r));
}

void vchan_get(struct libxenvchan *v, const uint32_t *numbers, unsigned nr, unsigned depth)
{
    uint8_t page[TMEMIF_PAGE_SIZE];
    unsigned asked = 0;

    while (asked < depth)
        ask_for(v, numbers[asked++]);
    for (unsigned i = 0; i < nr; i++) {
        receive(v, page, sizeof(page));
        client_check(page, numbers[i]);
        if (asked < nr)
            ask_for(v, numbers[asked++]);
    }
}

/* Request and page in one message, as the library likes it best. */
static void hand_over(struct libxenvchan *v, uint8_t *message, uint32_t number)
{
    struct vchan_request r = {OPERATION_PUT, number};

    memcpy(message, &r, sizeof(r));
    memcpy(message + sizeof(r), &number, sizeof(number));
    transmit(v, message, sizeof(r) + TMEMIF_PAGE_SIZE);
}

void vchan_put(struct libxenvchan *v, const uint32_t *numbers, unsigned nr, unsigned depth)
{
    uint8_t message[sizeof(struct vchan_request) + TMEMIF_PAGE_SIZE];
    unsigned handed = 0;
    uint32_t number;

    client_page(message + sizeof(struct vchan_request), 0);
    while (handed < depth)
        hand_over(v, message, numbers[handed++]);
    for (unsigned i = 0; i < nr; i++) {
        receive(v, &number, sizeof(number));
        MUST(number == numbers[i]);
        if (handed < nr)
            hand_over(v, message, numbers[handed++]);
    }
}
