/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem list: guests, pools, members of a shared pool; disks are in operator_disk_list.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_disk.h"
#include "frontend/tool/operator_names.h"
#include "frontend/tool/output.h"

/* A guest that the manager told of. */
struct seen {
    uint32_t domid, device;
};

struct list {
    struct names names;
    struct output *o;
    struct seen *seen;
    size_t nr_seen;
    size_t nr_members;
    const uint8_t *pool; /* whose members are listed */
    bool has_pool;       /* there is such a pool */
    bool failed;         /* no memory for all of them */
};

static void see(struct list *list, const struct tmemctl_who *who)
{
    struct seen *seen;

    if (who->kind != TMEMCTL_XEN)
        return;
    seen = reallocarray(list->seen, list->nr_seen + 1, sizeof(*seen));
    if (!seen) {
        list->failed = true;
        return;
    }
    list->seen = seen;
    seen[list->nr_seen++] = (struct seen){who->id, who->device};
}

static bool is_seen(const struct list *list, uint32_t domid, uint32_t device)
{
    for (size_t i = 0; i < list->nr_seen; i++) {
        if (list->seen[i].domid == domid && list->seen[i].device == device)
            return true;
    }
    return false;
}

static void put_uuid(struct output *o, const uint8_t uuid[16])
{
    static const uint8_t none[16];
    char text[TEXT_UUID_LEN];

    text_of_uuid(text, uuid);
    output_text(o, memcmp(uuid, none, 16) ? text : NULL);
}

static void put_device(struct output *o, uint32_t device)
{
    if (device == TMEMCTL_EVERY_DEVICE)
        output_none(o);
    else
        output_number(o, device);
}

/* ---- guests ---- */

static const struct column guest_columns[] = {
    {"GUEST", "guest", COLUMN_TEXT},        {"ID", "id", COLUMN_NUMBER},
    {"DEV", "device", COLUMN_NUMBER},       {"STATE", "state", COLUMN_TEXT},
    {"RINGS", "rings", COLUMN_NUMBER},      {"PERSISTENT", "persistent_pages", COLUMN_PAGES},
    {"QUOTA", "quota_pages", COLUMN_PAGES}, {"EPHEMERAL", "ephemeral_pages", COLUMN_PAGES},
    {"MIN", "min_pages", COLUMN_PAGES},     {"MAX", "max_pages", COLUMN_PAGES},
    {"WEIGHT", "weight", COLUMN_NUMBER},    {"REQUESTS", "requests", COLUMN_NUMBER},
    {"UUID", "uuid", COLUMN_TEXT},
};

/* In xenstore 32 bits are "no limit". */
static uint64_t shown_pages(uint64_t pages)
{
    return pages >= UINT32_MAX ? TEXT_UNLIMITED : pages;
}

static const char *state_of(const struct tmemctl_guest *g)
{
    if (g->frozen)
        return g->attached ? "frozen" : "frozen, away";
    if (g->fenced)
        return "silent";
    return g->attached ? "attached" : "away";
}

static void put_guest(void *arg, const void *record)
{
    struct list *list = arg;
    const struct tmemctl_guest *g = record;
    struct output *o = list->o;
    char who[WHO_LEN];

    see(list, &g->guest);

    output_text(o, name_of(&list->names, &g->guest, who));
    output_number(o, g->guest.id);
    put_device(o, g->guest.device);
    output_text(o, state_of(g));
    output_number(o, g->nr_rings);
    output_number(o, g->persistent_pages);
    output_number(o, shown_pages(g->policy.quota_pages));
    output_number(o, g->ephemeral_pages);
    output_number(o, g->policy.min_pages);
    output_number(o, shown_pages(g->policy.max_pages));
    output_number(o, g->policy.weight);
    output_number(o, g->requests);
    put_uuid(o, g->guest.uuid);
}

/* Pages that a node of the policy speaks of. */
static uint64_t node_pages(struct xs_handle *xs, const struct schema_place *place,
                           enum schema_node node)
{
    char path[SCHEMA_PATH_LEN];

    schema_path(path, place, node, 0);
    return node_read_number(xs, path, schema_rule(node)->absent);
}

/* A guest that was attached and has not yet asked for anything: the manager has no account for it.
 */
static void put_unused(struct list *list, struct xs_handle *xs, const struct schema_place *place)
{
    struct tmemctl_who who = {.kind = TMEMCTL_XEN, .id = place->guest};
    struct output *o = list->o;
    struct domain guest;
    char text[WHO_LEN];

    if (!domain_read(xs, place->guest, &guest))
        return;
    output_text(o, name_of(&list->names, &who, text));
    output_number(o, place->guest);
    output_number(o, place->device);
    output_text(o, "unused");
    output_number(o, 0);
    output_number(o, 0);
    output_number(o, shown_pages(node_pages(xs, place, SCHEMA_GUEST_QUOTA)));
    output_number(o, 0);
    output_number(o, node_pages(xs, place, SCHEMA_GUEST_MIN));
    output_number(o, shown_pages(node_pages(xs, place, SCHEMA_GUEST_MAX)));
    output_number(o, node_pages(xs, place, SCHEMA_GUEST_WEIGHT));
    output_number(o, 0);
    put_uuid(o, guest.uuid);
}

