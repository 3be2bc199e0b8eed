/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tool/operator_signal.h"
#include "frontend/tool/progress.h"
#include "xenstore-schema/states.h"

#define STATE(n) (1u << (n))

/* ---- looking ---- */

static bool node_is(struct xs_handle *xs, const char *path, const char *text)
{
    char *value = node_read(xs, XBT_NULL, path);
    bool same = value && strcmp(value, text) == 0;

    free(value);
    return same;
}

/* True also where xenstore does not say. */
static bool has_children(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    unsigned nr = 0;
    char **names = xs_directory(xs, t, path, &nr);

    free(names);
    return names ? nr > 0 : errno != ENOENT;
}

enum attach_state attach_look(struct xs_handle *xs, const struct schema_place *a,
                              const uint8_t guest_uuid[16])
{
    char backend[XEN_PATH_LEN], state[XEN_PATH_LEN], frontend[XEN_PATH_LEN], link[XEN_PATH_LEN];
    char policy[XEN_PATH_LEN], uuid[XEN_PATH_LEN], online[XEN_PATH_LEN], text[TEXT_UUID_LEN];

    schema_folder(backend, a, SCHEMA_IN_BACKEND);
    schema_path(state, a, SCHEMA_BACKEND_STATE, 0);
    schema_path(online, a, SCHEMA_BACKEND_ONLINE, 0);
    schema_folder(frontend, a, SCHEMA_IN_FRONTEND);
    schema_path(link, a, SCHEMA_FRONTEND_BACKEND, 0);
    schema_folder(policy, a, SCHEMA_IN_GUEST);
    schema_path(uuid, a, SCHEMA_GUEST_UUID, 0);

    if (!node_exists(xs, XBT_NULL, backend) && !node_exists(xs, XBT_NULL, frontend) &&
        !node_exists(xs, XBT_NULL, policy))
        return ATTACH_NONE;
    text_of_uuid(text, guest_uuid);
    /* a backend that is closed for a moment, between two processes of the guest, is not stale */
    if (!node_is(xs, link, backend) || !node_is(xs, uuid, text) ||
        node_read_number(xs, state, 0) == 0 || node_read_number(xs, online, 1) == 0)
        return ATTACH_STALE;
    return ATTACH_THERE;
}

bool attach_has_policy(struct xs_handle *xs, const struct schema_place *a,
                       const uint8_t guest_uuid[16])
{
    char path[XEN_PATH_LEN], text[TEXT_UUID_LEN];

    text_of_uuid(text, guest_uuid);
    schema_path(path, a, SCHEMA_GUEST_UUID, 0);
    return node_is(xs, path, text);
}

static bool find_manager(struct xs_handle *xs, const struct schema_place *a,
                         const uint8_t guest_uuid[16], bool runs, struct domain *manager_out)
{
    unsigned nr = 0;
    struct domain *domains = domains_read(xs, &nr);
    struct schema_place place = *a;
    bool found = false;

    for (unsigned i = 0; domains && i < nr && !found; i++) {
        place.manager = domains[i].domid;
        /* dom0 outlives its manager; any other domain is the manager's for as long as it lives */
        found = place.manager != a->manager && attach_has_policy(xs, &place, guest_uuid) &&
                (!runs || place.manager != 0 || manager_is_ready(xs, 0));
        if (found)
            *manager_out = domains[i];
    }
    free(domains);
    return found;
}

bool attach_find_other(struct xs_handle *xs, const struct schema_place *a,
                       const uint8_t guest_uuid[16], struct domain *manager_out)
{
    return find_manager(xs, a, guest_uuid, false, manager_out);
}

bool attach_find_running(struct xs_handle *xs, const struct schema_place *a,
                         const uint8_t guest_uuid[16], struct domain *manager_out)
{
    return find_manager(xs, a, guest_uuid, true, manager_out);
}

bool attach_find_any(struct xs_handle *xs, unsigned guest, uint32_t device,
                     const uint8_t guest_uuid[16], struct domain *manager_out)
{
    const struct schema_place a = {.manager = DOMID_NONE, .guest = guest, .device = device};

    return attach_find_other(xs, &a, guest_uuid, manager_out);
}

