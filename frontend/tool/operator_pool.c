/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem remove, and xentmem set of a shared pool. */
#include "frontend/tool/operator_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_signal.h"

/* ---- which managers ---- */

struct managers {
    struct domain *at;
    unsigned nr;
};

static bool has_pool(struct xs_handle *xs, unsigned manager, const uint8_t uuid[16])
{
    char path[SCHEMA_PATH_LEN];

    schema_shared_folder(path, manager, uuid);
    return node_exists(xs, XBT_NULL, path);
}

/*
 * Those that have nodes of the pool, and the one that is named, or else the default one if there is
 * one. What the book says is of all of them, so a name that leaves some out is refused.
 */
static int find_managers(struct xs_handle *xs, const char *name, const uint8_t uuid[16],
                         struct managers *managers_out)
{
    struct domain asked = {.domid = DOMID_NONE};
    char why[XEN_WHY_LEN], text[TEXT_UUID_LEN];
    struct managers all = {0};
    unsigned nr_kept = 0;
    int code = TOOL_DONE;

    if (!domain_find_manager(xs, name, &asked, why)) {
        if (name)
            return tool_fail(TOOL_NO_MANAGER, "%s", why);
        asked.domid = DOMID_NONE;
    }
    all.at = domains_read(xs, &all.nr);
    if (!all.at)
        return tool_fail(TOOL_SYSTEM, "the domains cannot be read from xenstore");
    text_of_uuid(text, uuid);
    for (unsigned i = 0; i < all.nr && code == TOOL_DONE; i++) {
        bool is_asked = all.at[i].domid == asked.domid;

        if (!is_asked && !has_pool(xs, all.at[i].domid, uuid))
            continue;
        if (name && !is_asked)
            code = tool_fail(TOOL_REFUSED,
                             "%s is at %s, too, and the policy file speaks of both: without "
                             "--manager it is done at each",
                             text, all.at[i].name);
        all.at[nr_kept++] = all.at[i];
    }
    all.nr = nr_kept;
    if (code)
        free(all.at);
    else
        *managers_out = all;
    return code;
}

/* ---- set ---- */

/* Where is it not in force yet? */
static void say_absent(struct xs_handle *xs, const struct managers *managers)
{
    char why[XEN_WHY_LEN];
    struct domain any;

    if (managers->nr == 0 && !domain_find_manager(xs, NULL, &any, why))
        tool_say("set: in the policy file alone: %s", why);
    for (unsigned i = 0; i < managers->nr; i++) {
        if (!manager_is_ready(xs, managers->at[i].domid))
            tool_say("set: %s: no daemon has announced itself there; it holds when one does",
                     managers->at[i].name);
    }
}

/* One that fails keeps none of the others from it. */
static int write_everywhere(const struct operator_place *place, const struct managers *managers,
                            const uint8_t uuid[16], const struct grant *grant)
{
    char why[XEN_WHY_LEN];
    int code = TOOL_DONE;

    for (unsigned i = 0; i < managers->nr; i++) {
        if (!attach_write_shared(place->xs, managers->at[i].domid, uuid, grant, why))
            code = tool_fail(TOOL_SYSTEM, "%s: %s", managers->at[i].name, why);
    }
    return code;
}

int pool_set(struct operator_place *place, const uint8_t uuid[16], const struct operator_options *o,
             const struct grant *grant)
{
    struct book_shared *entry = book_add_shared(&place->book, uuid);
    char text[TEXT_UUID_LEN], unsound[GRANT_WHY_LEN];
    struct managers managers;
    int code;

    if (!entry)
        return operator_place_full();
    text_of_uuid(text, uuid);
    grant_merge(&entry->grant, grant);
    if (!grant_is_sound(&entry->grant, unsound))
        return tool_fail(TOOL_REFUSED, "%s: %s", text, unsound);
    code = find_managers(place->xs, o->manager, uuid, &managers);
    if (code)
        return code;
    code = operator_place_save(place);
    if (code == TOOL_DONE)
        code = write_everywhere(place, &managers, uuid, &entry->grant);
    if (code == TOOL_DONE)
        say_absent(place->xs, &managers);
    free(managers.at);
    return code;
}

/* ---- remove ---- */

