/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - pages of known content, put and got with libxentmem: one at a time, or up to
 * CLIENT_DEPTH_MOST under way at once.
 *
 * Every page that comes back is looked at. What goes wrong stops the program.
 */
#ifndef TESTS_BENCH_CLIENT_H
#define TESTS_BENCH_CLIENT_H

#include <stdint.h>

#include "frontend/include/xentmem.h"

#define CLIENT_DEPTH_MOST 64u

struct client {
    struct xentmem *t;
    uint32_t pool; /* persistent */
};

/* Attach at @where (xentmem_open()) and make a pool. @poll_us as in struct xentmem_options. */
void client_open(struct client *c, const char *where, int poll_us);
void client_close(struct client *c);

/* What page @number holds; it says which one it is. */
void client_page(uint8_t *page, uint32_t number);
void client_check(const void *page, uint32_t number);

/* The pages @numbers, in this order. */
void client_get_each(struct client *c, const uint32_t *numbers, unsigned nr);
void client_put_each(struct client *c, const uint32_t *numbers, unsigned nr);
/* @depth under way, of @nr, which are at least as many: as soon as some are answered, as many more
 * are asked for. */
void client_get_window(struct client *c, unsigned depth, const uint32_t *numbers, unsigned nr);
void client_put_window(struct client *c, unsigned depth, const uint32_t *numbers, unsigned nr);
/* @depth in one call, and the next when all are answered; @nr is a multiple of it. */
void client_get_vector(struct client *c, unsigned depth, const uint32_t *numbers, unsigned nr);

#endif /* TESTS_BENCH_CLIENT_H */
