/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/mapping.h"

#include <errno.h>
#include <stdio.h>

#define PROBES_PER_CALL 64u

static const char silo[] = "or XSM SILO forbids grants between two guests (run the daemon in dom0)";
static const char no_room[] = "the manager is out of memory or descriptors";

const char *mapping_forbidden(const struct schema_place *place)
{
    return place->guest == place->manager && place->guest != 0
               ? "the manager cannot be a guest of its own"
               : NULL;
}

struct platform_grants *mapping_open(struct platform *p, uint32_t domid,
                                     char why_out[SCHEMA_REASON_LEN])
{
    struct platform_grants *g = p->ops->grants_open(p, domid);

    if (g)
        return g;
    snprintf(why_out, SCHEMA_REASON_LEN, "%s", no_room);
    errno = ENOMEM;
    return NULL;
}

/*
 * The driver says no more than EINVAL when a page cannot be mapped. A copy of one octet from
 * each page tells which one is to blame, and why.
 */
static bool find_bad_page(struct platform *p, struct platform_grants *g, const uint32_t *refs,
                          uint32_t nr, uint32_t *page_out, int16_t *status_out)
{
    struct grant_copy probes[PROBES_PER_CALL];
    uint8_t octets[PROBES_PER_CALL];

    for (uint32_t at = 0; at < nr; at += PROBES_PER_CALL) {
        uint32_t now = nr - at < PROBES_PER_CALL ? nr - at : PROBES_PER_CALL;

        for (uint32_t i = 0; i < now; i++)
            probes[i] = (struct grant_copy){.ref = refs[at + i], .length = 1, .local = &octets[i]};
        if (!p->ops->grants_copy(g, probes, now))
            return false;
        for (uint32_t i = 0; i < now; i++) {
            if (probes[i].status == 0)
                continue;
            *page_out = at + i;
            *status_out = probes[i].status;
            return true;
        }
    }
    return false;
}

void mapping_explain_ref(const char *what, int16_t status, char why_out[SCHEMA_REASON_LEN])
{
    if (status == GRANT_COPY_DENIED)
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "%s: permission denied: not granted to the manager's domain, %s", what, silo);
    else
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "%s: not a valid grant reference to the manager's domain", what);
}

void *mapping_map(struct platform *p, struct platform_grants *g, const char *what, uint32_t *refs,
                  uint32_t nr, char why_out[SCHEMA_REASON_LEN])
{
    void *pages = p->ops->grants_map(g, refs, nr);
    char page_of[MAPPING_WHAT_LEN + 24];
    uint32_t page;
    int16_t status;

    if (pages)
        return pages;
    if (!find_bad_page(p, g, refs, nr, &page, &status)) {
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "%s: %u pages cannot be mapped: they are not granted writable, or the manager has "
                 "no maptrack frames left (max_maptrack_frames in its configuration)",
                 what, nr);
        errno = ENOMEM;
        return NULL;
    }
    snprintf(page_of, sizeof(page_of), "%s: page %u", what, page);
    mapping_explain_ref(page_of, status, why_out);
    errno = EINVAL;
    return NULL;
}

struct platform_channel *mapping_bind(struct platform *p, uint32_t domid, const char *what,
                                      uint32_t port, char why_out[SCHEMA_REASON_LEN])
{
    struct platform_channel *c = p->ops->channel_open(p, domid, port);
    int error = errno;

    if (c)
        return c;
    errno = EINVAL;
    if (error == EPERM || error == EACCES) {
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "%s: permission denied: not made for the manager's domain, %s", what, silo);
    } else if (error == ENOSPC) {
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "%s: the manager has no event channels left (max_event_channels in its "
                 "configuration)",
                 what);
        errno = ENOMEM;
    } else if (error == EMFILE || error == ENFILE || error == ENOMEM) {
        snprintf(why_out, SCHEMA_REASON_LEN, "%s", no_room);
        errno = ENOMEM;
    } else {
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "%s: not an unbound channel that is made for the manager's domain", what);
    }
    return NULL;
}
