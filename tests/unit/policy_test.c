/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caches that the engine's eviction is compared with, on sequences worked out by hand. */
#include "tests/lib/runner.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/policies/policy.h"
#include "tests/bench/trace.h"

#define NR_BLOCKS 64u

static bool hits(const struct cache_policy *p, void *cache, uint32_t id)
{
    struct access a = {.id = id, .block = id};

    return p->access(cache, &a);
}

/* Access the blocks of @text, `a` is 0, and write down what happens: upper case for a hit. */
static const char *played(const struct cache_policy *p, uint32_t nr_pages, const char *text)
{
    static char out[64];
    void *cache = p->create(nr_pages, NR_BLOCKS);
    size_t i;

    CU_ASSERT_FATAL(cache != NULL && strlen(text) < sizeof(out));
    for (i = 0; text[i]; i++)
        out[i] = (char)(hits(p, cache, (uint32_t)(text[i] - 'a')) ? text[i] - 'a' + 'A' : text[i]);
    out[i] = '\0';
    p->destroy(cache);
    return out;
}

static void lru_drops_what_was_used_least_recently(void)
{
    /* c drops b, for a was used after it; b drops a?  no: a was used after c, so c goes */
    CU_ASSERT_STRING_EQUAL(played(&policy_lru, 2, "abacabc"), "abAcAbc");
    CU_ASSERT_STRING_EQUAL(played(&policy_lru, 1, "aabb"), "aAbB");
}

static void clock_lets_what_was_used_go_round_once(void)
{
    /* d: a was used and goes round, b goes. b: c goes. a is still there, d too. */
    CU_ASSERT_STRING_EQUAL(played(&policy_clock, 3, "abcadbad"), "abcAdbAD");
    /* the second time round a was not used: e drops c, f drops a before the later d */
    CU_ASSERT_STRING_EQUAL(played(&policy_clock, 3, "abcadefda"), "abcAdefDa");
}

static void sieve_hand_leaves_what_was_used_where_it_is(void)
{
    /*
     * d: the hand passes a, used, and takes b; e takes c; d is used, f passes it and
     * takes e, the newest but one; g begins at the oldest again and takes a.
     */
    CU_ASSERT_STRING_EQUAL(played(&policy_sieve, 3, "abcadedfgdfa"), "abcAdeDfgDFa");
    /* f was asked for after the hand went by d, so clock and LRU would have kept e's place for a */
    CU_ASSERT_STRING_EQUAL(played(&policy_sieve, 3, "abcadedfa"), "abcAdeDfA");
}

static void s3fifo_small_queue_drops_what_was_used_once(void)
{
    /* Ten pages, all in the small queue. k drops a, which leaves a ghost. */
    CU_ASSERT_STRING_EQUAL(played(&policy_s3fifo, 10, "abcdefghijka"), "abcdefghijka");
    /* b was used once, that is not enough; c twice, it goes over to the main queue */
    CU_ASSERT_STRING_EQUAL(played(&policy_s3fifo, 10, "abcdefghijbccklmbc"), "abcdefghijBCCklmbC");
}

static void s3fifo_ghost_takes_a_block_into_the_main_queue(void)
{
    /* a comes back by its ghost; then ten new ones pass through the small queue and a stays */
    CU_ASSERT_STRING_EQUAL(played(&policy_s3fifo, 10, "abcdefghijkalmnopqrstua"),
                           "abcdefghijkalmnopqrstuA");
    /* without the ghost it is dropped on the way */
    CU_ASSERT_STRING_EQUAL(played(&policy_s3fifo, 10, "abcdefghijlmnopqrstua"),
                           "abcdefghijlmnopqrstua");
}

static void s3fifo_has_as_many_ghosts_as_the_main_queue_has_room(void)
{
    /* Nine ghosts: s leaves that of i, the ninth, and a's is still there; a is in the main queue.
     */
    CU_ASSERT_STRING_EQUAL(played(&policy_s3fifo, 10, "abcdefghijklmnopqrsauvwxyz{|}~a"),
                           "abcdefghijklmnopqrsauvwxyz{|}~A");
    /* t leaves that of j, which pushes a's out; a is in the small queue and is dropped. */
    CU_ASSERT_STRING_EQUAL(played(&policy_s3fifo, 10, "abcdefghijklmnopqrstauvwxyz{|}~a"),
                           "abcdefghijklmnopqrstauvwxyz{|}~a");
}

static void s3fifo_main_queue_forgets_without_a_ghost(void)
{
    void *c = policy_s3fifo.create(20, NR_BLOCKS);

    CU_ASSERT_FATAL(c != NULL);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t id = 0; id < 20; id++)
            CU_ASSERT_EQUAL(hits(&policy_s3fifo, c, id), round > 0);
    }
    /* All go over to the main queue and the first of them out of it. */
    CU_ASSERT(!hits(&policy_s3fifo, c, 20));
    /* No ghost: 0 enters the small queue, which has fewer than its two, so 1 leaves the main one.
     */
    CU_ASSERT(!hits(&policy_s3fifo, c, 0));
    CU_ASSERT(hits(&policy_s3fifo, c, 2));
    /* Now the small queue is as long as it may be: 20 and then 0 are dropped from it. */
    CU_ASSERT(!hits(&policy_s3fifo, c, 21));
    CU_ASSERT(!hits(&policy_s3fifo, c, 22));
    CU_ASSERT(hits(&policy_s3fifo, c, 2));
    CU_ASSERT(!hits(&policy_s3fifo, c, 1));
    CU_ASSERT(!hits(&policy_s3fifo, c, 0));
    policy_s3fifo.destroy(c);
}

