/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * evict.c - the hit ratio of a block trace in a cache of some pages: our engine and others.
 *
 *     evict --trace FILE.csv --pages N|P% [--guest N|P%] [--seed N]
 *
 * Prints `NAME HIT_RATIO` for each policy: hits among the reads. A read that misses fills,
 * a write is a put. P% is of the trace's different blocks. Caches that keep ghosts have fewer
 * pages, so that all use the same memory.
 *
 * With --guest, guests with page caches of that size are in between (behind.h); it prints the
 * engine's hit ratios for inclusive, exclusive and shared gets. --seed is that of the engine's
 * hashes: small caches owe some points to it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/behind.h"

struct contender {
    const struct cache_policy *policy;
    bool has_ghosts;
};

static bool replay(const struct contender *c, const struct trace *t, uint32_t nr_pages)
{
    size_t nr_reads = 0, nr_hits = 0;
    void *cache = c->policy->create(c->has_ghosts ? policy_pages_beside_ghosts(nr_pages) : nr_pages,
                                    t->nr_blocks);

    if (!cache)
        return false;
    for (size_t i = 0; i < t->nr; i++) {
        const struct access *a = &t->accesses[i];
        bool hit = c->policy->access(cache, a);

        nr_reads += !a->is_write;
        nr_hits += !a->is_write && hit;
    }
    c->policy->destroy(cache);
    printf("%s %.6f\n", c->policy->name, nr_reads ? (double)nr_hits / (double)nr_reads : 0);
    return true;
}

/* N, or P% of @nr_blocks, at least 1; 0 if it is neither. */
static uint32_t parse_pages(const char *text, uint32_t nr_blocks)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || number <= 0 || number > UINT32_MAX / 8)
        return 0;
    if (end[0] == '%' && end[1] == '\0' && number <= 100) {
        number = number * nr_blocks / 100;
        return number < 1 ? 1 : (uint32_t)number;
    }
    return *end == '\0' && number >= 1 ? (uint32_t)number : 0;
}

static bool compare(const struct trace *t, uint32_t nr_pages)
{
    static const struct contender contenders[] = {{&policy_ours, true},
                                                  {&policy_lru, false},
                                                  {&policy_clock, false},
                                                  {&policy_sieve, false},
                                                  {&policy_s3fifo, true}};

    for (size_t i = 0; i < sizeof(contenders) / sizeof(*contenders); i++) {
        if (!replay(&contenders[i], t, nr_pages))
            return false;
    }
    return true;
}

static bool compare_behind(const struct trace *t, uint32_t nr_pages, uint32_t guest_pages)
{
    static const char *const names[] = {
        [OURS_INCLUSIVE] = "inclusive", [OURS_EXCLUSIVE] = "exclusive", [OURS_SHARED] = "shared"};

    for (enum ours_kind kind = OURS_INCLUSIVE; kind <= OURS_SHARED; kind++) {
        double ratio = behind_replay(t, kind, guest_pages, policy_pages_beside_ghosts(nr_pages));

        if (ratio < 0)
            return false;
        printf("%s %.6f\n", names[kind], ratio);
    }
    return true;
}

/* @guest: NULL, or the size of the guests' caches. */
static int run(const char *path, const char *pages, const char *guest)
{
    struct trace t;
    const char *why;
    size_t line;
    uint32_t nr_pages, guest_pages;
    bool ok;

    if (!trace_read(path, &t, &why, &line)) {
        fprintf(stderr, "evict: %s: line %zu: %s\n", path, line, why);
        return 1;
    }
    nr_pages = parse_pages(pages, t.nr_blocks);
    guest_pages = guest ? parse_pages(guest, t.nr_blocks) : 0;
    if (nr_pages == 0 || (guest && guest_pages == 0)) {
        fprintf(stderr, "evict: sizes: a number, or a percentage up to 100%%\n");
        ok = false;
    } else {
        fprintf(stderr, "%s: %zu accesses, %u blocks, %u pages\n", path, t.nr, t.nr_blocks,
                nr_pages);
        ok = guest ? compare_behind(&t, nr_pages, guest_pages) : compare(&t, nr_pages);
        if (!ok)
            fprintf(stderr, "evict: no memory\n");
    }
    trace_free(&t);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"trace", required_argument, NULL, 't'},
                                          {"pages", required_argument, NULL, 'p'},
                                          {"guest", required_argument, NULL, 'g'},
                                          {"seed", required_argument, NULL, 's'},
                                          {0}};
    const char *path = NULL, *pages = NULL, *guest = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 't')
            path = optarg;
        else if (c == 'p')
            pages = optarg;
        else if (c == 'g')
            guest = optarg;
        else if (c == 's')
            ours_seed = strtoull(optarg, NULL, 0);
        else
            return 1;
    }
    if (!path || !pages || optind != argc) {
        fprintf(stderr, "usage: evict --trace FILE.csv --pages N|P%% [--guest N|P%%] [--seed N]\n");
        return 1;
    }
    return run(path, pages, guest);
}
