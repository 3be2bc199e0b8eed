/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_dead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_orphan.h"

/* Of @domains, one that could not be read, or began meanwhile, is missing: it is asked for again.
 */
static bool is_dead(struct xs_handle *xs, const struct domain *domains, unsigned nr, uint64_t domid)
{
    for (unsigned i = 0; i < nr; i++) {
        if (domains[i].domid == domid)
            return false;
    }
    return domain_is_gone(xs, (unsigned)domid);
}

static void remove_guest(struct xs_handle *xs, unsigned manager, unsigned guest, const char *folder,
                         dead_removed *removed)
{
    char path[SCHEMA_PATH_LEN + 16], why[XEN_WHY_LEN];
    unsigned nr = 0;
    char **devices;

    snprintf(path, sizeof(path), "%s/%u", folder, guest);
    devices = xs_directory(xs, XBT_NULL, path, &nr);
    for (unsigned i = 0; devices && i < nr; i++) {
        struct schema_place place = {.manager = manager, .guest = guest};
        uint64_t device;

        if (!text_to_number(devices[i], UINT32_MAX, &device))
            continue;
        place.device = (uint32_t)device;
        if (attach_remove(xs, &place, why) && removed)
            removed(guest, place.device);
    }
    free(devices);
    /* a folder without devices */
    if (nr == 0)
        node_remove(xs, XBT_NULL, path);
}

/* Guests under @folder of the manager, which has one child for each domid. */
static void remove_guests(struct xs_handle *xs, unsigned manager, const struct domain *domains,
                          unsigned nr_domains, const char *folder, dead_removed *removed)
{
    unsigned nr = 0;
    char **guests = xs_directory(xs, XBT_NULL, folder, &nr);
    uint64_t domid;

    for (unsigned i = 0; guests && i < nr; i++) {
        if (text_to_number(guests[i], UINT16_MAX, &domid) &&
            is_dead(xs, domains, nr_domains, domid))
            remove_guest(xs, manager, (unsigned)domid, folder, removed);
    }
    free(guests);
}

/* Rights of the shared pool @uuid: a domid is used again, and they would be its next owner's. */
static void remove_rights(struct xs_handle *xs, unsigned manager, const uint8_t uuid[16],
                          const struct domain *domains, unsigned nr_domains)
{
    char path[SCHEMA_PATH_LEN];
    unsigned nr = 0;
    char **guests;
    uint64_t domid;

    schema_shared_path(path, manager, uuid, SCHEMA_SHARED_ALLOW, 0);
    *strrchr(path, '/') = '\0';
    guests = xs_directory(xs, XBT_NULL, path, &nr);
    for (unsigned i = 0; guests && i < nr; i++) {
        if (!text_to_number(guests[i], UINT16_MAX, &domid) ||
            !is_dead(xs, domains, nr_domains, domid))
            continue;
        schema_shared_path(path, manager, uuid, SCHEMA_SHARED_ALLOW, (unsigned)domid);
        node_remove(xs, XBT_NULL, path);
    }
    free(guests);
}

static void remove_members(struct xs_handle *xs, unsigned manager, const struct domain *domains,
                           unsigned nr_domains)
{
    char folder[SCHEMA_PATH_LEN];
    unsigned nr = 0;
    char **uuids;

    schema_shared_pools(folder, manager);
    uuids = xs_directory(xs, XBT_NULL, folder, &nr);
    for (unsigned i = 0; uuids && i < nr; i++) {
        uint8_t uuid[16];

        if (text_to_uuid(uuids[i], uuid))
            remove_rights(xs, manager, uuid, domains, nr_domains);
    }
    free(uuids);
}

void dead_remove(struct xs_handle *xs, const struct domain *domains, unsigned nr_domains,
                 dead_removed *removed)
{
    for (unsigned i = 0; i < nr_domains; i++) {
        const struct schema_place place = {.manager = domains[i].domid};
        char folder[SCHEMA_PATH_LEN];

        schema_backends(folder, place.manager);
        remove_guests(xs, place.manager, domains, nr_domains, folder, removed);
        schema_folder(folder, &place, SCHEMA_IN_GUEST);
        /* .../xentmem/guest/0/0 */
        *strrchr(folder, '/') = '\0';
        *strrchr(folder, '/') = '\0';
        remove_guests(xs, place.manager, domains, nr_domains, folder, removed);
        remove_members(xs, place.manager, domains, nr_domains);
    }
}

/* ---- disks ---- */

static void remove_disk(struct xs_handle *xs, const struct schema_place *place,
                        dead_removed *removed)
{
    char folder[SCHEMA_PATH_LEN], path[SCHEMA_PATH_LEN];
    char *target;

    schema_path(path, place, SCHEMA_VBD_PARAMS, 0);
    schema_folder(folder, place, SCHEMA_IN_VBD_BACKEND);
    target = node_read(xs, XBT_NULL, path);
    if (target && orphan_is_ours(target) && node_remove(xs, XBT_NULL, folder))
        removed(place->guest, place->device);
    free(target);
}

static void remove_disks_of(struct xs_handle *xs, unsigned manager, unsigned guest,
                            dead_removed *removed)
{
    struct schema_place place = {.manager = manager, .guest = guest};
    char folder[SCHEMA_PATH_LEN];
    unsigned nr = 0;
    char **vdevs;
    uint64_t vdev;

    schema_folder(folder, &place, SCHEMA_IN_VBD_BACKEND);
    *strrchr(folder, '/') = '\0';
    vdevs = xs_directory(xs, XBT_NULL, folder, &nr);
    for (unsigned i = 0; vdevs && i < nr; i++) {
        if (!text_to_number(vdevs[i], UINT32_MAX, &vdev))
            continue;
        place.device = (uint32_t)vdev;
        /* its home is there before any backend's folder, so one that began meanwhile is seen */
        if (domain_is_gone(xs, place.guest))
            remove_disk(xs, &place, removed);
    }
    free(vdevs);
}

void dead_remove_disks(struct xs_handle *xs, const struct domain *domains, unsigned nr_domains,
                       dead_removed *removed)
{
    for (unsigned i = 0; i < nr_domains; i++) {
        char folder[SCHEMA_PATH_LEN];
        unsigned nr = 0;
        char **guests;
        uint64_t domid;

        schema_vbds(folder, domains[i].domid);
        guests = xs_directory(xs, XBT_NULL, folder, &nr);
        for (unsigned k = 0; domains[i].domid != 0 && guests && k < nr; k++) {
            if (text_to_number(guests[k], UINT16_MAX, &domid) &&
                is_dead(xs, domains, nr_domains, domid))
                remove_disks_of(xs, domains[i].domid, (unsigned)domid, removed);
        }
        free(guests);
    }
}

void dead_sweep(struct xs_handle *xs)
{
    unsigned nr = 0;
    struct domain *domains = domains_read(xs, &nr);

    if (domains && nr)
        dead_remove(xs, domains, nr, NULL);
    free(domains);
}
