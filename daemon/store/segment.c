/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/tmemif.h"

#ifndef MADV_COLLAPSE /* glibc before 2.37 */
#define MADV_COLLAPSE 25
#endif

/* A signal interrupts fallocate(), which then undoes what it did. */
#define TRIES_WHEN_INTERRUPTED 16

/* The file at a multiple of SEGMENT_HUGE_PAGE, or MAP_FAILED. */
static void *map_aligned(int fd, size_t len_bytes)
{
    size_t skew, len = (len_bytes + TMEMIF_PAGE_SIZE - 1) & ~(size_t)(TMEMIF_PAGE_SIZE - 1);
    unsigned char *room, *base;

    if (len > SIZE_MAX - SEGMENT_HUGE_PAGE) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    room = mmap(NULL, len + SEGMENT_HUGE_PAGE, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return MAP_FAILED;
    skew = -(uintptr_t)room & (SEGMENT_HUGE_PAGE - 1);
    base = mmap(room + skew, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    if (base == MAP_FAILED) {
        munmap(room, len + SEGMENT_HUGE_PAGE);
        return MAP_FAILED;
    }
    if (skew > 0)
        munmap(room, skew);
    munmap(base + len, SEGMENT_HUGE_PAGE - skew);
    return base;
}

static bool segment_map(struct segment *seg, const char **why_out)
{
    void *base = map_aligned(seg->fd, seg->len_bytes);

    if (base == MAP_FAILED) {
        *why_out = strerrordesc_np(errno);
        return false;
    }
    /* Guests' pages have no place in a core dump. */
    (void)madvise(base, seg->len_bytes, MADV_DONTDUMP);
    seg->base = base;
    return true;
}

bool segment_create(const char *name, size_t len_bytes, struct segment *seg_out,
                    const char **why_out)
{
    struct segment seg = SEGMENT_NONE;
    bool ok = false;

    seg.len_bytes = len_bytes;
    seg.fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (seg.fd < 0 || ftruncate(seg.fd, (off_t)len_bytes) != 0 ||
        fcntl(seg.fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
        *why_out = strerrordesc_np(errno);
        goto out;
    }
    if (!segment_map(&seg, why_out))
        goto out;
    *seg_out = seg;
    seg = SEGMENT_NONE;
    ok = true;
out:
    segment_close(&seg);
    return ok;
}

bool segment_adopt(int *fd, size_t len_bytes, struct segment *seg_out, const char **why_out)
{
    struct segment seg = {.fd = *fd, .base = NULL, .len_bytes = len_bytes};
    struct stat st;
    int seals;

    /* Sealed first and measured then, or it could shrink in between. */
    seals = fcntl(seg.fd, F_GET_SEALS);
    if (seals < 0 || (!(seals & F_SEAL_SHRINK) && fcntl(seg.fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0)) {
        *why_out = "a segment is not a memory file that can be sealed";
        return false;
    }
    if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
        *why_out = "a segment is sealed against writing";
        return false;
    }
    if (fstat(seg.fd, &st) != 0) {
        *why_out = strerrordesc_np(errno);
        return false;
    }
    if ((size_t)st.st_size != len_bytes) {
        *why_out = "a segment has another size than its superblock says";
        return false;
    }
    if (!segment_map(&seg, why_out))
        return false;
    *seg_out = seg;
    *fd = -1;
    return true;
}

void segment_close(struct segment *seg)
{
    if (seg->base)
        munmap(seg->base, seg->len_bytes);
    if (seg->fd >= 0)
        close(seg->fd);
    *seg = SEGMENT_NONE;
}

static bool segment_fallocate(const struct segment *seg, int mode, size_t first, size_t len_bytes)
{
    for (int i = 0; i < TRIES_WHEN_INTERRUPTED; i++) {
        if (fallocate(seg->fd, mode, (off_t)first, (off_t)len_bytes) == 0)
            return true;
        if (errno != EINTR)
            return false;
    }
    return false;
}

bool segment_back(const struct segment *seg, size_t first, size_t len_bytes)
{
    size_t skew = first % TMEMIF_PAGE_SIZE;

    if (!segment_fallocate(seg, 0, first, len_bytes))
        return false;
    /*
     * One call maps the range now instead of a page fault for each page when
     * it is first written. Kernels before 5.14 do not know it: they fault.
     */
    (void)madvise(seg->base + first - skew, len_bytes + skew, MADV_POPULATE_WRITE);
    return true;
}

bool segment_back_huge(const struct segment *seg, size_t first)
{
    /* What has no page at all is refused. */
    return segment_fallocate(seg, 0, first, TMEMIF_PAGE_SIZE) &&
           madvise(seg->base + first, SEGMENT_HUGE_PAGE, MADV_COLLAPSE) == 0;
}

bool segment_unback(const struct segment *seg, size_t first, size_t len_bytes)
{
    size_t page = TMEMIF_PAGE_SIZE;
    size_t begin = (first + page - 1) / page * page;
    size_t end = (first + len_bytes) / page * page;

    if (begin >= end)
        return true;
    return segment_fallocate(seg, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, end - begin);
}

void segment_walk_init(struct segment_walk *walk, const struct segment *seg)
{
    *walk = (struct segment_walk){.seg = seg, .first = 0, .end = 0};
}

/* The run that @place is in, or the next one after it. */
static void segment_walk_to(struct segment_walk *walk, size_t place)
{
    off_t first, end;

    if (place < walk->end)
        return;
    first = lseek(walk->seg->fd, (off_t)place, SEEK_DATA);
    end = first < 0 ? -1 : lseek(walk->seg->fd, first, SEEK_HOLE);
    if (end < 0) { /* ENXIO: nothing from here to the end */
        walk->failed |= errno != ENXIO;
        walk->first = SIZE_MAX;
        walk->end = SIZE_MAX;
        return;
    }
    walk->first = (size_t)first;
    walk->end = (size_t)end;
}

bool segment_walk_any(struct segment_walk *walk, size_t first, size_t len_bytes)
{
    segment_walk_to(walk, first);
    return walk->first < first + len_bytes;
}

bool segment_walk_all(struct segment_walk *walk, size_t first, size_t len_bytes)
{
    segment_walk_to(walk, first);
    return walk->first <= first && first + len_bytes <= walk->end;
}
