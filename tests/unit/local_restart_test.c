/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real daemon, killed or stopped and started again over the segments that
 * a keeper holds, and a client that comes back with its old rings (rule C32).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/daemon_run.h"
#include "tests/lib/peer.h"
#include "tests/lib/runner.h"

static const char *const args[] = {"--memory", "32M", "--local-quota", "16M", "--workers",
                                   "2",        NULL};

static void begin(struct daemon_run *d)
{
    CU_ASSERT_TRUE_FATAL(daemon_run_init(d));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(d, args));
}

static void end(struct daemon_run *d)
{
    CU_ASSERT_EQUAL(daemon_run_stop(d), 0);
    daemon_run_fini(d);
}

static uint32_t attach(struct daemon_run *d, struct peer *p, uint32_t nr_rings)
{
    int pool;

    CU_ASSERT_TRUE_FATAL(peer_init(p, 0, nr_rings, 0, 64));
    CU_ASSERT_EQUAL_FATAL(peer_attach(p, d->socket), TMEMIF_OK);
    pool = peer_create_pool(p, TMEMIF_POOL_PERSISTENT);
    CU_ASSERT_TRUE_FATAL(pool >= 0);
    return (uint32_t)pool;
}

/* With the memory and the rings that it had. */
static void attach_again(struct daemon_run *d, struct peer *p)
{
    peer_drop(p);
    CU_ASSERT_EQUAL_FATAL(peer_attach(p, d->socket), TMEMIF_OK);
}

static void c32_pages_are_found_after_a_kill(void)
{
    struct daemon_run d;
    struct peer p;
    uint32_t pool, epoch;

    begin(&d);
    pool = attach(&d, &p, 1);
    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(peer_put(&p, pool, i, i * 3, i), TMEMIF_OK);
    epoch = p.welcome.epoch;
    daemon_run_kill(&d);
    CU_ASSERT_EQUAL_FATAL(d.nr_kept, 3);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    attach_again(&d, &p);
    CU_ASSERT_NOT_EQUAL(p.welcome.epoch, epoch);
    CU_ASSERT_EQUAL(p.rings[0].view.shared->back_epoch, p.welcome.epoch);
    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(peer_get(&p, pool, i, i * 3, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(peer_get(&p, pool, 500, 1500, 0), TMEMIF_MISS);
    peer_fini(&p);
    end(&d);
}

static void c32_pages_are_found_after_a_stop(void)
{
    struct daemon_run d;
    struct peer p;
    uint32_t pool;

    begin(&d);
    pool = attach(&d, &p, 2);
    CU_ASSERT_EQUAL(peer_put(&p, pool, 1, 2, 3), TMEMIF_OK);
    CU_ASSERT_EQUAL(daemon_run_stop(&d), 0);
    CU_ASSERT_EQUAL(d.nr_kept, 3);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    attach_again(&d, &p);
    CU_ASSERT_EQUAL(peer_get(&p, pool, 1, 2, 3), TMEMIF_OK);
    peer_fini(&p);
    end(&d);
}

/* 1024 pages, which are enough for what is persistent, and 256, which are not. */
static void with_less_memory_what_is_persistent_stays_and_can_be_written(void)
{
    static const char *const memory[] = {"4M", "1M"};

    for (unsigned i = 0; i < 2; i++) {
        const char *const less[] = {"--memory", memory[i], "--local-quota", "16M", NULL};
        unsigned nr_left = 0;
        struct daemon_run d;
        struct peer p;
        uint32_t pool;
        int cache;

        begin(&d);
        pool = attach(&d, &p, 1);
        cache = peer_create_pool(&p, TMEMIF_POOL_INCLUSIVE);
        CU_ASSERT_TRUE_FATAL(cache >= 0);
        for (uint32_t n = 0; n < 500; n++)
            CU_ASSERT_EQUAL(peer_put(&p, pool, n, 1, n), TMEMIF_OK);
        for (uint32_t n = 0; n < 5000; n++)
            CU_ASSERT_EQUAL(peer_put(&p, (uint32_t)cache, n, 1, n), TMEMIF_OK);
        daemon_run_kill(&d);
        CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, less));
        attach_again(&d, &p);
        for (uint32_t n = 0; n < 500; n++)
            CU_ASSERT_EQUAL(peer_put(&p, pool, n, 1, n + 1), TMEMIF_OK);
        for (uint32_t n = 0; n < 500; n++)
            CU_ASSERT_EQUAL(peer_get(&p, pool, n, 1, n + 1), TMEMIF_OK);
        for (uint32_t n = 0; n < 5000; n++)
            nr_left += peer_get(&p, (uint32_t)cache, n, 1, n) == TMEMIF_OK;
        CU_ASSERT(i == 0 ? nr_left > 400 && nr_left <= 524 : nr_left == 0);
        peer_fini(&p);
        end(&d);
    }
}

