/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wake.h - wake a thread that sleeps for an eventfd. */
#ifndef XTM_UTIL_WAKE_H
#define XTM_UTIL_WAKE_H

#include <stdint.h>
#include <unistd.h>

/* Any thread. @eventfd does not block: a full counter wakes just as well. */
static inline void wake(int eventfd)
{
    const uint64_t one = 1;
    ssize_t r = write(eventfd, &one, sizeof(one));

    (void)r;
}

#endif /* XTM_UTIL_WAKE_H */
