/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/fake_loop.h"

#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define WAIT_TURNS 2000u

void fake_settle(struct fake_platform *f, struct event_base *base)
{
    for (unsigned quiet = 0; quiet < 3;) {
        unsigned before = f->nr_events;

        event_base_loop(base, EVLOOP_NONBLOCK);
        if (before == 0 && f->nr_events == 0) {
            quiet++;
            poll(NULL, 0, 1);
        } else {
            quiet = 0;
        }
    }
}

bool fake_wait_value(struct fake_platform *f, struct event_base *base, const char *path,
                     const char *value)
{
    char at[SCHEMA_PATH_LEN]; /* @path may be fake_at()'s, which what happens meanwhile uses, too */

    snprintf(at, sizeof(at), "%s", path);
    for (unsigned i = 0; i < WAIT_TURNS; i++) {
        fake_settle(f, base);
        if (strcmp(fake_value(f, at), value) == 0)
            return true;
    }
    fprintf(stderr, "%s is \"%s\", not \"%s\"\n", at, fake_value(f, at), value);
    return false;
}

bool fake_wait_gone(struct fake_platform *f, struct event_base *base, const char *path)
{
    for (unsigned i = 0; i < WAIT_TURNS && fake_exists(f, path); i++)
        fake_settle(f, base);
    if (fake_exists(f, path))
        fprintf(stderr, "%s is still there\n", path);
    return !fake_exists(f, path);
}

const char *fake_at(unsigned domid, const char *folder, const char *key)
{
    static char paths[8][SCHEMA_PATH_LEN];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, SCHEMA_PATH_LEN, "/local/domain/%u/%s%s%s", domid, folder, *key ? "/" : "", key);
    return path;
}