static void client_with_new_rings_finds_its_pools(void)
{
    struct daemon_run d;
    struct peer p;
    uint32_t pool;

    begin(&d);
    pool = attach(&d, &p, 1);
    CU_ASSERT_EQUAL(peer_put(&p, pool, 1, 2, 3), TMEMIF_OK);
    daemon_run_kill(&d);
    peer_fini(&p);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    CU_ASSERT_EQUAL(attach(&d, &p, 1), pool + 1);
    CU_ASSERT_EQUAL(peer_get(&p, pool, 1, 2, 3), TMEMIF_OK);
    peer_fini(&p);
    end(&d);
}

static void requests_put_while_nobody_is_there_are_answered(void)
{
    const struct tmemif_request nop = peer_request(TMEMIF_OP_NOP, 0);
    struct tmemif_response rsp;
    struct daemon_run d;
    struct peer p;
    uint32_t first;

    begin(&d);
    attach(&d, &p, 2);
    daemon_run_kill(&d);
    first = peer_submit(&p, 0, &nop);
    for (unsigned i = 1; i < 32; i++)
        peer_submit(&p, 0, &nop);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    attach_again(&d, &p);
    for (uint32_t i = 0; i < 32; i++) {
        CU_ASSERT_TRUE_FATAL(peer_reap(&p, 0, &rsp));
        CU_ASSERT_EQUAL(rsp.number, first + i);
    }
    peer_fini(&p);
    end(&d);
}

static void rings_of_another_session_are_not_resumed(void)
{
    struct daemon_run d;
    struct peer p, q;

    begin(&d);
    attach(&d, &p, 1);
    daemon_run_kill(&d);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    /* another process came in between: its rings are new, the record is now theirs */
    CU_ASSERT_TRUE_FATAL(peer_init(&q, 0, 1, 0, 64));
    CU_ASSERT_EQUAL_FATAL(peer_attach(&q, d.socket), TMEMIF_OK);
    daemon_run_kill(&d);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    peer_drop(&p);
    CU_ASSERT_EQUAL(peer_attach(&p, d.socket), TMEMIF_NOT_FOUND);
    attach_again(&d, &q);
    CU_ASSERT_TRUE(peer_create_pool(&q, 0) >= 0);
    peer_fini(&q);
    peer_fini(&p);
    end(&d);
}

static void session_that_ended_is_not_resumed(void)
{
    struct daemon_run d;
    struct peer p;

    begin(&d);
    attach(&d, &p, 1);
    peer_drop(&p);
    for (unsigned tries = 0; tries < 100 && peer_attach(&p, d.socket) == TMEMIF_BUSY; tries++) {
        peer_drop(&p);
        usleep(10000);
    }
    CU_ASSERT_EQUAL(p.welcome.status, TMEMIF_NOT_FOUND);
    peer_fini(&p);
    end(&d);
}

/*
 * Load in this process, kills at random moments. Every pool is made by a
 * request that is answered once: a request that ran twice would leave a pool that
 * nobody was told of, one that never ran would be told of none.
 */
