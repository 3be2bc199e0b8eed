/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages between private and shared memory: all of their bytes, in whichever way is the cheaper. */
#include <stdint.h>

#include "protocol/copy.h"
#include "protocol/trial.h"
#include "tests/lib/runner.h"

/* A clock by which memcpy(), which is tried first, takes so much. It is asked twice a round. */
#define WORDS_NS 100u
static unsigned nr_asked;
static uint64_t memcpy_ns, now_ns;

static uint64_t time_of_a_trial(void)
{
    if (nr_asked++ % 2)
        now_ns += nr_asked <= 2 * TRIAL_ROUNDS ? memcpy_ns : WORDS_NS;
    return now_ns;
}

static bool choose(uint64_t ns)
{
    nr_asked = 0;
    memcpy_ns = ns;
    return copy_choose(time_of_a_trial);
}

static void copy_and_compare(size_t offset, size_t bytes)
{
    uint8_t from[4096 + 8], to[4096 + 9];

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)(i * 7 + i / 256);
    memset(to, 0xee, sizeof(to));
    copy_bytes(to + offset, from + (8 - offset), bytes);
    CU_ASSERT_EQUAL(memcmp(to + offset, from + (8 - offset), bytes), 0);
    CU_ASSERT_EQUAL(to[offset + bytes], 0xee);
    for (size_t i = 0; i < offset; i++)
        CU_ASSERT_EQUAL(to[i], 0xee);
}

/* As many bytes as were asked for, also where they lie in no order. */
static void all_bytes_are_copied_and_no_more(void)
{
    static const size_t sizes[] = {0, 1, 8, 63, 64, 65, 4095, 4096};

    for (unsigned times = 1; times < 6; times += 4) {
        choose(times * WORDS_NS);
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            for (size_t offset = 0; offset <= 8; offset++)
                copy_and_compare(offset, sizes[i]);
        }
    }
    choose(0);
}

static void words_are_taken_where_they_are_clearly_cheaper(void)
{
    CU_ASSERT_FALSE(copy_is_in_words());
    CU_ASSERT_TRUE(choose(5 * WORDS_NS));
    CU_ASSERT_TRUE(copy_is_in_words());
    CU_ASSERT_FALSE(choose(3 * WORDS_NS / 2));
    CU_ASSERT_FALSE(copy_is_in_words());
}

#define TESTS(T)                                                                                   \
    T(words_are_taken_where_they_are_clearly_cheaper)                                              \
    T(all_bytes_are_copied_and_no_more)
RUN_TESTS(TESTS)
