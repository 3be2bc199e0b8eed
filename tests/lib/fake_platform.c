/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/fake_platform.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "protocol/tmemif.h"

#define MUST(condition) must((condition), #condition)

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fake platform: needs: %s\n", what);
    abort();
}

static struct fake_platform *fake_of(struct platform *p)
{
    return (struct fake_platform *)p;
}

/* ---- nodes ---- */

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static struct fake_node *find_node(const struct fake_platform *f, const char *path)
{
    for (unsigned i = 0; i < f->nr_nodes; i++) {
        if (strcmp(f->nodes[i].path, path) == 0)
            return (struct fake_node *)&f->nodes[i];
    }
    return NULL;
}

static void add_event(struct fake_platform *f, const char *path)
{
    const uint64_t one = 1;

    MUST(f->nr_events < FAKE_MAX_EVENTS);
    snprintf(f->events[(f->first_event + f->nr_events++) % FAKE_MAX_EVENTS], SCHEMA_PATH_LEN, "%s",
             path);
    MUST(write(f->event_fd, &one, sizeof(one)) == sizeof(one));
}

/* As xenstored: a watch hears of its node and of all below. */
void fake_fire(struct fake_platform *f, const char *path)
{
    for (unsigned i = 0; i < f->nr_watches; i++) {
        if (is_at_or_below(path, f->watches[i]))
            add_event(f, path);
    }
}

void fake_write_bytes(struct fake_platform *f, const char *path, const void *value, size_t len)
{
    struct fake_node *n = find_node(f, path);

    f->nr_changes++;
    if (!n) {
        MUST(f->nr_nodes < FAKE_MAX_NODES);
        n = &f->nodes[f->nr_nodes++];
        *n = (struct fake_node){0};
        snprintf(n->path, sizeof(n->path), "%s", path);
    }
    MUST(len <= sizeof(n->value));
    memcpy(n->value, value, len);
    n->len = len;
    fake_fire(f, path);
}

void fake_write(struct fake_platform *f, const char *path, const char *value)
{
    fake_write_bytes(f, path, value, strlen(value));
}

void fake_remove(struct fake_platform *f, const char *path)
{
    f->nr_changes++;
    for (unsigned i = 0; i < f->nr_nodes;) {
        if (is_at_or_below(f->nodes[i].path, path))
            f->nodes[i] = f->nodes[--f->nr_nodes];
        else
            i++;
    }
    fake_fire(f, path);
    /* a watch below what was removed hears of it as well */
    for (unsigned i = 0; i < f->nr_watches; i++) {
        if (is_at_or_below(f->watches[i], path) && strcmp(f->watches[i], path) != 0)
            add_event(f, f->watches[i]);
    }
}

void fake_hide(struct fake_platform *f, const char *path, bool hidden)
{
    struct fake_node *n = find_node(f, path);

    MUST(n != NULL);
    n->hidden = hidden;
    fake_fire(f, path);
}

bool fake_exists(const struct fake_platform *f, const char *path)
{
    for (unsigned i = 0; i < f->nr_nodes; i++) {
        if (is_at_or_below(f->nodes[i].path, path))
            return true;
    }
    return false;
}

const char *fake_value(const struct fake_platform *f, const char *path)
{
    const struct fake_node *n = find_node(f, path);

    return n ? n->value : "";
}

void fake_refuse(struct fake_platform *f, const char *path, unsigned calls, int error)
{
    snprintf(f->refused, sizeof(f->refused), "%s", path);
    f->refused_calls = calls;
    f->refused_errno = error;
}

static bool is_refused(struct platform *p, enum fake_calls call, const char *path)
{
    struct fake_platform *f = fake_of(p);
    bool asks = call == FAKE_READS || call == FAKE_LISTS;
    bool once = asks && ++f->nr_asked == f->refused_at;

    if (!once && (!(f->refused_calls & call) || !is_at_or_below(path, f->refused)))
        return false;
    f->nr_refused++;
    errno = once ? EIO : f->refused_errno;
    return true;
}

