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

#ifndef __KERNEL__
#include <stdbool.h>
#endif

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

/*
 * Copy a slot to private memory, each word read exactly once: the peer may be
 * writing to it (XSA-155). @bytes is a multiple of 32, which both kinds of slot are.
 */
static inline void ring_copy_once(void *private_out, const void *slot, unsigned bytes)
{
    const uint64_t *shared = (const uint64_t *)slot;
    uint8_t *out = (uint8_t *)private_out;

    for (unsigned i = 0; i < bytes / sizeof(uint64_t); i += 4) {
        uint64_t words[4] = {
            __atomic_load_n(&shared[i], __ATOMIC_RELAXED),
            __atomic_load_n(&shared[i + 1], __ATOMIC_RELAXED),
            __atomic_load_n(&shared[i + 2], __ATOMIC_RELAXED),
            __atomic_load_n(&shared[i + 3], __ATOMIC_RELAXED),
        };

        __builtin_memcpy(out + i * sizeof(uint64_t), words, sizeof(words));
    }
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

#define RING_LOOK_LEAST_US 50u

/* As long as @nr_calls of @call_ns, within RING_LOOK_LEAST_US and @most_us. */
static inline unsigned ring_look_for_us(unsigned nr_calls, uint64_t call_ns, unsigned most_us)
{
    uint64_t us = nr_calls * call_ns / 1000;

    if (us < RING_LOOK_LEAST_US)
        return RING_LOOK_LEAST_US;
    return us < most_us ? (unsigned)us : most_us;
}

/*
 * For how many microseconds either end should look for the other before it sleeps: as long as
 * that would cost both. On each side it is some system calls, an interrupt and a switch.
 * @clock_cost_ns: what reading the exact clock costs, which tells where system calls are dear (a
 * Xen guest whose TSC is not known to be stable). @notify_cost_ns: what the call that notifies
 * costs where it is one of the hypervisor, which may be dear by itself; 0: it is not, or not known.
 */
#define RING_LOOK_CALLS   32u
#define RING_LOOK_MOST_US 1000u

static inline unsigned ring_look_us(uint64_t clock_cost_ns, uint64_t notify_cost_ns)
{
    return ring_look_for_us(RING_LOOK_CALLS,
                            clock_cost_ns > notify_cost_ns ? clock_cost_ns : notify_cost_ns,
                            RING_LOOK_MOST_US);
}

/* ---- frontend ---- */

/*
 * A fresh ring in pages that are zero or were used before, and that no backend
 * has been told of yet. @session: a random number, the same for all rings that
 * are made at one time; by it a restarted backend knows its old rings again.
 */
static inline void ring_front_init(struct ring_front *r, void *pages, unsigned order,
                                   uint64_t session)
{
    *r = (struct ring_front){.view = ring_view_at(pages, order)};
    *r->view.shared = (struct tmemif_ring){
        .rsp_event = 1,
        .front_alive = TMEMIF_FRONT_ALIVE,
        .front_session = session,
        .req_event = 1,
    };
}

/* Say good-bye on ring 0, before anything else that the backend could see first. */
static inline void ring_front_leave(struct tmemif_ring *shared)
{
    ring_publish(&shared->front_alive, TMEMIF_FRONT_LEFT);
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

/* Copy the next response to private memory; needs ring_front_ready() > 0. */
static inline struct tmemif_response ring_front_take(struct ring_front *r)
{
    struct tmemif_response untrusted;

    ring_copy_once(&untrusted, &r->view.responses[r->rsp_cons & (r->view.nr_slots - 1)],
                   sizeof(untrusted));
    r->rsp_cons++;
    return untrusted;
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

/* Is the frontend's process there, as ring 0 tells it? */
static inline bool ring_back_is_alive(const struct tmemif_ring *shared)
{
    return ring_read_once(&shared->front_alive) & TMEMIF_FRONT_ALIVE;
}

/* Has it left of its own will? If not, and it is gone, then it was lost (rule C25). */
static inline bool ring_back_has_left(const struct tmemif_ring *shared)
{
    return ring_read_once(&shared->front_alive) & TMEMIF_FRONT_LEFT;
}

/*
 * Take up a ring at request number @resume: 0 for a new one, after a restart of the
 * manager what rsp_prod says, once the ring's record has agreed: no request is
 * answered twice (PROTOCOL.md, section 10). rsp_prod is not stored here.
 */
static inline void ring_back_init(struct ring_back *r, void *pages, unsigned order, uint32_t resume)
{
    *r = (struct ring_back){
        .view = ring_view_at(pages, order), .req_cons = resume, .rsp_prod = resume};
    ring_publish(&r->view.shared->req_event, resume + 1);
}

/*
 * Requests ready. An index that ran backwards, or past what the ring holds
 * beside the requests taken and not yet answered, is a violation by the
 * frontend: *@bad_out is set and 0 returned.
 */
static inline uint32_t ring_back_ready(const struct ring_back *r, bool *bad_out)
{
    uint32_t ready = ring_read_once(&r->view.shared->req_prod) - r->req_cons;

    *bad_out = ready > r->view.nr_slots - (r->req_cons - r->rsp_prod);
    return *bad_out ? 0 : ready;
}

/* Copy the next request to private memory; needs ring_back_ready() > 0. */
static inline struct tmemif_request ring_back_take(struct ring_back *r)
{
    struct tmemif_request untrusted;

    ring_copy_once(&untrusted, &r->view.requests[r->req_cons & (r->view.nr_slots - 1)],
                   sizeof(untrusted));
    r->req_cons++;
    return untrusted;
}

/*
 * Copy a request that waits, @ahead places behind the next one, without taking it; needs
 * ring_back_ready() > @ahead. When it is taken it may say something else: this one is run
 * instead, with ring_back_skip(), or is good for a guess.
 */
static inline struct tmemif_request ring_back_peek(const struct ring_back *r, uint32_t ahead)
{
    struct tmemif_request untrusted;

    ring_copy_once(&untrusted, &r->view.requests[(r->req_cons + ahead) & (r->view.nr_slots - 1)],
                   sizeof(untrusted));
    return untrusted;
}

/* Take the next @nr requests, which have been copied. */
static inline void ring_back_skip(struct ring_back *r, uint32_t nr)
{
    r->req_cons += nr;
}

/* Publish the response to the oldest request taken and not yet answered. */
static inline void ring_back_answer(struct ring_back *r, const struct tmemif_response *rsp)
{
    r->view.responses[r->rsp_prod & (r->view.nr_slots - 1)] = *rsp;
    r->rsp_prod++;
    ring_publish(&r->view.shared->rsp_prod, r->rsp_prod);
}

/*
 * Must the frontend be notified of the responses published since @old, which was r->rsp_prod
 * then? Asked once for all that are answered at a time, as it takes a fence.
 */
static inline bool ring_back_needs_notify(const struct ring_back *r, uint32_t old)
{
    if (r->rsp_prod == old)
        return false;
    /* the responses are visible /before/ we look at what the frontend waits for */
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
