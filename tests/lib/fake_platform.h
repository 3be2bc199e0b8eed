/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_platform.h - a hypervisor and a xenstore in memory, for tests of the Xen transport.
 *
 * Grants are pages of one memfd, mapped by the transport and by the test alike; event channels
 * are pairs of eventfds. A test plays toolstack and guests by writing nodes.
 */
#ifndef TESTS_FAKE_PLATFORM_H
#define TESTS_FAKE_PLATFORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/transport/xen/platform.h"

#define FAKE_MAX_NODES    1024u
#define FAKE_MAX_WATCHES  64u
#define FAKE_MAX_EVENTS   8192u
#define FAKE_NR_PAGES     4096u /* guests' pages; page n has grant reference n */
#define FAKE_MAX_CHANNELS 32u   /* a port is an index of them */
#define FAKE_MAX_PENDING  32u   /* writes and removals of one transaction */

struct fake_node {
    char path[SCHEMA_PATH_LEN];
    char value[512];
    size_t len;
    bool hidden; /* reading it is EACCES */
};

struct fake_change {
    char path[SCHEMA_PATH_LEN];
    char value[512];
    bool removes;
};

/* Calls of the transport; a removal is a write. */
enum fake_calls { FAKE_READS = 1, FAKE_LISTS = 2, FAKE_WRITES = 4, FAKE_WATCHES = 8 };

struct fake_channel {
    bool used;
    int to_backend, to_frontend; /* eventfds */
};

/*
 * Outlives the transports that run on it, as the real one does: platform.ops->close() only
 * forgets the watches.
 */
struct fake_platform {
    struct platform platform; /* first: one is the other */
    struct fake_node nodes[FAKE_MAX_NODES];
    unsigned nr_nodes;
    char watches[FAKE_MAX_WATCHES][SCHEMA_PATH_LEN];
    unsigned nr_watches;
    char events[FAKE_MAX_EVENTS][SCHEMA_PATH_LEN];
    unsigned first_event, nr_events;
    int event_fd; /* readable while there are events */

    /* a transaction of the transport: any change of somebody else is a conflict */
    bool in_transaction;
    unsigned nr_changes; /* of any node, so far */
    unsigned changes_at_begin;
    struct fake_change pending[FAKE_MAX_PENDING];
    unsigned nr_pending;

    int memory_fd;
    uint8_t *memory; /* all pages, as the guests see them */
    uint8_t
        *copied; /* the same pages, as copies reach them: a thread sanitizer goes by addresses */
    struct fake_channel channels[FAKE_MAX_CHANNELS];

    /* what the transport holds now */
    atomic_uint nr_mapped; /* by workers, too */
    unsigned nr_bound, nr_grants;
    atomic_uint nr_maps, nr_copy_calls; /* so far */

    /* what goes wrong */
    unsigned map_ms;               /* how long it takes to map */
    atomic_uint max_mapped;        /* maptrack frames, in pages */
    uint32_t denied_from;          /* references from this one on are denied by XSM */
    int bind_errno;                /* of channel_open(); 0: it works */
    bool deaf;                     /* xenstore's connection is lost */
    char refused[SCHEMA_PATH_LEN]; /* by xenstore, at this path or below; see fake_refuse() */
    bool is_full; /* xenstore: no more nodes, which is seen at a commit; dom0 may all the same */
    unsigned refused_calls;
    int refused_errno;
    unsigned nr_refused; /* so far */
    unsigned nr_asked;   /* reads and lists so far */
    unsigned nr_written; /* by the transport so far */
    unsigned refused_at; /* the one of this number fails with EIO; 0: none */
    /* somebody is faster: called before the transport writes @text there, removes ("") or
     * maps. NULL: nobody is */
    void (*on_write)(struct fake_platform *f, const char *path, const char *text);
    void (*on_map)(struct fake_platform *f);
};

/* We are domain @domid. Never NULL. */
struct fake_platform *fake_platform_new(uint32_t domid);
void fake_platform_free(struct fake_platform *f);

/* ---- as somebody else ---- */

void fake_write(struct fake_platform *f, const char *path, const char *value);
void fake_write_bytes(struct fake_platform *f, const char *path, const void *value, size_t len);
void fake_remove(struct fake_platform *f, const char *path);
void fake_hide(struct fake_platform *f, const char *path, bool hidden);
/* "" if there is none. */
const char *fake_value(const struct fake_platform *f, const char *path);
bool fake_exists(const struct fake_platform *f, const char *path);
void fake_fire(struct fake_platform *f, const char *path);
/* From now on such @calls (enum fake_calls) fail with @error; 0: none. */
void fake_refuse(struct fake_platform *f, const char *path, unsigned calls, int error);

#endif /* TESTS_FAKE_PLATFORM_H */
