/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "frontend/lib/where.h"
#include "tests/lib/runner.h"

static void expect(const char *text, enum where_kind kind, uint32_t device, const char *path)
{
    struct where w;

    CU_ASSERT_TRUE_FATAL(where_parse(text, &w));
    CU_ASSERT_EQUAL(w.kind, kind);
    CU_ASSERT_EQUAL(w.device, device);
    if (path)
        CU_ASSERT_STRING_EQUAL(w.path, path);
}

static void a_xen_device_has_a_number(void)
{
    struct where w;

    expect("xen:0", WHERE_XEN, 0, NULL);
    expect("xen:4294967295", WHERE_XEN, 4294967295u, NULL);
    CU_ASSERT_FALSE(where_parse("xen:", &w));
    CU_ASSERT_FALSE(where_parse("xen:1x", &w));
    CU_ASSERT_FALSE(where_parse("xen:-1", &w));
    CU_ASSERT_FALSE(where_parse("xen:4294967296", &w));
    CU_ASSERT_FALSE(where_parse("xen:00000000000", &w));
}

static void a_local_socket_has_a_path_and_maybe_a_number(void)
{
    expect("local:/a/b", WHERE_LOCAL, 0, "/a/b");
    expect("local:/a/b:3", WHERE_LOCAL, 3, "/a/b");
    expect("local:", WHERE_LOCAL, 0, WHERE_DEFAULT_PATH);
    expect("local::9", WHERE_LOCAL, 9, WHERE_DEFAULT_PATH);
    expect("local:/a:b", WHERE_LOCAL, 0, "/a:b");
    expect("local:/a:b:2", WHERE_LOCAL, 2, "/a:b");
}

static void other_places_and_endless_paths_are_refused(void)
{
    struct where w;
    char *text = malloc(PATH_MAX + 32);

    memset(text, 'x', PATH_MAX + 31);
    text[PATH_MAX + 31] = '\0';
    memcpy(text, "local:", 6);
    CU_ASSERT_FALSE(where_parse(text, &w));
    CU_ASSERT_FALSE(where_parse("", &w));
    CU_ASSERT_FALSE(where_parse("/run/xentmem/socket", &w));
    CU_ASSERT_FALSE(where_parse("xe:1", &w));
    free(text);
}

#define TESTS(T)                                                                                   \
    T(a_xen_device_has_a_number)                                                                   \
    T(a_local_socket_has_a_path_and_maybe_a_number)                                                \
    T(other_places_and_endless_paths_are_refused)
RUN_TESTS(TESTS)
