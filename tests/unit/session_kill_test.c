/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Killed at any instruction: a process that serves a ring is stepped one
 * instruction at a time. Whenever that has changed anything which outlives it,
 * a copy of the segments and of the ring is taken up as the next daemon would,
 * and served to the end: every request has been answered once, and has run once.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/runner.h"
#include "tests/lib/step.h"
#include "tests/unit/session_world.h"

#define MAX_STEPS  20000000
#define NR_FRAMES  32u
#define DATA_PAGES 8u
#define BUDGET     1000u

enum {
    REQUESTS_AT = 0,
    RESPONSES_AT = 2048,
    PAGE_A = 1,
    PAGE_B = 2,
    PAGE_FILLED = 3,
    PAGE_OUT = 4,
    PAGE_OUT_2 = 5,
    PAGE_OUT_3 = 6
};

/* A ring and its data area, as a frontend made them. */
struct memory {
    uint8_t ring[TMEMIF_PAGE_SIZE];
    uint8_t data[DATA_PAGES * TMEMIF_PAGE_SIZE];
};

/* ---- the ring's other end ---- */

static struct tmemif_request page(enum tmemif_op op, uint64_t object, uint32_t index, uint32_t slot)
{
    struct tmemif_request r = {.op = (uint16_t)op};

    r.u.page.object[0] = object;
    r.u.page.index = index;
    if (op != TMEMIF_OP_PAGE_FLUSH)
        r.u.page.data =
            (struct tmemif_data){.offset = slot * TMEMIF_PAGE_SIZE, .length = TMEMIF_PAGE_SIZE};
    return r;
}

static struct tmemif_request pool_create(void)
{
    struct tmemif_request r = {.op = TMEMIF_OP_POOL_CREATE};

    r.u.pool.flags = TMEMIF_POOL_PERSISTENT;
    return r;
}

static struct tmemif_request batch(struct memory *m)
{
    struct tmemif_request r = {.op = TMEMIF_OP_BATCH};
    struct tmemif_request elements[] = {
        page(TMEMIF_OP_PAGE_PUT, 3, 1, PAGE_A),      page(TMEMIF_OP_PAGE_FLUSH, 2, 2, 0),
        page(TMEMIF_OP_PAGE_PUT, 3, 2, PAGE_B),      page(TMEMIF_OP_PAGE_GET, 3, 1, PAGE_OUT),
        page(TMEMIF_OP_PAGE_GET, 4, 1, PAGE_OUT_2),  page(TMEMIF_OP_PAGE_GET, 9, 9, PAGE_OUT_3),
        page(TMEMIF_OP_PAGE_PUT, 5, 1, PAGE_FILLED),
    };

    memcpy(m->data + REQUESTS_AT, elements, sizeof(elements));
    r.u.batch.count = sizeof(elements) / sizeof(elements[0]);
    r.u.batch.requests =
        (struct tmemif_data){.offset = REQUESTS_AT, .length = r.u.batch.count * 64};
    r.u.batch.responses =
        (struct tmemif_data){.offset = RESPONSES_AT, .length = r.u.batch.count * 32};
    return r;
}

/* Sanitizers make the way twenty times as long; what they are to see are its ends. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NR_REQUESTS 3u
#define MIN_STATES  20u
#else
#define NR_REQUESTS 16u
#define MIN_STATES  130u
#endif
/*
 * Three gets in a row, here and as elements of the batch, of which the last one is a miss: all are
 * run together in the batch, two on the ring.
 */
enum { BATCH_NR = 7, GET_NR = 9, LAST_CREATE_NR = 13, RANGE_NR = 14, BAD_NR = 15 };
enum { BATCH_COUNT = 7, BATCH_GET_NR = 3, GETS_IN_A_ROW = 3 };

