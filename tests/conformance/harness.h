/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * harness.h - one set of rules, several ways to reach a manager.
 *
 *   rules_*.c ---- struct call ----> harness ----> guest_do() ----> port ----> manager
 *                                      |                             |
 *                     conformance_engine: same process             the engine
 *                     conformance_local:  a process for each guest  libxentmem, xentmemd
 *                     conformance_xen:    a domain for each guest   libxentmem, manager domain
 *
 * A rule says what guests and the operator do, and what must come out. Pages
 * travel as tags (page.h), so a call is plain data and fits a message.
 */
#ifndef CONFORMANCE_HARNESS_H
#define CONFORMANCE_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"
#include "protocol/tmemif.h"

#define NR_GUESTS 3u

enum act {
    ACT_CREATE = 1, /* flags -> pool */
    ACT_JOIN,       /* uuid, flags -> pool */
    ACT_LEAVE,
    ACT_DESTROY,
    ACT_RESET,
    ACT_INFO,
    ACT_PUT, /* tag, flags */
    ACT_GET, /* flags -> tag */
    ACT_FLUSH,
    ACT_FLUSH_OBJECT,
    ACT_FLUSH_RANGE, /* index to last */
    ACT_FILL,        /* put tag + i at index + i, up to last -> nr_ok, nr_refused */
    ACT_SCAN,        /* get the same -> nr_ok, nr_missed, nr_wrong */
    ACT_RACE,        /* two threads get index to last at once -> nr_ok, nr_wrong */
    ACT_STORM,       /* @rounds puts, gets and flushes of one handle, by @role -> nr_ok, nr_wrong */
    ACT_COPIES,      /* a put and a get through the session's code, copies counted -> nr_wrong */
    ACT_SCRIBBLE,    /* put index to last while another thread writes over the shared memory, then
                        get each twice -> nr_ok, nr_wrong */
    ACT_ORDER,       /* put, put, get, flush, get, put in flight at once -> nr_wrong */
};

/* ACT_GET */
#define CALL_WANT_LEASE 0x1u
/* ACT_PUT */
#define CALL_LEASED 0x2u
/* ACT_PUT, ACT_GET: the guest's page cannot be read or written; needs harness->can_fail_copy */
#define CALL_BAD_PAGE 0x4u

enum storm_role { STORM_WRITER, STORM_READER, STORM_FLUSHER };

struct call {
    uint32_t act;
    uint32_t flags; /* CALL_*, or TMEMIF_POOL_* */
    uint32_t pool;
    uint32_t index, last;
    uint32_t tag;
    uint32_t role, rounds;
    uint64_t object[3];
    uint8_t uuid[TMEMIF_UUID_LEN];
    struct tmemif_lease lease;
    /* what came out */
    uint32_t leased;  /* @lease was given */
    int32_t status;   /* enum tmemif_status; -1: no answer */
    uint32_t changed; /* a get that was no hit has touched the guest's page */
    uint32_t nr_ok, nr_missed, nr_refused, nr_wrong;
    uint32_t reserved;
    struct tmemif_pool_info info;
};

struct harness;

struct harness_ops {
    /* Begin @call for @guest, which does nothing else until it was ended. */
    void (*begin)(struct harness *h, unsigned guest, const struct call *call);
    void (*end)(struct harness *h, unsigned guest, struct call *call_out);

    /* The operator. False: it failed. */
    bool (*set_policy)(struct harness *h, unsigned guest, const struct policy *policy);
    bool (*set_shared)(struct harness *h, const uint8_t *uuid, const struct policy *policy);
    bool (*allow)(struct harness *h, const uint8_t *uuid, unsigned guest, enum pool_right right);
    bool (*freeze)(struct harness *h, unsigned guest, bool frozen);
    bool (*freeze_shared)(struct harness *h, const uint8_t *uuid, bool frozen);
    /* The pool goes, and with it, in some harnesses, its policy and its members' rights. */
    bool (*remove_shared)(struct harness *h, const uint8_t *uuid);
    /* The manager compares its counters with a full scan. NULL: all agrees. */
    const char *(*check)(struct harness *h);