bool attach_is_bare(struct xs_handle *xs, unsigned manager)
{
    char path[XEN_PATH_LEN];

    schema_policies(path, manager);
    return !node_exists(xs, XBT_NULL, path) && errno == ENOENT;
}

/* ---- writing ---- */

static bool write_grant(struct xs_handle *xs, xs_transaction_t t, const struct schema_place *a,
                        const struct grant *grant)
{
    char path[XEN_PATH_LEN];

    schema_path(path, a, SCHEMA_GUEST_QUOTA, 0);
    if (!node_write_number(xs, t, path, grant_node_pages(grant->quota_pages)))
        return false;
    schema_path(path, a, SCHEMA_GUEST_MIN, 0);
    if (!node_write_number(xs, t, path, grant_node_pages(grant->min_pages)))
        return false;
    schema_path(path, a, SCHEMA_GUEST_MAX, 0);
    if (!node_write_number(xs, t, path, grant_node_pages(grant->max_pages)))
        return false;
    schema_path(path, a, SCHEMA_GUEST_WEIGHT, 0);
    return node_write_number(xs, t, path, grant->weight);
}

static bool write_policy(struct xs_handle *xs, xs_transaction_t t, const struct schema_place *a,
                         const struct domain *guest, const struct grant *grant)
{
    char path[XEN_PATH_LEN], uuid[TEXT_UUID_LEN];

    schema_folder(path, a, SCHEMA_IN_GUEST);
    if (!node_remove(xs, t, path) || !node_make_folder(xs, t, path, 0, a->manager))
        return false;
    text_of_uuid(uuid, guest->uuid);
    schema_path(path, a, SCHEMA_GUEST_UUID, 0);
    if (!node_write(xs, t, path, uuid))
        return false;
    schema_path(path, a, SCHEMA_GUEST_NAME, 0);
    return node_write(xs, t, path, guest->name) && write_grant(xs, t, a, grant);
}

static bool write_frontend(struct xs_handle *xs, xs_transaction_t t, const struct schema_place *a)
{
    char path[XEN_PATH_LEN], backend[XEN_PATH_LEN];

    schema_folder(path, a, SCHEMA_IN_FRONTEND);
    if (!node_remove(xs, t, path) || !node_make_folder(xs, t, path, a->guest, a->manager))
        return false;
    schema_folder(backend, a, SCHEMA_IN_BACKEND);
    schema_path(path, a, SCHEMA_FRONTEND_BACKEND, 0);
    if (!node_write(xs, t, path, backend))
        return false;
    schema_path(path, a, SCHEMA_FRONTEND_BACKEND_ID, 0);
    if (!node_write_number(xs, t, path, a->manager))
        return false;
    schema_path(path, a, SCHEMA_FRONTEND_STATE, 0);
    return node_write_number(xs, t, path, XENBUS_INITIALISING);
}

static bool write_backend(struct xs_handle *xs, xs_transaction_t t, const struct schema_place *a)
{
    char path[XEN_PATH_LEN], frontend[XEN_PATH_LEN];

    schema_folder(path, a, SCHEMA_IN_BACKEND);
    if (!node_remove(xs, t, path) || !node_make_folder(xs, t, path, a->manager, a->guest))
        return false;
    schema_folder(frontend, a, SCHEMA_IN_FRONTEND);
    schema_path(path, a, SCHEMA_BACKEND_FRONTEND, 0);
    if (!node_write(xs, t, path, frontend))
        return false;
    schema_path(path, a, SCHEMA_BACKEND_FRONTEND_ID, 0);
    if (!node_write_number(xs, t, path, a->guest))
        return false;
    schema_path(path, a, SCHEMA_BACKEND_ONLINE, 0);
    if (!node_write_number(xs, t, path, 1))
        return false;
    schema_path(path, a, SCHEMA_BACKEND_STATE, 0);
    return node_write_number(xs, t, path, XENBUS_INITIALISING);
}