static uint32_t put_requests(struct memory *m)
{
    struct tmemif_request destroy = {.op = TMEMIF_OP_POOL_DESTROY, .pool = 1};
    struct tmemif_request flush = {.op = TMEMIF_OP_RANGE_FLUSH};
    struct tmemif_request nop = {.op = TMEMIF_OP_NOP};
    struct tmemif_request bad = {.op = 1};
    const struct tmemif_request requests[] = {
        pool_create(),
        pool_create(),
        page(TMEMIF_OP_PAGE_PUT, 4, 1, PAGE_B),
        page(TMEMIF_OP_PAGE_PUT, 1, 1, PAGE_A),
        page(TMEMIF_OP_PAGE_PUT, 1, 1, PAGE_B),
        page(TMEMIF_OP_PAGE_FLUSH, 1, 1, 0),
        page(TMEMIF_OP_PAGE_PUT, 2, 2, PAGE_FILLED),
        batch(m),
        destroy,
        page(TMEMIF_OP_PAGE_GET, 3, 2, PAGE_OUT),
        page(TMEMIF_OP_PAGE_GET, 4, 1, PAGE_OUT_2),
        page(TMEMIF_OP_PAGE_GET, 9, 9, PAGE_OUT_3),
        nop,
        pool_create(),
        (flush.u.range.object[0] = 3, flush.u.range.first = 2, flush.u.range.last = 2, flush),
        bad,
    };
    struct ring_front front;

    ring_front_init(&front, m->ring, 0, 0x5e55);
    memset(m->data + PAGE_A * TMEMIF_PAGE_SIZE, 'a', TMEMIF_PAGE_SIZE - 8);
    memset(m->data + PAGE_B * TMEMIF_PAGE_SIZE, 'b', TMEMIF_PAGE_SIZE - 8);
    memset(m->data + PAGE_FILLED * TMEMIF_PAGE_SIZE, 'f', TMEMIF_PAGE_SIZE);
    for (unsigned i = 0; i < NR_REQUESTS; i++)
        ring_front_put(&front, &requests[i]);
    ring_front_publish(&front);
    return front.req_prod;
}

/* ---- what has to be true ---- */

static bool is_there(struct session_world *w, uint64_t object, uint32_t index)
{
    const struct page_op op = {
        .pool_id = 0, .object = {object}, .index = index, .account = w->session->account};
    struct engine_get get;
    const void *frame;
    uint32_t word;
    bool leased;

    if (engine_get_begin(w->engine, &op, &get, &frame, &word, NULL, &leased) != TMEMIF_OK)
        return false;
    engine_get_end(w->engine, &get, true);
    return true;
}

static void flush(struct session_world *w, uint64_t object, uint32_t index)
{
    const struct page_op op = {
        .pool_id = 0, .object = {object}, .index = index, .account = w->session->account};

    engine_flush_page(w->engine, &op);
}

struct handle {
    uint64_t object;
    uint32_t index;
    uint32_t by; /* number of the request that puts or flushes it */
};
/* Pages that are put once and not flushed by the ring, and those that it flushes. */
static const struct handle lasting[] = {{4, 1, 2}, {3, 1, BATCH_NR}, {5, 1, BATCH_NR}};
static const struct handle flushed_last[] = {{1, 1, 5}, {2, 2, BATCH_NR}, {3, 2, RANGE_NR}};
#define NR_LASTING 3u

/* Is @status right for the get @place of a row? What was flushed by another may be missed. */
static bool get_is_right(uint32_t place, unsigned status)
{
    if (place == GETS_IN_A_ROW - 1)
        return status == TMEMIF_MISS;
    return status == TMEMIF_OK || status == TMEMIF_MISS;
}

static const char *check_answers(struct memory *m, uint32_t nr)
{
    const struct ring_view view = ring_view_at(m->ring, 0);
    const struct tmemif_response *elements = (const void *)(m->data + RESPONSES_AT);

    if (view.shared->rsp_prod != nr)
        return "not every request was answered";
    for (uint32_t i = 0; i < nr; i++) {
        const struct tmemif_response *rsp = &view.responses[i];
        unsigned want = i == BAD_NR ? TMEMIF_BAD_OP : TMEMIF_OK;

        if (rsp->number != i)
            return "an answer has another request's number";
        if (i - GET_NR < GETS_IN_A_ROW ? !get_is_right(i - GET_NR, rsp->status)
                                       : rsp->status != want)
            return "an answer is wrong";
        if (rsp->value != (i == 1 || i == LAST_CREATE_NR))
            return "a pool has another id than it would have had";
    }
    if (nr <= BATCH_NR)
        return NULL;
    if (view.responses[BATCH_NR].count != BATCH_COUNT)
        return "a batch was not answered whole";
    for (uint32_t i = 0; i < BATCH_COUNT; i++) {
        bool is_get = i - BATCH_GET_NR < GETS_IN_A_ROW;

        if (elements[i].number != i || (is_get ? !get_is_right(i - BATCH_GET_NR, elements[i].status)
                                               : elements[i].status != TMEMIF_OK))
            return "an element's answer is wrong";
    }
    if (nr > GET_NR + 1 && view.responses[GET_NR + 1].status == TMEMIF_OK &&
        memcmp(m->data + PAGE_OUT_2 * TMEMIF_PAGE_SIZE, m->data + PAGE_B * TMEMIF_PAGE_SIZE,
               TMEMIF_PAGE_SIZE) != 0)
        return "a page has come back as another";
    return NULL;
}

/*
 * Take up a copy of what is there. @interfere: first let somebody else flush the
 * pages that are found, which no request may bring back.
 */
