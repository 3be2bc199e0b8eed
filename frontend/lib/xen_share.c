/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/xen_share.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xentoollog.h>

#define LIMIT_FILE "/sys/module/xen_gntalloc/parameters/limit"

/* ---- Xen's libraries print to stderr unless they are given a logger; this one keeps quiet ---- */

static void ignore_message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                           const char *context, const char *format, va_list al)
{
    (void)logger;
    (void)level;
    (void)errnoval;
    (void)context;
    (void)format;
    (void)al;
}

static void ignore_progress(struct xentoollog_logger *logger, const char *context,
                            const char *doing_what, int percent, unsigned long done,
                            unsigned long total)
{
    (void)logger;
    (void)context;
    (void)doing_what;
    (void)percent;
    (void)done;
    (void)total;
}

static void ignore_destroy(struct xentoollog_logger *logger)
{
    (void)logger;
}

static struct xentoollog_logger *quiet_logger(void)
{
    /* never written to: it only holds the functions above */
    static const struct xentoollog_logger quiet = {
        .vmessage = ignore_message,
        .progress = ignore_progress,
        .destroy = ignore_destroy,
    };

    return (struct xentoollog_logger *)(uintptr_t)&quiet;
}

/* ---- opening ---- */

static int no_driver(const struct xen_share *s, const char *device, int error)
{
    if (error == EACCES || error == EPERM) {
        log_say(&s->log, "%s may not be opened: it takes root, or a udev rule", device);
        return EACCES;
    }
    log_say(&s->log, "%s cannot be opened (%s): modprobe -a xen-gntalloc xen-evtchn", device,
            strerror(error));
    return error == EMFILE || error == ENFILE ? error : ENODEV;
}

int xen_share_open(struct xen_share *s, const struct log_to *log)
{
    *s = (struct xen_share){.log = *log};
    s->grants = xengntshr_open(quiet_logger(), 0);
    if (!s->grants)
        return no_driver(s, "/dev/xen/gntalloc", errno);
    s->channels[0] = xenevtchn_open(quiet_logger(), 0);
    if (!s->channels[0])
        return no_driver(s, "/dev/xen/evtchn", errno);
    return 0;
}

/* ---- sharing ---- */

/* What the module allows this domain, or "unknown". */
static void read_limit(char text_out[16])
{
    FILE *file = fopen(LIMIT_FILE, "re");

    if (!file || !fgets(text_out, 16, file))
        strcpy(text_out, "unknown");
    text_out[strcspn(text_out, "\n")] = '\0';
    if (file)
        fclose(file);
}

static int no_pages(const struct xen_share *s, int error)
{
    char limit[16];

    if (error != ENOSPC) {
        log_say(&s->log, "pages cannot be granted: %s", strerror(error));
        return error ? error : ENOMEM;
    }
    read_limit(limit);
    log_say(&s->log,
            "%u pages cannot be granted: raise " LIMIT_FILE " (now %s), or, if the grant table is "
            "full, max_grant_frames= of this guest",
            (s->nr_rings << s->ring_page_order) + s->nr_data_pages + s->nr_directory, limit);
    return ENOSPC;
}

static void *share_pages(struct xen_share *s, uint32_t nr, uint32_t *refs_out)
{
    void *pages = xengntshr_share_pages(s->grants, s->domid, (int)nr, refs_out, 1);

    if (pages)
        memset(pages, 0, (size_t)nr * TMEMIF_PAGE_SIZE);
    return pages;
}

/*
 * Ring 0: its first page alone has the unmap notification, which the library
 * gives to single pages only; the pages are then moved side by side.
 */