static bool write_shared(struct xs_handle *xs, xs_transaction_t t, unsigned manager,
                         const uint8_t uuid[16], const struct grant *grant)
{
    char path[XEN_PATH_LEN];

    schema_shared_folder(path, manager, uuid);
    if (!node_make_folder(xs, t, path, 0, manager))
        return false;
    schema_shared_path(path, manager, uuid, SCHEMA_SHARED_QUOTA, 0);
    if (!node_write_number(xs, t, path, grant_node_pages(grant->quota_pages)))
        return false;
    schema_shared_path(path, manager, uuid, SCHEMA_SHARED_MIN, 0);
    if (!node_write_number(xs, t, path, grant_node_pages(grant->min_pages)))
        return false;
    schema_shared_path(path, manager, uuid, SCHEMA_SHARED_MAX, 0);
    if (!node_write_number(xs, t, path, grant_node_pages(grant->max_pages)))
        return false;
    schema_shared_path(path, manager, uuid, SCHEMA_SHARED_WEIGHT, 0);
    return node_write_number(xs, t, path, grant->weight);
}

/* Rights are by domid: those that stand may be of a guest that had it before. */
static bool remove_memberships(struct xs_handle *xs, xs_transaction_t t,
                               const struct schema_place *a)
{
    char folder[XEN_PATH_LEN], path[XEN_PATH_LEN];
    unsigned nr = 0;
    char **uuids;
    bool ok;

    schema_shared_pools(folder, a->manager);
    uuids = xs_directory(xs, t, folder, &nr);
    ok = uuids || errno == ENOENT;
    for (unsigned i = 0; uuids && i < nr && ok; i++) {
        uint8_t uuid[16];

        if (!text_to_uuid(uuids[i], uuid))
            continue;
        schema_shared_path(path, a->manager, uuid, SCHEMA_SHARED_ALLOW, a->guest);
        ok = node_remove(xs, t, path);
    }
    free(uuids);
    return ok;
}

static bool write_memberships(struct xs_handle *xs, xs_transaction_t t, unsigned manager,
                              const struct domain *guest, const struct book *book)
{
    char path[XEN_PATH_LEN];

    for (unsigned i = 0; i < book->nr_shared; i++) {
        const struct book_shared *shared = &book->shared[i];

        for (unsigned k = 0; k < shared->nr_allow; k++) {
            if (memcmp(shared->allow[k].guest, guest->uuid, 16))
                continue;
            schema_shared_path(path, manager, shared->uuid, SCHEMA_SHARED_ALLOW, guest->domid);
            if (!write_shared(xs, t, manager, shared->uuid, &shared->grant) ||
                !node_write(xs, t, path, shared->allow[k].fill ? "fill" : "read"))
                return false;
        }
    }
    return true;
}

/*
 * Carry out @write in a transaction of its own, again when others were faster
 * (EAGAIN), and say in @why_out what failed.
 */
struct change {
    bool (*write)(struct xs_handle *xs, xs_transaction_t t, const void *arg);
    const void *arg;
    const char *what;
};

#define MAX_TRIES 100

static bool change_nodes(struct xs_handle *xs, const struct change *change,
                         char why_out[XEN_WHY_LEN])
{
    for (unsigned tries = 0; tries < MAX_TRIES; tries++) {
        xs_transaction_t t = xs_transaction_start(xs);

        if (t == XBT_NULL)
            break;
        if (!change->write(xs, t, change->arg)) {
            int error = errno;

            xs_transaction_end(xs, t, true);
            xen_explain(why_out, change->what, error);
            return false;
        }
        if (xs_transaction_end(xs, t, false))
            return true;
        if (errno != EAGAIN)
            break;
    }
    xen_explain(why_out, change->what, errno);
    return false;
}

struct new_attachment {
    struct schema_place where;
    const struct domain *guest;
    const struct grant *grant;
    const struct book *book;
};

static bool write_all(struct xs_handle *xs, xs_transaction_t t, const void *arg)
{
    const struct new_attachment *n = arg;

    return write_policy(xs, t, &n->where, n->guest, n->grant) &&
           (!n->book || (remove_memberships(xs, t, &n->where) &&
                         write_memberships(xs, t, n->where.manager, n->guest, n->book))) &&
           write_frontend(xs, t, &n->where) && write_backend(xs, t, &n->where);
}

/*
 * A domU is told of other domains' death only with a right to read @releaseDomain (seen: without
 * it the watch fires once and never again). Rights of domains that are gone are left out.
 */
