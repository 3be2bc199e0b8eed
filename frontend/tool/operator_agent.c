/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xentmem agent: keep guests attached as the policy file says.
 *
 * A small service of dom0. Whenever a domain comes or goes, and every few
 * seconds, it compares what is in xenstore with the policy file and mends the
 * difference: a guest that was started or rebooted is attached again, all of
 * them when the manager was created anew, and nodes of dead guests go; disks of a manager that
 * died get the nodes of the one that has its number. It keeps
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
#include "frontend/tool/operator_dead.h"
#include "frontend/tool/operator_signal.h"

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

static void say_removed(unsigned domid, uint32_t device)
{
    const struct domain dead = {.domid = domid};

    say("removed", &dead, device, "the guest is gone");
}

/* ---- ending ---- */

/* It comes while we wait, for events or for the book's lock: there is nothing to end. */
static void on_stop(int signal_number)
{
    (void)signal_number;
    _exit(TOOL_DONE);
}

/* ---- looking ---- */

static void keep_attached(struct operator_place *p, const struct domain *guest,
                          const struct book_guest *entry)
{
    struct schema_place where = {.guest = guest->domid, .device = entry->device};
    char why[XEN_WHY_LEN];
    struct domain manager, other;

    if (!domain_find_manager(p->xs, entry->manager, &manager, why) || manager.domid == guest->domid)
        return;
    where.manager = manager.domid;
    if (attach_look(p->xs, &where, guest->uuid) == ATTACH_THERE ||
        attach_find_other(p->xs, &where, guest->uuid, &other))
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
    sigset_t before;
    unsigned nr;

    /* the lock of the book keeps us out of a command that is at work, which may take its time */
    if (operator_place_open(&place))
        return;
    signals_hold(&before); /* what is begun is carried out */
    domains = domains_read(place.xs, &nr);
    if (domains && nr) {
        dead_remove(place.xs, domains, nr, say_removed);
        for (unsigned i = 0; i < nr; i++) {
            for (unsigned k = 0; k < place.book.nr_guests; k++) {
                const struct book_guest *entry = &place.book.guests[k];

                if (entry->attach && domain_is_guest(&domains[i], entry->uuid))
                    keep_attached(&place, &domains[i], entry);
            }
        }
    }
    free(domains);
    operator_place_close(&place);
    signals_release(&before);
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

    for (;;) {
        drain_watches(xs);
        look();
        if (poll(&wait, 1, LOOK_EVERY_MS) < 0)
            return tool_fail(TOOL_SYSTEM, "poll: %s", strerror(errno));
        if (wait.revents & (POLLHUP | POLLERR | POLLNVAL))
            return tool_fail(TOOL_SYSTEM, "xenstore is gone");
        if (wait.revents)
            poll(NULL, 0, SETTLE_MS);
    }
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
