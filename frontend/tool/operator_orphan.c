/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_orphan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tool/text.h"
#include "frontend/tool/vdev.h"
#include "xenstore-schema/states.h"

/* Transactions that others disturb are tried again. */
#define TRIES 20u

void orphan_text(char text_out[ORPHAN_TEXT_LEN], struct xs_handle *xs, unsigned guest,
                 uint32_t vdev)
{
    char name[VDEV_TEXT_LEN];
    struct domain domain;

    vdev_name(vdev, name);
    if (domain_read(xs, guest, &domain) && domain.name[0])
        snprintf(text_out, ORPHAN_TEXT_LEN, "%s:%s", domain.name, name);
    else
        snprintf(text_out, ORPHAN_TEXT_LEN, "dom%u:%s", guest, name);
}

/* ---- finding them ---- */

bool orphan_is_ours(const char *target)
{
    return strncmp(target, "swap/", 5) == 0 || strncmp(target, "clone/", 6) == 0 ||
           strncmp(target, "cache/", 6) == 0;
}

static void libxl_path(char path_out[XEN_PATH_LEN], unsigned guest, uint32_t vdev, const char *key)
{
    snprintf(path_out, XEN_PATH_LEN, "/libxl/%u/device/vbd/%u%s%s", guest, vdev, *key ? "/" : "",
             key);
}

static struct schema_place place_of(const struct orphan *o)
{
    return (struct schema_place){.manager = o->manager, .guest = o->guest, .device = o->vdev};
}

/* May the frontend have requests under way? */
static bool is_connected(struct xs_handle *xs, const struct schema_place *place)
{
    char path[SCHEMA_PATH_LEN];
    uint64_t state;

    schema_path(path, place, SCHEMA_VBDFRONT_STATE, 0);
    state = node_read_number(xs, path, XENBUS_UNKNOWN);
    return state == XENBUS_CONNECTED || state == XENBUS_CLOSING;
}

static bool has_backend(struct xs_handle *xs, const struct schema_place *place)
{
    char path[SCHEMA_PATH_LEN];
    char *state;
    bool there;

    schema_path(path, place, SCHEMA_VBD_STATE, 0);
    state = node_read(xs, XBT_NULL, path);
    there = state || errno != ENOENT;
    free(state);
    return there;
}

/* Is the disk @vdev of @guest one? */
static bool look_at(struct xs_handle *xs, unsigned guest, uint32_t vdev, struct orphan *out)
{
    char path[XEN_PATH_LEN];
    struct schema_place place;
    char *params, *backend;
    bool found;

    libxl_path(path, guest, vdev, "params");
    params = node_read(xs, XBT_NULL, path);
    libxl_path(path, guest, vdev, "backend");
    backend = node_read(xs, XBT_NULL, path);
    *out = (struct orphan){.guest = guest, .vdev = vdev};
    found = params && backend && orphan_is_ours(params) &&
            sscanf(backend, "/local/domain/%u/", &out->manager) == 1 && out->manager != 0;
    out->is_cache = params && strncmp(params, "cache/", 6) == 0;
    free(params);
    free(backend);
    place = place_of(out);
    out->is_connected = is_connected(xs, &place);
    return found && !has_backend(xs, &place);
}

/* Room for one more behind @nr. False: no memory. */
static bool grow(struct orphan **orphans, unsigned nr)
{
    struct orphan *larger = realloc(*orphans, (nr + 1) * sizeof(**orphans));

    if (larger)
        *orphans = larger;
    return larger != NULL;
}

static bool find_of_guest(struct xs_handle *xs, unsigned guest, struct orphan **orphans,
                          unsigned *nr)
{
    char path[XEN_PATH_LEN];
    unsigned nr_vdevs = 0;
    char **vdevs;
    bool ok = true;

    snprintf(path, sizeof(path), "/libxl/%u/device/vbd", guest);
    vdevs = xs_directory(xs, XBT_NULL, path, &nr_vdevs);
    for (unsigned i = 0; vdevs && i < nr_vdevs && ok; i++) {
        uint64_t vdev;

        if (!text_to_number(vdevs[i], UINT32_MAX, &vdev))
            continue;
        ok = grow(orphans, *nr);
        if (ok && look_at(xs, guest, (uint32_t)vdev, &(*orphans)[*nr]))
            (*nr)++;
    }
    free(vdevs);
    return ok;
}

