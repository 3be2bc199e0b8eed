/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page_hash.h - XXH3 of a page, as fast as this processor can.
 *
 * It stands on the path of every put. Measured on an EPYC, a page in cache:
 * 255 ns with SSE2, which every x86-64 has, and 100 ns with AVX2.
 */
#ifndef XTM_STORE_PAGE_HASH_H
#define XTM_STORE_PAGE_HASH_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t page_hash_fn(const void *page, uint64_t seed);

/* XXH3_64bits_withSeed() of the 4096 bytes at @page. */
page_hash_fn page_hash;
/* The same with AVX2 instructions; only where the processor has them. */
page_hash_fn page_hash_avx2;
/* The same without vectors. */
page_hash_fn page_hash_scalar;

/*
 * Have a processor without AVX2 use what is the fastest on it. Vectors are not where they are
 * emulated: there a page took 11.8 us with SSE2, 3.8 us without, and half of that unrolled. @now_ns
 * tells the time. True: vectors it is, as without this call. To be called once, before other
 * threads hash.
 */
bool page_hash_choose(uint64_t (*now_ns)(void));

#endif /* XTM_STORE_PAGE_HASH_H */
