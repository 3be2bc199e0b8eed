/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * platform.h - the hypervisor and xenstore as the Xen transport sees them.
 *
 *    platform.c                      Xen's libraries
 *    tests/lib/fake_platform.c       a world in memory, for tests
 *
 * Calls of the first part are made by the control thread, those of a channel,
 * grants_copy and grants_map by the worker that the ring belongs to as well;
 * several may use one platform_grants at once: each call is a system call or
 * two, which the driver orders. Functions that fail set errno.
 */
#ifndef XTM_TRANSPORT_XEN_PLATFORM_H
#define XTM_TRANSPORT_XEN_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/grant_copy.h"
#include "xenstore-schema/nodes.h"

struct platform;
struct platform_grants;  /* what is mapped of one peer */
struct platform_channel; /* one event channel */

struct platform_ops {
    /* ---- xenstore: absolute paths ---- */

    /* NUL-terminated and to be freed; *len_out does not count the NUL. Never longer than 4096. */
    char *(*read)(struct platform *p, const char *path, size_t *len_out);
    bool (*write)(struct platform *p, const char *path, const char *text);
    bool (*remove)(struct platform *p, const char *path);
    /* Names of children; to be freed in one go. */
    char **(*list)(struct platform *p, const char *path, unsigned *nr_out);
    bool (*watch)(struct platform *p, const char *path);
    void (*unwatch)(struct platform *p, const char *path);
    /*
     * From begin() to end() what is read, written and removed is one transaction: all of it is done
     * by end() with @commit, or nothing. False, EAGAIN: somebody else has changed what it is about.
     */
    bool (*begin)(struct platform *p);
    bool (*end)(struct platform *p, bool commit);
    /* Take the next event, its path cut to the room. False: none for now; or errno is not EAGAIN.
     */
    bool (*next_event)(struct platform *p, char path_out[SCHEMA_PATH_LEN]);
    int (*event_fd)(struct platform *p);

    /* ---- grants ---- */

    struct platform_grants *(*grants_open)(struct platform *p, uint32_t domid);
    /* Map @nr pages side by side, readable and writable. */
    void *(*grants_map)(struct platform_grants *g, uint32_t *refs, uint32_t nr);
    void (*grants_unmap)(struct platform_grants *g, void *at, uint32_t nr);
    /* False: the call failed as a whole; else each copy has its status. */
    bool (*grants_copy)(struct platform_grants *g, struct grant_copy *copies, unsigned nr);
    void (*grants_close)(struct platform_grants *g);

    /* ---- event channels ---- */

    struct platform_channel *(*channel_open)(struct platform *p, uint32_t domid, uint32_t port);
    int (*channel_fd)(struct platform_channel *c);
    void (*channel_notify)(struct platform_channel *c);
    void (*channel_consume)(struct platform_channel *c);
    void (*channel_close)(struct platform_channel *c);

    void (*close)(struct platform *p);
};

struct platform {
    const struct platform_ops *ops;
    uint32_t domid; /* our own */
};

/* The real one. NULL: *why_out is a sentence, static or strerror()'s. */
struct platform *platform_open(const char **why_out);

/* What the call costs that notifies, to a real port without another end. 0: not known. */
uint64_t platform_notify_ns(uint64_t (*now_ns)(void));

#endif /* XTM_TRANSPORT_XEN_PLATFORM_H */
