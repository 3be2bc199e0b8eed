/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vchan.h - the peer on Xen: pages moved over libxenvchan between two domains.
 *
 *     request   { operation, page number }, behind it the page if it is put
 *     reply     the page that was asked for, or the number of the one that was put
 *
 * The server holds VCHAN_PAGES pages and copies out of them and into them. Both ends are the
 * library as it comes, blocking, its rings large enough for VCHAN_DEPTH requests or replies.
 * What goes wrong stops the program.
 */
#ifndef TESTS_BENCH_VCHAN_H
#define TESTS_BENCH_VCHAN_H

#include <stdint.h>

#define VCHAN_DEPTH 32u
#define VCHAN_PAGES 8192u

struct libxenvchan;

/* Serve domain @client until it leaves. The nodes are below data/vchan in our own home. */
void vchan_serve(unsigned client);

struct libxenvchan *vchan_connect(unsigned server);
void vchan_disconnect(struct libxenvchan *v);

/* @nr pages, @depth requests under way at once (at most VCHAN_DEPTH, and @nr). */
void vchan_get(struct libxenvchan *v, const uint32_t *numbers, unsigned nr, unsigned depth);
void vchan_put(struct libxenvchan *v, const uint32_t *numbers, unsigned nr, unsigned depth);

#endif /* TESTS_BENCH_VCHAN_H */