static void requests_run_exactly_once_over_many_kills(void)
{
    struct tmemif_response rsp;
    uint64_t pools = 0;
    struct daemon_run d;
    unsigned nr_kills = 0, seed = 12345, nr_pools = 0, nr_bad = 0;
    struct peer p;
    pid_t killer = 0;

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&d));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    CU_ASSERT_EQUAL_FATAL(peer_attach(&p, d.socket), TMEMIF_OK);

    while (nr_kills < 60) {
        struct tmemif_request r;
        bool bad = false;

        if (!killer) {
            seed = seed * 1103515245 + 12345;
            killer = fork();
            if (killer == 0) {
                usleep(seed / 65536 % 3000);
                kill(d.pid, SIGKILL);
                _exit(0);
            }
        }
        r = peer_request(nr_pools < 60 ? TMEMIF_OP_POOL_CREATE : TMEMIF_OP_RESET, 0);
        peer_submit(&p, 0, &r);
        while (ring_front_ready(&p.rings[0], &bad) == 0) {
            CU_ASSERT_FALSE_FATAL(bad);
            if (waitpid(killer, NULL, WNOHANG) != killer)
                continue;
            daemon_run_kill(&d);
            nr_kills++;
            killer = 0;
            CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
            attach_again(&d, &p);
            seed = seed * 1103515245 + 12345;
            killer = fork();
            if (killer == 0) {
                usleep(1000 + seed / 65536 % 3000);
                kill(d.pid, SIGKILL);
                _exit(0);
            }
        }
        rsp = ring_front_take(&p.rings[0]);
        if (rsp.status != TMEMIF_OK)
            printf("op %u after %u kills: status %u\n", r.op, nr_kills, rsp.status);
        nr_bad += rsp.status != TMEMIF_OK;
        if (r.op == TMEMIF_OP_RESET) {
            pools = 0;
            nr_pools = 0;
        } else if (rsp.status == TMEMIF_OK && rsp.value < 64) {
            nr_bad += (pools >> rsp.value & 1) != 0; /* an id that somebody has */
            pools |= 1ull << rsp.value;
            nr_pools++;
        }
    }
    if (killer) {
        kill(killer, SIGKILL);
        waitpid(killer, NULL, 0);
    }
    CU_ASSERT_EQUAL(nr_bad, 0);
    if (kill(d.pid, 0) == 0 && waitpid(d.pid, NULL, WNOHANG) == 0)
        daemon_run_kill(&d);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    attach_again(&d, &p);
    for (uint32_t id = 0; id < 64; id++) {
        struct tmemif_request r = peer_request(TMEMIF_OP_POOL_INFO, id);
        int want = pools >> id & 1 ? TMEMIF_OK : TMEMIF_NO_POOL;

        r.u.info.data = (struct tmemif_data){.length = sizeof(struct tmemif_pool_info)};
        CU_ASSERT_EQUAL(peer_call(&p, 0, &r, &rsp), want);
    }
    peer_fini(&p);
    end(&d);
}

/* However fast a client makes and drops its pools, it waits for their pages and is not refused. */
static void pools_that_are_dying_do_not_refuse_new_ones(void)
{
    struct tmemif_response rsp;
    unsigned nr_refused = 0;
    struct daemon_run d;
    struct peer p;

    begin(&d);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    CU_ASSERT_EQUAL_FATAL(peer_attach(&p, d.socket), TMEMIF_OK);
    for (unsigned i = 0; i < 20 * 64; i += 16) {
        for (unsigned j = i; j < i + 16; j++) {
            const struct tmemif_request r =
                peer_request(j % 64 == 63 ? TMEMIF_OP_RESET : TMEMIF_OP_POOL_CREATE, 0);

            peer_submit(&p, 0, &r);
        }
        for (unsigned j = i; j < i + 16; j++) {
            CU_ASSERT_TRUE_FATAL(peer_reap(&p, 0, &rsp));
            nr_refused += rsp.status != TMEMIF_OK;
        }
    }
    CU_ASSERT_EQUAL(nr_refused, 0);
    peer_fini(&p);
    end(&d);
}

