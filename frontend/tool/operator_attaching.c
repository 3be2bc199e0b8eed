/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem attach, xentmem detach */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_dead.h"
#include "frontend/tool/operator_entry.h"
#include "frontend/tool/operator_signal.h"
#include "frontend/tool/progress.h"
#include "xenstore-schema/states.h"

/* What attach and detach were asked, and whom it is about. */
struct job {
    struct tool *tool;
    struct operator_options options;
    struct operator_place place;
    struct domain guest, manager;
    struct schema_place where;
};

/* As for set and detach also by the name that it was attached under, and by its UUID. */
static int find_guest(struct job *job, const char *text)
{
    char why[XEN_WHY_LEN];
    struct subject subject;

    if (!subject_find(&subject, text, job->place.xs, &job->place.book, why))
        return tool_fail(TOOL_REFUSED, "%s", why);
    if (subject.kind == SUBJECT_LOCAL)
        return tool_fail(TOOL_REFUSED, "%s is no guest of Xen", text);
    if (subject.kind == SUBJECT_POOL)
        return tool_fail(TOOL_REFUSED,
                         "no guest with the UUID %s was attached before: name it, or its domid",
                         text);
    if (subject.domain.domid == DOMID_NONE)
        return tool_fail(TOOL_REFUSED, "%s does not run", text);
    job->guest = subject.domain;
    return TOOL_DONE;
}

static void set_manager(struct job *job, const struct domain *manager)
{
    job->manager = *manager;
    job->where = (struct schema_place){
        .manager = manager->domid, .guest = job->guest.domid, .device = job->options.device};
}

static int find_manager(struct job *job, const char *name)
{
    char why[XEN_WHY_LEN];
    struct domain manager;

    if (!domain_find_manager(job->place.xs, name, &manager, why))
        return tool_fail(TOOL_NO_MANAGER, "%s", why);
    if (manager.domid == job->guest.domid)
        return tool_fail(TOOL_REFUSED, "%s is the manager itself", job->guest.name);
    set_manager(job, &manager);
    return TOOL_DONE;
}

/*
 * Is the manager one, and is the guest free? Nothing is written before: the guest's nodes, written
 * anew for another manager, would cost it the pools that it has.
 */
static int may_attach(struct job *job)
{
    struct domain other;
    bool is_elsewhere = attach_find_other(job->place.xs, &job->where, job->guest.uuid, &other);
    char why[XEN_WHY_LEN], device[24] = "";

    if (is_elsewhere)
        job->options.timeout_ms = 0; /* nothing comes of waiting */
    if (!attach_wait_ready(job->tool, job->place.xs, &job->manager, &job->guest,
                           &job->options.timeout_ms, why))
        return tool_fail(TOOL_NO_MANAGER, "%s: %s", job->guest.name, why);
    if (!is_elsewhere)
        return TOOL_DONE;
    if (job->options.device)
        snprintf(device, sizeof(device), " -d %u", job->options.device);
    return tool_fail(TOOL_REFUSED, "%s is attached to %s; detach it first: xentmem detach %s%s",
                     job->guest.name, other.name, job->guest.name, device);
}

/*
 * The nodes of a new attachment, taken away again unless the manager takes notice and the book is
 * saved.
 */
static int make_attachment(struct job *job, const struct book_guest *entry)
{
    bool was_bare = attach_is_bare(job->place.xs, job->manager.domid);
    char why[XEN_WHY_LEN];
    int code;

    if (!attach_write(job->place.xs, &job->manager, &job->guest, job->options.device, &entry->grant,
                      &job->place.book, why))
        return tool_fail(TOOL_SYSTEM, "%s: %s", job->guest.name, why);
    code = attach_wait(job->tool, job->place.xs, &job->manager, &job->guest, job->options.device,
                       job->options.timeout_ms, why);
    if (code)
        tool_fail(code, "%s: %s", job->guest.name, why);
    else
        code = operator_place_save(&job->place);
    if (code && !attach_take_back(job->place.xs, &job->where, was_bare, &job->place.book, why))
        tool_say("%s: %s", job->guest.name, why);
    return code;
}

/* As for set: the book first, which can fail for more reasons. */
static int change_attachment(struct job *job, const struct book_guest *entry)
{
    char why[XEN_WHY_LEN];
    int code = operator_place_save(&job->place);

    if (code)
        return code;
    if (!attach_write_grant(job->place.xs, &job->where, &entry->grant, why))
        return tool_fail(TOOL_SYSTEM, "%s: %s", job->guest.name, why);
    return TOOL_DONE;
}