static const char *take_up(struct store *s, const struct memory *shared, uint32_t nr_requests,
                           bool interfere)
{
    struct memory *m = aligned_alloc(TMEMIF_PAGE_SIZE, sizeof(*m));
    bool flushed[NR_LASTING] = {false};
    struct store *copy = step_copy_store(s);
    const char *wrong = NULL;
    struct session_world w;

    if (!copy) {
        free(m);
        return "the segments were refused";
    }
    memcpy(m, shared, sizeof(*m));
    if (!session_world_open(&w, copy, m->ring, m->data, sizeof(m->data), true))
        wrong = "the ring was not taken up";
    for (unsigned i = 0; !wrong && interfere && i < NR_LASTING; i++) {
        flushed[i] = is_there(&w, lasting[i].object, lasting[i].index);
        if (flushed[i])
            flush(&w, lasting[i].object, lasting[i].index);
    }
    if (!wrong && serve_ring(&w.session->rings[0], 0, BUDGET) != SERVE_EMPTY)
        wrong = "the ring was not served to its end";
    if (!wrong)
        wrong = check_answers(m, nr_requests);
    if (!wrong && engine_account_pools(w.engine, w.session->account) != 3)
        wrong = "a pool is missing, or there is one too many";
    for (unsigned i = 0; !wrong && i < NR_LASTING; i++) {
        bool there = is_there(&w, lasting[i].object, lasting[i].index);

        if (there && flushed[i])
            wrong = "a put ran again and undid another's flush";
        if (!there && !flushed[i] && lasting[i].by < nr_requests)
            wrong = "a put did not run";
    }
    for (unsigned i = 0; !wrong && i < NR_LASTING; i++) {
        if (flushed_last[i].by < nr_requests &&
            is_there(&w, flushed_last[i].object, flushed_last[i].index))
            wrong = "a flush did not run";
    }
    if (!wrong)
        wrong = engine_check(w.engine);
    session_world_close(&w);
    free(m);
    return wrong;
}

/* ---- stepping ---- */

/* Changes with everything that outlives the process and matters here. */
static uint64_t fingerprint(struct store *s, const struct memory *m)
{
    const uint64_t *record = (const uint64_t *)store_rings(s);
    const struct layout_super *super = store_super(s);
    uint64_t x = ((const struct tmemif_ring *)(const void *)m->ring)->rsp_prod;

    for (unsigned i = 0; i < sizeof(struct ring_rec) / 8; i++)
        x = x * 0x9e3779b97f4a7c15ull + record[i];
    for (uint32_t i = 0; i < super->nr_descs; i++)
        x = x * 0x9e3779b97f4a7c15ull + store_desc(s, i)->live;
    for (unsigned i = 0; i < 4; i++)
        x = x * 0x9e3779b97f4a7c15ull + store_pools(s)[i].live + store_pools(s)[i].floor +
            store_accounts(s)[0].pools[i] + store_tombstones(s)[i].live;
    return x;
}

/* A step is two switches between the processes: much faster on one CPU. */
static void stay_on_one_cpu(void)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET((size_t)sched_getcpu(), &cpus);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void every_request_runs_once_whenever_it_is_killed(void)
{
    const struct store_config config = {.nr_frames = NR_FRAMES, .nr_filled = 8};
    struct memory *m =
        mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint32_t nr_requests = put_requests(m);
    unsigned nr_states = 0, nr_wrong = 0;
    uint64_t last = 0;
    struct store *s;
    const char *why;
    bool done = false;
    pid_t child;
    int status;

    CU_ASSERT_TRUE_FATAL(store_create(&config, &s, &why));
    stay_on_one_cpu();
    child = fork();
    if (child == 0) {
        struct session_world w;

        if (!session_world_open(&w, s, m->ring, m->data, sizeof(m->data), false))
            _exit(1);
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        (void)serve_ring(&w.session->rings[0], 0, BUDGET);
        (void)raise(SIGSTOP);
        _exit(0);
    }
    CU_ASSERT_FATAL(child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status));

    for (long step = 0; step < MAX_STEPS && nr_wrong == 0; step++) {
        uint64_t now;

        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
            waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            break;
        done = WSTOPSIG(status) == SIGSTOP;
        if (done || WSTOPSIG(status) != SIGTRAP)
            break;
        now = fingerprint(s, m);
        if (now == last)
            continue;
        last = now;
        nr_states++;
        for (unsigned interfere = 0; interfere < 2; interfere++) {
            const char *wrong = take_up(s, m, nr_requests, interfere);

            if (!wrong)
                continue;
            nr_wrong++;
            fprintf(stderr, "step %ld, rsp_prod %u, record %u.%u phase %u op %u%s: %s\n", step,
                    ((struct tmemif_ring *)(void *)m->ring)->rsp_prod, store_rings(s)->number,
                    store_rings(s)->element, store_rings(s)->phase, store_rings(s)->op,
                    interfere ? ", flushed by another" : "", wrong);
        }
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    CU_ASSERT_TRUE(done);
    CU_ASSERT_EQUAL(nr_wrong, 0);
    CU_ASSERT_TRUE(nr_states > MIN_STATES); /* it was stepped, not run */
    CU_ASSERT_PTR_NULL(check_answers(m, nr_requests));
    store_close(s);
    munmap(m, sizeof(*m));
}

