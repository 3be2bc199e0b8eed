/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem forget: a guest that is gone for good, out of the policy file. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_signal.h"

/* The agent would attach it again, or the manager serves it with what is to be forgotten. */
static bool is_in_use(const struct operator_place *place, const struct subject *subject,
                      const struct book_guest *entry)
{
    const struct schema_place where = {
        .manager = DOMID_NONE, .guest = subject->domain.domid, .device = entry->device};
    struct domain manager;

    return subject->domain.domid != DOMID_NONE &&
           (entry->attach || attach_find_other(place->xs, &where, entry->uuid, &manager));
}

static int may_forget(const struct operator_place *place, const struct subject *subject,
                      const char *text)
{
    for (unsigned i = 0; i < place->book.nr_guests; i++) {
        const struct book_guest *entry = &place->book.guests[i];

        if (memcmp(entry->uuid, subject->uuid, 16) ||
            (subject->device != TMEMCTL_EVERY_DEVICE && subject->device != entry->device) ||
            !is_in_use(place, subject, entry))
            continue;
        return tool_fail(
            TOOL_REFUSED,
            "%s runs and is attached (device %u): xentmem detach it first; another one "
            "of that name, which is gone, is named by its UUID: %s has it",
            text, entry->device, place->book.path);
    }
    return TOOL_DONE;
}

static int forget(struct operator_place *place, const struct subject *subject, const char *text)
{
    bool whole = subject->device == TMEMCTL_EVERY_DEVICE;
    int code = may_forget(place, subject, text);

    if (code)
        return code;
    if (!book_forget_guest(&place->book, subject->uuid, whole ? NULL : &subject->device))
        return tool_fail(TOOL_REFUSED, "%s has nothing of %s", place->book.path, text);
    return operator_place_save(place);
}

int operator_forget(struct tool *tool, int argc, char **argv)
{
    struct operator_options o;
    struct operator_place place;
    struct subject subject;
    sigset_t before;
    int code;

    if (!operator_read_options(argv[0], OPERATOR_DEVICE, argc, argv, &o))
        return TOOL_USAGE;
    if (argc - optind != 1)
        return tool_usage(operator_command(argv[0]), "needs one guest");
    code = operator_place_open(&place);
    if (code)
        return code;
    signals_hold(&before);
    code = operator_find_subject(tool, &place, argv[optind], &o, &subject);
    /* a UUID that no attachment has may be in a right */
    if (code == TOOL_DONE && subject.kind == SUBJECT_LOCAL)
        code = tool_fail(TOOL_REFUSED, "%s is no guest of Xen", argv[optind]);
    if (code == TOOL_DONE)
        code = forget(&place, &subject, argv[optind]);
    operator_place_close(&place);
    signals_release(&before);
    if (code == TOOL_DONE && !tool->json)
        printf("%s: forgotten\n", argv[optind]);
    return code;
}