static void *share_first_ring(struct xen_share *s)
{
    uint32_t nr = 1u << s->ring_page_order;
    size_t bytes = (size_t)nr * TMEMIF_PAGE_SIZE;
    uint8_t *place, *rest = NULL;
    void *first;

    first = xengntshr_share_page_notify(s->grants, s->domid, s->ring_refs, 1,
                                        offsetof(struct tmemif_ring, front_alive), s->ports[0]);
    if (!first || nr == 1)
        return first;
    place = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        goto out;
    rest = share_pages(s, nr - 1, s->ring_refs + 1);
    if (!rest)
        goto out;
    if (mremap(first, TMEMIF_PAGE_SIZE, TMEMIF_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, place) ==
        MAP_FAILED)
        goto out;
    first = place;
    if (mremap(rest, bytes - TMEMIF_PAGE_SIZE, bytes - TMEMIF_PAGE_SIZE,
               MREMAP_MAYMOVE | MREMAP_FIXED, place + TMEMIF_PAGE_SIZE) == MAP_FAILED)
        goto out;
    return place;
out:
    if (rest)
        xengntshr_unshare(s->grants, rest, nr - 1);
    xengntshr_unshare(s->grants, first, 1);
    if (place != MAP_FAILED)
        munmap(place, bytes);
    return NULL;
}

static int open_channels(struct xen_share *s)
{
    for (unsigned i = 0; i < s->nr_rings; i++) {
        xenevtchn_port_or_error_t port;

        if (!s->channels[i])
            s->channels[i] = xenevtchn_open(quiet_logger(), 0);
        if (!s->channels[i])
            return no_driver(s, "/dev/xen/evtchn", errno);
        port = xenevtchn_bind_unbound_port(s->channels[i], s->domid);
        if (port < 0) {
            int error = errno;

            log_say(&s->log, "no event channel for ring %u: %s (max_event_channels= of this guest)",
                    i, strerror(error));
            return error;
        }
        s->ports[i] = (uint32_t)port;
    }
    return 0;
}

/* The data pages, and the directory that names them. */
static int share_data(struct xen_share *s)
{
    uint32_t *refs = calloc(s->nr_data_pages, sizeof(*refs));

    if (!refs)
        return no_pages(s, ENOMEM);
    s->nr_directory = (s->nr_data_pages + XEN_SHARE_REFS_PER_PAGE - 1) / XEN_SHARE_REFS_PER_PAGE;
    s->data = share_pages(s, s->nr_data_pages, refs);
    if (s->data)
        s->directory = share_pages(s, s->nr_directory, s->directory_refs);
    if (!s->directory) {
        int error = errno;

        free(refs);
        return no_pages(s, error);
    }
    memcpy(s->directory, refs, s->nr_data_pages * sizeof(*refs));
    free(refs);
    return 0;
}

int xen_share_grant(struct xen_share *s, uint32_t domid)
{
    int error;

    s->domid = domid;
    error = open_channels(s);
    if (error)
        return error;
    for (unsigned i = 0; i < s->nr_rings; i++) {
        s->rings[i] = i == 0 ? share_first_ring(s)
                             : share_pages(s, 1u << s->ring_page_order,
                                           s->ring_refs + (i << s->ring_page_order));
        if (!s->rings[i])
            return no_pages(s, errno);
    }
    return share_data(s);
}

void xen_share_close(struct xen_share *s, bool forked)
{
    for (unsigned i = 0; s->grants && !forked && i < s->nr_rings; i++) {
        if (s->rings[i])
            xengntshr_unshare(s->grants, s->rings[i], 1u << s->ring_page_order);
    }
    if (s->data && !forked)
        xengntshr_unshare(s->grants, s->data, s->nr_data_pages);
    if (s->directory && !forked)
        xengntshr_unshare(s->grants, s->directory, s->nr_directory);
    for (unsigned i = 0; i < TMEMIF_MAX_RINGS; i++) {
        if (s->channels[i])
            xenevtchn_close(s->channels[i]);
    }
    if (s->grants)
        xengntshr_close(s->grants);
    *s = (struct xen_share){.log = s->log};
}

/* ---- bells ---- */

void xen_share_notify(struct xen_share *s, unsigned ring)
{
    /* while the manager is away the port has no other end, and this does nothing */
    xenevtchn_notify(s->channels[ring], s->ports[ring]);
}

void xen_share_consume(struct xen_share *s, unsigned ring)
{
    xenevtchn_port_or_error_t port = xenevtchn_pending(s->channels[ring]);

    if (port >= 0)
        xenevtchn_unmask(s->channels[ring], (evtchn_port_t)port);
}
