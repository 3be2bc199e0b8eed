/* SPDX-License-Identifier: MIT */
/*
 * ring.h - both ends of a ring (layout: struct tmemif_ring).
 *
 * Each end keeps its own indexes in a private struct and stores them to the
 * shared page; it never reads back what it stored. The other end's index is
 * read once into a local, checked against the ring size, and used from there.
 * Nothing here allocates, blocks or calls out; one thread uses an end at a
 * time. Builds freestanding.
 */
#ifndef TMEM_RING_H
#define TMEM_RING_H

#include <stdbool.h>

#include "tmemif.h"

/* Where the parts of a ring lie. The pages belong to whoever mapped them. */
struct ring_view {
    struct tmemif_ring *shared;
    struct tmemif_request *requests;
    struct tmemif_response *responses;
    uint32_t nr_slots; /* a power of two */
};

struct ring_front {
    struct ring_view view;
    uint32_t req_prod;      /* requests written, published or not */
    uint32_t req_published; /* what the backend has been shown */
    uint32_t rsp_cons;      /* responses taken */
};

struct ring_back {
    struct ring_view view;
    uint32_t req_cons; /* requests taken */
    uint32_t rsp_prod; /* responses published */
};

static inline uint32_t ring_read_once(const uint32_t *shared)
{
    /* acquire: what the peer wrote before this index is read after it */
    return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

static inline void ring_publish(uint32_t *shared, uint32_t value)
{
    /* release: the peer sees the slots /before/ the new index */
    __atomic_store_n(shared, value, __ATOMIC_RELEASE);
}

static inline struct ring_view ring_view_at(void *pages, unsigned order)
{
    uint8_t *base = (uint8_t *)pages + TMEMIF_RING_HEADER_BYTES;
    uint32_t nr = TMEMIF_RING_SLOTS(order);

    return (struct ring_view){
        .shared = (struct tmemif_ring *)pages,
        .requests = (struct tmemif_request *)base,
        .responses = (struct tmemif_response *)(base + nr * sizeof(struct tmemif_request)),
        .nr_slots = nr,
    };
}

/*
 * Should the peer be told that an index went from @old to @now? @event is the
 * index it asked to be told about (-> RING_PUSH_REQUESTS_AND_CHECK_NOTIFY in
 * Xen's io/ring.h).
 */
static inline bool ring_needs_notify(uint32_t old, uint32_t now, uint32_t event)
{
    return (uint32_t)(now - event) < (uint32_t)(now - old);
}

/* ---- frontend ---- */

/* A fresh ring in zeroed or reused pages. */
static inline void ring_front_init(struct ring_front *r, void *pages, unsigned order)
{
    *r = (struct ring_front){ .view = ring_view_at(pages, order) };
    r->view.shared->req_prod = 0;
    r->view.shared->rsp_prod = 0;
    r->view.shared->req_event = 1;
    r->view.shared->rsp_event = 1;
    r->view.shared->front_alive = 1;
}

/* Requests that may still be put before a response has to be taken. */
static inline uint32_t ring_front_free(const struct ring_front *r)
{
    return r->view.nr_slots - (r->req_prod - r->rsp_cons);
}

/* Put one request; needs ring_front_free() > 0. Returns its number. */
static inline uint32_t ring_front_put(struct ring_front *r, const struct tmemif_request *req)
{
    r->view.requests[r->req_prod & (r->view.nr_slots - 1)] = *req;
    return r->req_prod++;
}

/* Show all requests put so far. Returns true if the backend must be notified. */
static inline bool ring_front_publish(struct ring_front *r)
{
    uint32_t old = r->req_published;

    ring_publish(&r->view.shared->req_prod, r->req_prod);
    r->req_published = r->req_prod;
    /* our index is visible /before/ we look at what the backend waits for */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_needs_notify(old, r->req_prod, ring_read_once(&r->view.shared->req_event));
}

/*
 * Responses ready, at most as many as are outstanding; a backend that claims
 * more is broken: *@bad_out is set and 0 returned.
 */
static inline uint32_t ring_front_ready(const struct ring_front *r, bool *bad_out)
{
    uint32_t ready = ring_read_once(&r->view.shared->rsp_prod) - r->rsp_cons;

    *bad_out = ready > r->req_published - r->rsp_cons;
    return *bad_out ? 0 : ready;
}

/* Take one response; needs ring_front_ready() > 0. */
static inline struct tmemif_response ring_front_take(struct ring_front *r)
{
    return r->view.responses[r->rsp_cons++ & (r->view.nr_slots - 1)];
}

/*
 * Ask to be notified of the next response. Returns true if one is there
 * already, so the caller must not sleep.
 */
static inline bool ring_front_arm(struct ring_front *r)
{
    ring_publish(&r->view.shared->rsp_event, r->rsp_cons + 1);
    /* our wish is visible /before/ we look for the last time */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_read_once(&r->view.shared->rsp_prod) != r->rsp_cons;
}

/* ---- backend ---- */

/*
 * Take up a ring at request number @resume: 0 for a new one, the recorded
 * number after a restart of the manager.
 */
static inline void ring_back_init(struct ring_back *r, void *pages, unsigned order,
                                  uint32_t resume)
{
    *r = (struct ring_back){ .view = ring_view_at(pages, order),
                             .req_cons = resume,
                             .rsp_prod = resume };
    ring_publish(&r->view.shared->rsp_prod, resume);
    ring_publish(&r->view.shared->req_event, resume + 1);
}

/*
 * Requests ready. An index that ran backwards or past the ring is a violation
 * by the frontend: *@bad_out is set and 0 returned.
 */
static inline uint32_t ring_back_ready(const struct ring_back *r, bool *bad_out)
{
    uint32_t ready = ring_read_once(&r->view.shared->req_prod) - r->req_cons;

    *bad_out = ready > r->view.nr_slots;
    return *bad_out ? 0 : ready;
}

/*
 * Copy the next request to private memory, each word read exactly once: the
 * frontend may be writing to the slot (XSA-155).
 */
static inline struct tmemif_request ring_back_take(struct ring_back *r)
{
    struct tmemif_request untrusted;
    const volatile uint64_t *slot =
        (const volatile uint64_t *)&r->view.requests[r->req_cons & (r->view.nr_slots - 1)];
    uint64_t *copy = (uint64_t *)&untrusted;

    for (unsigned i = 0; i < sizeof(untrusted) / sizeof(*copy); i++)
        copy[i] = slot[i];
    r->req_cons++;
    return untrusted;
}

/*
 * Publish the response to the oldest request taken and not yet answered.
 * Returns true if the frontend must be notified.
 */
static inline bool ring_back_answer(struct ring_back *r, const struct tmemif_response *rsp)
{
    uint32_t old = r->rsp_prod;

    r->view.responses[old & (r->view.nr_slots - 1)] = *rsp;
    r->rsp_prod = old + 1;
    ring_publish(&r->view.shared->rsp_prod, r->rsp_prod);
    /* the response is visible /before/ we look at what the frontend waits for */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_needs_notify(old, r->rsp_prod, ring_read_once(&r->view.shared->rsp_event));
}

/*
 * Ask to be notified of the next request. Returns true if one is there
 * already, so the caller must not sleep.
 */
static inline bool ring_back_arm(struct ring_back *r)
{
    ring_publish(&r->view.shared->req_event, r->req_cons + 1);
    /* our wish is visible /before/ we look for the last time */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_read_once(&r->view.shared->req_prod) != r->req_cons;
}

#endif /* TMEM_RING_H */
