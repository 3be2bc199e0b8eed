/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frontend_fake.h - a manager in a thread of the test, polite or not.
 *
 * It holds a few pages and answers as told; the library sees it as an
 * attachment like any other.
 */
#ifndef TESTS_FRONTEND_FAKE_H
#define TESTS_FRONTEND_FAKE_H

#include <pthread.h>
#include <stdatomic.h>

#include "frontend/lib/attach.h"
#include "frontend/lib/handle.h"
#include "protocol/ring.h"

#define FAKE_RINGS      2u
#define FAKE_DATA_PAGES 64u
#define FAKE_STORE      1024u

enum fake_manners {
    FAKE_POLITE,
    FAKE_SILENT,         /* takes nothing */
    FAKE_MUTE,           /* answers after a pause, and does not notify */
    FAKE_DEAF,           /* does not hear the first notification */
    FAKE_LATE,           /* answers as whoever waits looks again, and notifies a moment later */
    FAKE_SLOW,           /* one request at a time, with a pause before each */
    FAKE_WRONG_NUMBER,   /* answers a request that is not there */
    FAKE_JUMPING_INDEX,  /* claims more responses than requests */
    FAKE_BACKWARD_INDEX, /* takes a response back */
    FAKE_MISSES_PUTS,    /* MISS for what is no get */
    FAKE_GIVES_LEASES,   /* a lease nobody asked for */
    FAKE_HUGE_POOL_ID,
    FAKE_SHORT_BATCH, /* OK, but not every element */
    FAKE_BAD_ELEMENT, /* MISS for a put within a batch */
    FAKE_NEW_STATUS,  /* one of a later version */
};

struct fake_page {
    uint64_t object;
    uint32_t index;
    bool used;
    uint8_t bytes[TMEMIF_PAGE_SIZE];
};

struct fake {
    struct attach attach;
    uint8_t *memory;
    int to_back[2], to_front[FAKE_RINGS][2], event[2];
    pthread_t thread;
    atomic_int manners;
    atomic_bool stop;
    atomic_uint nr_requests; /* answered, elements of batches by themselves */
    atomic_uint nr_flushes;
    atomic_int look;  /* enum attach_state that look() gives */
    atomic_int again; /* and again() */
    atomic_uint nr_again;
    atomic_uint nr_said; /* sentences in the log */
    struct ring_back back[FAKE_RINGS];
    struct fake_page *store;
};

/* A handle over a fake manager, which ends with the handle. */
struct xentmem *fake_open(struct fake *f, int timeout_ms, unsigned poll_us);

/* Make the library look at its attachment. */
void fake_ring_event(struct fake *f);

#endif /* TESTS_FRONTEND_FAKE_H */
