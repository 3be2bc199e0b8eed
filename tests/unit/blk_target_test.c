/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/target.h"

#include <string.h>

#include "tests/lib/runner.h"

static bool parse(const char *text, struct target *t, const char **why)
{
    *why = NULL;
    return target_parse(text, strlen(text), t, why);
}

static uint32_t pages_of(const char *text)
{
    struct target t;
    const char *why;

    return parse(text, &t, &why) && t.kind == TARGET_SWAP ? t.nr_pages : 0;
}

static bool is_refused(const char *text)
{
    struct target t;
    const char *why;

    return !parse(text, &t, &why) && why && strncmp(why, "target: ", 8) == 0;
}

static void swap_has_a_size_in_pages(void)
{
    CU_ASSERT_EQUAL(pages_of("swap/4K"), 1);
    CU_ASSERT_EQUAL(pages_of("swap/512M"), 131072);
    CU_ASSERT_EQUAL(pages_of("swap/3G"), 786432);
    CU_ASSERT_EQUAL(pages_of("swap/15T"), 4026531840u);
    CU_ASSERT_EQUAL(pages_of("swap/17179869180K"), UINT32_MAX);
}

static void size_that_is_none_is_refused(void)
{
    static const char *const bad[] = {
        "swap/",
        "swap/0",
        "swap/1",
        "swap/4096",
        "swap/6K",
        "swap/-4K",
        "swap/+4K",
        "swap/ 4K",
        "swap/4K ",
        "swap/4KB",
        "swap/4k",
        "swap/0x1000",
        "swap/1.5G",
        "swap/16T",
        "swap/17179869184K",
        "swap/18014398509481984K",
        "swap/18014398509481988K",
        "swap/99999999999999T",
        "swap/00000000000000000000004096K",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_TRUE(is_refused(bad[i]));
}

static void size_with_a_nul_in_it_is_refused(void)
{
    struct target t;
    const char *why = NULL;

    CU_ASSERT_FALSE(target_parse("swap/4K\0", 8, &t, &why));
    CU_ASSERT_FALSE(target_parse("swap/4K\0garbage", 15, &t, &why));
}

static void clone_has_a_base_and_may_have_a_name(void)
{
    struct target t;
    const char *why;

    CU_ASSERT_TRUE(parse("clone/debian-12.1", &t, &why));
    CU_ASSERT_EQUAL(t.kind, TARGET_CLONE);
    CU_ASSERT_STRING_EQUAL(t.base, "debian-12.1");
    CU_ASSERT_STRING_EQUAL(t.name, "");
    CU_ASSERT_TRUE(parse("clone/b/web_1", &t, &why));
    CU_ASSERT_STRING_EQUAL(t.base, "b");
    CU_ASSERT_STRING_EQUAL(t.name, "web_1");
}

static void cache_has_a_device(void)
{
    struct target t;
    const char *why;

    CU_ASSERT_TRUE(parse("cache/mapper/vg-data", &t, &why));
    CU_ASSERT_STRING_EQUAL(t.device, "mapper/vg-data");
    CU_ASSERT_TRUE(parse("cache/xvdb", &t, &why));
    CU_ASSERT_EQUAL(t.kind, TARGET_CACHE);
    CU_ASSERT_STRING_EQUAL(t.device, "xvdb");
}

static void name_that_is_none_is_refused(void)
{
    static const char *const bad[] = {
        "clone/",   "clone//",      "clone/a/",     "clone//b",     "clone/a/b/c", "clone/.a",
        "clone/-a", "clone/_a",     "clone/a b",    "clone/../etc", "cache/",      "cache//dev",
        "cache/a/", "cache/a/../b", "cache/../sda", "cache/.a",     "cache/a\nb",  "clone/a/b\xff",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_TRUE(is_refused(bad[i]));
}

static void name_has_at_most_63_characters(void)
{
    char text[80] = "clone/";
    struct target t;
    const char *why;

    memset(text + 6, 'x', 63);
    CU_ASSERT_TRUE(parse(text, &t, &why));
    CU_ASSERT_EQUAL(strlen(t.base), 63);
    text[6 + 63] = 'x';
    CU_ASSERT_TRUE(is_refused(text));
}

static void anything_else_is_refused(void)
{
    static const char *const bad[] = {"",       "/",       "swap",     "clone",    "SWAP/4K",
                                      "swap4K", "file:/x", "/dev/sda", " swap/4K", "pool:swap0"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_TRUE(is_refused(bad[i]));
}

#define TESTS(T)                                                                                   \
    T(swap_has_a_size_in_pages)                                                                    \
    T(size_that_is_none_is_refused)                                                                \
    T(size_with_a_nul_in_it_is_refused)                                                            \
    T(clone_has_a_base_and_may_have_a_name)                                                        \
    T(cache_has_a_device)                                                                          \
    T(name_that_is_none_is_refused)                                                                \
    T(name_has_at_most_63_characters)                                                              \
    T(anything_else_is_refused)
RUN_TESTS(TESTS)
