/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's public calls against the real daemon, also while that is killed and restarted. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/include/xentmem.h"
#include "frontend/lib/handle.h"
#include "protocol/control.h"
#include "tests/lib/daemon_run.h"
#include "tests/lib/runner.h"

static const char *const daemon_args[] = {
    "--memory", "64M", "--local-quota", "32M", "--workers", "2", "--log-level", "error", NULL};
static const struct xentmem_object object = {{7, 8, 9}};

/* The daemon with a socket, and "local:PATH:DEVICE". */
struct world {
    struct daemon_run daemon;
    char where[128];
};

static void begin(struct world *w)
{
    CU_ASSERT_TRUE_FATAL(daemon_run_init(&w->daemon));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w->daemon, daemon_args));
    snprintf(w->where, sizeof(w->where), "local:%s:0", w->daemon.socket);
}

static void end(struct world *w)
{
    CU_ASSERT_EQUAL(daemon_run_stop(&w->daemon), 0);
    daemon_run_fini(&w->daemon);
}

static struct xentmem *open_with(const struct world *w, unsigned flags, int timeout_ms)
{
    struct xentmem_options options = XENTMEM_OPTIONS_INIT;

    options.timeout_ms = timeout_ms;
    return xentmem_open(w->where, flags, &options);
}

static struct xentmem *must_open(const struct world *w)
{
    struct xentmem *t = open_with(w, 0, 20000);

    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    return t;
}

static uint32_t must_create(struct xentmem *t, unsigned flags)
{
    uint32_t pool = UINT32_MAX;

    CU_ASSERT_EQUAL_FATAL(xentmem_pool_create(t, flags, &pool), XENTMEM_OK);
    return pool;
}

static void fill(uint8_t *page, uint64_t number)
{
    uint64_t *words = (uint64_t *)(void *)page;

    for (unsigned i = 0; i < XENTMEM_PAGE_SIZE / 8; i++)
        words[i] = number * 0x9e3779b97f4a7c15ull + i;
}

static bool is_filled(const uint8_t *page, uint64_t number)
{
    _Alignas(8) uint8_t expected[XENTMEM_PAGE_SIZE];

    fill(expected, number);
    return memcmp(page, expected, sizeof(expected)) == 0;
}

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int nr = 0;

    while (readdir(dir))
        nr++;
    closedir(dir);
    return nr;
}

static void pages_are_put_got_and_flushed(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE], got[XENTMEM_PAGE_SIZE];
    struct xentmem_pool_info info;
    struct xentmem *t;
    struct world w;
    uint32_t pool;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    for (uint32_t i = 0; i < 10; i++) {
        fill(page, i);
        CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, i, page), XENTMEM_OK);
    }
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 4, got), XENTMEM_OK);
    CU_ASSERT(is_filled(got, 4));
    CU_ASSERT_EQUAL(xentmem_pool_info(t, pool, &info), XENTMEM_OK);
    CU_ASSERT_EQUAL(info.flags, XENTMEM_PERSISTENT);
    CU_ASSERT_EQUAL(info.nr_pages, 10);
    CU_ASSERT_EQUAL(info.quota_pages, 32 * 256);
    CU_ASSERT_EQUAL(info.puts, 10);
    CU_ASSERT_EQUAL(info.hits, 1);

    CU_ASSERT_EQUAL(xentmem_flush_page(t, pool, &object, 0), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 0, got), XENTMEM_MISS);
    CU_ASSERT_EQUAL(xentmem_flush_range(t, pool, &object, 1, 3), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 3, got), XENTMEM_MISS);
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 4, got), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_flush_object(t, pool, &object), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 9, got), XENTMEM_MISS);

    CU_ASSERT_EQUAL(xentmem_pool_leave(t, pool), XENTMEM_BAD_KIND);
    CU_ASSERT_EQUAL(xentmem_pool_destroy(t, pool), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 0, page), XENTMEM_NO_POOL);
    xentmem_close(t);
    end(&w);
}

