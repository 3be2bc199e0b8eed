/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * caches.h - the caches there are, one for each device, and the disks that guests have of them.
 *
 * A cache begins with its first disk and ends some time after its last: when nothing is under way
 * at the device any more, for the control thread waits for no device. Nothing of it outlives the
 * daemon: what is known of a device is what its guests' targets say.
 *
 * Control thread only, beside workers in disk.h.
 */
#ifndef XTM_BLK_CACHES_H
#define XTM_BLK_CACHES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/cache.h"
#include "daemon/blk/target.h"

#define CACHES_MAX 16u

struct caches_config {
    struct engine *engine;
    unsigned worker; /* of the engine, for the lanes of all caches */
    const struct backing_source *source;
    /* Have the engine know the operator's word, or the default, for a pool: it holds nothing
     * before.
     */
    void (*give_policy)(void *arg, const uint8_t uuid[TMEMIF_UUID_LEN]);
    void *arg;
};

struct caches {
    struct caches_config config;
    struct cache_door door;
    struct cache *caches[CACHES_MAX]; /* or NULL */
    struct caches_disk *disks;        /* all that are open */
};

/* Accounts that an earlier daemon had for its caches are closed. */
void caches_init(struct caches *t, const struct caches_config *config);
/* Is anything under way at devices? */
bool caches_are_idle(const struct caches *t);
/* Waits for what is. */
void caches_fini(struct caches *t);

/* False: *why_out is a static sentence. */
bool caches_open(struct caches *t, const char name[TARGET_NAME_SIZE],
                 const struct disk_owner *owner, struct disk **disk_out, const char **why_out);
/* False: it is none of them. No worker is in @disk, and none comes any more: it is freed. */
bool caches_close(struct caches *t, const struct disk *disk);
/* Caches that nobody uses and for whose devices nobody waits are ended: now and then. */
void caches_tidy(struct caches *t);

/* When this returns no lane is inside the engine, and none enters until caches_resume(). */
void caches_pause(struct caches *t);
void caches_resume(struct caches *t);

struct caches_info {
    const char *name; /* TARGET_NAME_SIZE of them */
    struct disk_owner owner;
    uint32_t nr_pages;
    uint64_t pool_pages;   /* that the pool has of the device */
    uint64_t hits, misses; /* of this disk's reads, in pages */
};
/* Disks there are, by number from 0 on. False: not so many. */
bool caches_info(const struct caches *t, uint32_t number, struct caches_info *info_out);

#endif /* XTM_BLK_CACHES_H */
