/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/minimums.h"

/* Guests that come and go change the sum. */
#define LINES_BURST     8u
#define LINES_PERIOD_MS 60000u

#define HINT                                                                                       \
    "why=\"what minimums reserve and what is persistent is more than the manager's memory\" "      \
    "hint=\"lower a min, or give the manager more memory (--memory)\""

/* More than there can be frames is all of them: sums of these do not wrap. */
static uint64_t bounded(uint64_t pages)
{
    return pages < UINT32_MAX ? pages : UINT32_MAX;
}

/* Is there room for minimums of @to where @counted are among those that hold? */
static bool fits(struct engine *engine, struct log *log, uint64_t counted, uint64_t to)
{
    struct engine_reserve r = engine_reserve(engine);
    uint64_t others = r.minimums > counted ? r.minimums - counted : 0;

    if (others + to + r.persistent <= r.limit)
        return true;
    log_event(log, LOG_LEVEL_WARNING, "minimums",
              "asked=%llu minimums=%llu persistent=%llu memory=%llu " HINT, (unsigned long long)to,
              (unsigned long long)others, (unsigned long long)r.persistent,
              (unsigned long long)r.limit);
    return false;
}

bool minimums_admit_guest(const struct policy_book *book, struct engine *engine, struct log *log,
                          const struct account_key *guest, uint64_t pages)
{
    uint64_t counted = 0, nr = 0, before;
    struct account_key key;
    account_nr account;
    uint32_t cursor = 0;

    while (engine_account_next(engine, &cursor, &account, &key)) {
        if (!key_covers(guest, &key))
            continue;
        counted += bounded(policy_of_guest(book, &key).min_pages);
        nr++;
    }
    before = counted;
    if (nr == 0) {
        before = bounded(policy_of_guest(book, guest).min_pages);
        nr = 1;
    }
    return nr * bounded(pages) <= before || fits(engine, log, counted, nr * bounded(pages));
}

bool minimums_admit_shared(const struct policy_book *book, struct engine *engine, struct log *log,
                           const uint8_t uuid[TMEMIF_UUID_LEN], uint64_t pages)
{
    uint64_t counted = bounded(policy_of_shared(book, uuid).min_pages);

    return bounded(pages) <= counted || fits(engine, log, counted, bounded(pages));
}

void minimums_tell(struct minimums_teller *t, struct engine *engine, struct log *log,
                   uint64_t now_ms)
{
    struct engine_reserve r = engine_reserve(engine);

    if (r.minimums == 0 || r.minimums + r.persistent <= r.limit) {
        t->told = 0;
        return;
    }
    if (r.minimums == t->told || !pace_take(&t->pace, now_ms, LINES_BURST, LINES_PERIOD_MS))
        return;
    t->told = r.minimums;
    log_event(log, LOG_LEVEL_WARNING, "minimums",
              "minimums=%llu persistent=%llu memory=%llu effect=\"no new persistent page\" " HINT,
              (unsigned long long)r.minimums, (unsigned long long)r.persistent,
              (unsigned long long)r.limit);
}
