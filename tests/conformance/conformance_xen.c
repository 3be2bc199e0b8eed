/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules, between guests on Xen. Runs in dom0: calls go to the guests through
 * xenstore, policy is written to the manager's nodes as the toolstack writes it,
 * messages go over dom0's own attachment.
 *
 *   conformance_xen MANAGER FRAMES SCRIPT GUEST GUEST GUEST [NAME]...
 *     MANAGER, GUEST  names of domains; all guests are attached, nobody serves there yet
 *     FRAMES          pages that the manager has
 *     SCRIPT          SCRIPT serve GUEST      (re)start conformance_guest in it
 *                     SCRIPT die GUEST        destroy it, start it again, attach it
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#include "tests/conformance/harness.h"
#include "tests/conformance/operator.h"
#include "tests/conformance/wire.h"

/* Everything is emulated, on few processors. */
#define ANSWER_MS  240000
#define LOOK_MS    3000 /* how often to look whether a silent guest is there at all */
#define APPLIED_MS 30000u
#define START_MS   120000u
#define CONTROL    "xen:4294967295"
#define PATH_LEN   256

struct xen_guest {
    const char *name;
    unsigned domid, number;
    uint8_t uuid[TMEMIF_UUID_LEN];
    bool frozen;
    struct policy policy; /* as it stands in xenstore */
};

struct xen_world {
    struct xs_handle *xs;
    struct xentmem *control;
    unsigned manager;
    const char *script;
    unsigned nr_changes; /* see settle() */
    struct xen_guest guests[NR_GUESTS];
};

static struct xen_world *world(struct harness *h)
{
    return h->state;
}

static void sleep_ms(unsigned ms)
{
    poll(NULL, 0, (int)ms);
}

/* ---- domains ---- */

