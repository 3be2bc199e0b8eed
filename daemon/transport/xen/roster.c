/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* When to list again what xenstore did not say. */
#define LATER_MS 200u

/* ---- which there are ---- */

struct backend *roster_find(struct roster *r, const struct schema_place *place)
{
    for (struct backend *b = r->first; b; b = b->next) {
        if (b->place.guest == place->guest && b->place.device == place->device)
            return b;
    }
    return NULL;
}

/* Something below the folder of @place has changed. False: no memory, or xenstore does not say. */
static bool touch(struct roster *r, const struct schema_place *place)
{
    struct backend *b = roster_find(r, place);

    if (b) {
        b->touched = true;
        return true;
    }
    b = r->ops->create(r->world, place);
    if (!b) {
        log_limited(r->log, &r->log_limit, LOG_LEVEL_ERROR, "xen",
                    "dom=%u device=%u why=\"cannot be taken up now: %s\"", place->guest,
                    place->device, strerror(errno));
        return false;
    }
    b->next = r->first;
    r->first = b;
    return true;
}

void roster_touch_all(struct roster *r)
{
    for (struct backend *b = r->first; b; b = b->next)
        b->touched = true;
}

/*
 * Names of the children of @path that are numbers go to @visit. False: xenstore does not say
 * which there are, or a visit was in vain.
 */
static bool for_each_number(struct roster *r, const char *path,
                            bool (*visit)(struct roster *r, uint32_t number,
                                          const struct schema_place *place),
                            const struct schema_place *place)
{
    unsigned nr = 0;
    char **names = r->platform->ops->list(r->platform, path, &nr);
    bool ok = true;

    if (!names)
        return errno == ENOENT;
    for (unsigned i = 0; i < nr; i++) {
        uint64_t number;

        if (schema_scan_number(names[i], strlen(names[i]), &number) && number <= UINT32_MAX)
            ok = visit(r, (uint32_t)number, place) && ok;
    }
    free(names);
    return ok;
}

static bool visit_device(struct roster *r, uint32_t device, const struct schema_place *guest)
{
    struct schema_place place = *guest;

    place.device = device;
    return touch(r, &place);
}

static bool visit_guest(struct roster *r, uint32_t domid, const struct schema_place *nobody)
{
    struct schema_place place = {.manager = r->platform->domid, .guest = domid};
    char path[SCHEMA_PATH_LEN];

    (void)nobody;
    schema_folder(path, &place, r->folder);
    *strrchr(path, '/') = '\0'; /* the folder above has one for each device */
    return for_each_number(r, path, visit_device, &place);
}

void roster_list(struct roster *r, uint64_t now_ms)
{
    if (!r->listing || r->not_before_ms > now_ms)
        return;
    roster_touch_all(r);
    r->listing = !for_each_number(r, r->path, visit_guest, NULL);
    if (r->listing)
        r->not_before_ms = now_ms + LATER_MS;
}

/* ---- events ---- */

bool roster_hear(struct roster *r, const char *path)
{
    struct schema_place place;

    if (schema_folder_of(path, r->platform->domid, r->folder, &place)) {
        r->listing = !touch(r, &place) || r->listing;
        return true;
    }
    if (schema_is_below(path, r->path)) {
        r->listing = true;
        return true;
    }
    for (struct backend *b = r->first; b; b = b->next) {
        if (strcmp(path, b->front_state_path) == 0) {
            b->touched = true;
            return true;
        }
    }
    return false;
}

/* ---- looking ---- */

static bool is_due(const struct backend *b, uint64_t now_ms)
{
    return b->touched && b->not_before_ms <= now_ms;
}

static void drop(struct roster *r, struct backend *gone)
{
    for (struct backend **at = &r->first; *at; at = &(*at)->next) {
        if (*at == gone) {
            *at = gone->next;
            r->ops->destroy(gone);
            return;
        }
    }
}

/* Who was looked at goes to the end of the list. A look touches others, but leaves the list alone.
 */
enum roster_look roster_look_at_one(struct roster *r, uint64_t now_ms, bool may_map)
{
    struct backend **at = &r->first, *b;

    while (*at && !(is_due(*at, now_ms) && (may_map || !(*at)->wants_map)))
        at = &(*at)->next;
    b = *at;
    if (!b)
        return ROSTER_NONE;
    r->ops->look(b, now_ms);
    if (r->ops->is_over(b)) {
        drop(r, b);
        return ROSTER_ENDED;
    }
    *at = b->next;
    b->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = b;
    return ROSTER_LOOKED;
}

bool roster_is_due(const struct roster *r, uint64_t now_ms)
{
    for (const struct backend *b = r->first; b; b = b->next) {
        if (is_due(b, now_ms))
            return true;
    }
    return false;
}

bool roster_waits(const struct roster *r)
{
    bool waits = r->listing;

    for (const struct backend *b = r->first; b; b = b->next)
        waits = waits || b->touched;
    return waits;
}

bool roster_has_new(const struct roster *r)
{
    for (const struct backend *b = r->first; b; b = b->next) {
        if (b->is_new)
            return true;
    }
    return r->listing;
}

void roster_fini(struct roster *r)
{
    while (r->first)
        drop(r, r->first);
}
