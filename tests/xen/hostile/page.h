/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page.h - pages with contents that a number stands for, and noise.
 */
#ifndef TESTS_HOSTILE_PAGE_H
#define TESTS_HOSTILE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Fill @page with what @what stands for; its first word is @what. */
void page_fill(uint8_t *page, uint32_t what);
bool page_holds(const uint8_t *page, uint32_t what);

/* The next 64 bits; @seed is not 0. */
uint64_t noise(uint64_t *seed);
void noise_fill(uint64_t *seed, void *bytes_out, uint32_t nr_bytes); /* a multiple of 8 */

#endif /* TESTS_HOSTILE_PAGE_H */
