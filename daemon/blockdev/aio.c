/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blockdev/aio.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pages that go together at most. */
#define RUN_MAX 32u

/* Neighbours. */
struct run {
    unsigned first, nr; /* of ios */
    struct iocb iocb;
};

struct job {
    struct aio *aio;
    int fd;
    bool write;
    struct backing_io *ios;
    struct run runs[BATCH_MAX_PAGES];
    struct iovec iov[BATCH_MAX_PAGES]; /* of each of ios */
    unsigned nr_runs;
};

bool aio_init(struct aio *a)
{
    a->context = 0;
    return syscall(SYS_io_setup, BATCH_MAX_PAGES, &a->context) == 0;
}

void aio_fini(struct aio *a)
{
    syscall(SYS_io_destroy, a->context);
}

static void add_run(struct job *j, unsigned first, unsigned nr)
{
    struct run *r = &j->runs[j->nr_runs];

    *r = (struct run){.first = first, .nr = nr};
    r->iocb.aio_data = j->nr_runs++;
    r->iocb.aio_lio_opcode = j->write ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV;
    r->iocb.aio_fildes = (uint32_t)j->fd;
    r->iocb.aio_buf = (uint64_t)(uintptr_t)&j->iov[first];
    r->iocb.aio_nbytes = nr; /* of iov */
    r->iocb.aio_offset = (int64_t)j->ios[first].page * DISK_PAGE_SIZE;
}

static void take_event(struct job *j, const struct io_event *event)
{
    const struct run *r = &j->runs[event->data];

    for (unsigned i = 0; i < r->nr; i++)
        j->ios[r->first + i].ok = event->res >= (int64_t)(i + 1) * DISK_PAGE_SIZE;
}

/* At least one of @nr that are under way ends. Returns how many did. */
static unsigned wait_for(struct job *j, unsigned nr)
{
    struct io_event events[32];
    long got;

    do
        got =
            syscall(SYS_io_getevents, j->aio->context, 1L, (long)(nr < 32 ? nr : 32), events, NULL);
    while (got < 0 && errno == EINTR);
    for (long i = 0; i < got; i++)
        take_event(j, &events[i]);
    return got > 0 ? (unsigned)got : 0;
}

/* Have the kernel begin runs from @first on. Returns how many it took. */
static unsigned submit(struct job *j, unsigned first)
{
    struct iocb *list[BATCH_MAX_PAGES];
    unsigned nr = j->nr_runs - first;
    long took;

    for (unsigned i = 0; i < nr; i++)
        list[i] = &j->runs[first + i].iocb;
    do
        took = syscall(SYS_io_submit, j->aio->context, (long)nr, list);
    while (took < 0 && errno == EINTR);
    return took > 0 ? (unsigned)took : 0;
}

/* What the kernel refuses while nothing is under way has failed. */
static void run_all(struct job *j)
{
    unsigned begun = 0, under_way = 0;

    while (begun < j->nr_runs || under_way > 0) {
        unsigned took = begun < j->nr_runs ? submit(j, begun) : 0;

        begun += took;
        under_way += took;
        if (took > 0)
            continue;
        if (under_way > 0)
            under_way -= wait_for(j, under_way);
        else
            begun++;
    }
}

static void begin(struct job *j, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        j->iov[i] = (struct iovec){.iov_base = j->ios[i].data, .iov_len = DISK_PAGE_SIZE};
        j->ios[i].ok = false;
    }
}

void aio_run(struct aio *a, int fd, bool write, struct backing_io *ios, unsigned nr)
{
    struct job j = {.aio = a, .fd = fd, .write = write, .ios = ios};
    unsigned first = 0;

    begin(&j, nr);
    for (unsigned i = 1; i <= nr; i++) {
        if (i < nr && ios[i].page == ios[i - 1].page + 1 && i - first < RUN_MAX)
            continue;
        add_run(&j, first, i - first);
        first = i;
    }
    run_all(&j);
    if (j.nr_runs == nr)
        return;
    j.nr_runs = 0;
    for (unsigned i = 0; i < nr; i++) {
        if (!ios[i].ok)
            add_run(&j, i, 1);
    }
    run_all(&j);
}
