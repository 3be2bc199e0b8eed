/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xentmemd: build what the options ask for, run the control thread's loop, take
 * it all down in reverse. A stop leaves the pages with the keeper, as a crash does.
 */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/blk/disks.h"
#include "daemon/blockdev/blockdev.h"
#include "daemon/control/control.h"
#include "daemon/control/minimums.h"
#include "daemon/engine/engine.h"
#include "daemon/options.h"
#include "daemon/segments.h"
#include "daemon/session/polling.h"
#include "daemon/session/sessions.h"
#include "daemon/store/page_hash.h"
#include "daemon/store/store.h"
#include "daemon/transport/local/local.h"
#include "daemon/transport/xen/xen.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"
#include "daemon/util/malloc.h"
#include "daemon/util/notify.h"
#include "daemon/util/pace.h"
#include "daemon/xen_policy.h"
#include "protocol/copy.h"
#include "protocol/ring.h"
#include "protocol/trial.h"

/* How often memory of empty chunks goes back to the system, and how much of it at once. */
static const struct timeval TIDY_TIME = {.tv_sec = 1};
#define TIDY_CHUNKS 16u
/* Lines about damaged pages: some at once, then one an hour. */
#define DAMAGE_BURST     8u
#define DAMAGE_PERIOD_MS 3600000u
/* Dead pages reclaimed then, if the workers sleep, and at once: workers may wait for a slice. */
#define TIDY_SLICES 64u
#define TIDY_SLICE  256u

struct daemon {
    struct options options;
    struct log log;
    struct notify notify;
    bool emulated;          /* the processor is */
    uint64_t notify_ns;     /* what the call costs that notifies a guest; 0: not known */
    struct polling polling; /* of the workers */
    struct store *store;
    struct engine *engine;
    uint64_t damage_told; /* damaged pages that have been logged */
    struct pace damage_lines;
    struct minimums_teller minimums;
    struct disks *disks;
    struct policy_book *policy;
    struct control *control;
    struct session_table *sessions;
    struct event_base *base;
    struct event *sessions_event; /* readable, or its time has come */
    struct event *tidy_event;     /* timer */
    struct event *stop_events[2]; /* SIGTERM, SIGINT */
    struct local_transport *local;
    struct xen_transport *xen; /* NULL: no guests are served */
};

static bool fail(struct daemon *d, const char *what, const char *why)
{
    log_event(&d->log, LOG_LEVEL_ERROR, "start", "what=%s why=\"%s\"", what, why);
    return false;
}

/* ---- the loop ---- */

static void on_sessions(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;
    int wait_ms = sessions_run(d->sessions);
    struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};

    (void)fd;
    (void)what;
    event_add(d->sessions_event, wait_ms < 0 ? NULL : &wait);
    if (wait_ms < 0)
        event_remove_timer(d->sessions_event);
}

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;
    struct store_usage usage = store_usage(d->store);
    uint64_t nr_damaged = engine_nr_damaged(d->engine);

    (void)fd;
    (void)what;
    /* removed disks leave pages when nobody sends a request */
    for (unsigned n = 0; n < TIDY_SLICES && engine_reclaim(d->engine, TIDY_SLICE); n++)
        continue;
    disks_tidy(d->disks);
    minimums_tell(&d->minimums, d->engine, &d->log, clock_now_ms());
    /* some slack stays, or memory would go back and forth */
    if (usage.frames_taken - usage.frames_used > usage.frames_used / 8 + STORE_CHUNK_PAGES)
        store_shrink(d->store, TIDY_CHUNKS);
    /* a guest may read a damaged page of its disk for ever; lines of the disk name it */
    if (nr_damaged != d->damage_told &&
        pace_take(&d->damage_lines, clock_now_ms(), DAMAGE_BURST, DAMAGE_PERIOD_MS)) {
        log_event(&d->log, LOG_LEVEL_ERROR, "damage",
                  "pages=%llu why=\"other bytes than were put\"",
                  (unsigned long long)(nr_damaged - d->damage_told));
        d->damage_told = nr_damaged;
    }
}

static void on_stop(evutil_socket_t signal_number, short what, void *arg)
{
    struct daemon *d = arg;

    (void)what;
    log_event(&d->log, LOG_LEVEL_NOTICE, "stop", "signal=%d", (int)signal_number);
    event_base_loopbreak(d->base);
}

