/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rule C32 on Xen, a guest's side: two threads use the manager (load.h) while
 * tests/xen/suites/kills.sh kills its daemon.
 *
 *     guest_load NUMBER      0 or 1: tells this guest's pages from the other's
 *
 * It knows of no kill, so it judges what holds in spite of them. The guest's node
 * data/operations counts what was done; when /run/stop is there, the threads rest and everything
 * is looked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xenstore.h>

#include "tests/kill/load.h"

#define NR_THREADS (RUN_THREADS / RUN_DEVICES)

static void report(struct xs_handle *xs, const struct run *r)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)atomic_load(&r->nr_operations));
    xs_write(xs, XBT_NULL, "data/operations", text, (unsigned)strlen(text));
}

static void verify(struct run *r, struct load *loads)
{
    struct history_notes notes[NR_THREADS];
    uint64_t nr_pages = 0;

    run_rest(r, NR_THREADS);
    for (unsigned i = 0; i < NR_THREADS && !atomic_load(&r->failed); i++)
        nr_pages += load_verify(&loads[i]);
    load_settle_common(&loads[0]);
    for (unsigned i = 0; i < NR_THREADS; i++)
        notes[i] = loads[i].notes;
    if (!history_judge_all(notes, NR_THREADS, LOAD_COMMON, false))
        run_fail(r, "a history of the common pool is impossible");
    printf("%llu operations, %llu pages held\n", (unsigned long long)atomic_load(&r->nr_operations),
           (unsigned long long)nr_pages);
    atomic_store(&r->stop, true);
    run_go_on(r);
}

int main(int argc, char **argv)
{
    static struct run run = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER};
    static struct load loads[NR_THREADS];
    static struct load_device device;
    struct xs_handle *xs = xs_open(0);
    unsigned number = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;

    if (argc != 2 || !xs || getrandom(&run.seed, sizeof(run.seed), 0) != (ssize_t)sizeof(run.seed))
        return 1;
    /* a common pool of its own: histories of two guests have no clock in common */
    if (!load_open_device(&run, &device, "xen:0", number, (uint8_t)(LOAD_COMMON_BYTE + number)))
        return 1;
    for (unsigned i = 0; i < NR_THREADS; i++) {
        loads[i] =
            (struct load){.run = &run, .device = &device, .number = i, .random = run.seed + i};
        if (pthread_create(&loads[i].thread, NULL, load_main, &loads[i]) != 0)
            return 1;
    }
    while (access("/run/stop", F_OK) != 0 && !atomic_load(&run.failed)) {
        usleep(100000);
        report(xs, &run);
    }
    verify(&run, loads);
    for (unsigned i = 0; i < NR_THREADS; i++)
        pthread_join(loads[i].thread, NULL);
    xentmem_close(device.t);
    xs_close(xs);
    return atomic_load(&run.failed);
}