static void pools_stay_when_the_handle_is_closed_until_a_reset(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_pool_info info;
    struct xentmem *t;
    struct world w;
    uint32_t pool;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    fill(page, 1);
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 1, page), XENTMEM_OK);
    xentmem_close(t);
    t = must_open(&w);
    memset(page, 0, sizeof(page));
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 1, page), XENTMEM_OK);
    CU_ASSERT(is_filled(page, 1));
    CU_ASSERT_EQUAL(xentmem_reset(t), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_pool_info(t, pool, &info), XENTMEM_NO_POOL);
    xentmem_close(t);
    end(&w);
}

static void an_exclusive_pool_gives_a_page_once(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem *t;
    struct world w;
    uint32_t exclusive, inclusive;

    begin(&w);
    t = must_open(&w);
    exclusive = must_create(t, 0);
    inclusive = must_create(t, XENTMEM_INCLUSIVE);
    fill(page, 1);
    CU_ASSERT_EQUAL(xentmem_put(t, exclusive, &object, 1, page), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_put(t, inclusive, &object, 1, page), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get(t, exclusive, &object, 1, page), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get(t, exclusive, &object, 1, page), XENTMEM_MISS);
    CU_ASSERT_EQUAL(xentmem_get(t, inclusive, &object, 1, page), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get(t, inclusive, &object, 1, page), XENTMEM_OK);
    xentmem_close(t);
    end(&w);
}

static void a_lease_is_stale_after_a_flush(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem_lease lease;
    struct xentmem *t;
    struct world w;
    uint32_t pool;
    int leased = 0;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT | XENTMEM_LEASED);
    fill(page, 1);
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 1, page), XENTMEM_NEED_LEASE);
    CU_ASSERT_EQUAL(xentmem_get_lease(t, pool, &object, 1, page, &lease, &leased), XENTMEM_MISS);
    CU_ASSERT_EQUAL(leased, 1);
    CU_ASSERT_EQUAL(xentmem_flush_page(t, pool, &object, 1), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_put_leased(t, pool, &object, 1, page, &lease), XENTMEM_STALE_LEASE);
    CU_ASSERT_EQUAL(xentmem_get_lease(t, pool, &object, 1, page, &lease, &leased), XENTMEM_MISS);
    CU_ASSERT_EQUAL(xentmem_put_leased(t, pool, &object, 1, page, &lease), XENTMEM_OK);
    xentmem_close(t);
    end(&w);
}

static void refusals_reach_the_caller(void)
{
    static const uint8_t uuid[XENTMEM_UUID_LEN] = {1, 2, 3};
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem *t;
    struct world w;
    uint32_t pool, shared = 77;
    int status = XENTMEM_OK;
    uint32_t stored = 0;

    begin(&w);
    t = must_open(&w);
    CU_ASSERT_EQUAL(xentmem_pool_join(t, uuid, 0, &shared), XENTMEM_NOT_ALLOWED);
    CU_ASSERT_EQUAL(shared, 77);
    pool = must_create(t, XENTMEM_PERSISTENT);
    for (; status == XENTMEM_OK && stored < 9000; stored += status == XENTMEM_OK) {
        fill(page, stored);
        status = xentmem_put(t, pool, &object, stored, page);
    }
    CU_ASSERT_EQUAL(status, XENTMEM_QUOTA);
    CU_ASSERT_EQUAL(stored, 32 * 256);
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, stored - 1, page), XENTMEM_OK);
    CU_ASSERT(is_filled(page, stored - 1));
    CU_ASSERT_EQUAL(xentmem_pool_create(t, XENTMEM_PERSISTENT | XENTMEM_INCLUSIVE, &shared),
                    XENTMEM_BAD_REQUEST);
    xentmem_close(t);
    end(&w);
}

