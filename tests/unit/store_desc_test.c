/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors and records: what is whole, what is live, and when. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "daemon/store/page_copy.h"
#include "daemon/store/page_hash.h"
#include "daemon/store/record.h"
#include "protocol/trial.h"
#include "tests/unit/store_fixture.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static _Alignas(4096) unsigned char page[TMEMIF_PAGE_SIZE];

static void flip(void *bytes, size_t bit)
{
    ((unsigned char *)bytes)[bit / 8] ^= (unsigned char)(1u << bit % 8);
}

static struct desc live_desc(uint64_t number, enum desc_kind kind)
{
    struct desc d = {.kind = (uint8_t)kind, .use = 0x5a};
    struct desc_key key = key_of(number);

    fill_page(page, number);
    desc_make_live(&d, &key, kind,
                   kind == DESC_FRAME ? desc_sum_page(&key, number + 1, page)
                                      : desc_sum_filled(&key, number + 1, (uint32_t)number),
                   number + 1);
    return d;
}

static void a_live_descriptor_says_what_it_was_made_of(void)
{
    struct desc d = live_desc(77, DESC_FRAME);
    struct desc_key key = key_of(77);

    CU_ASSERT(memcmp(d.object, key.object, sizeof(d.object)) == 0);
    CU_ASSERT_EQUAL(d.index, key.index);
    CU_ASSERT_EQUAL(d.pool, key.pool);
    CU_ASSERT_EQUAL(d.kind, DESC_FRAME);
    CU_ASSERT_EQUAL(d.use, 0x5a);
    CU_ASSERT_EQUAL(live_generation(d.live), 78);
    CU_ASSERT(desc_is_whole(&d));
    CU_ASSERT(desc_content_is_whole(&d, page));
}

static void a_dead_descriptor_is_not_whole(void)
{
    struct desc d = live_desc(77, DESC_FRAME);

    desc_make_dead(&d);
    CU_ASSERT_EQUAL(d.live, LIVE_DEAD);
    CU_ASSERT(!desc_is_whole(&d));
}

static void the_largest_generation_lives(void)
{
    struct desc d = {.kind = DESC_FILLED};
    struct desc_key key = key_of(1);

    desc_make_live(&d, &key, DESC_FILLED, desc_sum_filled(&key, LIVE_GENERATION_MAX, 9),
                   LIVE_GENERATION_MAX);
    CU_ASSERT(desc_is_whole(&d));
    CU_ASSERT_EQUAL(live_generation(d.live), LIVE_GENERATION_MAX);
    CU_ASSERT(desc_content_is_whole(&d, NULL));
}

static void make_live_without_generation(void *arg)
{
    struct desc d = {.kind = DESC_FRAME};
    struct desc_key key = key_of(1);

    (void)arg;
    desc_make_live(&d, &key, DESC_FRAME, 0, 0);
}

static void make_live_beyond_generations(void *arg)
{
    struct desc d = {.kind = DESC_FRAME};
    struct desc_key key = key_of(1);

    (void)arg;
    desc_make_live(&d, &key, DESC_FRAME, 0, LIVE_GENERATION_MAX + 1);
}

static void make_live_twice(void *arg)
{
    struct desc d = live_desc(1, DESC_FRAME);
    struct desc_key key = key_of(1);

    (void)arg;
    desc_make_live(&d, &key, DESC_FRAME, 0, 5);
}

static void make_live_as_another_kind(void *arg)
{
    struct desc d = {.kind = DESC_FRAME};
    struct desc_key key = key_of(1);

    (void)arg;
    desc_make_live(&d, &key, DESC_FILLED, 0, 5);
}

static void making_live_what_cannot_be_is_a_bug(void)
{
    CU_ASSERT(is_a_bug(make_live_without_generation, NULL));
    CU_ASSERT(is_a_bug(make_live_beyond_generations, NULL));
    CU_ASSERT(is_a_bug(make_live_twice, NULL));
    CU_ASSERT(is_a_bug(make_live_as_another_kind, NULL));
}

