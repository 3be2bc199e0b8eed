/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of virtual disks and their numbers, as xen-vbd-interface(7) has them. */
#include "frontend/tool/vdev.h"

#include "tests/lib/runner.h"

static const struct {
    const char *name;
    uint32_t vdev;
} pairs[] = {
    {"xvda", 51712},
    {"xvdb", 51728},
    {"xvda1", 51713},
    {"xvdp15", 51967},
    {"xvdq", (1u << 28) | 16u << 8},
    {"xvds", (1u << 28) | 18u << 8},
    {"xvda16", (1u << 28) | 16},
    {"xvdz", (1u << 28) | 25u << 8},
    {"xvdaa", (1u << 28) | 26u << 8},
    {"xvdzz255", (1u << 28) | 701u << 8 | 255},
    {"sda", 2048},
    {"sdb3", 2067},
    {"hda", 768},
    {"hdb1", 833},
    {"hdc", 5632},
    {"hdd", 5696},
};

static void names_and_numbers_are_each_others(void)
{
    char text[VDEV_TEXT_LEN];
    uint32_t vdev;

    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        CU_ASSERT_TRUE(vdev_parse(pairs[i].name, &vdev));
        CU_ASSERT_EQUAL(vdev, pairs[i].vdev);
        vdev_name(pairs[i].vdev, text);
        CU_ASSERT_STRING_EQUAL(text, pairs[i].name);
    }
}

static void numbers_without_a_name_are_numbers(void)
{
    static const uint32_t numbers[] = {0, 1, 700, 768 + 200, 52000, 3u << 28, UINT32_MAX};
    char text[VDEV_TEXT_LEN];
    uint32_t vdev;

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        vdev_name(numbers[i], text);
        CU_ASSERT_TRUE(text[0] >= '0' && text[0] <= '9');
        CU_ASSERT_TRUE(vdev_parse(text, &vdev));
        CU_ASSERT_EQUAL(vdev, numbers[i]);
    }
}

static void what_is_no_disk_is_refused(void)
{
    static const char *const bad[] = {"",       "xvd",    "xvd1",        "xvda0",     "xvda256",
                                      "xvda01", "xvda-1", "xvda1x",      "sdq",       "sda16",
                                      "hde",    "hda64",  "vda",         "foo",       "-1",
                                      "xvdA",   "xvda 1", "xvdzzzzzzzz", "4294967296"};
    uint32_t vdev;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(vdev_parse(bad[i], &vdev));
}

/* Any number has a name that fits and leads back to it, or to none. */
static void any_number_has_a_name_that_fits(void)
{
    char text[VDEV_TEXT_LEN];
    uint32_t vdev;

    for (uint64_t n = 0; n <= UINT32_MAX; n += 65537) {
        vdev_name((uint32_t)n, text);
        CU_ASSERT_TRUE(vdev_parse(text, &vdev));
    }
    vdev_name((1u << 28) | 0xfffffff, text);
    CU_ASSERT_TRUE(vdev_parse(text, &vdev));
    CU_ASSERT_EQUAL(vdev, (1u << 28) | 0xfffffff);
}

#define TESTS(T)                                                                                   \
    T(names_and_numbers_are_each_others)                                                           \
    T(numbers_without_a_name_are_numbers)                                                          \
    T(what_is_no_disk_is_refused)                                                                  \
    T(any_number_has_a_name_that_fits)
RUN_TESTS(TESTS)
