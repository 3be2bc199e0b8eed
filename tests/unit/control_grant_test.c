/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes and assignments as an operator writes them. */
#include "frontend/tool/operator_grant.h"

#include "protocol/control.h"
#include "tests/lib/runner.h"

static const char *why;

static uint64_t size(const char *text)
{
    uint64_t pages = 4242;

    return grant_parse_size(text, &pages, &why) ? pages : 4242;
}

#define REFUSED 4242u

static void a_size_is_a_number_with_a_unit(void)
{
    CU_ASSERT_EQUAL(size("4K"), 1);
    CU_ASSERT_EQUAL(size("4KiB"), 1);
    CU_ASSERT_EQUAL(size("64M"), 16384);
    CU_ASSERT_EQUAL(size("64MiB"), 16384);
    CU_ASSERT_EQUAL(size("1G"), 262144);
    CU_ASSERT_EQUAL(size("2T"), 536870912);
    CU_ASSERT_EQUAL(size("100p"), 100);
    CU_ASSERT_EQUAL(size("0"), 0);
    CU_ASSERT_EQUAL(size("0M"), 0);
    CU_ASSERT_EQUAL(size("unlimited"), GRANT_UNLIMITED);
}

static void what_is_no_size_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "M",
                                      "64",
                                      "64m",
                                      "-1M",
                                      "+1M",
                                      " 1M",
                                      "1M ",
                                      "1MB",
                                      "0x10M",
                                      "1.5G",
                                      "1M1",
                                      "4k",
                                      "K4",
                                      "1TT",
                                      "64 M",
                                      "1Mi",
                                      "unlimite",
                                      "00000000000000000000000001M"};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why = NULL;
        CU_ASSERT_EQUAL(size(bad[i]), REFUSED);
        CU_ASSERT_PTR_NOT_NULL(why);
    }
}

static void a_size_is_whole_pages(void)
{
    CU_ASSERT_EQUAL(size("5K"), REFUSED);
    CU_ASSERT_STRING_EQUAL(why, "a size is a multiple of 4K");
    CU_ASSERT_EQUAL(size("8K"), 2);
}

static void a_size_that_does_not_fit_is_refused_and_never_wraps(void)
{
    CU_ASSERT_EQUAL(size("4294967294p"), GRANT_MAX_PAGES);
    CU_ASSERT_EQUAL(size("4294967295p"), REFUSED);
    CU_ASSERT_EQUAL(size("16T"), REFUSED); /* 2^32 pages */
    CU_ASSERT_EQUAL(size("15T"), 4026531840);
    CU_ASSERT_EQUAL(size("4503599627370497p"), REFUSED); /* 2^52 + 1: 4096 bytes in 64 bits */
    CU_ASSERT_EQUAL(size("16777216T"), REFUSED);         /* 2^64 bytes */
    CU_ASSERT_EQUAL(size("18446744073709551615K"), REFUSED);
    CU_ASSERT_EQUAL(size("18446744073709551617K"), REFUSED);
}

static void an_assignment_sets_its_field_and_no_other(void)
{
    struct grant g = GRANT_DEFAULT;

    CU_ASSERT_TRUE(grant_assign(&g, "quota=64M", &why));
    CU_ASSERT_EQUAL(g.fields, TMEMCTL_SET_QUOTA);
    CU_ASSERT_EQUAL(g.quota_pages, 16384);
    CU_ASSERT_TRUE(grant_assign(&g, "min=8K", &why));
    CU_ASSERT_EQUAL(g.min_pages, 2);
    CU_ASSERT_TRUE(grant_assign(&g, "max=12K", &why));
    CU_ASSERT_EQUAL(g.max_pages, 3);
    CU_ASSERT_EQUAL(g.weight, 256);
    CU_ASSERT_TRUE(grant_assign(&g, "weight=65536", &why));
    CU_ASSERT_EQUAL(g.weight, 65536);
    CU_ASSERT_EQUAL(g.fields, TMEMCTL_SET_FIELDS);
    CU_ASSERT_TRUE(grant_assign(&g, "max=unlimited", &why));
    CU_ASSERT_EQUAL(g.max_pages, GRANT_UNLIMITED);
}

static void what_is_no_assignment_is_refused_and_changes_nothing(void)
{
    static const char *const bad[] = {
        "",          "quota",    "quota=", "=1M",         "weight=0",  "weight=65537",
        "weight=1M", "Quota=1M", "mix=1M", "quota=1M=2M", "weight=-1", "quotaquotaquota=1M"};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct grant g = GRANT_DEFAULT;

        why = NULL;
        CU_ASSERT_FALSE(grant_assign(&g, bad[i], &why));
        CU_ASSERT_PTR_NOT_NULL(why);
        CU_ASSERT_EQUAL(g.fields, 0);
        CU_ASSERT_EQUAL(g.weight, 256);
    }
}

static void merging_takes_over_what_was_given(void)
{
    struct grant to = GRANT_DEFAULT, from = GRANT_DEFAULT;

    to.quota_pages = 7;
    to.weight = 9;
    grant_assign(&from, "weight=512", &why);
    grant_merge(&to, &from);
    CU_ASSERT_EQUAL(to.quota_pages, 7);
    CU_ASSERT_EQUAL(to.weight, 512);
}

static void a_min_above_the_max_is_not_sound(void)
{
    struct grant g = GRANT_DEFAULT;
    char said[GRANT_WHY_LEN] = "";

    CU_ASSERT_TRUE(grant_is_sound(&g, said));
    CU_ASSERT_TRUE(grant_assign(&g, "min=1M", &why) && grant_assign(&g, "max=1M", &why));
    CU_ASSERT_TRUE(grant_is_sound(&g, said));
    CU_ASSERT_TRUE(grant_assign(&g, "max=1020K", &why));
    CU_ASSERT_FALSE(grant_is_sound(&g, said));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "min would be 1.0 MiB, and max 1020 KiB"));
    CU_ASSERT_TRUE(grant_assign(&g, "min=unlimited", &why) &&
                   grant_assign(&g, "max=unlimited", &why));
    CU_ASSERT_TRUE(grant_is_sound(&g, said));
}

static void a_node_says_unlimited_as_the_largest_number(void)
{
    CU_ASSERT_EQUAL(grant_node_pages(GRANT_UNLIMITED), UINT32_MAX);
    CU_ASSERT_EQUAL(grant_node_pages(GRANT_MAX_PAGES), UINT32_MAX - 1);
    CU_ASSERT_EQUAL(grant_node_pages(0), 0);
}

#define TESTS(T)                                                                                   \
    T(a_size_is_a_number_with_a_unit)                                                              \
    T(what_is_no_size_is_refused)                                                                  \
    T(a_size_is_whole_pages)                                                                       \
    T(a_size_that_does_not_fit_is_refused_and_never_wraps)                                         \
    T(an_assignment_sets_its_field_and_no_other)                                                   \
    T(what_is_no_assignment_is_refused_and_changes_nothing)                                        \
    T(merging_takes_over_what_was_given)                                                           \
    T(a_min_above_the_max_is_not_sound)                                                            \
    T(a_node_says_unlimited_as_the_largest_number)
RUN_TESTS(TESTS)
