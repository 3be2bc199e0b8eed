/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xentoollog.h>

#include "protocol/trial.h"
#include "xenstore-schema/value.h"

/* Copies are handed to the kernel in arrays of this many; it makes hypercalls of 16. */
#define COPIES_PER_CALL 64u

struct real_platform {
    struct platform platform; /* first: one is the other */
    struct xs_handle *xs;
    xs_transaction_t transaction; /* XBT_NULL: none is open */
};

struct platform_grants {
    xengnttab_handle *handle;
    uint32_t domid;
};

struct platform_channel {
    xenevtchn_handle *handle;
    evtchn_port_t port;
};

/* Xen's libraries write what goes wrong to standard error, which a guest could fill. */
static void say_nothing(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list args)
{
    (void)logger;
    (void)level;
    (void)errnoval;
    (void)context;
    (void)format;
    (void)args;
}

static void show_nothing(struct xentoollog_logger *logger, const char *context,
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

static void keep(struct xentoollog_logger *logger)
{
    (void)logger;
}

/* The libraries take a pointer to something that they might change; they never do. */
static struct xentoollog_logger *no_logger(void)
{
    static const struct xentoollog_logger logger = {
        .vmessage = say_nothing, .progress = show_nothing, .destroy = keep};

    return (struct xentoollog_logger *)(uintptr_t)&logger;
}

static struct xs_handle *xs_of(struct platform *p)
{
    return ((struct real_platform *)p)->xs;
}

static xs_transaction_t transaction_of(struct platform *p)
{
    return ((struct real_platform *)p)->transaction;
}

/* ---- xenstore ---- */

static char *real_read(struct platform *p, const char *path, size_t *len_out)
{
    unsigned len = 0;
    char *value = xs_read(xs_of(p), transaction_of(p), path, &len);

    *len_out = len;
    return value;
}

static bool real_write(struct platform *p, const char *path, const char *text)
{
    return xs_write(xs_of(p), transaction_of(p), path, text, (unsigned)strlen(text));
}

static bool real_remove(struct platform *p, const char *path)
{
    return xs_rm(xs_of(p), transaction_of(p), path);
}

static char **real_list(struct platform *p, const char *path, unsigned *nr_out)
{
    return xs_directory(xs_of(p), transaction_of(p), path, nr_out);
}

static bool real_begin(struct platform *p)
{
    xs_transaction_t transaction = xs_transaction_start(xs_of(p));

    ((struct real_platform *)p)->transaction = transaction;
    return transaction != XBT_NULL;
}

static bool real_end(struct platform *p, bool commit)
{
    xs_transaction_t transaction = transaction_of(p);

    ((struct real_platform *)p)->transaction = XBT_NULL;
    return xs_transaction_end(xs_of(p), transaction, !commit);
}

/* The paths tell the watches apart, so the token need not. */
static const char token[] = "xentmem";

static bool real_watch(struct platform *p, const char *path)
{
    return xs_watch(xs_of(p), path, token);
}

static void real_unwatch(struct platform *p, const char *path)
{
    xs_unwatch(xs_of(p), path, token);
}

static bool real_next_event(struct platform *p, char path_out[SCHEMA_PATH_LEN])
{
    char **event = xs_check_watch(xs_of(p));
    size_t len;

    if (!event)
        return false;
    len = strlen(event[XS_WATCH_PATH]);
    if (len > SCHEMA_PATH_LEN - 1)
        len = SCHEMA_PATH_LEN - 1;
    memcpy(path_out, event[XS_WATCH_PATH], len);
    path_out[len] = '\0';
    free(event);
    return true;
}

static int real_event_fd(struct platform *p)
{
    return xs_fileno(xs_of(p));
}

/* ---- grants ---- */

/*
 * A handle of its own for each peer: the driver numbers the pages of one handle in 2 GiB of
 * offsets, and closing it takes back whatever is still mapped.
 */
static struct platform_grants *real_grants_open(struct platform *p, uint32_t domid)
{
    struct platform_grants *g = calloc(1, sizeof(*g));

    (void)p;
    if (!g)
        return NULL;
    g->domid = domid;
    g->handle = xengnttab_open(no_logger(), 0);
    if (!g->handle) {
        free(g);
        return NULL;
    }
    return g;
}

static void *real_grants_map(struct platform_grants *g, uint32_t *refs, uint32_t nr)
{
    return xengnttab_map_domain_grant_refs(g->handle, nr, g->domid, refs, PROT_READ | PROT_WRITE);
}

static void real_grants_unmap(struct platform_grants *g, void *at, uint32_t nr)
{
    xengnttab_unmap(g->handle, at, nr);
}

static void fill_segment(xengnttab_grant_copy_segment_t *s, const struct grant_copy *c,
                         uint32_t domid)
{
    union xengnttab_copy_ptr guest = {
        .foreign = {.ref = c->ref, .offset = c->offset, .domid = (uint16_t)domid}};
    union xengnttab_copy_ptr local = {.virt = c->local};

    *s = (xengnttab_grant_copy_segment_t){
        .source = c->to_guest ? local : guest,
        .dest = c->to_guest ? guest : local,
        .len = c->length,
        .flags = c->to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
    };
}

static bool real_grants_copy(struct platform_grants *g, struct grant_copy *copies, unsigned nr)
{
    xengnttab_grant_copy_segment_t segments[COPIES_PER_CALL];

    for (unsigned at = 0; at < nr;) {
        unsigned now = nr - at < COPIES_PER_CALL ? nr - at : COPIES_PER_CALL;

        for (unsigned i = 0; i < now; i++)
            fill_segment(&segments[i], &copies[at + i], g->domid);
        if (xengnttab_grant_copy(g->handle, now, segments) < 0)
            return false;
        for (unsigned i = 0; i < now; i++)
            copies[at + i].status = segments[i].status;
        at += now;
    }
    return true;
}

static void real_grants_close(struct platform_grants *g)
{
    xengnttab_close(g->handle);
    free(g);
}

/* ---- event channels ---- */

/* A handle of its own for each channel, so that each ring has one descriptor to wait for. */
static struct platform_channel *real_channel_open(struct platform *p, uint32_t domid, uint32_t port)
{
    struct platform_channel *c = calloc(1, sizeof(*c));
    xenevtchn_port_or_error_t local;
    int saved;

    (void)p;
    if (!c)
        return NULL;
    c->handle = xenevtchn_open(no_logger(), 0);
    if (c->handle) {
        /* looking for a notification must not block (link.h) */
        local = xenevtchn_bind_interdomain(c->handle, domid, port);
        if (local >= 0 && fcntl(xenevtchn_fd(c->handle), F_SETFL, O_RDWR | O_NONBLOCK) == 0) {
            c->port = (evtchn_port_t)local;
            return c;
        }
    }
    saved = errno;
    if (c->handle)
        xenevtchn_close(c->handle);
    free(c);
    errno = saved;
    return NULL;
}

static int real_channel_fd(struct platform_channel *c)
{
    return xenevtchn_fd(c->handle);
}

static void real_channel_notify(struct platform_channel *c)
{
    xenevtchn_notify(c->handle, c->port); /* a peer that closed its end learns it otherwise */
}

static void real_channel_consume(struct platform_channel *c)
{
    xenevtchn_port_or_error_t port = xenevtchn_pending(c->handle);

    if (port >= 0)
        xenevtchn_unmask(c->handle, (evtchn_port_t)port);
}

static void real_channel_close(struct platform_channel *c)
{
    xenevtchn_close(c->handle); /* unbinds its ports */
    free(c);
}

/* ---- the whole ---- */

static void real_close(struct platform *p)
{
    xs_close(xs_of(p));
    free(p);
}

static const struct platform_ops real_ops = {
    .read = real_read,
    .write = real_write,
    .remove = real_remove,
    .list = real_list,
    .watch = real_watch,
    .unwatch = real_unwatch,
    .begin = real_begin,
    .end = real_end,
    .next_event = real_next_event,
    .event_fd = real_event_fd,
    .grants_open = real_grants_open,
    .grants_map = real_grants_map,
    .grants_unmap = real_grants_unmap,
    .grants_copy = real_grants_copy,
    .grants_close = real_grants_close,
    .channel_open = real_channel_open,
    .channel_fd = real_channel_fd,
    .channel_notify = real_channel_notify,
    .channel_consume = real_channel_consume,
    .channel_close = real_channel_close,
    .close = real_close,
};

/* The drivers are modules that nothing loads by itself. */
static bool drivers_are_there(const char **why_out)
{
    xengnttab_handle *grants = xengnttab_open(no_logger(), 0);
    xenevtchn_handle *channels = xenevtchn_open(no_logger(), 0);

    if (!grants)
        *why_out = "the grant device cannot be opened: modprobe xen-gntdev";
    else if (!channels)
        *why_out = "the event channel device cannot be opened: modprobe xen-evtchn";
    if (grants)
        xengnttab_close(grants);
    if (channels)
        xenevtchn_close(channels);
    return grants && channels;
}

/* Which domain are we? */
static bool read_domid(struct xs_handle *xs, uint32_t *domid_out)
{
    uint64_t domid;
    unsigned len = 0;
    char *value = xs_read(xs, XBT_NULL, "domid", &len);
    bool ok = value && schema_scan_number(value, len, &domid) && domid <= UINT16_MAX;

    free(value);
    if (ok)
        *domid_out = (uint32_t)domid;
    return ok;
}

static void notify_nobody(void *channel)
{
    real_channel_notify(channel);
}

uint64_t platform_notify_ns(uint64_t (*now_ns)(void))
{
    struct platform_channel c = {.handle = xenevtchn_open(no_logger(), 0)};
    xenevtchn_port_or_error_t port;
    uint64_t ns = 0;

    if (!c.handle)
        return 0;
    port = xenevtchn_bind_unbound_port(c.handle, DOMID_SELF); /* which nobody binds */
    if (port >= 0) {
        c.port = (evtchn_port_t)port;
        ns = trial_call_ns(notify_nobody, &c, now_ns);
    }
    xenevtchn_close(c.handle);
    return ns;
}

struct platform *platform_open(const char **why_out)
{
    struct real_platform *p = calloc(1, sizeof(*p));

    *why_out = "out of memory";
    if (!p)
        return NULL;
    p->platform.ops = &real_ops;
    p->xs = xs_open(0);
    if (!p->xs) {
        *why_out =
            "xenstore cannot be reached: is this Xen, and xenfs mounted or xenstored running?";
        free(p);
        return NULL;
    }
    if (!read_domid(p->xs, &p->platform.domid))
        *why_out = "xenstore has no node domid for this domain: was xen-init-dom0 run?";
    else if (drivers_are_there(why_out))
        return &p->platform;
    real_close(&p->platform);
    return NULL;
}