static void every_flipped_bit_of_a_descriptor_but_use_is_noticed(void)
{
    for (size_t bit = 0; bit < 8 * sizeof(struct desc); bit++) {
        struct desc d = live_desc(12345, DESC_FRAME);

        flip(&d, bit);
        CU_ASSERT_EQUAL(desc_is_whole(&d), bit / 8 == offsetof(struct desc, use));
    }
}

static void every_flipped_bit_of_a_page_is_noticed(void)
{
    struct desc d = live_desc(4711, DESC_FRAME);

    for (size_t bit = 0; bit < 8 * TMEMIF_PAGE_SIZE; bit++) {
        flip(page, bit);
        if (desc_content_is_whole(&d, page))
            CU_FAIL("a flipped bit was not noticed");
        flip(page, bit);
    }
    CU_ASSERT(desc_content_is_whole(&d, page));
}

static void every_flipped_bit_of_a_filled_page_is_noticed(void)
{
    for (size_t bit = 0; bit < 64; bit++) {
        struct desc d = live_desc(4711, DESC_FILLED);

        CU_ASSERT(desc_content_is_whole(&d, NULL));
        d.sum ^= 1ull << bit;
        CU_ASSERT(!desc_content_is_whole(&d, NULL));
    }
}

/* The same bytes under another handle or of another generation have another sum. */
static void a_page_never_passes_for_another(void)
{
    struct desc_key key = key_of(5);
    uint64_t sum, filled;

    fill_page(page, 5);
    sum = desc_sum_page(&key, 9, page);
    filled = desc_sum_filled(&key, 9, 42);
    CU_ASSERT_EQUAL((uint32_t)filled, 42);
    CU_ASSERT_NOT_EQUAL(sum, desc_sum_page(&key, 10, page));
    CU_ASSERT_NOT_EQUAL(filled, desc_sum_filled(&key, 10, 42));
    for (size_t bit = 0; bit < 8 * (offsetof(struct desc_key, pool) + sizeof(key.pool)); bit++) {
        struct desc_key other = key;

        flip(&other, bit);
        CU_ASSERT_NOT_EQUAL(sum, desc_sum_page(&other, 9, page));
        CU_ASSERT_NOT_EQUAL(filled, desc_sum_filled(&other, 9, 42));
    }
}

/* Segments move between machines of one layout version: the sum is not the processor's. */
static void page_hash_is_xxh3_on_every_processor(void)
{
    fill_page(page, 8);
    CU_ASSERT_EQUAL(page_hash(page, 0), XXH3_64bits_withSeed(page, sizeof(page), 0));
    CU_ASSERT_EQUAL(page_hash(page, 99), XXH3_64bits_withSeed(page, sizeof(page), 99));
    CU_ASSERT_EQUAL(page_hash_scalar(page, 0), page_hash(page, 0));
    CU_ASSERT_EQUAL(page_hash_scalar(page, 99), page_hash(page, 99));
}

/* Each way is timed by itself: so many questions each. */
static unsigned nr_asked;
static bool first_is_dear;

static uint64_t time_of_a_trial(void)
{
    bool is_first = nr_asked++ < 2 * TRIAL_ROUNDS;

    return nr_asked * (is_first == first_is_dear ? 1000u : 1u);
}

static void page_hash_is_computed_in_the_cheaper_way(void)
{
    fill_page(page, 8);
    for (unsigned n = 0; n < 2; n++) {
        nr_asked = 0;
        first_is_dear = n == 0;
        CU_ASSERT_EQUAL(page_hash_choose(time_of_a_trial), n != 0);
        CU_ASSERT_EQUAL(page_hash(page, 99), XXH3_64bits_withSeed(page, sizeof(page), 99));
    }
}

static void a_filled_page_is_one_word_over_and_over(void)
{
    uint32_t words[TMEMIF_PAGE_SIZE / 4];
    uint32_t word = 1;

    for (size_t i = 0; i < TMEMIF_PAGE_SIZE / 4; i++)
        words[i] = 0xdeadbeef;
    CU_ASSERT(page_is_filled(words, &word));
    CU_ASSERT_EQUAL(word, 0xdeadbeef);
    memset(words, 0, sizeof(words));
    CU_ASSERT(page_is_filled(words, &word));
    CU_ASSERT_EQUAL(word, 0);

    word = 77;
    for (size_t bit = 0; bit < 8 * sizeof(words); bit += 7) {
        flip(words, bit);
        CU_ASSERT(!page_is_filled(words, &word));
        flip(words, bit);
    }
    CU_ASSERT_EQUAL(word, 77);
    for (size_t i = 0; i < TMEMIF_PAGE_SIZE / 4; i++) /* a period of two words */
        words[i] = i % 2;
    CU_ASSERT(!page_is_filled(words, &word));
}

