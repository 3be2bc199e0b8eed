/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/local/hello.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "daemon/session/sessions.h"

_Static_assert(TMEMIF_LOCAL_MIN_FENCE_MS == SESSION_FENCE_MIN_MS,
               "what is negotiated is what sessions take");

static bool has_reserved(const struct tmemif_local_hello *h)
{
    uint32_t any = 0;

    for (size_t i = 0; i < sizeof(h->reserved) / sizeof(h->reserved[0]); i++)
        any |= h->reserved[i];
    return any != 0;
}

enum tmemif_status hello_check(const struct tmemif_local_hello *untrusted, size_t length,
                               bool is_root, const char **why_out)
{
    const struct tmemif_local_hello *h = untrusted; /* a private copy: it does not change */

    *why_out = "malformed hello";
    if (length != sizeof(*h) || h->magic != TMEMIF_LOCAL_MAGIC)
        return TMEMIF_BAD_REQUEST;
    if (h->version != TMEMIF_VERSION_1) {
        *why_out = "this manager speaks version 1";
        return TMEMIF_NOT_SUPPORTED;
    }
    if (has_reserved(h))
        return TMEMIF_BAD_REQUEST;
    if (h->nr_rings < 1 || h->nr_rings > TMEMIF_LOCAL_MAX_RINGS ||
        h->ring_page_order > TMEMIF_MAX_RING_PAGE_ORDER) {
        *why_out = "number or size of rings out of range";
        return TMEMIF_BAD_REQUEST;
    }
    if (h->nr_data_pages < 1 || h->nr_data_pages > TMEMIF_MAX_DATA_PAGES) {
        *why_out = "size of the data area out of range";
        return TMEMIF_BAD_REQUEST;
    }
    if (h->fence_ms > 0 &&
        (h->fence_ms < TMEMIF_LOCAL_MIN_FENCE_MS || h->fence_ms > TMEMIF_LOCAL_MAX_FENCE_MS)) {
        *why_out = "the fence time is not in the range of 1000 to 600000 ms";
        return TMEMIF_BAD_REQUEST;
    }
    if (is_root)
        return TMEMIF_OK;

    if (h->device == TMEMIF_LOCAL_OPERATOR) {
        *why_out = "only root may send operator's messages";
        return TMEMIF_NOT_ALLOWED;
    }
    if (h->device >= LOCAL_MAX_DEVICES) {
        *why_out = "the device number is too high for a user";
        return TMEMIF_TOO_MANY;
    }
    if (h->nr_data_pages > LOCAL_MAX_DATA_PAGES) {
        *why_out = "the data area is too large for a user";
        return TMEMIF_TOO_MANY;
    }
    return TMEMIF_OK;
}

/* Against pages that are taken away, and against such as are ours to free in the end. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

#define MAX_BYTES                                                                                  \
    (((off_t)(TMEMIF_LOCAL_MAX_RINGS << TMEMIF_MAX_RING_PAGE_ORDER) + TMEMIF_MAX_DATA_PAGES) *     \
     TMEMIF_PAGE_SIZE)

bool hello_is_bounded(int fd)
{
    int have = fcntl(fd, F_GET_SEALS); /* only files in memory have any */
    struct stat st;

    return have >= 0 && (have & SEALS) == SEALS && fstat(fd, &st) == 0 && st.st_size <= MAX_BYTES;
}

size_t hello_bytes(const struct tmemif_local_hello *hello)
{
    size_t ring_pages = (size_t)hello->nr_rings << hello->ring_page_order;

    return (ring_pages + hello->nr_data_pages) * TMEMIF_PAGE_SIZE;
}

enum tmemif_status hello_map(const struct tmemif_local_hello *hello, int fd, void **memory_out,
                             const char **why_out)
{
    size_t bytes = hello_bytes(hello);
    struct statfs fs;
    struct stat st;
    void *memory;
    int have;

    /* no seals, no memfd; pages of hugetlbfs can be missing when they are touched */
    have = fcntl(fd, F_GET_SEALS);
    if (have < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC) {
        *why_out = "the descriptor is no memfd of ordinary pages";
        return TMEMIF_BAD_REQUEST;
    }
    if ((have & SEALS) != SEALS) {
        *why_out = "the memfd is not sealed with F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_SEAL";
        return TMEMIF_BAD_REQUEST;
    }
    /* looked at when it can change no more */
    if (fstat(fd, &st) < 0 || st.st_size < 0 || (size_t)st.st_size != bytes) {
        *why_out = "the memfd is not of the size that the hello says";
        return TMEMIF_BAD_REQUEST;
    }
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        *why_out = "the memfd cannot be mapped for reading and writing";
        return TMEMIF_BAD_REQUEST;
    }
    *memory_out = memory;
    return TMEMIF_OK;
}
