/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem set, allow, deny: policy, in the book and in xenstore, or as messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_entry.h"
#include "frontend/tool/operator_pool.h"
#include "frontend/tool/operator_signal.h"

/* A manager that is named has to be there: policy for one of another name has no effect. */
static int check_manager(const struct operator_place *place, const char *name)
{
    char why[XEN_WHY_LEN];
    struct domain manager;

    if (!name || domain_find_manager(place->xs, name, &manager, why))
        return TOOL_DONE;
    return tool_fail(TOOL_NO_MANAGER, "%s", why);
}

/* ---- set ---- */

static struct tmemctl_policy wire_grant(const struct grant *grant)
{
    struct tmemctl_policy p = {.fields = grant->fields};

    if (grant->fields & TMEMCTL_SET_QUOTA)
        p.quota_pages = grant->quota_pages;
    if (grant->fields & TMEMCTL_SET_MIN)
        p.min_pages = grant->min_pages;
    if (grant->fields & TMEMCTL_SET_MAX)
        p.max_pages = grant->max_pages;
    if (grant->fields & TMEMCTL_SET_WEIGHT)
        p.weight = grant->weight;
    return p;
}

/* Is what comes of a change sound? Somebody whom the manager does not know has the defaults. */
struct merge {
    const struct subject *subject;
    const struct grant *grant;
    int code;
};

static void check_merged(struct merge *merge, const struct tmemctl_policy *now)
{
    struct grant grant = {.min_pages = now->min_pages, .max_pages = now->max_pages};
    char why[GRANT_WHY_LEN];

    grant_merge(&grant, merge->grant);
    if (merge->code == TOOL_DONE && !grant_is_sound(&grant, why))
        merge->code = tool_fail(TOOL_REFUSED, "set: %s", why);
}

static void check_guest(void *arg, const void *record)
{
    struct merge *merge = arg;
    const struct tmemctl_guest *guest = record;
    const struct subject *s = merge->subject;

    if (guest->guest.kind == TMEMCTL_LOCAL && guest->guest.id == s->uid &&
        (s->device == TMEMCTL_EVERY_DEVICE || s->device == guest->guest.device))
        check_merged(merge, &guest->policy);
}

static void check_pool(void *arg, const void *record)
{
    struct merge *merge = arg;
    const struct tmemctl_pool *pool = record;

    if ((pool->info.flags & TMEMIF_POOL_SHARED) &&
        memcmp(pool->info.uuid, merge->subject->uuid, 16) == 0)
        check_merged(merge, &pool->policy);
}

/* One of min and max alone has to go with the other one as it is. */
static int check_change(struct tool *tool, struct xentmem *t, const struct subject *subject,
                        const struct grant *grant)
{
    bool is_pool = subject->kind == SUBJECT_POOL;
    union tmemctl_message m = talk_message(is_pool ? TMEMCTL_LIST_POOLS : TMEMCTL_LIST_GUESTS);
    struct merge merge = {.subject = subject, .grant = grant};
    unsigned fields = grant->fields & (TMEMCTL_SET_MIN | TMEMCTL_SET_MAX);
    int code;

    if (fields != TMEMCTL_SET_MIN && fields != TMEMCTL_SET_MAX)
        return TOOL_DONE;
    code = talk(tool, t, &m, is_pool ? check_pool : check_guest, &merge, "set");
    return code ? code : merge.code;
}

/* What there is for minimums, in the manager's own counters. */
struct memory {
    uint64_t limit, minimums, persistent;
};

static void read_memory(void *arg, const void *record)
{
    const struct tmemctl_counter *counter = record;
    struct memory *memory = arg;

    if (strncmp(counter->name, "frames_limit", TMEMCTL_NAME_LEN) == 0)
        memory->limit = counter->value;
    if (strncmp(counter->name, "minimum_pages", TMEMCTL_NAME_LEN) == 0)
        memory->minimums = counter->value;
    if (strncmp(counter->name, "pages_persistent", TMEMCTL_NAME_LEN) == 0)
        memory->persistent = counter->value;
}

/* Of a min, which is refused with a word alone. */
static int explain_no_memory(struct tool *tool, struct xentmem *t)
{
    union tmemctl_message m = talk_message(TMEMCTL_STATS);
    char limit[TEXT_SIZE_LEN], minimums[TEXT_SIZE_LEN], persistent[TEXT_SIZE_LEN];
    struct memory memory = {0};

    if (talk(tool, t, &m, read_memory, &memory, "stats"))
        return TOOL_REFUSED;
    text_of_size(limit, memory.limit);
    text_of_size(minimums, memory.minimums);
    text_of_size(persistent, memory.persistent);
    return tool_fail(TOOL_REFUSED,
                     "set: the manager has %s, of which minimums reserve %s, and persistent pages "
                     "and disks take %s, and its workers a few pages: lower another min, or raise "
                     "--memory of xentmemd",
                     limit, minimums, persistent);
}