static void a_vector_of_512_puts_and_gets(void)
{
    enum { NR = 512 };
    struct xentmem_op *ops = calloc(NR, sizeof(*ops));
    uint8_t *pages = aligned_alloc(8, (size_t)NR * XENTMEM_PAGE_SIZE);
    struct xentmem *t;
    struct world w;
    unsigned right = 0;
    uint32_t pool;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    for (unsigned i = 0; i < NR; i++) {
        fill(pages + i * XENTMEM_PAGE_SIZE, i);
        ops[i] = (struct xentmem_op){.kind = XENTMEM_PUT,
                                     .pool = pool,
                                     .index = i,
                                     .object = {{i % 3, 0, 0}},
                                     .page = pages + i * XENTMEM_PAGE_SIZE};
    }
    CU_ASSERT_EQUAL(xentmem_vector(t, ops, NR), 0);
    memset(pages, 0, (size_t)NR * XENTMEM_PAGE_SIZE);
    for (unsigned i = 0; i < NR; i++)
        ops[i].kind = i % 5 == 4 ? XENTMEM_FLUSH_PAGE : XENTMEM_GET;
    CU_ASSERT_EQUAL(xentmem_vector(t, ops, NR), 0);
    for (unsigned i = 0; i < NR; i++)
        right += ops[i].status == XENTMEM_OK &&
                 (ops[i].kind == XENTMEM_FLUSH_PAGE || is_filled(ops[i].page, i));
    CU_ASSERT_EQUAL(right, NR);
    for (unsigned i = 0; i < NR; i++)
        ops[i].kind = XENTMEM_GET;
    CU_ASSERT_EQUAL(xentmem_vector(t, ops, NR), 0);
    right = 0;
    for (unsigned i = 0; i < NR; i++)
        right += ops[i].status == (i % 5 == 4 ? XENTMEM_MISS : XENTMEM_OK);
    CU_ASSERT_EQUAL(right, NR);
    xentmem_close(t);
    end(&w);
    free(pages);
    free(ops);
}

/*
 * @nr puts to @pool, @depth at a time, each page with its own number. Returns how many
 * were acknowledged, setting acked[i].
 */
static unsigned put_deep(struct xentmem *t, uint32_t pool, unsigned nr, unsigned depth,
                         uint64_t first_object, bool *acked)
{
    struct xentmem_op *ops = calloc(depth, sizeof(*ops)), *back[16];
    uint8_t *page = aligned_alloc(8, XENTMEM_PAGE_SIZE);
    struct xentmem_op **idle = calloc(depth, sizeof(*idle));
    unsigned nr_idle = depth, next = 0, right = 0;

    for (unsigned i = 0; i < depth; i++)
        idle[i] = &ops[i];
    while (next < nr || nr_idle < depth) {
        int r;

        while (next < nr && nr_idle > 0) {
            struct xentmem_op *op = idle[nr_idle - 1];

            fill(page, next);
            *op = (struct xentmem_op){.kind = XENTMEM_PUT,
                                      .pool = pool,
                                      .index = next,
                                      .object = {{first_object + next % 8, 0, 0}},
                                      .page = page};
            if (xentmem_submit(t, op, 1) != 1)
                break;
            nr_idle--;
            next++;
        }
        r = xentmem_reap(t, back, 16, 30000);
        if (r <= 0)
            break;
        for (int i = 0; i < r; i++) {
            if (back[i]->status == XENTMEM_OK) {
                right++;
                acked[back[i]->index] = true;
            }
            idle[nr_idle++] = back[i];
        }
    }
    free(idle);
    free(page);
    free(ops);
    return right;
}

/* How many of the acknowledged pages are there, byte for byte. */
static unsigned count_right(struct xentmem *t, uint32_t pool, unsigned nr, uint64_t first_object,
                            const bool *acked)
{
    uint8_t *page = aligned_alloc(8, XENTMEM_PAGE_SIZE);
    unsigned right = 0;

    for (unsigned i = 0; i < nr; i++) {
        struct xentmem_object o = {{first_object + i % 8, 0, 0}};

        right += acked[i] && xentmem_get(t, pool, &o, i, page) == XENTMEM_OK && is_filled(page, i);
    }
    free(page);
    return right;
}

static void operations_at_depth_32_come_back_right(void)
{
    enum { NR = 4000 };
    static bool acked[NR];
    struct xentmem *t;
    struct world w;
    uint32_t pool;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    memset(acked, 0, sizeof(acked));
    CU_ASSERT_EQUAL(put_deep(t, pool, NR, 32, 1, acked), NR);
    CU_ASSERT_EQUAL(count_right(t, pool, NR, 1, acked), NR);
    xentmem_close(t);
    end(&w);
}

struct hammer {
    struct xentmem *t;
    uint32_t pool;
    uint64_t object;
    unsigned nr, right;
    bool *acked;
    const atomic_bool *stop; /* or NULL: @nr puts */
};