struct orphan *orphans_find(struct xs_handle *xs, unsigned *nr_out)
{
    struct orphan *orphans = NULL;
    unsigned nr_domains = 0;
    struct domain *domains = domains_read(xs, &nr_domains);
    bool ok = grow(&orphans, 0);

    *nr_out = 0;
    for (unsigned i = 0; domains && i < nr_domains && ok; i++)
        ok = find_of_guest(xs, domains[i].domid, &orphans, nr_out);
    free(domains);
    if (ok)
        return orphans;
    free(orphans);
    return NULL;
}

/* ---- writing their nodes ---- */

/* What libxl wrote into the backend's folder it wrote into its own, too. */
static bool copy_nodes(struct xs_handle *xs, xs_transaction_t t, const struct orphan *o,
                       const char *folder)
{
    char from[XEN_PATH_LEN], to[XEN_PATH_LEN];
    unsigned nr = 0;
    char **keys;
    bool ok = true;

    libxl_path(from, o->guest, o->vdev, "");
    keys = xs_directory(xs, t, from, &nr);
    for (unsigned i = 0; keys && i < nr && ok; i++) {
        char *value;

        if (strcmp(keys[i], "backend") == 0 || strcmp(keys[i], "state") == 0)
            continue;
        libxl_path(from, o->guest, o->vdev, keys[i]);
        snprintf(to, sizeof(to), "%s/%s", folder, keys[i]);
        value = node_read(xs, t, from);
        ok = value && node_write(xs, t, to, value);
        free(value);
    }
    ok = ok && keys;
    free(keys);
    return ok;
}

/*
 * Rights that nodes gave to a domid are void for a domain that has it later (XSA-322): what the
 * guest has written is the manager's to read again, to a depth of queue-0/ring-ref0.
 */
static bool share_again(struct xs_handle *xs, xs_transaction_t t, const struct orphan *o,
                        const char *path, unsigned depth)
{
    struct xs_permissions perms[] = {
        {.id = o->guest, .perms = XS_PERM_NONE},
        {.id = o->manager, .perms = XS_PERM_READ},
    };
    bool ok = xs_set_permissions(xs, t, path, perms, 2);
    unsigned nr = 0;
    char **keys = ok && depth > 0 ? xs_directory(xs, t, path, &nr) : NULL;

    for (unsigned i = 0; keys && i < nr && ok; i++) {
        char below[XEN_PATH_LEN];

        snprintf(below, sizeof(below), "%s/%s", path, keys[i]);
        ok = share_again(xs, t, o, below, depth - 1);
    }
    free(keys);
    return ok;
}

static bool write_nodes(struct xs_handle *xs, xs_transaction_t t, const struct orphan *o)
{
    const struct schema_place place = place_of(o);
    char folder[SCHEMA_PATH_LEN], path[SCHEMA_PATH_LEN], front[SCHEMA_PATH_LEN];

    schema_folder(front, &place, SCHEMA_IN_VBD_FRONTEND);
    schema_folder(folder, &place, SCHEMA_IN_VBD_BACKEND);
    schema_path(path, &place, SCHEMA_VBD_STATE, 0);
    return share_again(xs, t, o, front, 2) &&
           node_make_folder(xs, t, folder, o->manager, o->guest) && copy_nodes(xs, t, o, folder) &&
           node_write_number(xs, t, path, XENBUS_CONNECTED);
}

bool orphan_adopt(struct xs_handle *xs, const struct orphan *o, char why_out[XEN_WHY_LEN])
{
    const struct schema_place place = place_of(o);

    for (unsigned i = 0; i < TRIES && !has_backend(xs, &place); i++) {
        xs_transaction_t t = xs_transaction_start(xs);
        bool ok = t != XBT_NULL && write_nodes(xs, t, o);
        int error = errno;

        if (t != XBT_NULL && xs_transaction_end(xs, t, !ok) && ok)
            return true;
        if (!ok || errno != EAGAIN) {
            xen_explain(why_out, "the nodes of a disk", ok ? errno : error);
            return false;
        }
    }
    snprintf(why_out, XEN_WHY_LEN, "the nodes of a disk: xenstore is too busy");
    return has_backend(xs, &place); /* somebody else may have written them */
}