static void a_page_is_summed_as_it_is_copied(void)
{
    static _Alignas(4096) unsigned char frame[TMEMIF_PAGE_SIZE];
    static unsigned char place[2 * TMEMIF_PAGE_SIZE]; /* data areas need not align pages */
    struct page_facts facts, looked;

    for (uint64_t n = 0; n < 64; n++) {
        fill_page(page, n);
        memcpy(place + n, page, sizeof(page));
        memset(frame, 0xee, sizeof(frame));
        page_copy(frame, place + n, n * 0x123456789abcdefull, &facts);
        CU_ASSERT_EQUAL(memcmp(frame, page, sizeof(page)), 0);
        CU_ASSERT_EQUAL(facts.sum, page_hash(page, n * 0x123456789abcdefull));
        CU_ASSERT(!facts.filled);
        page_look(page, n * 0x123456789abcdefull, &looked);
        CU_ASSERT(looked.sum == facts.sum && !looked.filled);
    }
}

static void a_filled_page_is_told_as_it_is_copied(void)
{
    static _Alignas(4096) unsigned char frame[TMEMIF_PAGE_SIZE];
    static const uint32_t fillings[] = {0, 1, 0x80000000, 0xdeadbeef, UINT32_MAX};
    uint32_t words[TMEMIF_PAGE_SIZE / 4];
    struct page_facts facts;

    for (unsigned n = 0; n < sizeof(fillings) / sizeof(*fillings); n++) {
        for (size_t i = 0; i < TMEMIF_PAGE_SIZE / 4; i++)
            words[i] = fillings[n];
        page_copy(frame, words, 5, &facts);
        CU_ASSERT(facts.filled);
        CU_ASSERT_EQUAL(facts.word, fillings[n]);
        for (size_t bit = 0; bit < 8 * sizeof(words); bit += 7) {
            flip(words, bit);
            page_copy(frame, words, 5, &facts);
            CU_ASSERT(!facts.filled);
            flip(words, bit);
        }
    }
}

struct scribbler {
    _Alignas(4096) uint64_t page[TMEMIF_PAGE_SIZE / 8];
    atomic_bool stop;
};