/* Put and read back, page by page. */
static void *hammer(void *arg)
{
    struct hammer *h = arg;
    uint8_t *page = aligned_alloc(8, XENTMEM_PAGE_SIZE), *got = aligned_alloc(8, XENTMEM_PAGE_SIZE);

    for (unsigned i = 0; i < h->nr && !(h->stop && atomic_load(h->stop)); i++) {
        struct xentmem_object o = {{h->object + i % 8, 0, 0}};

        fill(page, i);
        if (xentmem_put(h->t, h->pool, &o, i, page) != XENTMEM_OK)
            continue;
        h->acked[i] = true;
        h->right += xentmem_get(h->t, h->pool, &o, i, got) == XENTMEM_OK && is_filled(got, i);
    }
    free(page);
    free(got);
    return NULL;
}

static void two_threads_use_one_handle(void)
{
    enum { NR = 1500 };
    static bool acked[2][NR];
    struct hammer hammers[2];
    pthread_t threads[2];
    struct xentmem *t;
    struct world w;
    uint32_t pool;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    memset(acked, 0, sizeof(acked));
    for (unsigned i = 0; i < 2; i++) {
        hammers[i] =
            (struct hammer){.t = t, .pool = pool, .object = 100 * i, .nr = NR, .acked = acked[i]};
        pthread_create(&threads[i], NULL, hammer, &hammers[i]);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(hammers[0].right, NR);
    CU_ASSERT_EQUAL(hammers[1].right, NR);
    xentmem_close(t);
    end(&w);
}

static void a_second_use_of_an_attachment_is_busy_and_another_number_is_not(void)
{
    struct xentmem *t, *other;
    struct world w;
    uint32_t pool;
    struct xentmem_pool_info info;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, 0);
    errno = 0;
    CU_ASSERT_PTR_NULL(open_with(&w, 0, 1000));
    CU_ASSERT_EQUAL(errno, EBUSY);
    w.where[strlen(w.where) - 1] = '1';
    other = must_open(&w);
    CU_ASSERT_EQUAL(xentmem_pool_info(other, pool, &info), XENTMEM_NO_POOL);
    CU_ASSERT_EQUAL(xentmem_pool_info(t, pool, &info), XENTMEM_OK);
    xentmem_close(other);
    xentmem_close(t);
    end(&w);
}

static void without_a_manager_open_fails_at_once(void)
{
    struct world w;
    long started;
    int nr_fds = count_fds();

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&w.daemon));
    snprintf(w.where, sizeof(w.where), "local:%s", w.daemon.socket);
    started = daemon_run_now_ms();
    for (unsigned i = 0; i < 10; i++) {
        errno = 0;
        CU_ASSERT_PTR_NULL(open_with(&w, 0, 10000));
        CU_ASSERT_EQUAL(errno, ENODEV);
    }
    CU_ASSERT(daemon_run_now_ms() - started < 10000); /* one that waits takes as long */
    CU_ASSERT_PTR_NULL(xentmem_open("nowhere", 0, NULL));
    CU_ASSERT_EQUAL(errno, EINVAL);
    end(&w);
    CU_ASSERT_EQUAL(count_fds(), nr_fds);
}

static void operators_messages_need_a_handle_for_them(void)
{
    struct tmemctl_plain message = {
        .head = {.command = TMEMCTL_LIST_GUESTS, .length = sizeof(message)}};
    union {
        struct tmemctl_reply head;
        uint8_t bytes[4096];
    } reply;
    size_t reply_len = sizeof(reply);
    struct xentmem *t, *control;
    struct world w;

    begin(&w);
    t = must_open(&w);
    CU_ASSERT_EQUAL(xentmem_control(t, &message, sizeof(message), &reply, &reply_len), -1);
    CU_ASSERT_EQUAL(errno, EINVAL);
    control = open_with(&w, XENTMEM_OPEN_CONTROL, 5000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(control);
    CU_ASSERT_EQUAL(xentmem_control(control, &message, sizeof(message), &reply, &reply_len),
                    XENTMEM_OK);
    CU_ASSERT_EQUAL(reply.head.command, TMEMCTL_LIST_GUESTS);
    CU_ASSERT_EQUAL(reply.head.count, 1);
    CU_ASSERT_EQUAL(reply_len, reply.head.length);
    CU_ASSERT_EQUAL(xentmem_reset(control), -1);
    xentmem_close(control);
    xentmem_close(t);
    end(&w);
}

static void a_child_that_closes_leaves_the_parents_session_alone(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE];
    struct xentmem *t;
    struct world w;
    uint32_t pool;
    int status = -1;
    pid_t child;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    fill(page, 5);
    child = fork();
    if (child == 0) {
        bool refused = xentmem_put(t, pool, &object, 1, page) == -1 && errno == EINVAL;

        xentmem_close(t);
        _exit(refused ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 1, page), XENTMEM_OK);
    xentmem_close(t);
    end(&w);
}