/* Names are kept in a file of JSON. */
static int check_name(const struct domain *domain)
{
    return text_is_utf8(domain->name)
               ? TOOL_DONE
               : tool_fail(
                     TOOL_REFUSED,
                     "the name of domain %u is not UTF-8, as the policy file is: xl rename %u "
                     "NAME",
                     domain->domid, domain->domid);
}

static int write_attachment(struct job *job, bool there)
{
    struct book_guest *entry =
        book_add_guest(&job->place.book, job->guest.uuid, job->options.device);
    char why[GRANT_WHY_LEN];
    int code = check_name(&job->guest);

    if (code == TOOL_DONE && job->options.manager)
        code = check_name(&job->manager);
    if (code)
        return code;
    if (!entry)
        return operator_place_full();
    grant_merge(&entry->grant, &job->options.grant);
    if (!grant_is_sound(&entry->grant, why))
        return tool_fail(TOOL_REFUSED, "%s: %s", job->guest.name, why);
    memcpy(entry->name, job->guest.name, sizeof(entry->name));
    if (job->options.manager)
        snprintf(entry->manager, sizeof(entry->manager), "%s", job->manager.name);
    entry->attach = true;

    return there ? change_attachment(job, entry) : make_attachment(job, entry);
}

static int attach_guest(struct job *job)
{
    bool there = attach_look(job->place.xs, &job->where, job->guest.uuid) == ATTACH_THERE;
    int code = there ? TOOL_DONE : may_attach(job);
    sigset_t before;

    if (code)
        return code;
    /* nodes whose manager has not answered are taken back, and nodes that stay are in the book */
    signals_hold(&before);
    code = write_attachment(job, there);
    signals_release(&before);
    if (code == TOOL_DONE && !job->tool->json)
        printf("%s (domain %u) %s %s, device %u\n", job->guest.name, job->guest.domid,
               there ? "is attached already to" : "attached to", job->manager.name,
               job->options.device);
    return code;
}

int operator_attach(struct tool *tool, int argc, char **argv)
{
    struct job job = {.tool = tool};
    const struct book_guest *entry;
    int code;

    if (!operator_read_options(
            argv[0], OPERATOR_GRANT | OPERATOR_MANAGER | OPERATOR_DEVICE | OPERATOR_TIMEOUT, argc,
            argv, &job.options))
        return TOOL_USAGE;
    if (argc - optind != 1)
        return tool_usage(operator_command(argv[0]), "needs one guest");
    code = operator_place_open(&job.place);
    if (code)
        return code;
    dead_sweep(job.place.xs);
    code = find_guest(&job, argv[optind]);
    if (code == TOOL_DONE) {
        entry = book_find_guest(&job.place.book, job.guest.uuid, job.options.device);
        code = find_manager(&job,
                            job.options.manager || !entry ? job.options.manager : entry->manager);
    }
    if (code == TOOL_DONE)
        code = attach_guest(&job);
    operator_place_close(&job.place);
    return code;
}

/* ---- detach ---- */

static void show_wait(void *arg, unsigned passed_ms)
{
    progress_show(arg, "waiting for the guest to let go: %u.%u s", passed_ms / 1000,
                  passed_ms / 100 % 10);
}

/* The agent is to leave it alone, whatever becomes of the rest of a detach. */
static int forget_attachment(struct job *job, struct book_guest *entry)
{
    if (!entry || !entry->attach)
        return TOOL_DONE;
    entry->attach = false;
    return operator_place_save(&job->place);
}

/* Ask both ends to close, and take the nodes away when they have, or when time is over. */
static int close_ends(struct job *job)
{
    struct progress line = {.off = job->tool->no_progress};
    char path[SCHEMA_PATH_LEN], why[XEN_WHY_LEN];
    unsigned state;

    /* a manager that cannot be asked loses the attachment all the same */
    attach_retire(job->place.xs, &job->where, why);
    schema_path(path, &job->where, SCHEMA_BACKEND_STATE, 0);
    state = node_wait_state(job->place.xs, path, 1u << XENBUS_CLOSED | 1u << XENBUS_UNKNOWN,
                            job->options.timeout_ms, show_wait, &line);
    progress_clear(&line);
    if (!attach_remove(job->place.xs, &job->where, why))
        return tool_fail(TOOL_SYSTEM, "%s: %s", job->guest.name, why);
    if (!job->tool->json)
        printf("%s (domain %u) detached from %s%s\n", job->guest.name, job->guest.domid,
               job->manager.name,
               state == XENBUS_CLOSED || state == XENBUS_UNKNOWN ? ""
                                                                 : "; it had not let go by itself");
    return TOOL_DONE;
}