/* Puts in batches, with kills: what was answered OK is there, byte for byte. */
static void c32_acknowledged_pages_survive_kills_under_load(void)
{
    static uint32_t acknowledged[2048]; /* by handle: seed of the page, 0: none */
    struct daemon_run d;
    unsigned seed = 99, nr_lost = 0, nr_acknowledged = 0;
    struct peer p;
    uint32_t pool, round = 1;

    begin(&d);
    pool = attach(&d, &p, 1);
    for (unsigned kills = 0; kills < 25; kills++) {
        struct tmemif_response rsp;
        pid_t killer;

        seed = seed * 1103515245 + 12345;
        killer = fork();
        if (killer == 0) {
            usleep(1000 + seed / 65536 % 6000);
            kill(d.pid, SIGKILL);
            _exit(0);
        }
        for (bool dead = false; !dead || p.rings[0].rsp_cons != p.rings[0].req_prod;) {
            struct tmemif_response *responses = (void *)(p.data + TMEMIF_PAGE_SIZE);
            struct tmemif_request *requests = (void *)p.data;
            struct tmemif_request r = peer_request(TMEMIF_OP_BATCH, 0);
            bool bad;

            if (!dead) {
                /* 16 pages, each with a content of its own */
                for (uint32_t i = 0; i < 16; i++) {
                    peer_pattern(p.data + (16 + i) * TMEMIF_PAGE_SIZE, round * 16 + i);
                    requests[i] = peer_page(TMEMIF_OP_PAGE_PUT, pool, round % 128, i, 16 + i);
                }
                r.u.batch.requests = (struct tmemif_data){.length = 16 * 64};
                r.u.batch.responses =
                    (struct tmemif_data){.offset = TMEMIF_PAGE_SIZE, .length = 16 * 32};
                r.u.batch.count = 16;
                peer_submit(&p, 0, &r);
            }
            while (ring_front_ready(&p.rings[0], &bad) == 0) {
                if (dead || waitpid(killer, NULL, WNOHANG) != killer)
                    continue;
                dead = true;
                daemon_run_kill(&d);
                CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
                attach_again(&d, &p);
            }
            rsp = ring_front_take(&p.rings[0]);
            CU_ASSERT_EQUAL(rsp.count, 16);
            for (uint32_t i = 0; i < 16; i++) {
                CU_ASSERT_EQUAL(responses[i].status, TMEMIF_OK);
                CU_ASSERT_EQUAL(responses[i].number, i);
                acknowledged[round % 128 * 16 + i] = round * 16 + i;
            }
            round++;
            if (!dead && waitpid(killer, NULL, WNOHANG) == killer) {
                dead = true;
                daemon_run_kill(&d);
                CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
                attach_again(&d, &p);
            }
        }
    }
    for (uint32_t i = 0; i < 2048; i++) {
        if (acknowledged[i] == 0)
            continue;
        nr_acknowledged++;
        nr_lost += peer_get(&p, pool, i / 16, i % 16, acknowledged[i]) != TMEMIF_OK;
    }
    CU_ASSERT_EQUAL(nr_lost, 0);
    CU_ASSERT_TRUE(nr_acknowledged > 100);
    peer_fini(&p);
    end(&d);
}

static void damaged_segments_are_refused_with_a_sentence(void)
{
    const char *const fresh[] = {"--memory", "32M", "--fresh", NULL};
    char path[128], text[8192];
    struct daemon_run d;
    struct peer p;
    ssize_t r;
    int log;

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&d));
    snprintf(path, sizeof(path), "%s/log", d.directory);
    log = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
    d.log_fd = log;
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    CU_ASSERT_EQUAL(daemon_run_stop(&d), 0);
    /* the superblock */
    for (int i = 0; i < d.nr_kept; i++) {
        if (strcmp(d.kept_names[i], "xentmem-meta") == 0)
            CU_ASSERT_EQUAL(pwrite(d.kept[i], "damaged!", 8, 0), 8);
    }
    CU_ASSERT_FALSE(daemon_run_start(&d, args));
    r = pread(log, text, sizeof(text) - 1, 0);
    text[r > 0 ? r : 0] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "what was kept cannot be used"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "--fresh"));

    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, fresh));
    CU_ASSERT_EQUAL(d.nr_kept, 3);
    CU_ASSERT_TRUE_FATAL(peer_init(&p, 0, 1, 0, 4));
    CU_ASSERT_EQUAL(peer_attach(&p, d.socket), TMEMIF_OK);
    peer_fini(&p);
    close(log);
    unlink(path);
    end(&d);
}

