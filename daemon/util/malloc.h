/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* malloc.h - how the process takes memory from the system. */
#ifndef XTM_UTIL_MALLOC_H
#define XTM_UTIL_MALLOC_H

#include <malloc.h>

/*
 * Pieces from this size on are mapped by themselves and given back when they are freed: the
 * page index grows by halves of its tables, and the heap would keep each half that was outgrown (3
 * bytes a page of a full store, measured). Setting it also keeps glibc from raising it.
 */
#define MALLOC_MAPPED_BYTES (32 * 1024)

/*
 * What the heap asks of the system beyond what it needs: 128 KiB if nothing is said. A large
 * piece that fits there is not mapped, and calloc() writes zeroes to all of it, used or not (0.6
 * bytes a page of a store of 4 GiB, measured).
 */
#define MALLOC_SPARE_BYTES (4 * 1024)

/* Before anything large is allocated, once. */
static inline void malloc_settle(void)
{
    mallopt(M_MMAP_THRESHOLD, MALLOC_MAPPED_BYTES);
    mallopt(M_TOP_PAD, MALLOC_SPARE_BYTES);
}

#endif /* XTM_UTIL_MALLOC_H */
