/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crew.h - a few threads that carry out batches, first come, first served.
 *
 * They may block for as long as a device does; whoever hands them work never does.
 */
#ifndef XTM_BLOCKDEV_CREW_H
#define XTM_BLOCKDEV_CREW_H

#include <stdbool.h>

#include "daemon/blk/batch.h"

struct crew;

/* @run is called with the number of the thread, below @nr. NULL: no memory or threads. */
struct crew *crew_create(unsigned nr, void (*run)(void *arg, unsigned lane, struct batch *b),
                         void *arg);
/* Waits for what was handed over. NULL is nothing. */
void crew_destroy(struct crew *c);

/* Any thread; it belongs to the crew until it was run. */
void crew_hand_over(struct crew *c, struct batch *b);
/* Any thread: it is the caller's again. False: it is being run, or was. */
bool crew_take_back(struct crew *c, struct batch *b);

#endif /* XTM_BLOCKDEV_CREW_H */
