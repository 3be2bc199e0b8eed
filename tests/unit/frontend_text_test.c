/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/text.h"

#include <string.h>

#include "tests/lib/runner.h"

static void expect_size(uint64_t nr_pages, const char *expected)
{
    char text[TEXT_SIZE_LEN];

    text_of_size(text, nr_pages);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void sizes_read_well(void)
{
    expect_size(0, "0 KiB");
    expect_size(1, "4 KiB");
    expect_size(255, "1020 KiB");
    expect_size(256, "1.0 MiB");
    expect_size(3200, "12.5 MiB");
    expect_size(262144, "1.0 GiB");
    expect_size(TEXT_UNLIMITED, "unlimited");
    expect_size(TEXT_UNLIMITED - 1, "65536 EiB");
}

static void what_is_utf8_is_told_from_what_is_not(void)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "m\xc3\xbcller",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const struct {
        const char *text, *mended;
    } bad[] = {
        {"b\xff", "b?"},
        {"m\xfcller", "m?ller"},
        {"\xc3", "?"}, /* cut off */
        {"\xc3\xc3\xbc", "?\xc3\xbc"},
        {"\x80x", "?x"},
        {"\xc0\x80", "??"}, /* longer than need be */
        {"\xc1\xbf", "??"},
        {"\xe0\x9f\xbf", "???"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xed\xa0\x80", "???"},      /* half of a pair */
        {"\xf4\x90\x80\x80", "????"}, /* too large */
        {"\xf5\x80\x80\x80", "????"},
        {"\xe2\x82", "??"},
    };
    char text[16];

    for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
        CU_ASSERT_TRUE(text_is_utf8(good[i]));
        strcpy(text, good[i]);
        text_mend_utf8(text);
        CU_ASSERT_STRING_EQUAL(text, good[i]);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        CU_ASSERT_FALSE(text_is_utf8(bad[i].text));
        strcpy(text, bad[i].text);
        text_mend_utf8(text);
        CU_ASSERT_STRING_EQUAL(text, bad[i].mended);
        CU_ASSERT_TRUE(text_is_utf8(text));
    }
}

static void uuids_go_there_and_back(void)
{
    static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";
    uint8_t uuid[16];
    char back[TEXT_UUID_LEN];

    CU_ASSERT_TRUE_FATAL(text_to_uuid(text, uuid));
    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(uuid[i], i * 0x11);
    text_of_uuid(back, uuid);
    CU_ASSERT_STRING_EQUAL(back, text);
    CU_ASSERT(text_to_uuid("00112233445566778899AABBCCDDEEFF", uuid));
    CU_ASSERT_EQUAL(uuid[15], 0xff);
    CU_ASSERT_TRUE(text_to_pool_uuid("00000000-0000-0000-0000-000000000001", uuid));
    CU_ASSERT_EQUAL(uuid[15], 1);
    CU_ASSERT_FALSE(text_to_pool_uuid("00000000-0000-0000-0000-000000000000", uuid));
    CU_ASSERT_EQUAL(uuid[15], 1);
}

static void what_is_no_uuid_is_refused_and_changes_nothing(void)
{
    static const char *const bad[] = {
        "",
        "0",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "001122334-455-6677-8899-aabbccddeeff",
        "0011223344556677-8899-aabbccddeeff",
        "g0112233-4455-6677-8899-aabbccddeeff",
        "00112233445566778899aabbccddeef",
        "00112233445566778899aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddee  ",
    };
    uint8_t uuid[16];

    memset(uuid, 0x77, sizeof(uuid));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CU_ASSERT_FALSE(text_to_uuid(bad[i], uuid));
    CU_ASSERT_EQUAL(uuid[0], 0x77);
}