/* A child has copies of all descriptors, whether it closes them or not. */
static void an_attachment_that_was_closed_is_free_while_a_child_lives(void)
{
    struct xentmem *t;
    struct world w;
    int status = -1;
    pid_t child;

    begin(&w);
    t = must_open(&w);
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    xentmem_close(t);
    t = open_with(&w, 0, 20000);
    CU_ASSERT_PTR_NOT_NULL(t);
    CU_ASSERT_EQUAL(waitpid(child, &status, WNOHANG), 0);
    kill(child, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    xentmem_close(t);
    end(&w);
}

static void closing_leaves_no_descriptor_and_no_mapping_behind(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_GET, .object = object, .page = page};
    struct world w;
    int nr_fds, nr_daemon_fds;

    begin(&w);
    nr_daemon_fds = daemon_run_nr_fds(&w.daemon);
    xentmem_close(must_open(&w));
    nr_fds = count_fds();
    for (unsigned i = 0; i < 20; i++) {
        struct xentmem *t = must_open(&w);

        /* also with an operation under way */
        op.pool = 0;
        CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), 1);
        xentmem_close(t);
    }
    CU_ASSERT_EQUAL(count_fds(), nr_fds);
    for (unsigned i = 0; i < 1000 && daemon_run_nr_fds(&w.daemon) != nr_daemon_fds; i++)
        usleep(10000);
    CU_ASSERT_EQUAL(daemon_run_nr_fds(&w.daemon), nr_daemon_fds);
    end(&w);
}

static void a_daemon_killed_under_load_loses_nothing_that_was_acknowledged(void)
{
    enum { NR = 1 << 20, NR_DEEP = 3000, KILLS = 5 };
    static bool acked[NR], acked_deep[NR_DEEP];
    atomic_bool stop = false;
    struct hammer h;
    pthread_t thread;
    struct xentmem *t;
    struct world w;
    uint32_t pool;
    unsigned put = 0;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    memset(acked, 0, sizeof(acked));
    memset(acked_deep, 0, sizeof(acked_deep));
    h = (struct hammer){
        .t = t, .pool = pool, .object = 1000, .nr = 4000, .acked = acked, .stop = &stop};
    pthread_create(&thread, NULL, hammer, &h);
    for (unsigned i = 0; i < KILLS; i++) {
        usleep(5000 + 7000 * i);
        daemon_run_kill(&w.daemon);
        usleep(i * 3000);
        CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, daemon_args));
    }
    /* and asynchronous ones over one more */
    CU_ASSERT_EQUAL(put_deep(t, pool, NR_DEEP / 2, 32, 1, acked_deep), NR_DEEP / 2);
    daemon_run_kill(&w.daemon);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, daemon_args));
    put = put_deep(t, pool, NR_DEEP, 32, 1, acked_deep);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);

    CU_ASSERT_EQUAL(put, NR_DEEP);
    CU_ASSERT(h.right > 0);
    for (unsigned i = 0; i < h.nr; i++)
        put += acked[i];
    CU_ASSERT_EQUAL(count_right(t, pool, h.nr, 1000, acked) +
                        count_right(t, pool, NR_DEEP, 1, acked_deep),
                    put);
    xentmem_close(t);
    end(&w);
}

/* A handle with a short time limit and a pool of it, whose manager is killed then. */
static struct xentmem *open_and_kill(struct world *w, uint32_t *pool_out)
{
    struct xentmem *t;

