/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blockdev/blockdev.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/blockdev/aio.h"
#include "daemon/blockdev/crew.h"

struct blockdev {
    struct backing backing; /* first */
    int fd;
    unsigned nr_aio; /* that are ready */
    struct aio aio[BACKING_LANES];
    struct crew *crew;
};

/* ---- what a lane asks for ---- */

static void transfer(struct backing *b, unsigned lane, bool write, struct backing_io *ios,
                     unsigned nr)
{
    struct blockdev *d = (struct blockdev *)b;

    aio_run(&d->aio[lane], d->fd, write, ios, nr);
}

static bool flush(struct backing *b)
{
    return fdatasync(((struct blockdev *)b)->fd) == 0;
}

static bool discard(struct backing *b, uint32_t first, uint32_t nr)
{
    uint64_t range[2] = {(uint64_t)first * DISK_PAGE_SIZE, (uint64_t)nr * DISK_PAGE_SIZE};

    return ioctl(((struct blockdev *)b)->fd, BLKDISCARD, range) == 0;
}

/* ---- its threads ---- */

static void carry_out(void *arg, unsigned lane, struct batch *b)
{
    struct blockdev *d = arg;

    d->backing.carry_out(d->backing.user, lane, b);
}

static bool start(struct backing *b)
{
    struct blockdev *d = (struct blockdev *)b;

    d->crew = crew_create(BACKING_LANES, carry_out, d);
    return d->crew != NULL;
}

static void hand_over(struct backing *b, struct batch *batch)
{
    crew_hand_over(((struct blockdev *)b)->crew, batch);
}

static bool take_back(struct backing *b, struct batch *batch)
{
    return crew_take_back(((struct blockdev *)b)->crew, batch);
}

static void close_backing(struct backing *b)
{
    struct blockdev *d = (struct blockdev *)b;

    crew_destroy(d->crew);
    while (d->nr_aio > 0)
        aio_fini(&d->aio[--d->nr_aio]);
    close(d->fd);
    free(d);
}

static const struct backing_ops ops = {
    .hand_over = hand_over,
    .take_back = take_back,
    .transfer = transfer,
    .flush = flush,
    .discard = discard,
    .start = start,
    .close = close_backing,
};

bool blockdev_take(int fd, const struct backing *facts, struct backing **backing_out,
                   const char **why_out)
{
    struct blockdev *d = calloc(1, sizeof(*d));

    *why_out = "the manager has no memory left";
    if (!d) {
        close(fd);
        return false;
    }
    d->backing = *facts;
    d->backing.ops = &ops;
    d->fd = fd;
    while (d->nr_aio < BACKING_LANES && aio_init(&d->aio[d->nr_aio]))
        d->nr_aio++;
    if (d->nr_aio < BACKING_LANES) {
        *why_out = errno == ENOSYS ? "the manager's kernel has no io_submit()"
                                   : "no room for another device: fs.aio-max-nr";
        close_backing(&d->backing);
        return false;
    }
    *backing_out = &d->backing;
    return true;
}

/* ---- finding and opening ---- */

static bool make_path(const char *name, char path_out[PATH_MAX])
{
    int len = snprintf(path_out, PATH_MAX, "/dev/%s", name);

    return len > 0 && len < PATH_MAX;
}

static bool is_device(const struct stat *st, uint64_t *device_out, const char **why_out)
{
    *why_out = "DEVICE is no block device of the manager";
    *device_out = st->st_rdev;
    return S_ISBLK(st->st_mode);
}

static bool find(void *arg, const char *name, uint64_t *device_out, const char **why_out)
{
    char path[PATH_MAX];
    struct stat st;

    (void)arg;
    *why_out = "the manager has no such device: xl block-attach it to the manager's domain";
    return make_path(name, path) && stat(path, &st) == 0 && is_device(&st, device_out, why_out);
}

/* Does the queue of the device say that it can? */
static bool knows_discard(uint64_t device)
{
    static const char *const folders[] = {"queue", "../queue"}; /* a disk's, a partition's disk's */
    unsigned long long most = 0;

    for (unsigned i = 0; i < 2 && most == 0; i++) {
        char path[PATH_MAX];
        FILE *file;

        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/discard_max_bytes", major(device),
                 minor(device), folders[i]);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fscanf(file, "%llu", &most) != 1)
            most = 0;
        fclose(file);
    }
    return most > 0;
}

static int open_alone(const char *path, bool *read_only_out)
{
    const int flags = O_DIRECT | O_EXCL | O_CLOEXEC;
    int fd = open(path, O_RDWR | flags);

    *read_only_out = fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM);
    return *read_only_out ? open(path, O_RDONLY | flags) : fd;
}

static const char *why_not_open(int error)
{
    return error == EBUSY ? "the device is in use in the manager's domain, or a part of it is"
                          : "the device cannot be opened";
}

/* What is at the end and no whole page is not served. */
static bool measure(int fd, struct backing *facts, const char **why_out)
{
    struct stat st;
    uint64_t bytes;
    int sector_bytes, read_only;

    *why_out = "the device does not say how large it is";
    if (fstat(fd, &st) < 0 || ioctl(fd, BLKGETSIZE64, &bytes) < 0 ||
        ioctl(fd, BLKSSZGET, &sector_bytes) < 0 || ioctl(fd, BLKROGET, &read_only) < 0)
        return false;
    if (!is_device(&st, &facts->device, why_out))
        return false;
    *why_out = "the device has sectors of more than 4096 bytes";
    if (sector_bytes <= 0 || sector_bytes > (int)DISK_PAGE_SIZE)
        return false;
    *why_out = "the device is smaller than a page, or has 16T or more";
    if (bytes < DISK_PAGE_SIZE || bytes / DISK_PAGE_SIZE > UINT32_MAX)
        return false;
    facts->nr_pages = (uint32_t)(bytes / DISK_PAGE_SIZE);
    facts->read_only |= read_only != 0;
    facts->discards = !facts->read_only && knows_discard(facts->device);
    return true;
}

static bool open_device(void *arg, const char *name, struct backing **backing_out,
                        const char **why_out)
{
    struct backing facts = {0};
    char path[PATH_MAX];
    int fd;

    (void)arg;
    fd = make_path(name, path) ? open_alone(path, &facts.read_only) : -1;
    if (fd < 0) {
        *why_out = why_not_open(errno);
        return false;
    }
    if (!measure(fd, &facts, why_out)) {
        close(fd);
        return false;
    }
    return blockdev_take(fd, &facts, backing_out, why_out);
}

const struct backing_source blockdev_source = {.find = find, .open = open_device};
