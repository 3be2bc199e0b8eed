/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/handle.h"

#include <errno.h>
#include <unistd.h>

int handle_check(const struct xentmem *t)
{
    /* wiped by the kernel in a child: see open.c */
    if (atomic_load_explicit(t->of_this_process, memory_order_relaxed) == 0)
        return EINVAL;
    return atomic_load_explicit(&t->dead, memory_order_relaxed);
}

void handle_die(struct xentmem *t, int error, const char *why)
{
    int alive = 0;
    uint64_t one = 1;
    ssize_t r;

    if (!atomic_compare_exchange_strong(&t->dead, &alive, error))
        return;
    log_say(&t->log, "%s", why);
    r = write(t->death_fd, &one, sizeof(one));
    (void)r; /* an eventfd with room takes it */
}

int handle_return(int error)
{
    if (!error)
        return 0;
    errno = error;
    return -1;
}
