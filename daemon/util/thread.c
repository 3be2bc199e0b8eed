/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/thread.h"

#include <signal.h>

bool thread_start(pthread_t *thread_out, void *(*body)(void *arg), void *arg, int but)
{
    sigset_t signals, before;
    bool ok;

    sigfillset(&signals);
    if (but)
        sigdelset(&signals, but);
    /* a thread begins with its maker's mask */
    pthread_sigmask(SIG_SETMASK, &signals, &before);
    ok = pthread_create(thread_out, NULL, body, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}
