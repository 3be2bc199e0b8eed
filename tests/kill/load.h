/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.h - a thread that uses the manager and keeps its own record of what was
 * answered.
 *
 *   private pool   persistent; each thread has an object of its own there, so it knows
 *                  of every page whether it is there and with what content
 *   common pool    shared and persistent; all threads write the same few pages, and the
 *                  histories are judged (tests/lib/history.h)
 *   cache pool     shared and ephemeral; starts empty with every daemon
 *   other pools    of the attachment's first thread, made and destroyed: one that
 *                  was made twice is seen
 *
 * Every page says of which pool, object and index it is and which of the puts there.
 */
#ifndef TESTS_KILL_LOAD_H
#define TESTS_KILL_LOAD_H

#include "frontend/include/xentmem.h"
#include "tests/kill/run.h"
#include "tests/lib/history.h"

#define LOAD_PAGES       800u /* private pages of a thread; of 2 x 800 the quota takes 1024 */
#define LOAD_CACHED      64u  /* cache pages of a thread */
#define LOAD_COMMON      8u   /* pages of the common pool */
#define LOAD_LEASES      8u
#define LOAD_COMMON_BYTE 0xc0 /* uuids of the shared pools, 16 of it */
#define LOAD_CACHE_BYTE  0xca

/* An attachment. */
struct load_device {
    struct xentmem *t;
    unsigned number;
    uint32_t private_pool, common_pool, cache_pool;
    uint64_t other_pools; /* bits by id; its first thread's */
};

struct load_cached {
    uint64_t version;     /* 0: absent for certain */
    unsigned last_daemon; /* it was put by this one at the latest */
};

struct load_lease {
    struct xentmem_lease lease;
    uint32_t index;
    unsigned last_daemon;
    bool given;
};

struct load {
    struct run *run;
    struct load_device *device;
    unsigned number;
    pthread_t thread;
    uint64_t random;
    uint64_t last_version;
    uint32_t nr_filled;         /* private pages put in order so far */
    uint64_t pages[LOAD_PAGES]; /* version, 0: absent */
    struct load_cached cached[LOAD_CACHED];
    struct load_lease leases[LOAD_LEASES];
    struct history_notes notes;
    /* of requests that a kill came between: how long they waited, in microseconds */
    uint32_t *waits;
    size_t nr_waits, room_waits;
    uint64_t nr_quota, nr_stale, nr_emptied; /* what must have been seen in a long run */
};

/*
 * Attach @where (xentmem_open()) and make the pools; the operator has allowed it. @number tells
 * its pages from another attachment's, @common_byte, 16 of it, names the common pool. False:
 * run_fail() has said why.
 */
bool load_open_device(struct run *r, struct load_device *d, const char *where, unsigned number,
                      uint8_t common_byte);
/* The thread's body; @argument is a struct load. Ends when run.stop or run.failed is set. */
void *load_main(void *argument);

/* While all threads rest: is every private page as recorded? Returns how many there are. */
uint64_t load_verify(struct load *l);
/* Note what is in the common pool, as the last look of its histories, and empty it. */
void load_settle_common(struct load *l);

#endif /* TESTS_KILL_LOAD_H */
