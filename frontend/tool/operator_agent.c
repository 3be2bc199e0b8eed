/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xentmem agent: keep guests attached as the policy file says.
 *
 * A small service of dom0. Whenever a domain comes or goes, and every few
 * seconds, it compares what is in xenstore with the policy file and mends the
 * difference: a guest that was started or rebooted is attached again, all of
 * them when the manager was created anew, and nodes of dead guests go. It keeps
 * nothing between two looks, so it may be restarted at any time.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_command.h"

/* Some changes have no watch: a name that is given late, a policy file written by hand. */
#define LOOK_EVERY_MS 5000
/* Events come in bursts while a domain is built; one look serves them all. */
#define SETTLE_MS 200

/* One event a line for the journal. */
static void say(const char *event, const struct domain *guest, uint32_t device, const char *why)
{
    fprintf(stderr, "xentmem agent: %s guest=%s domid=%u device=%u%s%s\n", event,
            guest->name[0] ? guest->name : "-", guest->domid, device, why ? ": " : "",
            why ? why : "");
}

/* ---- nodes of the dead ---- */

static bool is_alive(const struct domain *domains, unsigned nr, uint64_t domid)
{
    for (unsigned i = 0; i < nr; i++) {
        if (domains[i].domid == domid)
            return true;
    }
    return false;
}

static void remove_dead_guest(struct xs_handle *xs, unsigned manager, unsigned guest,
                              const char *folder)
{
    struct domain dead = {.domid = guest};
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
        if (attach_remove(xs, &place, i + 1 == nr, why))
            say("removed", &dead, place.device, "the guest is gone");
    }
    free(devices);
    /* a folder without devices */
    if (nr == 0)
        node_remove(xs, XBT_NULL, path);
}

/* Guests under @folder of the manager, which has one child for each domid. */
static void remove_dead(struct xs_handle *xs, unsigned manager, const struct domain *domains,
                        unsigned nr_domains, const char *folder)
{
    unsigned nr = 0;
    char **guests = xs_directory(xs, XBT_NULL, folder, &nr);
    uint64_t domid;

    for (unsigned i = 0; guests && i < nr; i++) {
        if (text_to_number(guests[i], UINT16_MAX, &domid) && !is_alive(domains, nr_domains, domid))
            remove_dead_guest(xs, manager, (unsigned)domid, folder);
    }
    free(guests);
}

static void remove_all_dead(struct xs_handle *xs, const struct domain *domains, unsigned nr_domains)
{
    for (unsigned i = 0; i < nr_domains; i++) {
        const struct schema_place place = {.manager = domains[i].domid};
        char folder[SCHEMA_PATH_LEN];

        schema_backends(folder, place.manager);
        remove_dead(xs, place.manager, domains, nr_domains, folder);
        schema_folder(folder, &place, SCHEMA_IN_GUEST);
        /* .../xentmem/guest/0/0 */
        *strrchr(folder, '/') = '\0';
        *strrchr(folder, '/') = '\0';
        remove_dead(xs, place.manager, domains, nr_domains, folder);
    }
}

/* ---- the living ---- */

static void keep_attached(struct operator_place *p, const struct domain *guest,
                          const struct book_guest *entry)
{
    struct schema_place where = {.guest = guest->domid, .device = entry->device};
    char why[XEN_WHY_LEN];
    struct domain manager;

    if (!domain_find_manager(p->xs, entry->manager, &manager, why) || manager.domid == guest->domid)
        return;
    where.manager = manager.domid;
    if (attach_look(p->xs, &where, guest->uuid) == ATTACH_THERE)
        return;
    if (attach_write(p->xs, &manager, guest, entry->device, &entry->grant, &p->book, why))
        say("attached", guest, entry->device, NULL);
    else
        say("failed", guest, entry->device, why);
}

static void look(void)
{
    struct operator_place place;
    struct domain *domains;
    unsigned nr;

    /* the lock of the book keeps us out of a command that is at work */
    if (operator_place_open(&place))
        return;
    domains = domains_read(place.xs, &nr);
    if (domains && nr) {
        remove_all_dead(place.xs, domains, nr);
        for (unsigned i = 0; i < nr; i++) {
            for (unsigned k = 0; k < place.book.nr_guests; k++) {
                const struct book_guest *entry = &place.book.guests[k];

                if (entry->attach && memcmp(entry->uuid, domains[i].uuid, 16) == 0)
                    keep_attached(&place, &domains[i], entry);
            }
        }
    }
    free(domains);
    operator_place_close(&place);
}

/* ---- the service ---- */

static void drain_watches(struct xs_handle *xs)
{
    char **event;

    while ((event = xs_check_watch(xs)))
        free(event);
}

/* Until a signal comes or xenstore is lost. */
static int serve(struct xs_handle *xs)
{
    struct pollfd wait = {.fd = xs_fileno(xs), .events = POLLIN};
    sigset_t blocked, none;

    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (;;) {
        struct timespec until = {.tv_sec = LOOK_EVERY_MS / 1000};

        drain_watches(xs);
        look();
        if (ppoll(&wait, 1, &until, &none) < 0)
            return errno == EINTR ? TOOL_DONE : tool_fail(TOOL_SYSTEM, "poll: %s", strerror(errno));
        if (wait.revents & (POLLHUP | POLLERR | POLLNVAL))
            return tool_fail(TOOL_SYSTEM, "xenstore is gone");
        if (wait.revents)
            poll(NULL, 0, SETTLE_MS);
    }
}

static void on_stop(int signal_number)
{
    (void)signal_number; /* ppoll() ends with EINTR */
}

int operator_agent(struct tool *tool, int argc, char **argv)
{
    const struct sigaction stop = {.sa_handler = on_stop};
    struct operator_options o;
    char why[XEN_WHY_LEN];
    struct xs_handle *xs;
    int code;

    (void)tool;
    if (!operator_read_options(argv[0], 0, argc, argv, &o))
        return TOOL_USAGE;
    if (optind != argc)
        return tool_usage(operator_command(argv[0]), "needs no arguments");
    xs = xen_open(why);
    if (!xs)
        return tool_fail(TOOL_SYSTEM, "%s", why);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    if (xs_watch(xs, "@introduceDomain", "agent") && xs_watch(xs, "@releaseDomain", "agent"))
        code = serve(xs);
    else
        code = tool_fail(TOOL_SYSTEM, "cannot watch domains come and go: %s", strerror(errno));
    xs_close(xs);
    return code;
}
