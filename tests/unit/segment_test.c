/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/segment.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/tmemif.h"
#include "tests/lib/runner.h"

static struct segment segment_of(size_t len_bytes)
{
    struct segment seg = SEGMENT_NONE;
    const char *why = NULL;

    CU_ASSERT_FATAL(segment_create("test", len_bytes, &seg, &why));
    return seg;
}

static size_t bytes_of(const struct segment *seg)
{
    struct stat st;

    CU_ASSERT_FATAL(fstat(seg->fd, &st) == 0);
    return (size_t)st.st_blocks * 512;
}

/* A number of this process's /proc/self/@file, behind @name and times 1024; all of them. */
static uint64_t sum_of_proc(const char *file, const char *name)
{
    char path[64], line[256];
    uint64_t sum = 0, kb;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/%s", file);
    f = fopen(path, "re");
    CU_ASSERT_FATAL(f != NULL);
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, name, strlen(name)) == 0 &&
            sscanf(line + strlen(name), ": %" SCNu64, &kb) == 1)
            sum += kb * 1024;
    }
    fclose(f);
    return sum;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* ---- tests ---- */

static void a_mapping_is_where_huge_pages_can_be_and_leaves_nothing_behind(void)
{
    const size_t lens[] = {TMEMIF_PAGE_SIZE, SEGMENT_HUGE_PAGE, 3 * SEGMENT_HUGE_PAGE + 8192, 100};

    /* another mapping in between, so that not each is where the last one was */
    for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct segment before = segment_of(TMEMIF_PAGE_SIZE);
        uint64_t vm = sum_of_proc("status", "VmSize");
        struct segment seg = segment_of(lens[i]);
        size_t pages = (lens[i] + TMEMIF_PAGE_SIZE - 1) / TMEMIF_PAGE_SIZE;

        CU_ASSERT_EQUAL((uintptr_t)seg.base % SEGMENT_HUGE_PAGE, 0);
        CU_ASSERT_EQUAL(sum_of_proc("status", "VmSize"), vm + pages * TMEMIF_PAGE_SIZE);
        segment_close(&seg);
        CU_ASSERT_EQUAL(sum_of_proc("status", "VmSize"), vm);
        segment_close(&before);
    }
}

static void a_size_that_no_address_space_has_is_refused(void)
{
    struct segment seg = SEGMENT_NONE;
    const char *why = NULL;

    CU_ASSERT(!segment_create("test", SIZE_MAX / 2 - SEGMENT_HUGE_PAGE, &seg, &why));
    CU_ASSERT(why != NULL);
    CU_ASSERT_EQUAL(seg.fd, -1);
}

/* Whether there is one is the system's to say; what there is then is not. */
static void a_huge_page_is_mapped_as_one_and_is_zero(void)
{
    struct segment seg = segment_of(4 * SEGMENT_HUGE_PAGE);
    bool huge = segment_back_huge(&seg, 2 * SEGMENT_HUGE_PAGE);
    unsigned char *range = seg.base + 2 * SEGMENT_HUGE_PAGE;

    printf("# huge pages: %s\n", huge ? "yes" : "no");
    if (huge) {
        CU_ASSERT_EQUAL(bytes_of(&seg), SEGMENT_HUGE_PAGE);
        CU_ASSERT_EQUAL(sum_of_proc("smaps", "ShmemPmdMapped"), SEGMENT_HUGE_PAGE);
    } else {
        CU_ASSERT(bytes_of(&seg) <= SEGMENT_HUGE_PAGE);
    }
    /* as a caller does who got none, and as an earlier daemon's chunks are taken up */
    CU_ASSERT(segment_back(&seg, 2 * SEGMENT_HUGE_PAGE, SEGMENT_HUGE_PAGE));
    CU_ASSERT_EQUAL(bytes_of(&seg), SEGMENT_HUGE_PAGE);
    CU_ASSERT(is_zero(range, SEGMENT_HUGE_PAGE));
    memset(range, 0xa5, SEGMENT_HUGE_PAGE);
    CU_ASSERT(segment_unback(&seg, 2 * SEGMENT_HUGE_PAGE, SEGMENT_HUGE_PAGE));
    CU_ASSERT_EQUAL(bytes_of(&seg), 0);
    CU_ASSERT(segment_back(&seg, 2 * SEGMENT_HUGE_PAGE, SEGMENT_HUGE_PAGE));
    CU_ASSERT(is_zero(range, SEGMENT_HUGE_PAGE));
    segment_close(&seg);
}

/* The next daemon maps what there is as it is. */
static void a_huge_page_is_one_for_the_next_daemon(void)
{
    struct segment seg = segment_of(2 * SEGMENT_HUGE_PAGE), next = SEGMENT_NONE;
    bool huge = segment_back_huge(&seg, 0);
    const char *why = NULL;
    int fd;

    CU_ASSERT(segment_back(&seg, 0, SEGMENT_HUGE_PAGE));
    memset(seg.base, 0x5a, SEGMENT_HUGE_PAGE);
    fd = dup(seg.fd);
    CU_ASSERT_FATAL(fd >= 0);
    segment_close(&seg);
    CU_ASSERT_FATAL(segment_adopt(&fd, 2 * SEGMENT_HUGE_PAGE, &next, &why));
    CU_ASSERT(segment_back(&next, 0, SEGMENT_HUGE_PAGE));
    if (huge)
        CU_ASSERT_EQUAL(sum_of_proc("smaps", "ShmemPmdMapped"), SEGMENT_HUGE_PAGE);
    CU_ASSERT_EQUAL(next.base[0], 0x5a);
    CU_ASSERT(memcmp(next.base, next.base + 1, SEGMENT_HUGE_PAGE - 1) == 0);
    segment_close(&next);
}

#define TESTS(T)                                                                                   \
    T(a_mapping_is_where_huge_pages_can_be_and_leaves_nothing_behind)                              \
    T(a_size_that_no_address_space_has_is_refused)                                                 \
    T(a_huge_page_is_mapped_as_one_and_is_zero)                                                    \
    T(a_huge_page_is_one_for_the_next_daemon)
RUN_TESTS(TESTS)