static bool build_loop(struct daemon *d)
{
    static const int signals[] = {SIGTERM, SIGINT};

    d->base = event_base_new();
    if (!d->base)
        return fail(d, "loop", "out of memory or descriptors");
    d->sessions_event =
        event_new(d->base, sessions_wait_fd(d->sessions), EV_READ | EV_PERSIST, on_sessions, d);
    d->tidy_event = event_new(d->base, -1, EV_PERSIST, on_tidy, d);
    if (!d->sessions_event || !d->tidy_event || event_add(d->sessions_event, NULL) < 0 ||
        event_add(d->tidy_event, &TIDY_TIME) < 0)
        return fail(d, "loop", "out of memory");
    for (unsigned i = 0; i < 2; i++) {
        d->stop_events[i] = evsignal_new(d->base, signals[i], on_stop, d);
        if (!d->stop_events[i] || event_add(d->stop_events[i], NULL) < 0)
            return fail(d, "loop", "out of memory");
    }
    return true;
}

/* ---- building ---- */

/* A client of the local transport takes two descriptors a ring, and three. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The workers and the control thread; beside them one for those who wait for devices. */
static unsigned nr_disk_workers(const struct daemon *d)
{
    return d->options.workers + 1;
}

static unsigned device_worker(const struct daemon *d)
{
    return nr_disk_workers(d);
}

/* What was kept may be more than is wanted now. */
static void keep_to_memory(struct daemon *d)
{
    uint64_t pages = d->options.memory_pages;
    uint32_t limit;

    if (pages == 0 || pages >= store_super(d->store)->nr_frames)
        return;
    limit = engine_set_limit(d->engine, (uint32_t)pages);
    if (limit > pages)
        log_event(&d->log, LOG_LEVEL_WARNING, "segments",
                  "why=\"--memory is less than what persistent pages and disks take\" pages=%u",
                  (unsigned)limit);
}

static bool build_engine(struct daemon *d)
{
    struct engine_config config = {
        .nr_workers = device_worker(d) + 1,
        .nr_shards = engine_shards_for(d->options.workers), /* the others are seldom in it */
        .emulated = d->emulated,
    };

    if (getrandom(&config.hash_seed, sizeof(config.hash_seed), 0) != sizeof(config.hash_seed))
        return fail(d, "engine", "no random numbers");
    d->engine = engine_create(d->store, &config);
    if (!d->engine)
        return fail(d, "engine", "out of memory");
    if (store_damage(d->store)->duplicates)
        log_event(&d->log, LOG_LEVEL_ERROR, "damage", "pages=%llu why=\"two of one handle\"",
                  (unsigned long long)store_damage(d->store)->duplicates);
    keep_to_memory(d);
    return true;
}

/* TOO_MANY: the pool holds nothing then, and the device is used without it. */
static void give_policy(void *arg, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    struct daemon *d = arg;

    (void)policy_set_shared(d->policy, uuid, 0, &POLICY_DEFAULT);
}

static bool build_disks(struct daemon *d)
{
    const struct caches_config caches = {.engine = d->engine,
                                         .worker = device_worker(d),
                                         .source = &blockdev_source,
                                         .give_policy = give_policy,
                                         .arg = d};
    const struct disks_config config = {.engine = d->engine,
                                        .store = d->store,
                                        .nr_workers = nr_disk_workers(d),
                                        .caches = &caches};
    struct disks_found found;
    const char *why;

    if (!disks_create(&config, &d->disks, &found, &why))
        return fail(d, "disks", why);
    if (found.disks + found.bases + found.undone + found.lost)
        log_event(&d->log, found.lost ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE, "disks",
                  "disks=%u bases=%u undone=%u lost=%u", found.disks, found.bases, found.undone,
                  found.lost);
    return true;
}

static bool build_control(struct daemon *d)
{
    struct control_config config;

    d->policy = policy_create(d->engine, &d->options.local);
    config = (struct control_config){.engine = d->engine,
                                     .store = d->store,
                                     .policy = d->policy,
                                     .disks = d->disks,
                                     .log = &d->log};
    if (d->policy)
        d->control = control_create(&config);
    return d->control ? true : fail(d, "control", "out of memory");
}

static bool build_sessions(struct daemon *d)
{
    const struct session_config config = {
        .engine = d->engine,
        .store = d->store,
        .log = &d->log,
        .nr_workers = d->options.workers,
        .polling = d->polling,
        .control = &control_functions,
        .control_arg = d->control,
    };
    struct control_sessions bound = {.pause = sessions_pause, .resume = sessions_resume};
    const char *why;

    if (!sessions_create(&config, &d->sessions, &why))
        return fail(d, "sessions", why);
    bound.table = d->sessions;
    control_bind(d->control, &bound);
    return true;
}

/* The directory of the default socket is ours to make; any other is the operator's. */
static void make_socket_directory(const char *path)
{
    if (strcmp(path, OPTIONS_SOCKET_DEFAULT) == 0)
        mkdir("/run/xentmem", 0755);
}