    begin(w);
    t = open_with(w, 0, 30000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    *pool_out = must_create(t, XENTMEM_PERSISTENT);
    t->timeout_ms = 300;
    daemon_run_kill(&w->daemon);
    return t;
}

static void without_its_manager_a_call_takes_the_time_limit_and_no_longer(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem *t;
    struct world w;
    uint32_t pool;
    long took;

    t = open_and_kill(&w, &pool);
    took = daemon_run_now_ms();
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 1, page), -1);
    CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    took = daemon_run_now_ms() - took;
    CU_ASSERT(took >= 295 && took < 3000);
    /* it comes back after all */
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, daemon_args));
    t->timeout_ms = 30000;
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 2, page), XENTMEM_OK);
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 1, page), XENTMEM_OK);
    xentmem_close(t);
    end(&w);
}

static void a_socket_without_rights_for_a_while_ends_no_handle(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem *t;
    struct world w;
    uint32_t pool;

    t = open_and_kill(&w, &pool);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, daemon_args));
    CU_ASSERT_EQUAL_FATAL(seteuid(60000), 0);
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 1, page), -1);
    CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
    t->timeout_ms = 30000;
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 2, page), XENTMEM_OK);
    xentmem_close(t);
    end(&w);
}

/* Listen in the daemon's place, with room for one connection more than @backlog, and say nothing.
 */
static int listen_in_its_place(const struct world *w, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, w->daemon.socket);
    unlink(address.sun_path);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, backlog), 0);
    return fd;
}

static void a_manager_that_never_answers_costs_no_more_than_the_time_limit(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem_op op = {.kind = XENTMEM_GET, .object = object, .page = page}, *back;
    struct xentmem *t;
    struct world w;
    long began;
    int silent, r = -1;

    t = open_and_kill(&w, &op.pool);
    silent = listen_in_its_place(&w, 16);

    CU_ASSERT_EQUAL(xentmem_submit(t, &op, 1), 1);
    began = daemon_run_now_ms();
    CU_ASSERT_EQUAL(xentmem_reap(t, &back, 1, 0), 0);
    CU_ASSERT(daemon_run_now_ms() - began < 1900);
    began = daemon_run_now_ms();
    CU_ASSERT_EQUAL(xentmem_put(t, op.pool, &object, 1, page), -1);
    CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    CU_ASSERT(daemon_run_now_ms() - began < 1900);

    /* whoever listens next is asked */
    close(silent);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, daemon_args));
    for (unsigned tries = 0; tries < 100 && r != XENTMEM_OK; tries++)
        r = xentmem_put(t, op.pool, &object, 2, page);
    CU_ASSERT_EQUAL(r, XENTMEM_OK);
    xentmem_close(t);
    end(&w);
}

static void a_manager_that_answers_late_is_heard_all_the_same(void)
{
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem *t;
    struct world w;
    uint32_t pool;
    int r = -1;

    t = open_and_kill(&w, &pool);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, daemon_args));
    kill(w.daemon.pid, SIGSTOP);
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 1, page), -1);
    CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    kill(w.daemon.pid, SIGCONT);
    for (unsigned tries = 0; tries < 100 && r != XENTMEM_OK; tries++)
        r = xentmem_put(t, pool, &object, 2, page);
    CU_ASSERT_EQUAL(r, XENTMEM_OK);
    t->timeout_ms = 30000;
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 1, page), XENTMEM_OK);
    xentmem_close(t);
    end(&w);
}

static void open_keeps_its_time_limit_whether_there_is_room_to_connect_or_not(void)
{
    struct world w;
    int nr_fds = count_fds(), silent;

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&w.daemon));
    snprintf(w.where, sizeof(w.where), "local:%s", w.daemon.socket);
    silent = listen_in_its_place(&w, 0);
    /* the first one takes the only place; all of them stay in the queue, closed or not */
    for (unsigned i = 0; i < 3; i++) {
        errno = 0;
        CU_ASSERT_PTR_NULL(open_with(&w, 0, 100));
        CU_ASSERT_EQUAL(errno, ETIMEDOUT);
    }
    close(silent);
    end(&w);
    CU_ASSERT_EQUAL(count_fds(), nr_fds);
}

struct opener {
    char where[144];
    struct xentmem *handle;
};

