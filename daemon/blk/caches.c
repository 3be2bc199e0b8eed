/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/caches.h"

#include <stdlib.h>
#include <string.h>

struct caches_disk {
    struct cache_disk disk; /* first */
    struct caches_disk *next;
    struct disk_owner owner;
    char name[TARGET_NAME_SIZE]; /* of the device, as this guest's target has it */
};

void caches_init(struct caches *t, const struct caches_config *config)
{
    struct account_key key;
    account_nr account;
    uint32_t cursor = 0;

    memset(t, 0, sizeof(*t));
    t->config = *config;
    t->door.engine = config->engine;
    t->door.worker = config->worker;
    while (engine_account_next(config->engine, &cursor, &account, &key)) {
        if (key.kind == ACCOUNT_CACHE)
            engine_account_close(config->engine, account);
    }
}

bool caches_are_idle(const struct caches *t)
{
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        if (t->caches[i] && !cache_is_idle(t->caches[i]))
            return false;
    }
    return true;
}

void caches_fini(struct caches *t)
{
    while (t->disks) {
        struct caches_disk *d = t->disks;

        t->disks = d->next;
        free(d);
    }
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        if (t->caches[i])
            cache_destroy(t->caches[i]);
        t->caches[i] = NULL;
    }
}

/* ---- devices ---- */

static struct cache *find(const struct caches *t, uint64_t device)
{
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        if (t->caches[i] && t->caches[i]->backing->device == device)
            return t->caches[i];
    }
    return NULL;
}

static bool find_free(const struct caches *t, uint32_t *number_out)
{
    for (*number_out = 0; *number_out < CACHES_MAX; (*number_out)++) {
        if (!t->caches[*number_out])
            return true;
    }
    return false;
}

static bool begin(struct caches *t, const char *name, struct cache **cache_out,
                  const char **why_out)
{
    const struct backing_source *source = t->config.source;
    struct backing *backing;
    uint32_t number;

    *why_out = "there are as many devices as the manager can have";
    if (!find_free(t, &number) || !source->open(source->arg, name, &backing, why_out))
        return false;
    if (!cache_create(&t->door, backing, number, cache_out, why_out))
        return false;
    t->caches[number] = *cache_out;
    t->config.give_policy(t->config.arg, (*cache_out)->uuid);
    return true;
}

static bool is_used(const struct caches *t, const struct cache *c)
{
    for (const struct caches_disk *d = t->disks; d; d = d->next) {
        if (d->disk.cache == c)
            return true;
    }
    return false;
}

void caches_tidy(struct caches *t)
{
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        if (!t->caches[i] || is_used(t, t->caches[i]) || !cache_is_idle(t->caches[i]))
            continue;
        cache_destroy(t->caches[i]);
        t->caches[i] = NULL;
    }
}

/* ---- disks ---- */

bool caches_open(struct caches *t, const char name[TARGET_NAME_SIZE],
                 const struct disk_owner *owner, struct disk **disk_out, const char **why_out)
{
    struct caches_disk *d = calloc(1, sizeof(*d));
    struct cache *c;
    uint64_t device;

    *why_out = "the manager has no memory left";
    if (!d)
        return false;
    caches_tidy(t); /* a device that nobody uses may be another one by now */
    if (!t->config.source->find(t->config.source->arg, name, &device, why_out)) {
        free(d);
        return false;
    }
    c = find(t, device);
    if (!c && !begin(t, name, &c, why_out)) {
        free(d);
        return false;
    }
    cache_disk_init(&d->disk, c);
    d->owner = *owner;
    memcpy(d->name, name, sizeof(d->name));
    d->next = t->disks;
    t->disks = d;
    *disk_out = &d->disk.disk;
    return true;
}

bool caches_close(struct caches *t, const struct disk *disk)
{
    for (struct caches_disk **at = &t->disks; *at; at = &(*at)->next) {
        struct caches_disk *d = *at;

        if (&d->disk.disk != disk)
            continue;
        *at = d->next;
        free(d);
        caches_tidy(t);
        return true;
    }
    return false;
}

void caches_pause(struct caches *t)
{
    lock_take(&t->door.lock);
}

void caches_resume(struct caches *t)
{
    lock_drop(&t->door.lock);
}

bool caches_info(const struct caches *t, uint32_t number, struct caches_info *info_out)
{
    const struct caches_disk *d = t->disks;

    while (d && number-- > 0)
        d = d->next;
    if (!d)
        return false;
    *info_out = (struct caches_info){
        .name = d->name,
        .owner = d->owner,
        .nr_pages = disk_nr_pages(&d->disk.disk),
        .pool_pages = cache_nr_pages(d->disk.cache),
        .hits = atomic_load_explicit(&d->disk.nr_hits, memory_order_relaxed),
        .misses = atomic_load_explicit(&d->disk.nr_misses, memory_order_relaxed),
    };
    return true;
}