static int send_set(struct tool *tool, struct xentmem *t, const union tmemctl_message *m)
{
    int status = talk_ask(t, m, m->head.length);

    return status == TMEMIF_NO_MEMORY ? explain_no_memory(tool, t)
                                      : tool_result(tool, "set", status);
}

static int set_by_message(struct tool *tool, const char *text, const struct operator_options *o,
                          const struct grant *grant)
{
    union tmemctl_message m;
    struct subject subject;
    struct xentmem *t;
    int code = operator_find_subject(tool, NULL, text, o, &subject);

    if (code)
        return code;
    t = talk_open(tool, o->manager, &code);
    if (!t)
        return code;
    if (subject.kind == SUBJECT_POOL) {
        m = talk_message(TMEMCTL_SET_SHARED);
        memcpy(m.set_shared.uuid, subject.uuid, 16);
        m.set_shared.policy = wire_grant(grant);
    } else {
        m = talk_message(TMEMCTL_SET_GUEST);
        m.set_guest.guest = subject_who(&subject);
        m.set_guest.policy = wire_grant(grant);
    }
    code = check_change(tool, t, &subject, grant);
    if (code == TOOL_DONE)
        code = send_set(tool, t, &m);
    talk_close(tool, t);
    return code;
}

/*
 * One attachment of a guest that may or may not run: its policy at the manager that has it. What
 * the guest has written below its own home is not asked, or it could keep a word from being in
 * force.
 */
static int write_guest(const struct operator_place *place, const struct subject *subject,
                       const struct book_guest *entry)
{
    unsigned guest = subject->domain.domid;
    char why[XEN_WHY_LEN];
    struct domain manager;
    struct schema_place where;

    if (!entry_find_manager(place->xs, entry, guest, &manager) ||
        !entry_is_at(place->xs, entry, guest, manager.domid))
        return TOOL_DONE;
    where =
        (struct schema_place){.manager = manager.domid, .guest = guest, .device = entry->device};
    if (attach_write_grant(place->xs, &where, &entry->grant, why))
        return TOOL_DONE;
    return tool_fail(TOOL_SYSTEM, "%s: %s", entry->name, why);
}

static int merge_guest(const struct operator_place *place, const struct subject *subject,
                       struct book_guest *entry, const char *manager, const struct grant *grant)
{
    char why[GRANT_WHY_LEN];

    if (!entry_is_managed_by(place->xs, entry, subject->domain.domid, manager))
        return tool_fail(TOOL_REFUSED, "%s is not attached to %s (device %u)", entry->name, manager,
                         entry->device);
    grant_merge(&entry->grant, grant);
    if (!grant_is_sound(&entry->grant, why))
        return tool_fail(TOOL_REFUSED, "%s: %s (device %u)", entry->name, why, entry->device);
    return TOOL_DONE;
}

static int never_attached(const struct subject *subject, const struct operator_options *o)
{
    const char *name = subject->domain.name;

    if (o->has_device)
        return tool_fail(TOOL_REFUSED, "%s has no attachment %u: `xentmem attach %s -d %u` first",
                         name, o->device, name, o->device);
    return tool_fail(TOOL_REFUSED, "%s has never been attached: `xentmem attach %s` first", name,
                     name);
}

static int set_guest(struct operator_place *place, const struct subject *subject,
                     const struct operator_options *o, const struct grant *grant)
{
    int code = TOOL_DONE;
    unsigned nr = 0;

    for (unsigned i = 0; code == TOOL_DONE && i < place->book.nr_guests; i++) {
        struct book_guest *entry = &place->book.guests[i];

        if (!subject_means(subject, entry))
            continue;
        code = merge_guest(place, subject, entry, o->manager, grant);
        nr++;
    }
    if (code)
        return code;
    if (nr == 0)
        return never_attached(subject, o);
    code = operator_place_save(place);
    for (unsigned i = 0; code == TOOL_DONE && i < place->book.nr_guests; i++) {
        const struct book_guest *entry = &place->book.guests[i];

        if (subject_means(subject, entry))
            code = write_guest(place, subject, entry);
    }
    return code;
}

