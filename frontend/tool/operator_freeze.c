/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem freeze, thaw, log: what is said to the manager and kept nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_entry.h"

/* Of one guest; none: the one of --manager or the default one, as for whatever is no guest. */
struct managers {
    struct domain *at;
    unsigned nr;
};

static void add(struct managers *managers, const struct domain *manager)
{
    for (unsigned i = 0; i < managers->nr; i++) {
        if (managers->at[i].domid == manager->domid)
            return;
    }
    managers->at[managers->nr++] = *manager;
}

/* Those that have it, or, of one that does not run, are to have it again. */
static int find_managers(const struct operator_place *place, const struct subject *subject,
                         struct managers *managers_out)
{
    unsigned guest = subject->domain.domid;

    managers_out->at = calloc(place->book.nr_guests + 1, sizeof(*managers_out->at));
    if (!managers_out->at)
        return tool_fail(TOOL_SYSTEM, "no memory");
    for (unsigned i = 0; i < place->book.nr_guests; i++) {
        const struct book_guest *entry = &place->book.guests[i];
        struct domain manager;

        if (subject_means(subject, entry) &&
            entry_find_manager(place->xs, entry, guest, &manager) &&
            (guest == DOMID_NONE ? entry->attach
                                 : entry_is_at(place->xs, entry, guest, manager.domid)))
            add(managers_out, &manager);
    }
    return TOOL_DONE;
}

/*
 * Whom the operator means, with the help of xenstore and the book where they are, and who is to be
 * told. @is_thaw: who is gone, too, for a freeze is a guest's and would stay.
 */
static int find(struct tool *tool, const char *text, const struct operator_options *o, bool is_thaw,
                struct subject *subject_out, struct managers *managers_out)
{
    struct operator_place place = {0};
    int code = TOOL_DONE;

    if (talk_by_xenstore(tool) && subject_is_local(text))
        tool->attach = "local:"; /* the policy file has nothing of them */
    if (talk_by_xenstore(tool)) {
        code = operator_place_open(&place);
        if (code)
            return code;
    }
    code = operator_find_subject(tool, place.xs ? &place : NULL, text, o, subject_out);
    if (code == TOOL_DONE && subject_out->kind == SUBJECT_XEN && !is_thaw &&
        subject_out->domain.domid == DOMID_NONE)
        code = tool_fail(TOOL_REFUSED, "%s does not run", text);
    if (code == TOOL_DONE && subject_out->kind == SUBJECT_XEN && !o->manager)
        code = find_managers(&place, subject_out, managers_out);
    if (place.xs)
        operator_place_close(&place);
    return code;
}

/* One that fails keeps none of the others from it. A thaw has to find something at one of them. */
static int tell_everywhere(struct tool *tool, const struct managers *managers,
                           const union tmemctl_message *m, const char *what)
{
    int code = TOOL_DONE;
    bool found = false;

    for (unsigned i = 0; i < managers->nr; i++) {
        char at[sizeof(managers->at[i].name) + 96];
        bool is_missing;
        int failed;

        snprintf(at, sizeof(at), "%s%s%s", what, managers->nr > 1 ? " at " : "",
                 managers->nr > 1 ? managers->at[i].name : "");
        failed = talk_ask_at(tool, &managers->at[i], m, at, &is_missing);
        if (is_missing && m->head.command == TMEMCTL_FREEZE)
            failed = tool_result(tool, at, XENTMEM_NOT_FOUND);
        found = found || failed || !is_missing;
        code = failed ? failed : code;
    }
    return found ? code : tool_result(tool, what, XENTMEM_NOT_FOUND);
}

static int change(struct tool *tool, int argc, char **argv, enum tmemctl_command command)
{
    union tmemctl_message m = talk_message(command);
    struct managers managers = {0};
    struct operator_options o;
    struct subject subject;
    char what[64];
    int code;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER | OPERATOR_DEVICE, argc, argv, &o))
        return TOOL_USAGE;
    if (command == TMEMCTL_FREEZE && argc - optind == 2 && !o.has_device)
        return operator_freeze_disk(tool, o.manager, argv[optind], argv[optind + 1]);
    if (argc - optind != 1)
        return tool_usage(operator_command(argv[0]), "needs one guest or shared pool");
    code = find(tool, argv[optind], &o, command == TMEMCTL_THAW, &subject, &managers);
    if (code)
        return code;
    if (subject.kind == SUBJECT_POOL)
        memcpy(m.target.uuid, subject.uuid, 16);
    else
        m.target.guest = subject_who(&subject);
    snprintf(what, sizeof(what), "%s %s", argv[0], argv[optind]);
    code = managers.nr ? tell_everywhere(tool, &managers, &m, what)
                       : talk_once(tool, o.manager, &m, NULL, NULL, what);
    free(managers.at);
    return code;
}

int operator_freeze(struct tool *tool, int argc, char **argv)
{
    return change(tool, argc, argv, TMEMCTL_FREEZE);
}

int operator_thaw(struct tool *tool, int argc, char **argv)
{
    return change(tool, argc, argv, TMEMCTL_THAW);
}

int operator_log(struct tool *tool, int argc, char **argv)
{
    static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
    union tmemctl_message m = talk_message(TMEMCTL_LOG);
    struct operator_options o;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    for (uint32_t i = 0; argc - optind == 1 && i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(argv[optind], levels[i]) == 0)
            m.log.level = TMEMCTL_LOG_ERROR + i;
    }
    if (m.log.level == 0)
        return tool_usage(operator_command(argv[0]),
                          "needs a level: error, warning, notice, info, debug");
    return talk_once(tool, o.manager, &m, NULL, NULL, "log");
}
