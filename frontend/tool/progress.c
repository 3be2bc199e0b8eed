/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define SHOW_EVERY_MS 100

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_show(struct progress *p, const char *format, ...)
{
    uint64_t now = now_ms();
    va_list args;

    if (p->off || (p->shown && now - p->last_ms < SHOW_EVERY_MS))
        return;
    p->shown = true;
    p->last_ms = now;
    fputs("\r\033[K", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fflush(stderr);
}

void progress_clear(struct progress *p)
{
    if (!p->off && p->shown)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    p->shown = false;
}
