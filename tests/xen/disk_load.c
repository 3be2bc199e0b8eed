/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_load: a guest's use of a disk, which knows what it has written.
 *
 *   disk_load device PATH SECONDS    threads read, write and discard at random, in units of a
 *                                    sector, past the page cache; at the end every sector is
 *                                    looked at
 *   disk_load memory MIB ROUNDS      a process that uses more memory than there is: every page is
 *                                    checked in each round, and written anew but in the last
 *
 * Both end sooner, after a last look at all of it, when there is a file /run/stop.
 * It exits 0 if nothing was found but what was written last; the first thing that was is printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECTOR           512u
#define SECTORS_PER_PAGE 8u
#define NR_THREADS       4u
#define MOST_SECTORS     256u /* of one request of ours; the kernel may split it */
#define STOP             "/run/stop"

static uint64_t now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* What holds @bytes that were written as @number the @version'th time; 0: never, or discarded. */
static void fill(void *at, size_t bytes, uint64_t number, uint32_t version)
{
    uint64_t *words = at;

    for (size_t i = 0; i < bytes / sizeof(*words); i++)
        words[i] = version == 0 ? 0 : mix(number << 32 ^ version) + i;
}

static bool holds(const void *at, size_t bytes, uint64_t number, uint32_t version)
{
    const uint64_t *words = at;

    for (size_t i = 0; i < bytes / sizeof(*words); i++) {
        if (words[i] != (version == 0 ? 0 : mix(number << 32 ^ version) + i))
            return false;
    }
    return true;
}

/* ---- a device ---- */

struct part {
    pthread_t thread;
    int fd;
    uint64_t first, nr; /* sectors, whole pages */
    uint32_t *versions; /* of each sector */
    uint64_t seed, until_s;
    uint64_t nr_done;
};

static atomic_bool failed;

static void fail(const char *what, uint64_t sector)
{
    if (!atomic_exchange(&failed, true))
        printf("%s at sector %llu: %s\n", what, (unsigned long long)sector, strerror(errno));
}

static uint64_t next_random(struct part *p)
{
    return mix(p->seed++);
}

static void write_some(struct part *p, uint8_t *buffer, uint64_t at, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++)
        fill(buffer + i * SECTOR, SECTOR, p->first + at + i, ++p->versions[at + i]);
    if (pwrite(p->fd, buffer, nr * SECTOR, (off_t)((p->first + at) * SECTOR)) !=
        (ssize_t)(nr * SECTOR))
        fail("a write failed", p->first + at);
}

static void read_some(struct part *p, uint8_t *buffer, uint64_t at, uint64_t nr)
{
    if (pread(p->fd, buffer, nr * SECTOR, (off_t)((p->first + at) * SECTOR)) !=
        (ssize_t)(nr * SECTOR))
        fail("a read failed", p->first + at);
    for (uint64_t i = 0; i < nr && !atomic_load(&failed); i++) {
        errno = 0;
        if (!holds(buffer + i * SECTOR, SECTOR, p->first + at + i, p->versions[at + i]))
            fail("other bytes than were written", p->first + at + i);
    }
}

static void discard_some(struct part *p, uint64_t at, uint64_t nr)
{
    uint64_t range[2];

    at -= at % SECTORS_PER_PAGE;
    nr -= nr % SECTORS_PER_PAGE;
    if (nr == 0)
        return;
    range[0] = (p->first + at) * SECTOR;
    range[1] = nr * SECTOR;
    if (ioctl(p->fd, BLKDISCARD, range) != 0)
        fail("a discard failed", p->first + at);
    for (uint64_t i = 0; i < nr; i++)
        p->versions[at + i] = 0;
}

static void *use_part(void *arg)
{
    struct part *p = arg;
    uint8_t *buffer = aligned_alloc(4096, MOST_SECTORS * SECTOR);

    while (buffer && now_s() < p->until_s && access(STOP, F_OK) != 0 && !atomic_load(&failed)) {
        uint64_t most = next_random(p) % 4 == 0 ? MOST_SECTORS : 2 * SECTORS_PER_PAGE;
        uint64_t nr = 1 + next_random(p) % most, at = next_random(p) % (p->nr - nr + 1);

        switch (next_random(p) % 8) {
        case 0:
            discard_some(p, at, nr);
            break;
        case 1:
        case 2:
        case 3:
            read_some(p, buffer, at, nr);
            break;
        default:
            write_some(p, buffer, at, nr);
            break;
        }
        p->nr_done++;
    }
    for (uint64_t at = 0; buffer && at < p->nr && !atomic_load(&failed); at += MOST_SECTORS)
        read_some(p, buffer, at, p->nr - at < MOST_SECTORS ? p->nr - at : MOST_SECTORS);
    free(buffer);
    return NULL;
}

static int use_device(const char *path, unsigned seconds)
{
    static struct part parts[NR_THREADS];
    int fd = open(path, O_RDWR | O_DIRECT);
    uint64_t bytes = 0, nr_done = 0;

    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) != 0) {
        perror(path);
        return 1;
    }
    for (unsigned i = 0; i < NR_THREADS; i++) {
        uint64_t nr = bytes / SECTOR / NR_THREADS / SECTORS_PER_PAGE * SECTORS_PER_PAGE;

        parts[i] =
            (struct part){.fd = fd, .first = i * nr, .nr = nr, .seed = now_s() * 1000 + i * 77777};
        parts[i].until_s = now_s() + seconds;
        parts[i].versions = calloc(nr, sizeof(parts[i].versions[0]));
        if (!parts[i].versions || pthread_create(&parts[i].thread, NULL, use_part, &parts[i]) != 0)
            return 1;
    }
    for (unsigned i = 0; i < NR_THREADS; i++) {
        pthread_join(parts[i].thread, NULL);
        nr_done += parts[i].nr_done;
    }
    printf("%llu requests\n", (unsigned long long)nr_done);
    return atomic_load(&failed) || nr_done == 0;
}

/* ---- memory ---- */

static int use_memory(uint64_t mib, unsigned rounds)
{
    uint64_t nr = mib << 20 >> 12;
    uint8_t *at = mmap(NULL, nr << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        perror("memory");
        return 1;
    }
    for (unsigned round = 0; round <= rounds; round++) {
        if (round > 0 && access(STOP, F_OK) == 0)
            rounds = round;
        for (uint64_t page = 0; page < nr; page++) {
            if (!holds(at + (page << 12), 4096, page, round)) {
                printf("page %llu has other bytes in round %u\n", (unsigned long long)page, round);
                return 1;
            }
            if (round < rounds)
                fill(at + (page << 12), 4096, page, round + 1);
        }
    }
    printf("%llu pages, %u rounds\n", (unsigned long long)nr, rounds);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "device") == 0)
        return use_device(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "memory") == 0)
        return use_memory(strtoull(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10));
    fprintf(stderr, "usage: disk_load device PATH SECONDS | memory MIB ROUNDS\n");
    return 2;
}
