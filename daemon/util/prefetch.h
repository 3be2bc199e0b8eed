/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prefetch.h - have a cache line on its way from memory before it is needed.
 *
 * gcc takes a function that does nothing but __builtin_prefetch() for one
 * without effect, and drops calls of it (seen with gcc 12: every prefetch of the page
 * index was missing from the code). The empty asm is an effect.
 */
#ifndef XTM_UTIL_PREFETCH_H
#define XTM_UTIL_PREFETCH_H

#define CACHE_LINE 64u

static inline void prefetch(const void *line)
{
    __builtin_prefetch(line);
    __asm__ volatile("" : : "r"(line));
}

/* It will be written. */
static inline void prefetch_to_write(const void *line)
{
    __builtin_prefetch(line, 1);
    __asm__ volatile("" : : "r"(line));
}

#endif /* XTM_UTIL_PREFETCH_H */
