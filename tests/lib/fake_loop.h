/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake_loop.h - the control thread's loop over a fake platform, turned by the test. */
#ifndef TESTS_FAKE_LOOP_H
#define TESTS_FAKE_LOOP_H

#include <stdbool.h>

#include "tests/lib/fake_platform.h"

struct event_base;

/* Turn @base until nothing moves. */
void fake_settle(struct fake_platform *f, struct event_base *base);

/* Until the node has @value, or is gone. False, with a word to stderr: it took too long. */
bool fake_wait_value(struct fake_platform *f, struct event_base *base, const char *path,
                     const char *value);
bool fake_wait_gone(struct fake_platform *f, struct event_base *base, const char *path);

/* A node of @domid, or with key "" its folder; good until seven more were asked for. */
const char *fake_at(unsigned domid, const char *folder, const char *key);

#endif /* TESTS_FAKE_LOOP_H */