/* A signal ends the wait and nothing else: the pools of one that was asked to close are gone. */
static int close_attachment(struct job *job, struct book_guest *entry)
{
    sigset_t before;
    int code;

    signals_hold(&before);
    code = forget_attachment(job, entry);
    if (code == TOOL_DONE)
        code = close_ends(job);
    signals_release(&before);
    return code;
}

/* Nothing is there; but the agent may have been about to attach it, to the one that is named. */
static int detach_absent(struct job *job, struct book_guest *entry)
{
    const char *name = job->options.manager;
    char why[XEN_WHY_LEN];
    struct domain manager;

    if (name && !domain_find_manager(job->place.xs, name, &manager, why))
        return tool_fail(TOOL_NO_MANAGER, "%s", why);
    if (entry && entry->attach && entry_is_managed_by(job->place.xs, entry, job->guest.domid, name))
        return forget_attachment(job, entry);
    return tool_fail(TOOL_REFUSED, "%s is not attached%s%s (device %u)", job->guest.name,
                     name ? " to " : "", name ? name : "", job->options.device);
}

/* Where the attachment is looked for first. Without a manager there, at whoever has the guest. */
static int find_manager_to_leave(struct job *job, const struct book_guest *entry,
                                 char why_out[XEN_WHY_LEN])
{
    struct domain manager;

    if (job->options.manager)
        return find_manager(job, job->options.manager);
    if (domain_find_manager(job->place.xs, entry ? entry->manager : NULL, &manager, why_out))
        set_manager(job, &manager);
    else
        job->where = (struct schema_place){
            .manager = DOMID_NONE, .guest = job->guest.domid, .device = job->options.device};
    return TOOL_DONE;
}

/* One that runs before what a manager has left; that of the one named is closed where it is. */
static bool find_who_has_it(const struct job *job, struct domain *manager_out)
{
    struct xs_handle *xs = job->place.xs;

    return attach_find_running(xs, &job->where, job->guest.uuid, manager_out) ||
           (!attach_has_policy(xs, &job->where, job->guest.uuid) &&
            attach_find_any(xs, job->guest.domid, job->options.device, job->guest.uuid,
                            manager_out));
}

static int detach_running(struct job *job, struct book_guest *entry)
{
    enum attach_state state = ATTACH_NONE;
    char why[XEN_WHY_LEN];
    struct domain other;
    int code = find_manager_to_leave(job, entry, why);

    if (code)
        return code;
    if (job->where.manager != DOMID_NONE)
        state = attach_look(job->place.xs, &job->where, job->guest.uuid);
    if (state != ATTACH_THERE && find_who_has_it(job, &other)) {
        if (job->options.manager)
            return tool_fail(TOOL_REFUSED, "%s is attached to %s, not to %s", job->guest.name,
                             other.name, job->manager.name);
        set_manager(job, &other);
        return close_attachment(job, entry);
    }
    if (state != ATTACH_NONE)
        return close_attachment(job, entry);
    if (job->where.manager == DOMID_NONE && !entry)
        return tool_fail(TOOL_NO_MANAGER, "%s", why);
    return detach_absent(job, entry);
}

int operator_detach(struct tool *tool, int argc, char **argv)
{
    struct job job = {.tool = tool};
    char why[XEN_WHY_LEN];
    struct book_guest *entry;
    struct subject subject;
    int code;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER | OPERATOR_DEVICE | OPERATOR_TIMEOUT, argc,
                               argv, &job.options))
        return TOOL_USAGE;
    if (argc - optind != 1)
        return tool_usage(operator_command(argv[0]), "needs one guest");
    code = operator_place_open(&job.place);
    if (code)
        return code;
    dead_sweep(job.place.xs);
    if (!subject_find(&subject, argv[optind], job.place.xs, &job.place.book, why)) {
        code = tool_fail(TOOL_REFUSED, "%s", why);
    } else if (subject.kind != SUBJECT_XEN) {
        code = tool_fail(TOOL_REFUSED, "%s is no guest of Xen", argv[optind]);
    } else {
        job.guest = subject.domain;
        entry = book_find_guest(&job.place.book, subject.uuid, job.options.device);
        code = subject.domain.domid != DOMID_NONE ? detach_running(&job, entry)
                                                  : detach_absent(&job, entry);
    }
    operator_place_close(&job.place);
    return code;
}