static void *open_one(void *arg)
{
    struct xentmem_options options = XENTMEM_OPTIONS_INIT;
    struct opener *o = arg;

    options.timeout_ms = 20000;
    o->handle = xentmem_open(o->where, 0, &options);
    return NULL;
}

/* More than a manager has places for connections that it has not heard a hello of. */
static void many_that_open_at_one_moment_all_find_the_manager(void)
{
    enum { NR = 24 };
    struct opener openers[NR] = {0};
    pthread_t threads[NR];
    struct world w;

    begin(&w);
    kill(w.daemon.pid, SIGSTOP);
    for (unsigned i = 0; i < NR; i++) {
        snprintf(openers[i].where, sizeof(openers[i].where), "local:%s:%u", w.daemon.socket, i);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, open_one, &openers[i]), 0);
    }
    usleep(200000);
    kill(w.daemon.pid, SIGCONT);
    for (unsigned i = 0; i < NR; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_PTR_NOT_NULL(openers[i].handle);
        xentmem_close(openers[i].handle);
    }
    end(&w);
}

static void *hang_up_on_all(void *arg)
{
    int listener = *(int *)arg, fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(fd);
    return NULL;
}

static void a_manager_that_hangs_up_costs_no_more_than_the_time_limit(void)
{
    struct world w;
    pthread_t thread;
    int nr_fds = count_fds(), listener;
    long began;

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&w.daemon));
    snprintf(w.where, sizeof(w.where), "local:%s", w.daemon.socket);
    listener = listen_in_its_place(&w, 16);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, hang_up_on_all, &listener), 0);
    began = daemon_run_now_ms();
    errno = 0;
    CU_ASSERT_PTR_NULL(open_with(&w, 0, 300));
    CU_ASSERT_EQUAL(errno, ENODEV);
    CU_ASSERT(daemon_run_now_ms() - began >= 250);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    end(&w);
    CU_ASSERT_EQUAL(count_fds(), nr_fds);
}

static void a_manager_that_forgot_everything_ends_the_handle(void)
{
    static const char *const fresh[] = {"--memory", "64M", "--fresh", "--log-level", "error", NULL};
    _Alignas(8) uint8_t page[XENTMEM_PAGE_SIZE] = {0};
    struct xentmem *t;
    struct world w;
    uint32_t pool;

    begin(&w);
    t = must_open(&w);
    pool = must_create(t, XENTMEM_PERSISTENT);
    CU_ASSERT_EQUAL(xentmem_put(t, pool, &object, 1, page), XENTMEM_OK);
    daemon_run_kill(&w.daemon);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, fresh));
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 1, page), -1);
    CU_ASSERT_EQUAL(errno, ENODEV);
    xentmem_close(t);
    t = must_open(&w);
    CU_ASSERT_EQUAL(xentmem_get(t, pool, &object, 1, page), XENTMEM_NO_POOL);
    xentmem_close(t);
    end(&w);
}

static void keep_sentence(void *log_arg, const char *sentence)
{
    snprintf(log_arg, 256, "%s", sentence);
}

static void a_socket_that_may_not_be_opened_names_the_option_that_says_who_may(void)
{
    struct xentmem_options options = XENTMEM_OPTIONS_INIT;
    char sentence[256] = "";
    struct world w;

    begin(&w);
    options.log = keep_sentence;
    options.log_arg = sentence;
    CU_ASSERT_EQUAL_FATAL(seteuid(60000), 0);
    CU_ASSERT_PTR_NULL(xentmem_open(w.where, 0, &options));
    CU_ASSERT_EQUAL(errno, EACCES);
    CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(sentence, w.daemon.socket));
    CU_ASSERT_PTR_NOT_NULL(strstr(sentence, "--socket-mode"));
    end(&w);
}

/* xentmem_open() with @options fails with @error, and says so. */
static bool is_refused(struct world *w, unsigned flags, struct xentmem_options options, int error)
{
    char sentence[256] = "";

    options.log = keep_sentence;
    options.log_arg = sentence;
    errno = 0;
    return !xentmem_open(w->where, flags, &options) && errno == error && sentence[0];
}