static void put_unused_of_guest(struct list *list, struct xs_handle *xs, struct schema_place place,
                                const char *folder)
{
    char path[SCHEMA_PATH_LEN + 16];
    unsigned nr = 0;
    char **devices;
    uint64_t device;

    snprintf(path, sizeof(path), "%s/%u", folder, place.guest);
    devices = xs_directory(xs, XBT_NULL, path, &nr);
    for (unsigned i = 0; devices && i < nr; i++) {
        if (!text_to_number(devices[i], UINT32_MAX - 1, &device))
            continue; /* the last number is dom0's own attachment */
        place.device = (uint32_t)device;
        if (!is_seen(list, place.guest, place.device))
            put_unused(list, xs, &place);
    }
    free(devices);
}

/* Those in xenstore that the manager did not tell of. */
static void put_all_unused(struct list *list, const char *manager_name)
{
    char folder[SCHEMA_PATH_LEN], why[XEN_WHY_LEN];
    struct xs_handle *xs = xen_open(why);
    struct domain manager;
    unsigned nr = 0;
    char **guests = NULL;
    uint64_t domid;

    if (xs && domain_find_manager(xs, manager_name, &manager, why)) {
        schema_backends(folder, manager.domid);
        guests = xs_directory(xs, XBT_NULL, folder, &nr);
        for (unsigned i = 0; guests && i < nr; i++) {
            if (text_to_number(guests[i], UINT16_MAX, &domid))
                put_unused_of_guest(
                    list, xs,
                    (struct schema_place){.manager = manager.domid, .guest = (uint32_t)domid},
                    folder);
        }
    }
    free(guests);
    if (xs)
        xs_close(xs);
}

/* ---- pools ---- */

static const struct column pool_columns[] = {
    {"POOL", "pool", COLUMN_TEXT},           {"OWNER", "owner", COLUMN_TEXT},
    {"DEV", "device", COLUMN_NUMBER},        {"KIND", "kind", COLUMN_TEXT},
    {"MEMBERS", "members", COLUMN_NUMBER},   {"HELD", "pages", COLUMN_PAGES},
    {"QUOTA", "quota_pages", COLUMN_PAGES},  {"WEIGHT", "weight", COLUMN_NUMBER},
    {"PUTS", "puts", COLUMN_NUMBER},         {"REFUSED", "puts_refused", COLUMN_NUMBER},
    {"GETS", "gets", COLUMN_NUMBER},         {"HITS", "hits", COLUMN_NUMBER},
    {"EVICTED", "evictions", COLUMN_NUMBER}, {"FROZEN", "frozen", COLUMN_BOOL},
};

static const char *kind_of(uint32_t flags)
{
    static const char *const kinds[] = {"ephemeral", "persistent", "shared ephemeral",
                                        "shared persistent"};
    static const char *const leased[] = {"ephemeral leased", "persistent leased",
                                         "shared ephemeral leased", "shared persistent leased"};
    unsigned kind =
        (flags & TMEMIF_POOL_SHARED ? 2u : 0u) + (flags & TMEMIF_POOL_PERSISTENT ? 1u : 0u);

    if ((flags & TMEMIF_POOL_INCLUSIVE) && kind == 0)
        return flags & TMEMIF_POOL_LEASED ? "inclusive leased" : "inclusive";
    return flags & TMEMIF_POOL_LEASED ? leased[kind] : kinds[kind];
}

static void put_pool(void *arg, const void *record)
{
    const struct list *list = arg;
    const struct tmemctl_pool *p = record;
    struct output *o = list->o;
    char text[WHO_LEN];

    if (p->owner.kind) {
        snprintf(text, sizeof(text), "%u", p->pool_id);
        output_text(o, text);
        output_text(o, name_of(&list->names, &p->owner, text));
        put_device(o, p->owner.device);
    } else {
        put_uuid(o, p->info.uuid);
        output_none(o);
        output_none(o);
    }
    output_text(o, kind_of(p->info.flags));
    output_number(o, p->nr_members);
    output_number(o, p->info.nr_pages);
    output_number(o, shown_pages(p->info.quota_pages));
    output_number(o, p->policy.weight);
    output_number(o, p->info.puts);
    output_number(o, p->info.puts_refused);
    output_number(o, p->info.gets);
    output_number(o, p->info.hits);
    output_number(o, p->info.evictions);
    output_bool(o, p->info.frozen != 0);
}

/* ---- members ---- */

static const struct column member_columns[] = {
    {"GUEST", "guest", COLUMN_TEXT},   {"ID", "id", COLUMN_NUMBER},
    {"DEV", "device", COLUMN_NUMBER},  {"RIGHT", "right", COLUMN_TEXT},
    {"JOINED", "joined", COLUMN_BOOL}, {"UUID", "uuid", COLUMN_TEXT},
};

