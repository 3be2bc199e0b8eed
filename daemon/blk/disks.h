/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks.h - the table of disks: which there are, what each is made of, who has it open.
 *
 *   target=swap/SIZE        ends when it is detached; SIZE is its quota
 *   target=clone/BASE       the same
 *   target=clone/BASE/NAME  is kept until disks_remove()
 *   target=cache/DEVICE     is the device's own, whoever has it: caches.h
 *
 * A disk may have become larger than its target says, and stays so.
 *
 * What there is, but for caches, outlives the daemon (catalogue.h): a restarted one finds every
 * disk and base as it was, or one step of a change further. Half of a change is finished or
 * undone before disks_create() returns. Bases are made in base.h.
 *
 * Control thread only, beside workers in disk.h. What goes leaves pages to be
 * reclaimed by engine_reclaim().
 */
#ifndef XTM_BLK_DISKS_H
#define XTM_BLK_DISKS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/caches.h"
#include "daemon/blk/disk.h"
#include "daemon/blk/target.h"
#include "daemon/engine/engine.h"
#include "daemon/store/store.h"

struct disks;

struct disks_config {
    struct engine *engine;
    struct store *store;
    unsigned nr_workers; /* that use disks; the last number is the control thread's own */
    const struct caches_config *caches; /* NULL: there are no devices */
};

/* What a restart found, for the log. */
struct disks_found {
    unsigned disks, bases;
    unsigned undone; /* halves of changes, imports that had not ended */
    unsigned lost;   /* disks and bases that had pages that are lost, or layers below that are */
};

/* False: *why_out is a static sentence. */
bool disks_create(const struct disks_config *config, struct disks **disks_out,
                  struct disks_found *found_out, const char **why_out);
/* Is anything under way at the devices below caches? */
bool disks_are_idle(const struct disks *t);
/* All stays as it is for the next daemon. Disks that are open are freed. Waits for devices. */
void disks_destroy(struct disks *t);

/*
 * The disk of @target for @owner: one that is there already, with what it
 * holds, or a new one. One without a name that is not open and has another
 * target is removed first. False: *why_out is a static sentence.
 */
bool disks_open(struct disks *t, const struct target *target, const struct disk_owner *owner,
                struct disk **disk_out, const char **why_out);

/*
 * Is there a disk of @target for @owner? Where a guest was connected to the last daemon there
 * has to be; if there is none it was lost, and the guest must not be given an empty one.
 */
bool disks_has(struct disks *t, const struct target *target, const struct disk_owner *owner);

/*
 * Has that disk all that it is made of, and does nobody have it? Then what keeps it from being
 * opened may pass.
 */
bool disks_is_whole(struct disks *t, const struct target *target, const struct disk_owner *owner);

/*
 * Would disks_open() open it, but for somebody who has it open? Then *user_out is who.
 */
bool disks_is_in_use(struct disks *t, const struct target *target, const struct disk_owner *owner,
                     struct disk_owner *user_out);

enum disk_end {
    DISK_ENDED, /* what it was attached by: a disk without a name goes with it */
    DISK_KEPT,  /* it stays, for who opens it next, or the next daemon */
};
/* No worker is in @disk, and none comes any more: it is freed. */
void disks_close(struct disks *t, struct disk *disk, enum disk_end end);

/*
 * What @owner is attached by has ended, or is another now: its disk without a name is removed, if
 * there is one and it is not open. For those of the last daemon, too.
 */
void disks_forget(struct disks *t, const struct disk_owner *owner);

/* Now and then: give back what could not be given back when it was closed. */
void disks_tidy(struct disks *t);

/* Threads that are no workers are outside the engine from pause to resume. */
void disks_pause(struct disks *t);
void disks_resume(struct disks *t);

/* ---- for the operator ---- */

/* A disk by its name, or with name "" by its owner. */
struct disk_ref {
    char name[TARGET_NAME_SIZE];
    struct disk_owner owner;
};

/* A kept clone before anybody opens it. NOT_FOUND: no such base; BUSY: the name is taken; TOO_MANY,
 * NO_MEMORY. */
enum tmemif_status disks_add(struct disks *t, const char *name, const char *base);
/*
 * Make it larger, whoever uses it meanwhile; what is new reads as zeros. A kill leaves it with the
 * old size or the new one.
 *   NOT_FOUND    no such disk
 *   BAD_KIND     it is a cache, which is as large as its device, or pages of it were lost
 *   BAD_REQUEST  it is larger than that
 *   NO_MEMORY
 */
enum tmemif_status disks_resize(struct disks *t, const struct disk_ref *ref, uint32_t nr_pages);
/* @tell, or nobody, is told when a disk has become larger that @user has open. */
void disks_tell(struct disks *t, void (*tell)(void *arg, const struct disk_owner *user), void *arg);

/*
 * Guests of the last daemon that have disks have opened them again, or there is nobody to have any.
 * Until then a disk that is not open may be in use.
 */
void disks_taken_up(struct disks *t);
/* NOT_FOUND; BUSY: it is open, or may be in use; BAD_KIND: it is a cache, which the device has. */
enum tmemif_status disks_remove(struct disks *t, const struct disk_ref *ref);

struct disk_info {
    char name[TARGET_NAME_SIZE]; /* "": without one */
    char base[TARGET_NAME_SIZE]; /* below it; "": none. Of a cache the device */
    struct disk_owner owner;     /* of a disk without a name, or while it is open */
    bool is_base;
    bool is_filling; /* a base whose import has not ended */
    bool is_swap;    /* a disk that began empty */
    bool is_cache;
    bool is_open;
    bool is_suspect; /* pages of it were lost: reading one that is absent is an error */
    bool is_lost;    /* it cannot be opened */
    uint32_t nr_pages;
    uint64_t own_pages; /* that it holds itself; of a cache its pool, for all who have the device */
    uint64_t hits, misses; /* of a cache: pages that this guest has read */
    uint32_t nr_above;     /* of a base: disks and bases that lie on it */
};
/* Every disk and base: call with *cursor = 0 until false. */
bool disks_next(struct disks *t, uint32_t *cursor, struct disk_info *info_out);

#endif /* XTM_BLK_DISKS_H */