static bool let_know_of_deaths(struct xs_handle *xs, unsigned manager)
{
    unsigned nr = 0, nr_kept = 0;
    struct xs_permissions *perms = xs_get_permissions(xs, XBT_NULL, "@releaseDomain", &nr);
    struct xs_permissions *kept = calloc(nr + 2, sizeof(*kept));
    bool ok = false, there = false;
    struct domain domain;

    if (kept) {
        kept[nr_kept++] = (struct xs_permissions){.id = 0, .perms = XS_PERM_NONE};
        for (unsigned i = 1; perms && i < nr; i++) {
            if (!domain_read(xs, perms[i].id, &domain))
                continue;
            there = there || (perms[i].id == manager && (perms[i].perms & XS_PERM_READ));
            kept[nr_kept++] = perms[i];
        }
        if (!there)
            kept[nr_kept++] = (struct xs_permissions){.id = manager, .perms = XS_PERM_READ};
        ok = there || xs_set_permissions(xs, XBT_NULL, "@releaseDomain", kept, nr_kept);
    }
    free(kept);
    free(perms);
    return ok;
}

bool attach_write(struct xs_handle *xs, const struct domain *manager, const struct domain *guest,
                  uint32_t device, const struct grant *grant, const struct book *book,
                  char why_out[XEN_WHY_LEN])
{
    const struct new_attachment new = {
        .where = {.manager = manager->domid, .guest = guest->domid, .device = device},
        .guest = guest,
        .grant = grant,
        .book = book,
    };
    const struct change change = {write_all, &new, "cannot write the nodes of the attachment"};

    if (manager->domid != 0 && !let_know_of_deaths(xs, manager->domid)) {
        xen_explain(why_out, "cannot let the manager watch @releaseDomain", errno);
        return false;
    }
    return change_nodes(xs, &change, why_out);
}

static bool write_offline(struct xs_handle *xs, xs_transaction_t t, const void *arg)
{
    const struct schema_place *a = arg;
    char folder[XEN_PATH_LEN], online[XEN_PATH_LEN], state[XEN_PATH_LEN];

    schema_folder(folder, a, SCHEMA_IN_BACKEND);
    if (!node_exists(xs, t, folder))
        return errno == ENOENT; /* such as where the policy alone is left: nobody to ask */
    schema_path(online, a, SCHEMA_BACKEND_ONLINE, 0);
    schema_path(state, a, SCHEMA_BACKEND_STATE, 0);
    return node_write_number(xs, t, online, 0) && node_write_number(xs, t, state, XENBUS_CLOSING);
}

bool attach_retire(struct xs_handle *xs, const struct schema_place *a, char why_out[XEN_WHY_LEN])
{
    const struct change change = {write_offline, a, "cannot write the nodes of the attachment"};

    return change_nodes(xs, &change, why_out);
}

static bool remove_ours(struct xs_handle *xs, xs_transaction_t t, const void *arg)
{
    const struct schema_place *a = arg;
    char path[XEN_PATH_LEN];

    schema_folder(path, a, SCHEMA_IN_BACKEND);
    if (!node_remove(xs, t, path))
        return false;
    schema_folder(path, a, SCHEMA_IN_GUEST);
    if (!node_remove(xs, t, path))
        return false;
    *strrchr(path, '/') = '\0';
    if (has_children(xs, t, path))
        return true;
    /* it was the guest's last: the folders above are per guest */
    if (!node_remove(xs, t, path))
        return false;
    schema_folder(path, a, SCHEMA_IN_BACKEND);
    *strrchr(path, '/') = '\0';
    return node_remove(xs, t, path) && remove_memberships(xs, t, a);
}

bool attach_remove(struct xs_handle *xs, const struct schema_place *a, char why_out[XEN_WHY_LEN])
{
    const struct change change = {remove_ours, a, "cannot remove the nodes of the attachment"};
    char path[XEN_PATH_LEN];

    if (!change_nodes(xs, &change, why_out))
        return false;
    /* a guest that writes there all the time would undo any transaction that has its folder */
    schema_folder(path, a, SCHEMA_IN_FRONTEND);
    node_remove(xs, XBT_NULL, path);
    return true;
}

/* ---- taking back ---- */