static bool build_local(struct daemon *d)
{
    const struct local_config config = {
        .base = d->base,
        .sessions = d->sessions,
        .log = &d->log,
        .path = d->options.socket,
        .mode = d->options.socket_mode,
        .epoch = store_super(d->store)->incarnation,
    };
    const char *why;

    if (!d->options.socket)
        return true;
    make_socket_directory(d->options.socket);
    d->local = local_transport_start(&config, &why);
    if (!d->local)
        log_event(&d->log, LOG_LEVEL_ERROR, "start", "what=socket path=%s why=\"%s\"",
                  d->options.socket, why);
    return d->local;
}

static bool build_xen(struct daemon *d)
{
    const struct xen_config config = {
        .base = d->base,
        .sessions = d->sessions,
        .log = &d->log,
        .disks = d->disks,
        .store = d->store,
        .nr_workers = d->options.workers,
        .epoch = store_super(d->store)->incarnation,
        .policy = &xen_policy_functions,
        .policy_arg = d->policy,
    };
    const char *why;

    if (d->options.xen != XEN_NEVER)
        d->xen = xen_transport_start(&config, &why);
    if (!d->xen)
        disks_taken_up(d->disks);
    if (d->xen || d->options.xen == XEN_NEVER)
        return true;
    if (d->options.xen == XEN_REQUIRED || !d->options.socket)
        return fail(d, "xen", why);
    log_event(&d->log, LOG_LEVEL_NOTICE, "no-guests", "why=\"%s\"", why);
    return true;
}

static bool build(struct daemon *d)
{
    if (!notify_open(&d->notify))
        return fail(d, "notify", strerror(errno));
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN); /* peers close their ends at will */
    return segments_open(&d->log, &d->notify, d->options.memory_pages, d->options.fresh,
                         &d->store) &&
           build_engine(d) && build_disks(d) && build_control(d) && build_sessions(d) &&
           build_loop(d) && build_local(d) && build_xen(d);
}

/* ---- taking down ---- */

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

static void take_down(struct daemon *d)
{
    xen_transport_stop(d->xen);
    local_transport_stop(d->local);
    for (unsigned i = 0; i < 2; i++)
        free_event(d->stop_events[i]);
    free_event(d->tidy_event);
    free_event(d->sessions_event);
    if (d->base)
        event_base_free(d->base);
    if (d->sessions)
        sessions_destroy(d->sessions);
    if (d->control)
        control_destroy(d->control);
    if (d->policy)
        policy_destroy(d->policy);
    if (d->disks && !disks_are_idle(d->disks))
        log_event(&d->log, LOG_LEVEL_NOTICE, "stop",
                  "why=\"waits for requests that are under way at a device\"");
    disks_destroy(d->disks);
    if (d->engine)
        engine_destroy(d->engine);
    if (d->store)
        store_close(d->store);
    notify_close(&d->notify);
}

static void serve(struct daemon *d)
{
    log_event(&d->log, LOG_LEVEL_NOTICE, "ready",
              "version=" XENTMEM_VERSION
              " workers=%u poll_us=%u poll_local_us=%u notify_ns=%" PRIu64 " emulated=%u",
              d->options.workers, (unsigned)(d->polling.apart_ns / 1000),
              (unsigned)(d->polling.local_ns / 1000), d->notify_ns, d->emulated);
    notify_send(&d->notify, "READY=1\nSTATUS=serving");
    event_base_dispatch(d->base);
    notify_send(&d->notify, "STOPPING=1");
}

/* How long workers look before they sleep, by what calls cost. */
static void choose_polling(struct daemon *d)
{
    const struct options *o = &d->options;
    bool chosen = o->poll_us == OPTIONS_POLL_CHOOSE;
    uint64_t clock_ns = trial_clock_ns(clock_now_ns), call_ns;
    unsigned apart_us, local_us;

    if (o->xen != XEN_NEVER)
        d->notify_ns = xen_transport_notify_ns(clock_now_ns);
    call_ns = clock_ns > d->notify_ns ? clock_ns : d->notify_ns;
    apart_us = chosen ? polling_apart_us(call_ns) : (unsigned)o->poll_us;
    local_us = chosen ? ring_look_us(clock_ns, 0) : (unsigned)o->poll_us;
    d->polling = polling_make(apart_us, o->poll_local ? local_us : 0, clock_ns, call_ns);
}

int main(int argc, char **argv)
{
    struct daemon d = {.notify = {.fd = -1}};
    bool ok;

    switch (options_parse(argc, argv, &d.options)) {
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_BAD:
        return 2;
    case OPTIONS_RUN:
        break;
    }
    page_hash_choose(clock_now_ns);
    d.emulated = copy_choose(clock_now_ns); /* no real one was seen to prefer words */
    choose_polling(&d);
    log_init(&d.log, STDERR_FILENO, d.options.log_level);
    malloc_settle();
    ok = build(&d);
    if (ok)
        serve(&d);
    take_down(&d);
    return ok ? 0 : 1;
}
