/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/segments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/engine/engine.h"

#define KB_PER_PAGE (TMEMIF_PAGE_SIZE / 1024)
#define RESERVE_KB  (128u * 1024)

/* What is left over must do for the rest of the system, and for descriptors and indexes. */
uint64_t segments_default_pages(uint64_t available_kb)
{
    uint64_t reserve_kb = available_kb / 8;

    if (reserve_kb < RESERVE_KB)
        reserve_kb = RESERVE_KB;
    if (reserve_kb > available_kb / 2)
        reserve_kb = available_kb / 2;
    return (available_kb - reserve_kb) / KB_PER_PAGE;
}

static uint64_t available_kb(void)
{
    FILE *f = fopen("/proc/meminfo", "re");
    uint64_t kb = 0;
    char line[128];

    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f) && kb == 0) {
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kb) != 1)
            kb = 0;
    }
    fclose(f);
    return kb;
}

#define FRAMES_TO_FILLED 4u
_Static_assert(SEGMENTS_PAGES_MOST + SEGMENTS_PAGES_MOST / FRAMES_TO_FILLED < ENGINE_DESCS_MOST,
               "the engine takes what is made here");

static bool keep(struct log *log, const struct notify *notify, struct store *store)
{
    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++) {
        if (!notify_keep_fd(notify, store_segment_names[i], store_fd(store, i))) {
            log_event(log, LOG_LEVEL_ERROR, "segments", "why=\"the keeper takes none: %s\"",
                      strerror(errno));
            return false;
        }
    }
    return true;
}

static bool create(struct log *log, const struct notify *notify, uint64_t memory_pages,
                   struct store **store_out)
{
    uint64_t pages = memory_pages ? memory_pages : segments_default_pages(available_kb());
    struct store_config config;
    struct store *store;
    const char *why;

    if (pages > SEGMENTS_PAGES_MOST)
        pages = SEGMENTS_PAGES_MOST;
    if (pages == 0) {
        log_event(log, LOG_LEVEL_ERROR, "segments",
                  "why=\"no memory is available: give --memory\"");
        return false;
    }
    config = (struct store_config){.nr_frames = (uint32_t)pages,
                                   .nr_filled = (uint32_t)pages / FRAMES_TO_FILLED};
    if (!store_create(&config, &store, &why)) {
        log_event(log, LOG_LEVEL_ERROR, "segments", "why=\"%s\"", why);
        return false;
    }
    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++)
        notify_drop_fd(notify, store_segment_names[i]);
    if (!keep(log, notify, store)) {
        store_close(store);
        return false;
    }
    log_event(log, LOG_LEVEL_INFO, "segments", "new pages=%" PRIu64 " memory=%" PRIu64 "M kept=%d",
              pages, pages * KB_PER_PAGE / 1024, notify->fd >= 0);
    *store_out = store;
    return true;
}

static bool take_up(struct log *log, uint64_t memory_pages, const int fds[STORE_NR_SEGMENTS],
                    struct store **store_out)
{
    const struct layout_super *super;
    struct store_damage damage;
    const char *why;

    if (!store_open(fds, store_out, &damage, &why)) {
        log_event(log, LOG_LEVEL_ERROR, "segments",
                  "why=\"what was kept cannot be used: %s; --fresh begins empty\"", why);
        return false;
    }
    super = store_super(*store_out);
    if (damage.descs || damage.records)
        log_event(log, LOG_LEVEL_ERROR, "damage", "pages=%" PRIu64 " records=%" PRIu64,
                  damage.descs, damage.records);
    if (memory_pages > super->nr_frames)
        log_event(log, LOG_LEVEL_WARNING, "segments",
                  "why=\"--memory is more than what was kept has room for\" pages=%" PRIu32,
                  super->nr_frames);
    log_event(log, LOG_LEVEL_INFO, "segments", "kept pages=%" PRIu32 " incarnation=%" PRIu32,
              super->nr_frames, super->incarnation);
    return true;
}

bool segments_open(struct log *log, const struct notify *notify, uint64_t memory_pages, bool fresh,
                   struct store **store_out)
{
    int fds[STORE_NR_SEGMENTS];
    unsigned nr = notify_take_fds(store_segment_names, STORE_NR_SEGMENTS, fds);

    if (nr == STORE_NR_SEGMENTS && !fresh)
        return take_up(log, memory_pages, fds, store_out);

    /* Killed while the first daemon handed them over: nobody had been served yet. */
    if (nr > 0)
        log_event(log, LOG_LEVEL_WARNING, "segments", "dropped=%u of=%d", nr, STORE_NR_SEGMENTS);
    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return create(log, notify, memory_pages, store_out);
}
