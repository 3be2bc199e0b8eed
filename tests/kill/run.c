/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kill/run.h"

#include <stdarg.h>
#include <stdio.h>

void run_fail(struct run *r, const char *format, ...)
{
    va_list args;

    if (atomic_exchange(&r->failed, true))
        return;
    va_start(args, format);
    printf("not ok daemon_kill: seed %llu, kill %u: ", (unsigned long long)r->seed,
           atomic_load(&r->kills_begun));
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

void run_rest_here(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    if (r->rest) {
        r->nr_resting++;
        pthread_cond_broadcast(&r->changed);
        while (r->rest)
            pthread_cond_wait(&r->changed, &r->lock);
        r->nr_resting--;
    }
    pthread_mutex_unlock(&r->lock);
}

void run_end_here(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    r->nr_resting++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void run_rest(struct run *r, unsigned nr_threads)
{
    pthread_mutex_lock(&r->lock);
    r->rest = true;
    while (r->nr_resting < nr_threads)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

void run_go_on(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    r->rest = false;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}
