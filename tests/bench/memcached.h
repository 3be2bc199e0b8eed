/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memcached.h - the real memcached on a private Unix socket, and its text protocol over a plain
 * socket: one write and as few reads as the kernel allows for each request.
 *
 * Pages are looked at where they were received, which spares memcached's side the copy
 * to the caller's page that ours includes. What goes wrong stops the program.
 */
#ifndef TESTS_BENCH_MEMCACHED_H
#define TESTS_BENCH_MEMCACHED_H

#include <stdint.h>
#include <sys/types.h>

/* Keys of one request at most. */
#define MEMCACHED_DEPTH 64u

struct memcached {
    pid_t pid;
    int fd;
    char directory[64];
    char *buffer; /* answers */
};

/* Start it with @mib MiB and the default number of threads, and connect. */
void memcached_start(struct memcached *m, unsigned mib);
void memcached_stop(struct memcached *m);

void memcached_set(struct memcached *m, uint32_t key, const void *page);
/* Ask for @nr keys at once (a multi-get); the pages lie at @pages_out until the next call. */
void memcached_get(struct memcached *m, const uint32_t *keys, unsigned nr, const void **pages_out);

#endif /* TESTS_BENCH_MEMCACHED_H */