static char *fake_read(struct platform *p, const char *path, size_t *len_out)
{
    const struct fake_node *n = find_node(fake_of(p), path);
    char *copy;

    if (is_refused(p, FAKE_READS, path))
        return NULL;
    if (!n || n->hidden) {
        errno = n ? EACCES : ENOENT;
        return NULL;
    }
    copy = malloc(n->len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, n->value, n->len);
    copy[n->len] = '\0';
    *len_out = n->len;
    return copy;
}

static void write_now(struct fake_platform *f, const char *path, const char *text)
{
    struct fake_node *n;

    f->nr_written++;
    fake_write(f, path, text);
    n = find_node(f, path);
    n->value[n->len] = '\0';
}

static void add_pending(struct fake_platform *f, const char *path, const char *text)
{
    struct fake_change *change = &f->pending[f->nr_pending++];

    MUST(f->nr_pending <= FAKE_MAX_PENDING);
    change->removes = !text;
    snprintf(change->path, sizeof(change->path), "%s", path);
    snprintf(change->value, sizeof(change->value), "%s", text ? text : "");
}

static bool fake_write_own(struct platform *p, const char *path, const char *text)
{
    struct fake_platform *f = fake_of(p);

    if (f->on_write)
        f->on_write(f, path, text);
    if (is_refused(p, FAKE_WRITES, path))
        return false;
    if (f->in_transaction)
        add_pending(f, path, text);
    else
        write_now(f, path, text);
    return true;
}

static bool fake_remove_own(struct platform *p, const char *path)
{
    struct fake_platform *f = fake_of(p);
    bool there = fake_exists(f, path);

    if (f->on_write)
        f->on_write(f, path, "");
    if (is_refused(p, FAKE_WRITES, path))
        return false;
    errno = ENOENT;
    if (f->in_transaction)
        add_pending(f, path, NULL);
    else
        fake_remove(f, path);
    return there;
}

static bool fake_begin(struct platform *p)
{
    struct fake_platform *f = fake_of(p);

    MUST(!f->in_transaction);
    f->in_transaction = true;
    f->changes_at_begin = f->nr_changes;
    f->nr_pending = 0;
    return true;
}

static bool fake_end(struct platform *p, bool commit)
{
    struct fake_platform *f = fake_of(p);

    MUST(f->in_transaction);
    f->in_transaction = false;
    errno = EAGAIN;
    if (commit && f->nr_changes != f->changes_at_begin)
        return false;
    errno = ENOSPC;
    for (unsigned i = 0; commit && f->is_full && i < f->nr_pending; i++) {
        if (!f->pending[i].removes && !fake_exists(f, f->pending[i].path))
            return false;
    }
    for (unsigned i = 0; commit && i < f->nr_pending; i++) {
        if (f->pending[i].removes)
            fake_remove(f, f->pending[i].path);
        else
            write_now(f, f->pending[i].path, f->pending[i].value);
    }
    return true;
}

/* The name of the child of @folder that @path lies in; its length, 0 if none. */
static size_t child_of(const char *path, const char *folder, const char **name_out)
{
    if (!is_at_or_below(path, folder) || path[strlen(folder)] == '\0')
        return 0;
    *name_out = path + strlen(folder) + 1;
    return strcspn(*name_out, "/");
}

static char **fake_list(struct platform *p, const char *path, unsigned *nr_out)
{
    struct fake_platform *f = fake_of(p);
    size_t table = FAKE_MAX_NODES * sizeof(char *);
    char **names = malloc(table + FAKE_MAX_NODES * SCHEMA_PATH_LEN);
    char *text;
    unsigned nr = 0;

    if (!names)
        return NULL;
    text = (char *)names + table;
    if (is_refused(p, FAKE_LISTS, path)) {
        free(names);
        return NULL;
    }
    for (unsigned i = 0; i < f->nr_nodes; i++) {
        const char *name;
        size_t len = child_of(f->nodes[i].path, path, &name);
        bool known = len == 0;

        for (unsigned k = 0; k < nr && !known; k++)
            known = strlen(names[k]) == len && memcmp(names[k], name, len) == 0;
        if (known)
            continue;
        names[nr++] = text;
        memcpy(text, name, len);
        text[len] = '\0';
        text += len + 1;
    }
    *nr_out = nr;
    if (nr > 0 || fake_exists(f, path))
        return names;
    free(names);
    errno = ENOENT;
    return NULL;
}

