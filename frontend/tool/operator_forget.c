/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem forget: a guest that is gone for good, out of the policy file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_signal.h"

static int refuse_used(const struct operator_place *place, const char *text, const char *manager,
                       uint32_t device)
{
    return tool_fail(TOOL_REFUSED,
                     "%s runs and is attached%s%s, or is to be: xentmem detach %s -d %u first; "
                     "another one of that name, which is gone, is named by its UUID: %s has it",
                     text, manager ? " to " : "", manager ? manager : "", text, device,
                     place->book.path);
}

static bool is_meant(const struct subject *subject, uint32_t device)
{
    return subject->device == TMEMCTL_EVERY_DEVICE || subject->device == device;
}

/* A daemon that runs, or comes to run, there serves it with what is to be forgotten. */
static int check_manager(const struct operator_place *place, const struct subject *subject,
                         const struct domain *manager, const char *text)
{
    struct schema_place where = {.manager = manager->domid, .guest = subject->domain.domid};
    char folder[XEN_PATH_LEN], **names;
    int code = TOOL_DONE;
    unsigned nr = 0;

    schema_folder(folder, &where, SCHEMA_IN_GUEST);
    *strrchr(folder, '/') = '\0';
    names = xs_directory(place->xs, XBT_NULL, folder, &nr);
    if (!names && errno != ENOENT)
        return tool_fail(TOOL_SYSTEM, "%s cannot be read from xenstore", folder);
    for (unsigned i = 0; names && i < nr && code == TOOL_DONE; i++) {
        uint64_t device;

        /* dom0's own attachment for messages has a number of its own */
        if (!text_to_number(names[i], SCHEMA_MAX_DEVICE, &device) ||
            !is_meant(subject, (uint32_t)device))
            continue;
        where.device = (uint32_t)device;
        if (attach_has_policy(place->xs, &where, subject->uuid))
            code = refuse_used(place, text, manager->name, where.device);
    }
    free(names);
    return code;
}

static int may_forget(const struct operator_place *place, const struct subject *subject,
                      const char *text)
{
    bool runs = subject->domain.domid != DOMID_NONE;
    int code = TOOL_DONE;
    unsigned nr = 0;
    struct domain *domains = domains_read(place->xs, &nr);

    if (!domains)
        return tool_fail(TOOL_SYSTEM, "the domains cannot be read from xenstore");
    for (unsigned i = 0; runs && code == TOOL_DONE && i < nr; i++)
        code = check_manager(place, subject, &domains[i], text);
    free(domains);
    for (unsigned i = 0; runs && code == TOOL_DONE && i < place->book.nr_guests; i++) {
        const struct book_guest *entry = &place->book.guests[i];

        /* the agent would attach it again */
        if (entry->attach && memcmp(entry->uuid, subject->uuid, 16) == 0 &&
            is_meant(subject, entry->device))
            code = refuse_used(place, text, NULL, entry->device);
    }
    return code;
}

/* The name may be that of another one, too, which is gone: whoever runs is found first. */
static int refuse_unknown(const struct operator_place *place, const struct subject *subject,
                          const char *text)
{
    char uuid[TEXT_UUID_LEN];

    for (unsigned i = 0; i < place->book.nr_guests; i++) {
        const struct book_guest *entry = &place->book.guests[i];

        if (strcmp(entry->name, text) || memcmp(entry->uuid, subject->uuid, 16) == 0)
            continue;
        text_of_uuid(uuid, entry->uuid);
        return tool_fail(
            TOOL_REFUSED,
            "%s has nothing of this %s; another guest of that name is forgotten by its UUID: "
            "xentmem forget %s",
            place->book.path, text, uuid);
    }
    return tool_fail(TOOL_REFUSED, "%s has nothing of %s", place->book.path, text);
}

static int forget(struct operator_place *place, const struct subject *subject, const char *text)
{
    bool whole = subject->device == TMEMCTL_EVERY_DEVICE;
    int code = may_forget(place, subject, text);

    if (code)
        return code;
    if (!book_forget_guest(&place->book, subject->uuid, whole ? NULL : &subject->device))
        return refuse_unknown(place, subject, text);
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