static bool remove_if_empty(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    return has_children(xs, t, path) || node_remove(xs, t, path);
}

struct bare_manager {
    unsigned domid;
    bool has_our_pools; /* those that are there now are in the book */
};

/* Others may have been attached to it meanwhile, or have said what a pool may hold. */
static bool strip(struct xs_handle *xs, xs_transaction_t t, const void *arg)
{
    const struct bare_manager *bare = arg;
    const struct schema_place any = {.manager = bare->domid};
    char path[XEN_PATH_LEN];

    schema_folder(path, &any, SCHEMA_IN_GUEST); /* .../guest/0/0 */
    *strrchr(path, '/') = '\0';
    *strrchr(path, '/') = '\0';
    if (has_children(xs, t, path))
        return true;
    schema_shared_pools(path, bare->domid);
    if (!bare->has_our_pools && has_children(xs, t, path))
        return true;
    schema_policies(path, bare->domid);
    if (!node_remove(xs, t, path))
        return false;
    schema_backends(path, bare->domid); /* .../backend/tmem */
    if (!remove_if_empty(xs, t, path))
        return false;
    *strrchr(path, '/') = '\0';
    return remove_if_empty(xs, t, path);
}

bool attach_take_back(struct xs_handle *xs, const struct schema_place *a, bool was_bare,
                      const struct book *book, char why_out[XEN_WHY_LEN])
{
    const struct bare_manager bare = {.domid = a->manager, .has_our_pools = book != NULL};
    const struct change change = {strip, &bare, "cannot remove the manager's folders"};

    return attach_remove(xs, a, why_out) && (!was_bare || change_nodes(xs, &change, why_out));
}

/* ---- waiting ---- */

struct wait_line {
    struct progress line;
    const struct domain *manager, *guest;
};

static void show_wait(void *arg, unsigned passed_ms)
{
    struct wait_line *w = arg;

    progress_show(&w->line, "%s: waiting for the manager %s: %u.%u s", w->guest->name,
                  w->manager->name, passed_ms / 1000, passed_ms / 100 % 10);
}

/* Why nobody answers in the manager's domain, if that can be told. */
static bool explain_absence(struct xs_handle *xs, const struct domain *manager,
                            char why_out[XEN_WHY_LEN])
{
    struct domain now;

    if (!domain_read(xs, manager->domid, &now))
        snprintf(why_out, XEN_WHY_LEN,
                 "the manager %s (domain %u) is gone: `xentmem start` starts it", manager->name,
                 manager->domid);
    else if (!manager_is_ready(xs, manager->domid))
        snprintf(why_out, XEN_WHY_LEN,
                 "no daemon has announced itself in %s (domain %u, node data/xentmem/ready): "
                 "`xl console %s` shows its log",
                 manager->name, manager->domid, manager->name);
    else
        return false;
    return true;
}

bool attach_wait_ready(struct tool *tool, struct xs_handle *xs, const struct domain *manager,
                       const struct domain *guest, unsigned *timeout_ms, char why_out[XEN_WHY_LEN])
{
    struct wait_line w = {.line = {.off = tool->no_progress}, .manager = manager, .guest = guest};
    const struct schema_place place = {.manager = manager->domid};
    char path[XEN_PATH_LEN];
    bool ready;

    schema_path(path, &place, SCHEMA_MANAGER_READY, 0);
    ready = node_wait_number(xs, path, timeout_ms, show_wait, &w);
    progress_clear(&w.line);
    return ready || !explain_absence(xs, manager, why_out);
}

/* Has the manager said in node `error` why it does not serve it? @why_out is that. */
static bool is_refused(struct xs_handle *xs, const struct schema_place *a,
                       const struct domain *manager, char why_out[XEN_WHY_LEN])
{
    char path[XEN_PATH_LEN], reason[XEN_WHY_LEN / 2], *error;
    bool refused;

    schema_path(path, a, SCHEMA_BACKEND_ERROR, 0);
    error = node_read(xs, XBT_NULL, path);
    refused = error && *error;
    if (refused) {
        text_printable(reason, sizeof(reason), error);
        snprintf(why_out, XEN_WHY_LEN, "the manager %s refused: %s", manager->name, reason);
    }
    free(error);
    return refused;
}