    /* The guest's process is killed and started again. NULL: guests are no processes here. */
    bool (*lose)(struct harness *h, unsigned guest);
    /*
     * A test has failed: was it that the machine under it lost a guest? Then replace the guest,
     * say so, and return true: the test is run again, once. NULL: that cannot be.
     */
    bool (*revive)(struct harness *h);
    /* The guest itself dies and another comes in its place; the manager is told. */
    bool (*die)(struct harness *h, unsigned guest);
};

struct harness {
    const char *name;
    const struct harness_ops *ops;
    bool can_fail_copy;
    bool counts_copies;
    bool in_flight; /* a guest can have several requests under way, which go through a ring */
    bool slow;      /* a call takes long: fewer rounds, the same cases */
    uint32_t nr_frames;
    void *state;
    /* of the test that runs */
    uint8_t uuid[TMEMIF_UUID_LEN]; /* of its shared pool; new for each test */
    bool has_shared;               /* that pool has a policy */
    bool used[NR_GUESTS];          /* guests that have done something */
    char *why;                     /* it has failed */
};

struct rule_test {
    const char *name; /* begins with the number of the rule: c05_... */
    void (*run)(struct harness *h);
    bool (*applies)(const struct harness *h); /* NULL: everywhere */
};

extern const struct rule_test rules_pages[], rules_limits[], rules_shared[];

/* Run those of all rules that apply and are named (all if @nr_names is 0), print ok/not ok
 * lines. Returns the exit status. */
int harness_run(struct harness *h, int nr_names, char **names);
/* Run one: NULL, or why it failed, to be freed. */
char *harness_run_one(struct harness *h, const struct rule_test *test);
/* Every pool gone, policies as at the start, nothing frozen, nobody allowed. */
bool harness_clean(struct harness *h);

/* ---- for tests ---- */

void harness_fail(struct harness *h, const char *file, int line, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            harness_fail(h, __FILE__, __LINE__, "%s", #condition);                                 \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* A call's outcome, with its name when it is another. */
#define EXPECT_IS(expression, wanted)                                                              \
    do {                                                                                           \
        int got_ = (expression);                                                                   \
        if (got_ != TMEMIF_##wanted) {                                                             \
            harness_fail(h, __FILE__, __LINE__, "%s is %s, not " #wanted, #expression,             \
                         got_ < 0 ? "no answer" : tmem_status_name((unsigned)got_));               \
            return;                                                                                \
        }                                                                                          \
    } while (0)

int call_run(struct harness *h, unsigned guest, struct call *call);

/* Pool ids and statuses of the common calls; the object is {@object, 2, 3}. */
int create(struct harness *h, unsigned guest, uint32_t flags, uint32_t *pool_out);
int join(struct harness *h, unsigned guest, uint32_t flags, uint32_t *pool_out);
int leave(struct harness *h, unsigned guest, uint32_t pool);
int destroy(struct harness *h, unsigned guest, uint32_t pool);
int put(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
        uint32_t tag);
/* OK: the page is @tag, whole; a page that is another is TAG_WRONG in *tag_out. */
int get(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
        uint32_t *tag_out);
int get_leased(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
               struct tmemif_lease *lease_out, bool *leased_out);
int put_leased(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
               uint32_t tag, const struct tmemif_lease *lease);
int flush(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index);
int flush_object(struct harness *h, unsigned guest, uint32_t pool, uint64_t object);
int flush_range(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t first,
                uint32_t last);
struct tmemif_pool_info info(struct harness *h, unsigned guest, uint32_t pool);
/* Is the page there and @tag? For a get that must hit, or must miss. */
bool holds(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index,
           uint32_t tag);
bool misses(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t index);
/* Put, or get, indexes 0 to @nr - 1 of @object. */
struct call fill(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t nr,
                 uint32_t tag);
struct call scan(struct harness *h, unsigned guest, uint32_t pool, uint64_t object, uint32_t nr,
                 uint32_t tag);

bool allow(struct harness *h, unsigned guest, enum pool_right right); /* to h->uuid */
bool quota(struct harness *h, unsigned guest, uint64_t nr_pages);
bool shared_quota(struct harness *h, uint64_t nr_pages);
bool freeze(struct harness *h, unsigned guest, bool frozen);

/* What a guest may hold unless a test says otherwise. */
#define DEFAULT_QUOTA 100u

#endif /* CONFORMANCE_HARNESS_H */
