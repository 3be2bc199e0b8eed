/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thread.h - a thread that no signal is for: they are the control thread's business. */
#ifndef XTM_UTIL_THREAD_H
#define XTM_UTIL_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* @but: a signal that it takes all the same, or 0. False: there is none to be had. */
bool thread_start(pthread_t *thread_out, void *(*body)(void *arg), void *arg, int but);

#endif /* XTM_UTIL_THREAD_H */