int attach_wait(struct tool *tool, struct xs_handle *xs, const struct domain *manager,
                const struct domain *guest, uint32_t device, unsigned timeout_ms,
                char why_out[XEN_WHY_LEN])
{
    const struct schema_place a = {manager->domid, guest->domid, device};
    struct wait_line w = {.line = {.off = tool->no_progress}, .manager = manager, .guest = guest};
    char path[XEN_PATH_LEN];
    unsigned state;

    schema_path(path, &a, SCHEMA_BACKEND_STATE, 0);
    state = node_wait_state(xs, path, ~STATE(XENBUS_INITIALISING), timeout_ms, show_wait, &w);
    progress_clear(&w.line);
    /* whom the manager does not admit it offers the same, and says first that it does not */
    if (is_refused(xs, &a, manager, why_out))
        return TOOL_REFUSED;
    /* 1 becomes these by its hand alone; after a guest that closes at once it is 6 */
    if (state >= XENBUS_INIT_WAIT && state <= XENBUS_CLOSED)
        return TOOL_DONE;

    if (signal_is_held())
        snprintf(why_out, XEN_WHY_LEN, "interrupted before the manager %s answered", manager->name);
    else if (explain_absence(xs, manager, why_out))
        return TOOL_NO_MANAGER;
    else if (state == XENBUS_UNKNOWN)
        snprintf(why_out, XEN_WHY_LEN,
                 "the nodes of the attachment to %s have vanished: is the guest (domain %u) gone?",
                 manager->name, guest->domid);
    else
        snprintf(why_out, XEN_WHY_LEN,
                 "the manager %s (domain %u) did not answer in time (backend state %u): "
                 "`xl console %s` shows its log%s",
                 manager->name, manager->domid, state, manager->name,
                 guest->domid == 0 ? "" : "; --timeout waits longer"); /* dom0 asks for its own */
    return TOOL_NO_MANAGER;
}

/* ---- policy of what is there ---- */

struct new_policy {
    struct schema_place where;
    uint8_t uuid[16];
    const struct grant *grant;
    const char *right;
};

static bool write_guest_policy(struct xs_handle *xs, xs_transaction_t t, const void *arg)
{
    const struct new_policy *n = arg;

    return write_grant(xs, t, &n->where, n->grant);
}

bool attach_write_grant(struct xs_handle *xs, const struct schema_place *a,
                        const struct grant *grant, char why_out[XEN_WHY_LEN])
{
    const struct new_policy new = {.where = *a, .grant = grant};
    const struct change change = {write_guest_policy, &new, "cannot write the guest's policy"};

    return change_nodes(xs, &change, why_out);
}

static bool write_shared_policy(struct xs_handle *xs, xs_transaction_t t, const void *arg)
{
    const struct new_policy *n = arg;

    return write_shared(xs, t, n->where.manager, n->uuid, n->grant);
}

bool attach_write_shared(struct xs_handle *xs, unsigned manager, const uint8_t uuid[16],
                         const struct grant *grant, char why_out[XEN_WHY_LEN])
{
    struct new_policy new = {.where = {.manager = manager}, .grant = grant};
    const struct change change = {write_shared_policy, &new, "cannot write the pool's policy"};

    memcpy(new.uuid, uuid, 16);
    return change_nodes(xs, &change, why_out);
}

static bool write_right(struct xs_handle *xs, xs_transaction_t t, const void *arg)
{
    const struct new_policy *n = arg;
    char path[XEN_PATH_LEN];

    schema_shared_path(path, n->where.manager, n->uuid, SCHEMA_SHARED_ALLOW, n->where.guest);
    return n->right ? node_write(xs, t, path, n->right) : node_remove(xs, t, path);
}

bool attach_write_allow(struct xs_handle *xs, unsigned manager, const uint8_t uuid[16],
                        unsigned guest, const char *right, char why_out[XEN_WHY_LEN])
{
    struct new_policy new = {.where = {.manager = manager, .guest = guest}, .right = right};
    const struct change change = {write_right, &new, "cannot write the pool's members"};

    memcpy(new.uuid, uuid, 16);
    return change_nodes(xs, &change, why_out);
}