/* ---- one that has to wait ---- */

/* More than are reclaimed while a pool is created. */
#define NR_DYING_PAGES 1000u

static void put_zeros(struct session_world *w, uint32_t pool_id, uint32_t index)
{
    const struct page_op op = {
        .object = {1}, .index = index, .pool_id = pool_id, .account = w->session->account};
    struct engine_put put;
    void *frame;

    CU_ASSERT_EQUAL_FATAL(engine_put_begin(w->engine, &op, &put, &frame), TMEMIF_OK);
    memset(frame, 0, TMEMIF_PAGE_SIZE);
    CU_ASSERT_EQUAL(engine_put_commit(w->engine, &put), TMEMIF_OK);
}

/*
 * All pools that an account may have are destroyed, the first with so many pages, the others, which
 * wait behind it, with one each.
 */
static void leave_much_to_reclaim(struct session_world *w)
{
    const struct policy policy = {
        .quota_pages = 2 * NR_DYING_PAGES, .max_pages = PAGES_UNLIMITED, .weight = 1};
    account_nr account = w->session->account;
    uint32_t id;

    engine_account_set_policy(w->engine, account, &policy);
    for (unsigned i = 0; i < TMEMIF_MAX_POOLS; i++) {
        CU_ASSERT_EQUAL(engine_pool_create(w->engine, account, TMEMIF_POOL_PERSISTENT, &id),
                        TMEMIF_OK);
        put_zeros(w, id, 0);
    }
    for (unsigned i = 1; i < NR_DYING_PAGES; i++)
        put_zeros(w, 0, i);
    engine_account_reset(w->engine, account);
}

/* While its POOL_CREATE waits, another ring's is answered; then the daemon is killed. */
static void pool_create_that_waits_is_not_given_another_rings_pool(void)
{
    const struct store_config config = {.nr_frames = NR_FRAMES, .nr_filled = 2 * NR_DYING_PAGES};
    const struct tmemif_request create = pool_create();
    struct memory *m = aligned_alloc(TMEMIF_PAGE_SIZE, sizeof(*m));
    struct session_world w, next;
    struct ring_front front;
    uint32_t others;
    struct store *s = NULL;
    const char *why;

    CU_ASSERT_TRUE_FATAL(m && store_create(&config, &s, &why));
    ring_front_init(&front, m->ring, 0, 0x5e55);
    CU_ASSERT_TRUE_FATAL(session_world_open(&w, s, m->ring, m->data, sizeof(m->data), false));
    leave_much_to_reclaim(&w);
    ring_front_put(&front, &create);
    ring_front_publish(&front);
    CU_ASSERT_EQUAL(serve_ring(&w.session->rings[0], 0, BUDGET), SERVE_MORE);
    CU_ASSERT_EQUAL_FATAL(front.view.shared->rsp_prod, 0);

    while (engine_reclaim(w.engine, BUDGET))
        ;
    CU_ASSERT_EQUAL(
        engine_pool_create(w.engine, w.session->account, TMEMIF_POOL_PERSISTENT, &others),
        TMEMIF_OK);

    CU_ASSERT_TRUE_FATAL(
        session_world_open(&next, step_copy_store(s), m->ring, m->data, sizeof(m->data), true));
    CU_ASSERT_EQUAL(serve_ring(&next.session->rings[0], 0, BUDGET), SERVE_EMPTY);
    CU_ASSERT_EQUAL(front.view.shared->rsp_prod, 1);
    CU_ASSERT_EQUAL(front.view.responses[0].status, TMEMIF_OK);
    CU_ASSERT_NOT_EQUAL(front.view.responses[0].value, others);
    CU_ASSERT_EQUAL(engine_account_pools(next.engine, next.session->account), 3);
    session_world_close(&next);
    session_world_close(&w);
    free(m);
}

#define TESTS(T)                                                                                   \
    T(every_request_runs_once_whenever_it_is_killed)                                               \
    T(pool_create_that_waits_is_not_given_another_rings_pool)
RUN_TESTS(TESTS)
