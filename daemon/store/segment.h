/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * segment.h - one memory segment: a memfd and its mapping.
 *
 * A segment has its full length from the start and cannot shrink any more
 * (F_SEAL_SHRINK), so no access inside it is beyond its end. Its memory is
 * taken and given back range by range: only ranges that segment_back() gave
 * memory are ever touched, so the system's running out is a status here and
 * not a SIGBUS there. It is mapped where pages of SEGMENT_HUGE_PAGE bytes can be.
 *
 * Threads: any for segment_back() and segment_unback() of ranges apart.
 */
#ifndef XTM_STORE_SEGMENT_H
#define XTM_STORE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>

struct segment {
    int fd; /* owned; -1: none */
    unsigned char *base;
    size_t len_bytes;
};

#define SEGMENT_NONE ((struct segment){.fd = -1, .base = NULL, .len_bytes = 0})

/* A new one without memory. False: *why_out says why, *seg_out is untouched. */
bool segment_create(const char *name, size_t len_bytes, struct segment *seg_out,
                    const char **why_out);

/*
 * Map what another process left. Takes ownership of *@fd when it succeeds and
 * sets it to -1. Refused: not a memfd that can be sealed, not @len_bytes long.
 */
bool segment_adopt(int *fd, size_t len_bytes, struct segment *seg_out, const char **why_out);

/* Unmap and close; legal on SEGMENT_NONE, which it leaves behind. */
void segment_close(struct segment *seg);

/* Give the range memory, zeroed where it had none. False: the system has none. */
bool segment_back(const struct segment *seg, size_t first, size_t len_bytes);

/*
 * Give SEGMENT_HUGE_PAGE bytes at @first, a multiple of it, without memory so far and in nobody's
 * use, one page of that size: taken and given back at a fraction of the cost of 512, and copied
 * from and to without a search of the page tables for each. Linux 6.1, outside PV domains; whatever
 * transparent_hugepage/shmem_enabled says, unless `deny`. False: it was not to be had; a part
 * may have memory, and segment_back() gives it the rest.
 */
#define SEGMENT_HUGE_PAGE ((size_t)2 << 20)
bool segment_back_huge(const struct segment *seg, size_t first);

/*
 * Give the memory of all pages wholly inside the range back to the system;
 * they read as zero from then on. False: refused by the system, nothing is lost.
 */
bool segment_unback(const struct segment *seg, size_t first, size_t len_bytes);

/*
 * Where the segment has memory, walked from its start to its end. A range
 * that was backed and never written may pass for one without memory.
 */
struct segment_walk {
    const struct segment *seg;
    size_t first, end; /* the run of memory at or after the last place asked for */
    bool failed;       /* the system did not say; then "no memory" means nothing */
};

void segment_walk_init(struct segment_walk *walk, const struct segment *seg);
/* Is there memory in any part, in all of the range? Ranges in ascending order only. */
bool segment_walk_any(struct segment_walk *walk, size_t first, size_t len_bytes);
bool segment_walk_all(struct segment_walk *walk, size_t first, size_t len_bytes);

#endif /* XTM_STORE_SEGMENT_H */