static void no_policy_holds_more_than_its_pages(void)
{
    const struct cache_policy *all[] = {&policy_lru, &policy_clock, &policy_sieve, &policy_s3fifo};

    for (unsigned p = 0; p < 4; p++) {
        for (uint32_t nr_pages = 1; nr_pages < 12; nr_pages++) {
            void *c = all[p]->create(nr_pages, NR_BLOCKS);
            unsigned nr_hits = 0;
            uint32_t x = 1;

            CU_ASSERT_FATAL(c != NULL);
            for (unsigned i = 0; i < 1000; i++) {
                x = x * 1664525u + 1013904223u;
                hits(all[p], c, x >> 26 & 15);
            }
            /* What is held now would hit; asking newest first would not do, so ask copies. */
            for (uint32_t id = 0; id < 16; id++) {
                void *copy = all[p]->create(nr_pages, NR_BLOCKS);
                uint32_t y = 1;

                CU_ASSERT_FATAL(copy != NULL);
                for (unsigned i = 0; i < 1000; i++) {
                    y = y * 1664525u + 1013904223u;
                    hits(all[p], copy, y >> 26 & 15);
                }
                nr_hits += hits(all[p], copy, id);
                all[p]->destroy(copy);
            }
            CU_ASSERT_EQUAL(nr_hits, nr_pages);
            all[p]->destroy(c);
        }
    }
}

static void ghosts_are_paid_for_in_pages(void)
{
    CU_ASSERT_EQUAL(policy_pages_beside_ghosts(1), 1);
    CU_ASSERT_EQUAL(policy_pages_beside_ghosts(10), 9);
    /* 1179648 ghosts of 64/31 bytes are 2435402 bytes, 594.6 pages */
    CU_ASSERT_EQUAL(policy_pages_beside_ghosts(1048576), 1048576 - 595);
}

/* Read a trace of @text; NULL if it was, else why not. */
static const char *why_not_read(const char *text, struct trace *t, size_t *line)
{
    char path[] = "/tmp/xentmem-trace-XXXXXX";
    int fd = mkstemp(path);
    const char *why = NULL;
    bool ok;

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    ok = trace_read(path, t, &why, line);
    unlink(path);
    return ok ? NULL : why;
}

static void trace_columns_are_found_by_name(void)
{
    struct trace t;
    size_t line;

    CU_ASSERT_PTR_NULL_FATAL(
        why_not_read("block,size,op,time\n77,4096,R,1\n5,1,write,2\n77,1,w,3\r\n", &t, &line));
    CU_ASSERT_EQUAL(t.nr, 3);
    CU_ASSERT_EQUAL(t.nr_blocks, 2);
    CU_ASSERT_EQUAL(t.accesses[0].block, 77);
    CU_ASSERT_EQUAL(t.accesses[0].id, t.accesses[2].id);
    CU_ASSERT_NOT_EQUAL(t.accesses[0].id, t.accesses[1].id);
    CU_ASSERT(!t.accesses[0].is_write && t.accesses[1].is_write && t.accesses[2].is_write);
    trace_free(&t);
}

static void trace_that_is_none_is_refused_with_its_line(void)
{
    static const struct {
        const char *text;
        size_t line;
    } bad[] = {{"", 0},
               {"time,op,blocks\n1,R,1\n", 1},
               {"time,op,block\n", 1},
               {"time,op,block\n1,R,1\n2,R\n", 3},
               {"time,op,block\n1,X,1\n", 2},
               {"time,op,block\n1,,1\n", 2},
               {"time,op,block\n1,R,-1\n", 2},
               {"time,op,block\n1,R,1x\n", 2},
               {"time,op,block\n1,R,99999999999999999999\n", 2}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct trace t;
        size_t line;

        CU_ASSERT_PTR_NOT_NULL(why_not_read(bad[i].text, &t, &line));
        CU_ASSERT_EQUAL(line, bad[i].line);
    }
}

#define TESTS(T)                                                                                   \
    T(lru_drops_what_was_used_least_recently)                                                      \
    T(clock_lets_what_was_used_go_round_once)                                                      \
    T(sieve_hand_leaves_what_was_used_where_it_is)                                                 \
    T(s3fifo_small_queue_drops_what_was_used_once)                                                 \
    T(s3fifo_ghost_takes_a_block_into_the_main_queue)                                              \
    T(s3fifo_has_as_many_ghosts_as_the_main_queue_has_room)                                        \
    T(s3fifo_main_queue_forgets_without_a_ghost)                                                   \
    T(no_policy_holds_more_than_its_pages)                                                         \
    T(ghosts_are_paid_for_in_pages)                                                                \
    T(trace_columns_are_found_by_name)                                                             \
    T(trace_that_is_none_is_refused_with_its_line)

RUN_TESTS(TESTS)