static void numbers_fill_their_text_and_their_range(void)
{
    uint64_t n = 0;

    CU_ASSERT(text_to_number("0", 0, &n) && n == 0);
    CU_ASSERT(text_to_number("4294967295", UINT32_MAX, &n) && n == UINT32_MAX);
    CU_ASSERT_FALSE(text_to_number("4294967296", UINT32_MAX, &n));
    CU_ASSERT(text_to_number("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
    CU_ASSERT_FALSE(text_to_number("18446744073709551616", UINT64_MAX, &n));
    CU_ASSERT_FALSE(text_to_number("99999999999999999999", UINT64_MAX, &n));
    CU_ASSERT(text_to_number("0xfF", 255, &n) && n == 255);
    CU_ASSERT_FALSE(text_to_number("0x100", 255, &n));
    CU_ASSERT_FALSE(text_to_number("5", 3, &n));
    CU_ASSERT_FALSE(text_to_number("", 10, &n));
    CU_ASSERT_FALSE(text_to_number("0x", 10, &n));
    CU_ASSERT_FALSE(text_to_number("1 ", 10, &n));
    CU_ASSERT_FALSE(text_to_number("-1", 10, &n));
    CU_ASSERT_FALSE(text_to_number("a", 100, &n));
}

static void objects_are_numbers_digits_or_names(void)
{
    struct xentmem_object a, b;

    CU_ASSERT_TRUE_FATAL(text_to_object("258", &a));
    CU_ASSERT(a.id[0] == 258 && a.id[1] == 0 && a.id[2] == 0);
    CU_ASSERT_TRUE_FATAL(text_to_object("0x102", &b));
    CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof(a)), 0);
    CU_ASSERT_TRUE_FATAL(text_to_object("0x0123456789abcdef00000000000000010000000000000002", &a));
    CU_ASSERT(a.id[0] == 2 && a.id[1] == 1 && a.id[2] == 0x0123456789abcdefull);
    CU_ASSERT_TRUE_FATAL(text_to_object("name:/etc/passwd", &a));
    CU_ASSERT_TRUE_FATAL(text_to_object("name:/etc/passwe", &b));
    CU_ASSERT(a.id[2] == UINT64_MAX && b.id[2] == UINT64_MAX);
    CU_ASSERT(a.id[0] != b.id[0] && a.id[1] != b.id[1]);
    /* XXH3-128 of "a", as xxhsum -H2 prints it: a96faf705af16834e6c632b61e964e1f */
    CU_ASSERT_TRUE_FATAL(text_to_object("name:a", &a));
    CU_ASSERT(a.id[1] == 0xa96faf705af16834ull && a.id[0] == 0xe6c632b61e964e1full);
}

static void what_is_no_object_is_refused(void)
{
    struct xentmem_object o;

    CU_ASSERT_FALSE(text_to_object("", &o));
    CU_ASSERT_FALSE(text_to_object("name:", &o));
    CU_ASSERT_FALSE(text_to_object("0x", &o));
    CU_ASSERT_FALSE(text_to_object("0xg", &o));
    CU_ASSERT_FALSE(text_to_object("0x1234567890123456789012345678901234567890123456789", &o));
    CU_ASSERT_FALSE(text_to_object("abc", &o));
    CU_ASSERT_FALSE(text_to_object("18446744073709551616", &o));
}

static void what_is_not_printable_is_not_shown(void)
{
    char text[8];

    text_printable(text, sizeof(text), "\x1b[2J~ \n\xff");
    CU_ASSERT_STRING_EQUAL(text, "?[2J~ ?");
    text_printable(text, sizeof(text), "");
    CU_ASSERT_STRING_EQUAL(text, "");
}

#define TESTS(T)                                                                                   \
    T(sizes_read_well)                                                                             \
    T(what_is_utf8_is_told_from_what_is_not)                                                       \
    T(uuids_go_there_and_back)                                                                     \
    T(what_is_no_uuid_is_refused_and_changes_nothing)                                              \
    T(numbers_fill_their_text_and_their_range)                                                     \
    T(objects_are_numbers_digits_or_names)                                                         \
    T(what_is_no_object_is_refused)                                                                \
    T(what_is_not_printable_is_not_shown)
RUN_TESTS(TESTS)