static int segment_of(const struct daemon_run *d, const char *name)
{
    for (int i = 0; i < d->nr_kept; i++) {
        if (strcmp(d->kept_names[i], name) == 0)
            return d->kept[i];
    }
    return -1;
}

/* Whatever was written over: a page comes back as it was put, or not at all, and that is logged. */
static void c32_damaged_pages_are_lost_and_logged_and_no_others(void)
{
    char path[128], text[8192] = "";
    struct daemon_run d;
    struct peer p;
    uint32_t pool;
    unsigned nr_lost = 0;
    int log, frames;

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&d));
    snprintf(path, sizeof(path), "%s/log", d.directory);
    log = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
    d.log_fd = log;
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    pool = attach(&d, &p, 1);
    for (uint32_t i = 0; i < 300; i++)
        CU_ASSERT_EQUAL(peer_put(&p, pool, i, 1, i), TMEMIF_OK);
    daemon_run_kill(&d);
    /* the frames of two pages, whosever they are; the store begins anywhere */
    frames = segment_of(&d, "xentmem-frames");
    for (off_t page = 0, nr = 0; nr < 2 && page < 8192; page++) {
        uint64_t word;

        CU_ASSERT_EQUAL_FATAL(pread(frames, &word, sizeof(word), page * TMEMIF_PAGE_SIZE + 512), 8);
        if (word == 0)
            continue;
        word ^= 1;
        CU_ASSERT_EQUAL(pwrite(frames, &word, sizeof(word), page * TMEMIF_PAGE_SIZE + 512), 8);
        nr++;
    }
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    attach_again(&d, &p);
    for (uint32_t i = 0; i < 300; i++) {
        int status = peer_get(&p, pool, i, 1, i);

        CU_ASSERT(status == TMEMIF_OK || status == TMEMIF_MISS);
        nr_lost += status == TMEMIF_MISS;
    }
    CU_ASSERT_EQUAL(nr_lost, 2);
    for (unsigned tries = 0; tries < 100 && !strstr(text, "damage"); tries++) {
        ssize_t r = pread(log, text, sizeof(text) - 1, 0);

        text[r > 0 ? r : 0] = '\0';
        usleep(100000);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "damage pages=2"));
    peer_fini(&p);
    close(log);
    unlink(path);
    end(&d);
}

static void half_of_the_segments_is_as_good_as_none(void)
{
    struct daemon_run d;
    struct peer p;

    begin(&d);
    CU_ASSERT_EQUAL(daemon_run_stop(&d), 0);
    close(d.kept[--d.nr_kept]);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&d, args));
    CU_ASSERT_EQUAL(d.nr_kept, 3);
    CU_ASSERT_EQUAL(attach(&d, &p, 1), 0);
    peer_fini(&p);
    end(&d);
}

#define TESTS(T)                                                                                   \
    T(c32_pages_are_found_after_a_kill)                                                            \
    T(c32_pages_are_found_after_a_stop)                                                            \
    T(with_less_memory_what_is_persistent_stays_and_can_be_written)                                \
    T(client_with_new_rings_finds_its_pools)                                                       \
    T(requests_put_while_nobody_is_there_are_answered)                                             \
    T(rings_of_another_session_are_not_resumed)                                                    \
    T(session_that_ended_is_not_resumed)                                                           \
    T(requests_run_exactly_once_over_many_kills)                                                   \
    T(pools_that_are_dying_do_not_refuse_new_ones)                                                 \
    T(c32_acknowledged_pages_survive_kills_under_load)                                             \
    T(damaged_segments_are_refused_with_a_sentence)                                                \
    T(c32_damaged_pages_are_lost_and_logged_and_no_others)                                         \
    T(half_of_the_segments_is_as_good_as_none)
RUN_TESTS(TESTS)