static bool fake_watch(struct platform *p, const char *path)
{
    struct fake_platform *f = fake_of(p);

    if (is_refused(p, FAKE_WATCHES, path))
        return false;
    if (f->nr_watches == FAKE_MAX_WATCHES) {
        errno = E2BIG;
        return false;
    }
    snprintf(f->watches[f->nr_watches++], SCHEMA_PATH_LEN, "%s", path);
    add_event(f, path); /* as xenstored does */
    return true;
}

static void fake_unwatch(struct platform *p, const char *path)
{
    struct fake_platform *f = fake_of(p);

    for (unsigned i = 0; i < f->nr_watches; i++) {
        if (strcmp(f->watches[i], path) == 0) {
            memcpy(f->watches[i], f->watches[--f->nr_watches], SCHEMA_PATH_LEN);
            return;
        }
    }
    must(false, "a watch that was set");
}

static bool fake_next_event(struct platform *p, char path_out[SCHEMA_PATH_LEN])
{
    struct fake_platform *f = fake_of(p);
    uint64_t value;

    errno = f->deaf ? EBADF : EAGAIN;
    if (f->nr_events == 0 || f->deaf)
        return false;
    memcpy(path_out, f->events[f->first_event], SCHEMA_PATH_LEN);
    f->first_event = (f->first_event + 1) % FAKE_MAX_EVENTS;
    if (--f->nr_events == 0)
        MUST(read(f->event_fd, &value, sizeof(value)) == sizeof(value));
    return true;
}

static int fake_event_fd(struct platform *p)
{
    return fake_of(p)->event_fd;
}

/* ---- grants ---- */

struct platform_grants {
    struct fake_platform *fake;
    uint32_t domid;
};

static struct platform_grants *fake_grants_open(struct platform *p, uint32_t domid)
{
    struct platform_grants *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    *g = (struct platform_grants){fake_of(p), domid};
    g->fake->nr_grants++;
    return g;
}

static int16_t grant_status(const struct fake_platform *f, uint32_t ref)
{
    if (ref >= f->denied_from)
        return GRANT_COPY_DENIED;
    return ref < FAKE_NR_PAGES ? 0 : -3;
}

static void *fake_grants_map(struct platform_grants *g, uint32_t *refs, uint32_t nr)
{
    struct fake_platform *f = g->fake;
    uint8_t *at;

    if (f->on_map)
        f->on_map(f);
    poll(NULL, 0, (int)f->map_ms);
    errno = EINVAL; /* all that gntdev ever says */
    if (f->nr_mapped + nr > f->max_mapped)
        return NULL;
    for (uint32_t i = 0; i < nr; i++) {
        if (grant_status(f, refs[i]) != 0)
            return NULL;
    }
    at = mmap(NULL, (size_t)nr * TMEMIF_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    for (uint32_t i = 0; i < nr; i++) {
        if (mmap(at + (size_t)i * TMEMIF_PAGE_SIZE, TMEMIF_PAGE_SIZE, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, f->memory_fd,
                 (off_t)refs[i] * TMEMIF_PAGE_SIZE) == MAP_FAILED) {
            munmap(at, (size_t)nr * TMEMIF_PAGE_SIZE);
            return NULL;
        }
    }
    f->nr_mapped += nr;
    f->nr_maps++;
    return at;
}

static void fake_grants_unmap(struct platform_grants *g, void *at, uint32_t nr)
{
    MUST(munmap(at, (size_t)nr * TMEMIF_PAGE_SIZE) == 0);
    MUST(g->fake->nr_mapped >= nr);
    g->fake->nr_mapped -= nr;
}

static bool fake_grants_copy(struct platform_grants *g, struct grant_copy *copies, unsigned nr)
{
    g->fake->nr_copy_calls++;
    for (unsigned i = 0; i < nr; i++) {
        struct grant_copy *c = &copies[i];
        uint8_t *guest;

        c->status = grant_status(g->fake, c->ref);
        if (c->status != 0)
            continue;
        guest = g->fake->copied + (size_t)c->ref * TMEMIF_PAGE_SIZE + c->offset;
        memcpy(c->to_guest ? guest : c->local, c->to_guest ? c->local : guest, c->length);
    }
    return true;
}

static void fake_grants_close(struct platform_grants *g)
{
    g->fake->nr_grants--;
    free(g);
}

/* ---- channels ---- */

struct platform_channel {
    struct fake_platform *fake;
    struct fake_channel *ends;
};

static struct platform_channel *fake_channel_open(struct platform *p, uint32_t domid, uint32_t port)
{
    struct fake_platform *f = fake_of(p);
    struct platform_channel *c;

    (void)domid;
    errno = f->bind_errno ? f->bind_errno : EINVAL;
    if (f->bind_errno || port >= FAKE_MAX_CHANNELS || f->channels[port].used)
        return NULL;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct platform_channel){f, &f->channels[port]};
    c->ends->used = true;
    f->nr_bound++;
    return c;
}