static int set_in_place(const struct tool *tool, const char *text, const struct operator_options *o,
                        const struct grant *grant)
{
    struct operator_place place;
    struct subject subject;
    sigset_t before;
    int code = operator_place_open(&place);

    if (code)
        return code;
    signals_hold(&before); /* nobody compares the nodes with the policy file later */
    code = check_manager(&place, o->manager);
    if (code == TOOL_DONE)
        code = operator_find_subject(tool, &place, text, o, &subject);
    if (code == TOOL_DONE)
        code = subject.kind == SUBJECT_POOL ? pool_set(&place, subject.uuid, o, grant)
                                            : set_guest(&place, &subject, o, grant);
    operator_place_close(&place);
    signals_release(&before);
    return code;
}

int operator_set(struct tool *tool, int argc, char **argv)
{
    struct grant grant = GRANT_DEFAULT;
    struct operator_options o;
    char unsound[GRANT_WHY_LEN];
    const char *why;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER | OPERATOR_DEVICE, argc, argv, &o))
        return TOOL_USAGE;
    if (argc - optind < 2)
        return tool_usage(operator_command(argv[0]), "needs a guest or pool, and what to set");
    for (int i = optind + 1; i < argc; i++) {
        if (!grant_assign(&grant, argv[i], &why))
            return tool_usage(operator_command(argv[0]), "%s: %s", argv[i], why);
    }
    if ((grant.fields & TMEMCTL_SET_MIN) && (grant.fields & TMEMCTL_SET_MAX) &&
        !grant_is_sound(&grant, unsound))
        return tool_fail(TOOL_REFUSED, "set: %s", unsound);
    if (!talk_by_xenstore(tool) || subject_is_local(argv[optind])) {
        if (talk_by_xenstore(tool))
            tool->attach = "local:";
        return set_by_message(tool, argv[optind], &o, &grant);
    }
    return set_in_place(tool, argv[optind], &o, &grant);
}

/* ---- allow, deny ---- */

static int allow_by_message(struct tool *tool, const struct operator_options *o,
                            const uint8_t uuid[16], const char *text, const char *right)
{
    union tmemctl_message m = talk_message(right ? TMEMCTL_ALLOW : TMEMCTL_DENY);
    struct subject subject;
    int code = operator_find_subject(tool, NULL, text, o, &subject);

    if (code)
        return code;
    if (subject.kind == SUBJECT_POOL)
        return tool_fail(TOOL_REFUSED, "%s is no guest: without Xen a guest is uid:N", text);
    memcpy(m.allow.uuid, uuid, 16);
    m.allow.guest = subject_who(&subject);
    if (right)
        m.allow.right = right[0] == 'f' ? TMEMCTL_RIGHT_FILL : TMEMCTL_RIGHT_READ;
    return talk_once(tool, o->manager, &m, NULL, NULL, right ? "allow" : "deny");
}

static bool change_member(struct operator_place *place, const uint8_t uuid[16],
                          const uint8_t guest[16], const char *right)
{
    struct book_shared *entry = book_find_shared(&place->book, uuid);

    if (!right) {
        if (entry)
            book_deny_guest(entry, guest);
        return true;
    }
    entry = book_add_shared(&place->book, uuid);
    return entry && book_allow_guest(entry, guest, right[0] == 'f');
}

static int write_member_at(const struct operator_place *place, unsigned manager,
                           const uint8_t uuid[16], const struct subject *subject, const char *right)
{
    const struct book_shared *entry = book_find_shared(&place->book, uuid);
    char why[XEN_WHY_LEN];

    if ((!right || !entry || attach_write_shared(place->xs, manager, uuid, &entry->grant, why)) &&
        attach_write_allow(place->xs, manager, uuid, subject->domain.domid, right, why))
        return TOOL_DONE;
    return tool_fail(TOOL_SYSTEM, "%s", why);
}

/* At each manager that the guest is attached to. Others get it with the attachment. */
static int allow_member(const struct operator_place *place, const uint8_t uuid[16],
                        const struct subject *subject, const char *right)
{
    int code = TOOL_DONE;

    if (subject->domain.domid == DOMID_NONE)
        return TOOL_DONE;
    for (unsigned i = 0; code == TOOL_DONE && i < place->book.nr_guests; i++) {
        const struct book_guest *entry = &place->book.guests[i];
        struct domain manager;

        if (subject_means(subject, entry) &&
            entry_find_manager(place->xs, entry, subject->domain.domid, &manager) &&
            /* a right is its domid's, and has to go with the attachment */
            entry_is_at(place->xs, entry, subject->domain.domid, manager.domid))
            code = write_member_at(place, manager.domid, uuid, subject, right);
    }
    return code;
}

