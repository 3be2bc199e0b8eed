/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/footprint.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "daemon/util/clock.h"

#define STAT_BLOCK 512u /* unit of st_blocks, whatever the file system */

uint64_t footprint_heap_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    uint64_t kb = 0;
    char line[128];

    MUST(f != NULL);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "RssAnon: %" SCNu64 " kB", &kb) == 1)
            break;
    }
    fclose(f);
    MUST(kb != 0);
    return kb * 1024;
}

uint64_t footprint_segment_bytes(const struct store *s)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++) {
        struct stat st;

        MUST(fstat(store_fd(s, i), &st) == 0);
        bytes += (uint64_t)st.st_blocks * STAT_BLOCK;
    }
    return bytes;
}

double footprint_bytes_per_page(const struct bed *b, uint64_t heap_before)
{
    uint64_t frames = (uint64_t)b->nr_pages * TMEMIF_PAGE_SIZE;
    uint64_t heap = footprint_heap_bytes() - heap_before;

    MUST(store_usage(b->store).frames_used == b->nr_pages);
    return (double)(footprint_segment_bytes(b->store) - frames + heap) / b->nr_pages;
}

double restart_seconds_per_million(struct bed *b)
{
    int fds[STORE_NR_SEGMENTS];
    uint64_t begin, ns;

    bed_close(b, fds);
    begin = clock_now_ns();
    bed_open(b, fds);
    ns = clock_now_ns() - begin;
    return (double)ns / 1e9 * 1e6 / b->nr_pages;
}