static int fake_channel_fd(struct platform_channel *c)
{
    return c->ends->to_backend;
}

static void fake_channel_notify(struct platform_channel *c)
{
    const uint64_t one = 1;

    MUST(write(c->ends->to_frontend, &one, sizeof(one)) == sizeof(one));
}

static void fake_channel_consume(struct platform_channel *c)
{
    uint64_t value;
    ssize_t r = read(c->ends->to_backend, &value, sizeof(value));

    (void)r; /* it may be somebody else's wake-up */
}

static void fake_channel_close(struct platform_channel *c)
{
    c->ends->used = false;
    c->fake->nr_bound--;
    free(c);
}

/* ---- the whole ---- */

static void fake_close(struct platform *p)
{
    struct fake_platform *f = fake_of(p);
    char path[SCHEMA_PATH_LEN];

    f->nr_watches = 0;
    while (f->nr_events > 0)
        fake_next_event(p, path);
}

static const struct platform_ops fake_ops = {
    .read = fake_read,
    .write = fake_write_own,
    .remove = fake_remove_own,
    .list = fake_list,
    .watch = fake_watch,
    .unwatch = fake_unwatch,
    .begin = fake_begin,
    .end = fake_end,
    .next_event = fake_next_event,
    .event_fd = fake_event_fd,
    .grants_open = fake_grants_open,
    .grants_map = fake_grants_map,
    .grants_unmap = fake_grants_unmap,
    .grants_copy = fake_grants_copy,
    .grants_close = fake_grants_close,
    .channel_open = fake_channel_open,
    .channel_fd = fake_channel_fd,
    .channel_notify = fake_channel_notify,
    .channel_consume = fake_channel_consume,
    .channel_close = fake_channel_close,
    .close = fake_close,
};

struct fake_platform *fake_platform_new(uint32_t domid)
{
    struct fake_platform *f = calloc(1, sizeof(*f));
    size_t bytes = (size_t)FAKE_NR_PAGES * TMEMIF_PAGE_SIZE;

    MUST(f != NULL);
    f->platform = (struct platform){.ops = &fake_ops, .domid = domid};
    f->max_mapped = UINT32_MAX;
    f->denied_from = UINT32_MAX;
    f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->memory_fd = memfd_create("guests", MFD_CLOEXEC);
    MUST(f->event_fd >= 0 && f->memory_fd >= 0);
    MUST(ftruncate(f->memory_fd, (off_t)bytes) == 0);
    f->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
    f->copied = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
    MUST(f->memory != MAP_FAILED && f->copied != MAP_FAILED);
    for (unsigned i = 0; i < FAKE_MAX_CHANNELS; i++) {
        f->channels[i].to_backend = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        f->channels[i].to_frontend = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        MUST(f->channels[i].to_backend >= 0 && f->channels[i].to_frontend >= 0);
    }
    return f;
}

void fake_platform_free(struct fake_platform *f)
{
    for (unsigned i = 0; i < FAKE_MAX_CHANNELS; i++) {
        close(f->channels[i].to_backend);
        close(f->channels[i].to_frontend);
    }
    munmap(f->memory, (size_t)FAKE_NR_PAGES * TMEMIF_PAGE_SIZE);
    munmap(f->copied, (size_t)FAKE_NR_PAGES * TMEMIF_PAGE_SIZE);
    close(f->memory_fd);
    close(f->event_fd);
    free(f);
}
