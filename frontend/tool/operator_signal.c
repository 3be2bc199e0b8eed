/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_signal.h"

#include <stddef.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define NR_SIGNALS (sizeof(signals) / sizeof(signals[0]))

void signals_hold(sigset_t *before_out)
{
    struct sigaction action;
    sigset_t held;

    sigemptyset(&held);
    for (size_t i = 0; i < NR_SIGNALS; i++) {
        /* one that is ignored, as by nohup(1), would be kept while it is blocked: signal(7) */
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&held, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &held, before_out);
}

void signals_release(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}

bool signal_is_held(void)
{
    sigset_t pending;
    bool held = false;

    if (sigpending(&pending) < 0)
        return false;
    for (size_t i = 0; i < NR_SIGNALS; i++)
        held = held || sigismember(&pending, signals[i]) == 1;
    return held;
}