/* Wherever it has one, whatever it is attached to: nothing of it may be left. */
static int deny_member(const struct operator_place *place, const uint8_t uuid[16],
                       const struct subject *subject)
{
    int code = TOOL_DONE;
    unsigned nr = 0;
    struct domain *domains;

    if (subject->domain.domid == DOMID_NONE)
        return TOOL_DONE;
    domains = domains_read(place->xs, &nr);
    if (!domains)
        return tool_fail(TOOL_SYSTEM, "the domains cannot be read from xenstore");
    for (unsigned i = 0; code == TOOL_DONE && i < nr; i++)
        code = write_member_at(place, domains[i].domid, uuid, subject, NULL);
    free(domains);
    return code;
}

/*
 * A guest that is in the book has managers; one that is named has to be one of them, and the only
 * one, for the book has one right for all.
 */
static int check_managed(const struct operator_place *place, const struct subject *subject,
                         const char *manager)
{
    const char *name = subject->domain.name;
    bool known = false, here = false, elsewhere = false;

    for (unsigned i = 0; manager && i < place->book.nr_guests; i++) {
        const struct book_guest *entry = &place->book.guests[i];
        bool is_here = subject_means(subject, entry) &&
                       entry_is_managed_by(place->xs, entry, subject->domain.domid, manager);

        known = known || subject_means(subject, entry);
        here = here || is_here;
        elsewhere = elsewhere || (subject_means(subject, entry) && entry->attach && !is_here);
    }
    if (known && !here)
        return tool_fail(TOOL_REFUSED, "%s is not attached to %s", name, manager);
    if (here && elsewhere)
        return tool_fail(TOOL_REFUSED,
                         "%s is attached to another manager, too, and the policy file speaks of "
                         "both: without --manager it is done at each",
                         name);
    return TOOL_DONE;
}

/*
 * Of the two that are written the manager's nodes are what is in force: the last where a right is
 * given, the first where it is taken. @right: NULL for deny.
 */
static int change_both(struct operator_place *place, const uint8_t uuid[16],
                       const struct subject *subject, const char *right)
{
    int code = TOOL_DONE;

    if (!change_member(place, uuid, subject->uuid, right))
        return operator_place_full();
    if (!right)
        code = deny_member(place, uuid, subject);
    if (code == TOOL_DONE)
        code = operator_place_save(place);
    if (code == TOOL_DONE && right)
        code = allow_member(place, uuid, subject, right);
    return code;
}

static int allow_in_place(const struct tool *tool, const struct operator_options *o,
                          const uint8_t uuid[16], const char *text, const char *right)
{
    struct operator_place place;
    struct subject subject;
    sigset_t before;
    int code = operator_place_open(&place);

    if (code)
        return code;
    signals_hold(&before); /* as for set */
    code = check_manager(&place, o->manager);
    if (code == TOOL_DONE)
        code = operator_find_subject(tool, &place, text, o, &subject);
    if (code == TOOL_DONE && subject.kind == SUBJECT_POOL)
        code = tool_fail(TOOL_REFUSED, "no guest has the UUID %s", text);
    if (code == TOOL_DONE)
        code = check_managed(&place, &subject, o->manager);
    if (code == TOOL_DONE)
        code = change_both(&place, uuid, &subject, right);
    operator_place_close(&place);
    signals_release(&before);
    return code;
}

/* @right: NULL for deny. */
static int change_right(struct tool *tool, const struct operator_options *o, const char *pool,
                        const char *guest, const char *right)
{
    uint8_t uuid[16];

    if (!text_to_pool_uuid(pool, uuid))
        return tool_fail(TOOL_USAGE, TEXT_NO_POOL_UUID, pool);
    if (talk_by_xenstore(tool) && !subject_is_local(guest))
        return allow_in_place(tool, o, uuid, guest, right);
    if (talk_by_xenstore(tool))
        tool->attach = "local:";
    return allow_by_message(tool, o, uuid, guest, right);
}

int operator_allow(struct tool *tool, int argc, char **argv)
{
    struct operator_options o;
    const char *right;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    if (argc - optind < 2 || argc - optind > 3)
        return tool_usage(operator_command(argv[0]), "needs a pool's UUID and a guest");
    right = argc - optind == 3 ? argv[optind + 2] : "fill";
    if (strcmp(right, "fill") && strcmp(right, "read"))
        return tool_usage(operator_command(argv[0]), "%s: a right is read or fill", right);
    return change_right(tool, &o, argv[optind], argv[optind + 1], right);
}

int operator_deny(struct tool *tool, int argc, char **argv)
{
    struct operator_options o;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    if (argc - optind != 2)
        return tool_usage(operator_command(argv[0]), "needs a pool's UUID and a guest");
    return change_right(tool, &o, argv[optind], argv[optind + 1], NULL);
}