static void *scribble(void *arg)
{
    struct scribbler *s = arg;

    for (uint64_t n = 0; !atomic_load_explicit(&s->stop, memory_order_relaxed); n++) {
        for (size_t i = 0; i < TMEMIF_PAGE_SIZE / 8; i++)
            __atomic_store_n(&s->page[i], n % 2 ? 0 : n + i, __ATOMIC_RELAXED);
    }
    return NULL;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

static void c28_what_is_found_is_true_of_the_frame_while_the_page_is_written_to(void)
{
    static struct scribbler s;
    static _Alignas(4096) unsigned char frame[TMEMIF_PAGE_SIZE];
    pthread_t guest;
    uint64_t nr_wrong = 0;

    if (UNDER_TSAN) {
        CU_PASS("the race is what is tested");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(pthread_create(&guest, NULL, scribble, &s), 0);
    for (unsigned i = 0; i < 200000; i++) {
        struct page_facts facts;
        uint32_t word;

        page_copy(frame, s.page, i, &facts);
        nr_wrong += facts.sum != page_hash(frame, i);
        nr_wrong += facts.filled != page_is_filled(frame, &word);
    }
    atomic_store(&s.stop, true);
    pthread_join(guest, NULL);
    CU_ASSERT_EQUAL(nr_wrong, 0);
}

/* ---- the other records ---- */

static void every_covered_bit_of_an_account_is_noticed(void)
{
    struct account_rec r = {.kind = 1, .id = 7, .device = 2, .uuid = "guest"};

    CU_ASSERT(!account_rec_is_whole(&r));
    account_rec_make_live(&r, 12);
    CU_ASSERT_EQUAL(live_generation(r.live), 12);
    for (size_t bit = 0; bit < 8 * sizeof(r); bit++) {
        size_t byte = bit / 8;
        bool changes = byte >= offsetof(struct account_rec, pools) &&
                       byte < offsetof(struct account_rec, pools) + sizeof(r.pools);

        flip(&r, bit);
        CU_ASSERT_EQUAL(account_rec_is_whole(&r), changes);
        flip(&r, bit);
    }
    rec_make_dead(&r.live);
    CU_ASSERT_EQUAL(r.live, LIVE_DEAD);
}

static void every_covered_bit_of_a_pool_is_noticed(void)
{
    struct pool_rec r = {.uuid = "pool", .flags = TMEMIF_POOL_SHARED, .account = LAYOUT_NONE};

    CU_ASSERT(!pool_rec_is_whole(&r));
    pool_rec_make_live(&r, 13);
    for (size_t bit = 0; bit < 8 * sizeof(r); bit++) {
        size_t byte = bit / 8;
        bool changes =
            byte >= offsetof(struct pool_rec, floor) && byte < offsetof(struct pool_rec, reserved);

        flip(&r, bit);
        CU_ASSERT_EQUAL(pool_rec_is_whole(&r), changes);
        flip(&r, bit);
    }
}

static void every_bit_of_a_tombstone_is_noticed(void)
{
    struct tombstone_rec r = {.object = {1, 2, 3}, .pool = 4, .first = 5, .last = 6};

    CU_ASSERT(!tombstone_rec_is_whole(&r));
    tombstone_rec_make_live(&r, 14);
    for (size_t bit = 0; bit < 8 * sizeof(r); bit++) {
        flip(&r, bit);
        CU_ASSERT(!tombstone_rec_is_whole(&r));
        flip(&r, bit);
    }
    CU_ASSERT(tombstone_rec_is_whole(&r));
}

static void every_bit_of_whose_a_ring_record_is_is_noticed(void)
{
    struct ring_rec r = {.account = 3, .ring = 2, .number = 99, .phase = RECORD_DONE};

    CU_ASSERT(!ring_rec_is_whole(&r));
    ring_rec_make_live(&r);
    for (size_t bit = 0; bit < 8 * sizeof(r); bit++) {
        size_t byte = bit / 8;
        bool covered =
            byte < offsetof(struct ring_rec, number) || byte >= offsetof(struct ring_rec, live);

        flip(&r, bit);
        CU_ASSERT_EQUAL(ring_rec_is_whole(&r), !covered);
        flip(&r, bit);
    }
}

#define TESTS(T)                                                                                   \
    T(a_live_descriptor_says_what_it_was_made_of)                                                  \
    T(a_dead_descriptor_is_not_whole)                                                              \
    T(the_largest_generation_lives)                                                                \
    T(making_live_what_cannot_be_is_a_bug)                                                         \
    T(every_flipped_bit_of_a_descriptor_but_use_is_noticed)                                        \
    T(every_flipped_bit_of_a_page_is_noticed)                                                      \
    T(every_flipped_bit_of_a_filled_page_is_noticed)                                               \
    T(a_page_never_passes_for_another)                                                             \
    T(page_hash_is_xxh3_on_every_processor)                                                        \
    T(page_hash_is_computed_in_the_cheaper_way)                                                    \
    T(a_filled_page_is_one_word_over_and_over)                                                     \
    T(a_page_is_summed_as_it_is_copied)                                                            \
    T(a_filled_page_is_told_as_it_is_copied)                                                       \
    T(c28_what_is_found_is_true_of_the_frame_while_the_page_is_written_to)                         \
    T(every_covered_bit_of_an_account_is_noticed)                                                  \
    T(every_covered_bit_of_a_pool_is_noticed)                                                      \
    T(every_bit_of_a_tombstone_is_noticed)                                                         \
    T(every_bit_of_whose_a_ring_record_is_is_noticed)

RUN_TESTS(TESTS)