static int command_run(const char *command)
{
    int status = system(command);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int script_run(struct xen_world *w, const char *verb, const char *guest)
{
    char command[PATH_LEN];

    snprintf(command, sizeof(command), "%s %s %s >&2", w->script, verb, guest);
    return command_run(command);
}

static bool domain_find(const char *name, unsigned *domid_out)
{
    char command[PATH_LEN], line[32] = "";
    FILE *xl;

    snprintf(command, sizeof(command), "xl domid %s", name);
    xl = popen(command, "r");
    if (!xl)
        return false;
    if (!fgets(line, sizeof(line), xl))
        line[0] = '\0';
    return pclose(xl) == 0 && sscanf(line, "%u", domid_out) == 1;
}

static bool read_uuid(struct xen_world *w, struct xen_guest *g)
{
    char path[PATH_LEN], *text;
    unsigned nr = 0;

    snprintf(path, sizeof(path), "/local/domain/%u/xentmem/guest/%u/0/uuid", w->manager, g->domid);
    text = xs_read(w->xs, XBT_NULL, path, NULL);
    for (const char *c = text; c && *c && nr < TMEMIF_UUID_LEN; c++) {
        unsigned byte;

        if (*c == '-')
            continue;
        if (sscanf(c++, "%2x", &byte) != 1)
            break;
        g->uuid[nr++] = (uint8_t)byte;
    }
    free(text);
    return nr == TMEMIF_UUID_LEN;
}

static bool write_node(struct xen_world *w, const char *path, const char *value)
{
    return xs_write(w->xs, XBT_NULL, path, value, (unsigned)strlen(value));
}

static char *guest_node(const struct xen_guest *g, const char *name, char path[PATH_LEN])
{
    snprintf(path, PATH_LEN, "/local/domain/%u/%s", g->domid, name);
    return path;
}

static bool has_outcome(struct xen_world *w, const char *path, unsigned number,
                        struct call *call_out)
{
    char *text = xs_read(w->xs, XBT_NULL, path, NULL);
    unsigned seen;
    bool ok = text && wire_unpack(text, &seen, call_out) && seen == number;

    free(text);
    return ok;
}

/* Wait until the guest has stored outcome @number. Its node is watched: to ask again and again
 * would take dom0's only processor from xenstored. */
static bool receive(struct xen_world *w, struct xen_guest *g, unsigned number, unsigned timeout_ms,
                    struct call *call_out)
{
    struct pollfd event = {.fd = xs_fileno(w->xs), .events = POLLIN};
    char path[PATH_LEN];

    guest_node(g, WIRE_RESULT, path);
    while (!has_outcome(w, path, number, call_out)) {
        int step_ms = timeout_ms < LOOK_MS ? (int)timeout_ms : LOOK_MS;
        unsigned nr;

        if (poll(&event, 1, step_ms) == 1) {
            free(xs_read_watch(w->xs, &nr));
        } else {
            timeout_ms -= (unsigned)step_ms;
            if (timeout_ms == 0 || !xs_is_domain_introduced(w->xs, g->domid))
                return false;
        }
    }
    return true;
}

static bool start_serving(struct xen_world *w, struct xen_guest *g)
{
    char path[PATH_LEN];
    struct call hello;

    g->number = 0;
    xs_rm(w->xs, XBT_NULL, guest_node(g, WIRE_CALL, path));
    xs_rm(w->xs, XBT_NULL, guest_node(g, WIRE_RESULT, path));
    xs_unwatch(w->xs, path, "result"); /* of an earlier time */
    if (!xs_watch(w->xs, path, "result"))
        return false;
    return script_run(w, "serve", g->name) == 0 && receive(w, g, 0, START_MS, &hello);
}

static void begin(struct harness *h, unsigned guest, const struct call *call)
{
    struct xen_guest *g = &world(h)->guests[guest];
    char path[PATH_LEN], text[WIRE_LEN];

    wire_pack(text, ++g->number, call);
    if (!write_node(world(h), guest_node(g, WIRE_CALL, path), text))
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

static void end(struct harness *h, unsigned guest, struct call *call_out)
{
    struct xen_guest *g = &world(h)->guests[guest];

    if (!receive(world(h), g, g->number, ANSWER_MS, call_out))
        call_out->status = -1;
}

/* ---- the operator ---- */

static struct tmemctl_who who_is(const struct xen_guest *g)
{
    struct tmemctl_who who = {.kind = TMEMCTL_XEN, .id = g->domid};

    memcpy(who.uuid, g->uuid, sizeof(who.uuid));
    return who;
}

static void uuid_text(const uint8_t *u, char text_out[37])
{
    snprintf(text_out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}

static bool write_number(struct xen_world *w, const char *folder, const char *key, uint64_t value)
{
    char path[PATH_LEN], text[24];

    /* a node's range ends there: "no limit" */
    if (value > UINT32_MAX)
        value = UINT32_MAX;
    snprintf(path, sizeof(path), "%s/%s", folder, key);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return write_node(w, path, text);
}

static bool write_policy(struct xen_world *w, const char *folder, const struct policy *p)
{
    return write_number(w, folder, "quota-pages", p->quota_pages) &&
           write_number(w, folder, "min-pages", p->min_pages) &&
           write_number(w, folder, "max-pages", p->max_pages) &&
           write_number(w, folder, "weight", p->weight);
}

static bool guest_policy_is(struct xen_world *w, const struct xen_guest *g, uint32_t weight)
{
    struct tmemctl_plain m = {.head = {.command = TMEMCTL_LIST_GUESTS, .length = sizeof(m)}};
    static struct {
        struct tmemctl_reply head;
        struct tmemctl_guest guests[64];
    } reply;
    size_t length = sizeof(reply);

    if (xentmem_control(w->control, &m, sizeof(m), &reply, &length) != TMEMIF_OK)
        return false;
    for (uint32_t i = 0; i < reply.head.count; i++) {
        if (reply.guests[i].guest.kind == TMEMCTL_XEN && reply.guests[i].guest.id == g->domid)
            return reply.guests[i].policy.weight == weight;
    }
    return false;
}

/*
 * The manager learns of nodes by its watches, in the order in which they were
 * written. So one more is written, a weight that was not there before, and when
 * that is in force all of them are.
 */
static bool settle(struct xen_world *w)
{
    const struct xen_guest *g = &w->guests[NR_GUESTS - 1];
    uint32_t weight = 256 + ++w->nr_changes % 64;
    char folder[PATH_LEN];

    snprintf(folder, sizeof(folder), "/local/domain/%u/xentmem/guest/%u/0", w->manager, g->domid);
    if (!write_number(w, folder, "weight", weight))
        return false;
    for (unsigned waited = 0; waited < APPLIED_MS; waited += 10) {
        if (guest_policy_is(w, g, weight))
            return true;
        sleep_ms(10);
    }
    fprintf(stderr, "the manager does not apply what is written to xenstore\n");
    return false;
}

static bool set_policy(struct harness *h, unsigned guest, const struct policy *policy)
{
    struct xen_guest *g = &world(h)->guests[guest];
    char folder[PATH_LEN];

    if (memcmp(&g->policy, policy, sizeof(*policy)) == 0)
        return true;
    g->policy = *policy;
    snprintf(folder, sizeof(folder), "/local/domain/%u/xentmem/guest/%u/0", world(h)->manager,
             g->domid);
    return write_policy(world(h), folder, policy) && settle(world(h));
}

static void shared_folder(struct xen_world *w, const uint8_t *uuid, char folder[PATH_LEN])
{
    char text[37];

    uuid_text(uuid, text);
    snprintf(folder, PATH_LEN, "/local/domain/%u/xentmem/shared/%s", w->manager, text);
}

static bool set_shared(struct harness *h, const uint8_t *uuid, const struct policy *policy)
{
    char folder[PATH_LEN];

    shared_folder(world(h), uuid, folder);
    return write_policy(world(h), folder, policy) && settle(world(h));
}

static bool set_right(struct harness *h, const uint8_t *uuid, unsigned guest, enum pool_right right)
{
    char folder[PATH_LEN], path[PATH_LEN + 32];

    shared_folder(world(h), uuid, folder);
    snprintf(path, sizeof(path), "%s/allow/%u", folder, world(h)->guests[guest].domid);
    if (right != RIGHT_NONE)
        return write_node(world(h), path, right == RIGHT_READ ? "read" : "fill") &&
               settle(world(h));
    if (!xs_rm(world(h)->xs, XBT_NULL, path))
        return errno == ENOENT; /* nothing to take back */
    return settle(world(h));
}

static bool set_frozen(struct harness *h, unsigned guest, bool frozen)
{
    struct xen_guest *g = &world(h)->guests[guest];
    struct tmemctl_who who = who_is(g);

    if (g->frozen == frozen)
        return true;
    g->frozen = frozen;
    return operator_freeze_guest(world(h)->control, &who, frozen);
}

static bool set_shared_frozen(struct harness *h, const uint8_t *uuid, bool frozen)
{
    return operator_freeze_shared(world(h)->control, uuid, frozen);
}

static bool remove_shared(struct harness *h, const uint8_t *uuid)
{
    char folder[PATH_LEN];

    shared_folder(world(h), uuid, folder);
    xs_rm(world(h)->xs, XBT_NULL, folder);
    return settle(world(h)) && operator_remove(world(h)->control, uuid);
}

static const char *check(struct harness *h)
{
    return operator_check(world(h)->control);
}

static bool lose(struct harness *h, unsigned guest)
{
    return start_serving(world(h), &world(h)->guests[guest]); /* which kills who was there */
}

static bool find_guest(struct xen_world *w, struct xen_guest *g)
{
    memset(&g->policy, 0xff, sizeof(g->policy)); /* none of ours */
    g->frozen = false;
    return domain_find(g->name, &g->domid) && read_uuid(w, g) && start_serving(w, g);
}

static bool die(struct harness *h, unsigned guest)
{
    struct xen_guest *g = &world(h)->guests[guest];
    struct policy policy = g->policy;

    return script_run(world(h), "die", g->name) == 0 && find_guest(world(h), g) &&
           set_policy(h, guest, &policy);
}

/*
 * One PVH guest in some dozens triple-faults under QEMU's emulation of SVM, with
 * an address of Xen's in its instruction pointer. That is not the manager's.
 */
static bool was_lost_by_emulator(struct xen_world *w, const struct xen_guest *g)
{
    char command[PATH_LEN];

    snprintf(command, sizeof(command), "xl dmesg | grep -q 'd%uv[0-9]* Triple fault'", g->domid);
    return !xs_is_domain_introduced(w->xs, g->domid) && command_run(command) == 0;
}

static bool revive(struct harness *h)
{
    bool lost = false;

    for (unsigned g = 0; g < NR_GUESTS; g++) {
        struct xen_guest *guest = &world(h)->guests[g];

        if (!was_lost_by_emulator(world(h), guest))
            continue;
        printf("%s triple-faulted in the emulator; the test is run again\n", guest->name);
        lost = script_run(world(h), "die", guest->name) == 0 && find_guest(world(h), guest);
    }
    return lost;
}

static const struct harness_ops ops = {
    .begin = begin,
    .end = end,
    .set_policy = set_policy,
    .set_shared = set_shared,
    .allow = set_right,
    .freeze = set_frozen,
    .freeze_shared = set_shared_frozen,
    .remove_shared = remove_shared,
    .check = check,
    .lose = lose,
    .die = die,
    .revive = revive,
};

int main(int argc, char **argv)
{
    struct xen_world w = {.xs = xs_open(0)};
    struct harness h = {.name = "xen", .ops = &ops, .in_flight = true, .slow = true, .state = &w};

    if (argc < 4 + (int)NR_GUESTS || !w.xs) {
        fprintf(stderr, "usage: conformance_xen MANAGER FRAMES SCRIPT GUEST GUEST GUEST\n");
        return 2;
    }
    w.script = argv[3];
    h.nr_frames = (uint32_t)strtoul(argv[2], NULL, 10);
    w.control = xentmem_open(CONTROL, XENTMEM_OPEN_CONTROL, NULL);
    if (!w.control || !domain_find(argv[1], &w.manager)) {
        printf("not ok conformance_xen: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (unsigned g = 0; g < NR_GUESTS; g++) {
        w.guests[g].name = argv[4 + g];
        if (!find_guest(&w, &w.guests[g])) {
            printf("not ok conformance_xen: %s does not serve\n", w.guests[g].name);
            return 1;
        }
    }
    return harness_run(&h, argc - 4 - (int)NR_GUESTS, argv + 4 + NR_GUESTS);
}