static void say_left(const struct domain *manager, const char *what)
{
    tool_say("%s: the pool may be at %s still, with nobody who may join it: when that runs, "
             "xentmem %s --manager %s",
             what, manager->name, what, manager->name);
}

/* The pool is to be forgotten before it is destroyed, or a member could make it anew. */
static int forget(struct operator_place *place, const struct managers *managers,
                  const uint8_t uuid[16], const char *what, bool *was_known_out)
{
    int code;

    *was_known_out = book_find_shared(&place->book, uuid) != NULL;
    book_remove_shared(&place->book, uuid);
    code = operator_place_save(place);
    if (code)
        return code;
    /* where it stays by its nodes the same command finds it once more; others are told of */
    for (unsigned i = 0; i < managers->nr; i++) {
        char path[SCHEMA_PATH_LEN];

        *was_known_out = *was_known_out || has_pool(place->xs, managers->at[i].domid, uuid);
        schema_shared_folder(path, managers->at[i].domid, uuid);
        if (!node_remove(place->xs, XBT_NULL, path))
            code =
                tool_fail(TOOL_SYSTEM, "%s: cannot remove the pool's nodes", managers->at[i].name);
    }
    for (unsigned i = 0; code && i < managers->nr; i++)
        say_left(&managers->at[i], what);
    return code;
}

/*
 * @manager: NULL for the default. One that had the policy alone has no such pool. *@is_left_out: it
 * may have the pool still.
 */
static int destroy_at(struct tool *tool, const struct domain *manager,
                      const union tmemctl_message *m, bool was_known, const char *what,
                      bool *is_left_out)
{
    bool is_missing;
    int code = talk_ask_at(tool, manager, m, what, &is_missing);

    *is_left_out = code != TOOL_DONE;
    return is_missing && !was_known ? tool_result(tool, what, XENTMEM_NOT_FOUND) : code;
}

/* A signal leaves those out that have not been asked yet. */
static int destroy_everywhere(struct tool *tool, const struct managers *managers,
                              const union tmemctl_message *m, bool was_known, const char *what)
{
    int code = TOOL_DONE;
    bool is_left;

    if (managers->nr == 0)
        return destroy_at(tool, NULL, m, was_known, what, &is_left);
    for (unsigned i = 0; i < managers->nr; i++) {
        int failed = TOOL_NO_MANAGER;

        is_left = true;
        if (!signal_is_held())
            failed = destroy_at(tool, &managers->at[i], m, was_known, what, &is_left);
        if (is_left)
            say_left(&managers->at[i], what);
        code = failed ? failed : code;
    }
    return code;
}

/*
 * The place stays open until the last manager has answered: what another command says of the pool
 * meanwhile, a manager that has it from xenstore already would forget. And signals are held as
 * long: one between two managers would leave the pool at the second without a word.
 */
static int remove_everywhere(struct tool *tool, const struct operator_options *o,
                             const union tmemctl_message *m, const char *what)
{
    struct operator_place place;
    struct managers managers;
    sigset_t before;
    bool was_known;
    int code = operator_place_open(&place);

    if (code)
        return code;
    signals_hold(&before);
    code = find_managers(place.xs, o->manager, m->shared.uuid, &managers);
    if (code == TOOL_DONE) {
        code = forget(&place, &managers, m->shared.uuid, what, &was_known);
        if (code == TOOL_DONE)
            code = destroy_everywhere(tool, &managers, m, was_known, what);
        free(managers.at);
    }
    operator_place_close(&place);
    signals_release(&before);
    return code;
}

int operator_remove(struct tool *tool, int argc, char **argv)
{
    union tmemctl_message m = talk_message(TMEMCTL_REMOVE);
    struct operator_options o;
    char what[64];

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    if (argc - optind != 1)
        return tool_usage(operator_command(argv[0]), "needs the UUID of a shared pool");
    if (!text_to_pool_uuid(argv[optind], m.shared.uuid))
        return tool_fail(TOOL_USAGE, TEXT_NO_POOL_UUID, argv[optind]);
    snprintf(what, sizeof(what), "remove %s", argv[optind]);
    return talk_by_xenstore(tool) ? remove_everywhere(tool, &o, &m, what)
                                  : talk_once(tool, o.manager, &m, NULL, NULL, what);
}
