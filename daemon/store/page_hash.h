/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page_hash.h - XXH3 of a page, as fast as this processor can.
 *
 * It stands on the path of every put. Measured on an EPYC, a page in cache:
 * 255 ns with SSE2, which every x86-64 has, and 100 ns with AVX2.
 */
#ifndef XTM_STORE_PAGE_HASH_H
#define XTM_STORE_PAGE_HASH_H

#include <stdint.h>

/* XXH3_64bits_withSeed() of the 4096 bytes at @page. */
typedef uint64_t page_hash_fn(const void *page, uint64_t seed);

uint64_t page_hash(const void *page, uint64_t seed);

/*
 * Have the processors without AVX2 use what is the fastest on this one. Vectors are not where
 * they are emulated: there a page took 11.8 us with SSE2, 3.8 us without. @now_ns tells the
 * time. To be called once, before other threads hash; without it SSE2 is used.
 */
void page_hash_choose(uint64_t (*now_ns)(void));

/* The same with AVX2 instructions; only where the processor has them. */
page_hash_fn page_hash_avx2;
/* The same without vectors. */
page_hash_fn page_hash_scalar;

#endif /* XTM_STORE_PAGE_HASH_H */