static void options_out_of_range_are_refused_with_a_sentence(void)
{
    const struct xentmem_options fine = XENTMEM_OPTIONS_INIT;
    struct xentmem_options o;
    struct world w = {.where = "local:/nowhere"};

    CU_ASSERT(is_refused(&w, 0, fine, ENODEV));
    CU_ASSERT(is_refused(&w, 0x80, fine, EINVAL));
    for (unsigned i = 0; i < 6; i++) {
        o = fine;
        o.nr_rings = i == 0 ? 65 : 0;
        o.ring_page_order = i == 1 ? 4 : -1;
        o.nr_data_pages = i == 2 ? 7 : 0;
        o.poll_us = i == 3 ? -2 : -1;
        o.timeout_ms = i == 4 ? -2 : 0;
        o.reserved = i == 5;
        CU_ASSERT(is_refused(&w, 0, o, EINVAL));
    }
    /* what has another size is not looked at */
    o = fine;
    o.size--;
    o.log = keep_sentence;
    CU_ASSERT_PTR_NULL(xentmem_open(w.where, 0, &o));
    CU_ASSERT_EQUAL(errno, EINVAL);
}

/* With fewer descriptors than it takes, whichever of them is the first that is not there. */
static void every_failure_of_the_system_is_said(void)
{
    struct xentmem_options options = XENTMEM_OPTIONS_INIT;
    unsigned nr_silent = 0, nr_failed = 0;
    struct rlimit before, limit;
    struct xentmem *t = NULL;
    struct world w;

    begin(&w);
    options.log = keep_sentence;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    for (limit.rlim_cur = 3; !t && nr_failed < 200; limit.rlim_cur++) {
        char sentence[256] = "";

        options.log_arg = sentence;
        setrlimit(RLIMIT_NOFILE, &limit);
        t = xentmem_open(w.where, 0, &options);
        nr_failed += !t;
        nr_silent += !t && !sentence[0];
    }
    setrlimit(RLIMIT_NOFILE, &before);
    CU_ASSERT_PTR_NOT_NULL(t);
    CU_ASSERT(nr_failed > 5);
    CU_ASSERT_EQUAL(nr_silent, 0);
    xentmem_close(t);
    end(&w);
}

#define TESTS(T)                                                                                   \
    T(a_socket_that_may_not_be_opened_names_the_option_that_says_who_may)                          \
    T(options_out_of_range_are_refused_with_a_sentence)                                            \
    T(every_failure_of_the_system_is_said)                                                         \
    T(pages_are_put_got_and_flushed)                                                               \
    T(pools_stay_when_the_handle_is_closed_until_a_reset)                                          \
    T(an_exclusive_pool_gives_a_page_once)                                                         \
    T(a_lease_is_stale_after_a_flush)                                                              \
    T(refusals_reach_the_caller)                                                                   \
    T(a_vector_of_512_puts_and_gets)                                                               \
    T(operations_at_depth_32_come_back_right)                                                      \
    T(two_threads_use_one_handle)                                                                  \
    T(a_second_use_of_an_attachment_is_busy_and_another_number_is_not)                             \
    T(without_a_manager_open_fails_at_once)                                                        \
    T(operators_messages_need_a_handle_for_them)                                                   \
    T(a_child_that_closes_leaves_the_parents_session_alone)                                        \
    T(an_attachment_that_was_closed_is_free_while_a_child_lives)                                   \
    T(closing_leaves_no_descriptor_and_no_mapping_behind)                                          \
    T(a_daemon_killed_under_load_loses_nothing_that_was_acknowledged)                              \
    T(without_its_manager_a_call_takes_the_time_limit_and_no_longer)                               \
    T(a_socket_without_rights_for_a_while_ends_no_handle)                                          \
    T(a_manager_that_never_answers_costs_no_more_than_the_time_limit)                              \
    T(a_manager_that_answers_late_is_heard_all_the_same)                                           \
    T(open_keeps_its_time_limit_whether_there_is_room_to_connect_or_not)                           \
    T(many_that_open_at_one_moment_all_find_the_manager)                                           \
    T(a_manager_that_hangs_up_costs_no_more_than_the_time_limit)                                   \
    T(a_manager_that_forgot_everything_ends_the_handle)
RUN_TESTS(TESTS)
