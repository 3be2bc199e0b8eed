/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "frontend/include/xentmem.h"
#include "frontend/lib/clock.h"
#include "frontend/lib/handle_life.h"
#include "frontend/lib/request.h"
#include "frontend/lib/where.h"
#include "protocol/copy.h"
#include "protocol/local.h"
#include "protocol/ring.h"

/* As long as xentmem attach waits; a manager that restarts under load takes some of it. */
#define DEFAULT_TIMEOUT_MS 30000

_Static_assert(TMEMIF_MAX_RINGS == 64 && TMEMIF_MAX_RING_PAGE_ORDER == 3 &&
                   ATTACH_MIN_DATA_PAGES == 8 && TMEMIF_MAX_DATA_PAGES == 65536,
               "the numbers that are said");

/* What is wrong with them, in words; NULL: nothing. */
static const char *fault_of(const struct xentmem_options *o, unsigned flags)
{
    if (flags & ~XENTMEM_OPEN_CONTROL)
        return "flags that this library does not know";
    if (o->nr_rings > TMEMIF_MAX_RINGS)
        return "options.nr_rings: at most 64";
    if (o->ring_page_order < -1 || o->ring_page_order > (int)TMEMIF_MAX_RING_PAGE_ORDER)
        return "options.ring_page_order: -1 to 3";
    if (o->nr_data_pages != 0 &&
        (o->nr_data_pages < ATTACH_MIN_DATA_PAGES || o->nr_data_pages > TMEMIF_MAX_DATA_PAGES))
        return "options.nr_data_pages: 0, or 8 to 65536";
    if (o->poll_us < -1 || o->poll_us > 1000000)
        return "options.poll_us: -1 to 1000000";
    if (o->timeout_ms < -1)
        return "options.timeout_ms: -1 or more";
    return o->reserved ? "options.reserved: 0; start from XENTMEM_OPTIONS_INIT" : NULL;
}

static unsigned choose_poll_us(int wanted, const struct attach *a, uint64_t clock_cost_ns)
{
    if (wanted >= 0)
        return (unsigned)wanted;
    /* with one CPU a manager that shares it runs only when we do not */
    if (!a->apart && sysconf(_SC_NPROCESSORS_ONLN) == 1)
        return 0;
    return ring_look_us(clock_cost_ns, a->notify_ns);
}

static int find_manager(const char *text, struct where *where_out)
{
    if (text)
        return where_parse(text, where_out) ? 0 : EINVAL;
    where_parse(attach_xen_exists(0) ? "xen:0" : "local:", where_out);
    return 0;
}

/* The attachment, and with it the memory. 0 or an errno value, said in the log. */
static int attach(const char *text, const struct xentmem_options *o,
                  const struct handle_config *config, struct attach **attach_out)
{
    struct attach_want want = {
        .nr_rings = o->nr_rings,
        .ring_page_order = o->ring_page_order,
        .nr_data_pages = o->nr_data_pages,
        .min_data_pages = ATTACH_MIN_DATA_PAGES,
        .fence_ms = o->fence_ms,
        .timeout_ms = config->timeout_ms,
        .log = config->log,
    };
    struct where *where;
    int error;

    if (getrandom(&want.session, sizeof(want.session), 0) != sizeof(want.session))
        return log_error(&want.log, "no random number for the session", errno);
    where = malloc(sizeof(*where));
    if (!where)
        return log_error(&want.log, "no handle", ENOMEM);
    error = find_manager(text, where);
    if (error) {
        log_say(&want.log, "%s: neither xen:N nor local:PATH[:N]", text);
        goto out;
    }
    if (config->control) {
        /* one message and its reply at a time */
        want.nr_rings = 1;
        want.ring_page_order = 0;
        want.nr_data_pages = want.min_data_pages = REQUEST_CONTROL_PAGES;
    }
    want.device = where->device;
    want.path = where->path;
    if (where->kind == WHERE_XEN) {
        error = attach_xen_open(&want, attach_out);
    } else {
        if (config->control)
            want.device = TMEMIF_LOCAL_OPERATOR;
        error = attach_local_open(&want, attach_out);
        if (error == ENODEV && !text)
            log_say(&want.log, "no manager: no device/tmem/0 of a Xen guest, and nobody on %s",
                    where->path);
        if (error == ECONNRESET || error == EPIPE) /* it was there, and is on its way down */
            error = ENODEV;
    }
out:
    free(where);
    return error;
}

static pthread_once_t copy_chosen = PTHREAD_ONCE_INIT;

static void choose_copy(void)
{
    copy_choose(clock_ns);
}

struct xentmem *xentmem_open(const char *where, unsigned flags,
                             const struct xentmem_options *options)
{
    static const struct xentmem_options defaults = XENTMEM_OPTIONS_INIT;
    const struct xentmem_options *o = options ? options : &defaults;
    struct handle_config config;
    uint64_t clock_cost_ns;
    struct xentmem *t = NULL;
    struct attach *a;
    const char *fault;
    int error;

    /* whose size is another is another struct: nothing in it means what we think, not even log */
    if (o->size != sizeof(*o)) {
        errno = EINVAL;
        return NULL;
    }
    config = (struct handle_config){
        .log = {.say = o->log, .arg = o->log_arg},
        .timeout_ms = o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS,
        .fence_ms = o->fence_ms,
        .control = flags & XENTMEM_OPEN_CONTROL,
    };
    fault = fault_of(o, flags);
    if (fault) {
        log_say(&config.log, "%s", fault);
        errno = EINVAL;
        return NULL;
    }
    clock_cost_ns = clock_choose_ns();
    error = attach(where, o, &config, &a);
    if (!error) {
        if (!config.control) /* which moves no pages */
            pthread_once(&copy_chosen, choose_copy);
        config.poll_us = choose_poll_us(o->poll_us, a, clock_cost_ns);
        a->looks = config.poll_us != 0;
        config.poll_pause_us = patience_pause_us(config.poll_us, clock_cost_ns);
        error = handle_create(a, &config, &t);
    }
    if (error)
        errno = error;
    return t;
}

void xentmem_close(struct xentmem *t)
{
    int saved = errno;

    if (t)
        handle_destroy(t);
    errno = saved;
}