static const char *right_name(uint32_t right)
{
    return right == TMEMCTL_RIGHT_FILL ? "fill" : right == TMEMCTL_RIGHT_READ ? "read" : "none";
}

static void put_member(void *arg, const void *record)
{
    struct list *list = arg;
    const struct tmemctl_member *member = record;
    char who[WHO_LEN];

    list->nr_members++;
    output_text(list->o, name_of(&list->names, &member->guest, who));
    output_number(list->o, member->guest.id);
    put_device(list->o, member->guest.device);
    output_text(list->o, right_name(member->right));
    output_bool(list->o, member->joined != 0);
    put_uuid(list->o, member->guest.uuid);
}

static void look_for_pool(void *arg, const void *record)
{
    struct list *list = arg;
    const struct tmemctl_pool *p = record;

    list->has_pool = list->has_pool || ((p->info.flags & TMEMIF_POOL_SHARED) &&
                                        memcmp(p->info.uuid, list->pool, 16) == 0);
}

/* A list without members is one of a pool that there is. */
static int must_have_pool(struct tool *tool, struct xentmem *t, struct list *list)
{
    const union tmemctl_message m = talk_message(TMEMCTL_LIST_POOLS);
    int code = talk(tool, t, &m, look_for_pool, list, "list");
    char text[TEXT_UUID_LEN];

    if (code || list->has_pool)
        return code;
    text_of_uuid(text, list->pool);
    return tool_fail(TOOL_REFUSED, "list members %s: nobody may join it, and nobody has", text);
}

/* ---- the command ---- */

#define NR(columns) (unsigned)(sizeof(columns) / sizeof((columns)[0]))

struct listing {
    const char *name;
    enum tmemctl_command command;
    const struct column *columns;
    unsigned nr_columns;
    void (*put)(void *arg, const void *record);
    unsigned order[3]; /* by which columns */
};

static const struct listing listings[] = {
    {"guests", TMEMCTL_LIST_GUESTS, guest_columns, NR(guest_columns), put_guest, {0, 1, 2}},
    {"pools", TMEMCTL_LIST_POOLS, pool_columns, NR(pool_columns), put_pool, {1, 2, 0}},
    {"members", TMEMCTL_LIST_MEMBERS, member_columns, NR(member_columns), put_member, {0, 1, 2}},
};

static int ask(struct tool *tool, const char *manager, const struct listing *listing,
               const union tmemctl_message *m, struct list *list)
{
    int code;
    struct xentmem *t = talk_open(tool, manager, &code);

    if (!t)
        return code;
    code = talk(tool, t, m, listing->put, list, "list");
    if (code == TOOL_DONE && listing->command == TMEMCTL_LIST_MEMBERS && list->nr_members == 0)
        code = must_have_pool(tool, t, list);
    talk_close(tool, t);
    return code;
}

static int print_listing(struct tool *tool, const char *manager, const struct listing *listing,
                         const union tmemctl_message *m)
{
    struct list list = {.names = names_read(tool), .pool = m->shared.uuid};
    bool by_xenstore = talk_by_xenstore(tool);
    int code;

    list.o = output_create(tool->json, OUTPUT_TABLE, listing->columns, listing->nr_columns);
    if (!list.o) {
        code = tool_fail(TOOL_SYSTEM, "no memory");
    } else {
        code = ask(tool, manager, listing, m, &list);
        if (code == TOOL_DONE && by_xenstore && listing->command == TMEMCTL_LIST_GUESTS)
            put_all_unused(&list, manager);
        if (code == TOOL_DONE && list.failed)
            code = tool_fail(TOOL_SYSTEM, "no memory");
        if (code) {
            output_discard(list.o);
        } else {
            output_sort(list.o, listing->order, NR(listing->order));
            code = output_finish(list.o);
        }
    }
    free(list.seen);
    names_free(&list.names);
    return code;
}

int operator_list(struct tool *tool, int argc, char **argv)
{
    const struct listing *listing = NULL;
    struct operator_options o;
    union tmemctl_message m;
    const char *what;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    what = optind < argc ? argv[optind] : "guests";
    if (strcmp(what, "disks") == 0 && argc - optind == 1)
        return disk_print_disks(tool, o.manager);
    for (unsigned i = 0; i < NR(listings); i++) {
        if (strcmp(listings[i].name, what) == 0)
            listing = &listings[i];
    }
    if (!listing)
        return tool_usage(operator_command(argv[0]), "%s: guests, pools, disks or members UUID",
                          what);
    m = talk_message(listing->command);
    if (listing->command == TMEMCTL_LIST_MEMBERS) {
        if (argc - optind != 2)
            return tool_usage(operator_command(argv[0]), "members of which pool? a UUID");
        if (!text_to_pool_uuid(argv[optind + 1], m.shared.uuid))
            return tool_usage(operator_command(argv[0]), TEXT_NO_POOL_UUID, argv[optind + 1]);
    } else if (argc - optind > 1) {
        return tool_usage(operator_command(argv[0]), "too many arguments");
    }
    return print_listing(tool, o.manager, listing, &m);
}
