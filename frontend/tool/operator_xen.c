/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_xen.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/tool/operator_signal.h"
#include "frontend/tool/text.h"

bool xen_is_dom0(void)
{
    FILE *f = fopen("/proc/xen/capabilities", "re");
    char text[64] = "";

    if (!f)
        return false;
    if (!fgets(text, sizeof(text), f))
        text[0] = '\0';
    fclose(f);
    return strstr(text, "control_d") != NULL;
}

struct xs_handle *xen_open(char why_out[XEN_WHY_LEN])
{
    struct xs_handle *xs;

    if (!xen_is_dom0()) {
        snprintf(why_out, XEN_WHY_LEN, "this is a command for dom0 of a Xen host");
        return NULL;
    }
    xs = xs_open(0);
    if (!xs)
        snprintf(why_out, XEN_WHY_LEN, "no answer from xenstore (%s): is xenstored running?",
                 strerror(errno));
    return xs;
}

/* ---- values ---- */

char *node_read(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    return xs_read(xs, t, path, NULL);
}

bool node_exists(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    char *value = node_read(xs, t, path);

    free(value);
    return value != NULL;
}

uint64_t node_read_number(struct xs_handle *xs, const char *path, uint64_t absent)
{
    char *text = node_read(xs, XBT_NULL, path);
    uint64_t number;

    if (!text || !text_to_number(text, UINT32_MAX, &number))
        number = absent;
    free(text);
    return number;
}

bool node_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const char *text)
{
    return xs_write(xs, t, path, text, (unsigned)strlen(text));
}

bool node_write_number(struct xs_handle *xs, xs_transaction_t t, const char *path, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    return node_write(xs, t, path, text);
}

bool node_make_folder(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned owner,
                      unsigned reader)
{
    struct xs_permissions perms[] = {
        {.id = owner, .perms = XS_PERM_NONE},
        {.id = reader, .perms = XS_PERM_READ},
    };

    return xs_mkdir(xs, t, path) && xs_set_permissions(xs, t, path, perms, 2);
}

bool node_remove(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    return xs_rm(xs, t, path) || errno == ENOENT;
}

void xen_explain(char why_out[XEN_WHY_LEN], const char *what, int error)
{
    switch (error) {
    case ENOSPC:
    case E2BIG:
    case EDQUOT:
        snprintf(why_out, XEN_WHY_LEN,
                 "%s: a quota of xenstore is used up (%s); see `xenstore-control quota`", what,
                 strerror(error));
        break;
    case EACCES:
    case EPERM:
        snprintf(why_out, XEN_WHY_LEN, "%s: xenstore refuses (%s): run this as root in dom0", what,
                 strerror(error));
        break;
    default:
        snprintf(why_out, XEN_WHY_LEN, "%s: %s", what, strerror(error));
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Looking again every 100 ms costs less than keeping track of watches that others share. */
#define LOOK_AGAIN_MS 100

unsigned node_wait_state(struct xs_handle *xs, const char *path, unsigned wanted,
                         unsigned timeout_ms, void (*show)(void *arg, unsigned passed_ms),
                         void *arg)
{
    uint64_t begin = now_ms();

    for (;;) {
        unsigned state = (unsigned)node_read_number(xs, path, 0);
        unsigned passed = (unsigned)(now_ms() - begin);

        if (state > 8)
            state = 0;
        if ((wanted & 1u << state) || passed >= timeout_ms || signal_is_held())
            return state;
        if (show)
            show(arg, passed);
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
}

bool node_wait_number(struct xs_handle *xs, const char *path, unsigned *timeout_ms,
                      void (*show)(void *arg, unsigned passed_ms), void *arg)
{
    uint64_t begin = now_ms();

    for (;;) {
        bool there = node_read_number(xs, path, 0) != 0;
        uint64_t passed = now_ms() - begin;

        if (there || passed >= *timeout_ms || signal_is_held()) {
            *timeout_ms -= passed < *timeout_ms ? (unsigned)passed : *timeout_ms;
            return there;
        }
        if (show)
            show(arg, (unsigned)passed);
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
}

/* ---- domains ---- */

/* "/vm/<uuid>" is where libxl points to. */
static void read_uuid(struct xs_handle *xs, unsigned domid, uint8_t uuid_out[16])
{
    char path[XEN_PATH_LEN], *vm;

    memset(uuid_out, 0, 16);
    snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
    vm = node_read(xs, XBT_NULL, path);
    if (vm && strncmp(vm, "/vm/", 4) == 0)
        text_to_uuid(vm + 4, uuid_out);
    free(vm);
}

bool domain_is_guest(const struct domain *domain, const uint8_t uuid[16])
{
    static const uint8_t unknown[16];

    return memcmp(domain->uuid, uuid, 16) == 0 &&
           (domain->domid == 0 || memcmp(uuid, unknown, 16) != 0);
}

void domain_explain_unknown(const struct domain *domain, char why_out[XEN_WHY_LEN])
{
    snprintf(why_out, XEN_WHY_LEN, "%s (domain %u) has no UUID in xenstore (node vm)", domain->name,
             domain->domid);
}

bool domain_read(struct xs_handle *xs, unsigned domid, struct domain *domain_out)
{
    char path[XEN_PATH_LEN], *name, *id;

    snprintf(path, sizeof(path), "/local/domain/%u/domid", domid);
    id = node_read(xs, XBT_NULL, path);
    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    name = node_read(xs, XBT_NULL, path);
    if (!id && !name)
        return false;

    *domain_out = (struct domain){.domid = domid};
    if (name)
        snprintf(domain_out->name, sizeof(domain_out->name), "%s", name);
    else if (domid == 0)
        strcpy(domain_out->name, "Domain-0");
    read_uuid(xs, domid, domain_out->uuid);
    free(name);
    free(id);
    return true;
}

bool domain_is_gone(struct xs_handle *xs, unsigned domid)
{
    static const char *const nodes[] = {"domid", "name"}; /* as domain_read() */

    for (unsigned i = 0; i < 2; i++) {
        char path[XEN_PATH_LEN], *value;

        snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, nodes[i]);
        value = node_read(xs, XBT_NULL, path);
        if (value || errno != ENOENT) {
            free(value);
            return false;
        }
    }
    return true;
}

struct domain *domains_read(struct xs_handle *xs, unsigned *nr_out)
{
    unsigned nr_names = 0, nr = 0;
    char **names = xs_directory(xs, XBT_NULL, "/local/domain", &nr_names);
    struct domain *domains = names ? calloc(nr_names + 1, sizeof(*domains)) : NULL;

    for (unsigned i = 0; domains && i < nr_names; i++) {
        uint64_t domid;

        if (text_to_number(names[i], UINT16_MAX, &domid) &&
            domain_read(xs, (unsigned)domid, &domains[nr]))
            nr++;
    }
    free(names);
    *nr_out = nr;
    return domains;
}

static enum domain_found find_by_name(struct xs_handle *xs, const char *name,
                                      struct domain *domain_out, char why_out[XEN_WHY_LEN])
{
    unsigned nr, nr_found = 0;
    struct domain *domains = domains_read(xs, &nr);
    size_t length;

    snprintf(why_out, XEN_WHY_LEN, "several domains are named %s; say which domid:", name);
    for (unsigned i = 0; domains && i < nr; i++) {
        if (strcmp(domains[i].name, name))
            continue;
        nr_found++;
        *domain_out = domains[i];
        length = strlen(why_out);
        snprintf(why_out + length, XEN_WHY_LEN - length, " %u", domains[i].domid);
    }
    free(domains);
    if (nr_found == 0)
        snprintf(why_out, XEN_WHY_LEN, "no domain is named %s (xl list shows them)", name);
    return nr_found == 0 ? DOMAIN_NONE : nr_found == 1 ? DOMAIN_FOUND : DOMAIN_SEVERAL;
}

enum domain_found domain_find(struct xs_handle *xs, const char *name, struct domain *domain_out,
                              char why_out[XEN_WHY_LEN])
{
    uint64_t domid;

    /* a name of digits only is a domid, as for xl */
    if (!*name || strspn(name, "0123456789") != strlen(name))
        return find_by_name(xs, name, domain_out, why_out);
    if (text_to_number(name, UINT16_MAX, &domid) && domain_read(xs, (unsigned)domid, domain_out))
        return DOMAIN_FOUND;
    snprintf(why_out, XEN_WHY_LEN, "there is no domain %s (xl list shows them)", name);
    return DOMAIN_NONE;
}

bool manager_is_ready(struct xs_handle *xs, unsigned manager)
{
    const struct schema_place place = {.manager = manager};
    char path[XEN_PATH_LEN];

    schema_path(path, &place, SCHEMA_MANAGER_READY, 0);
    return node_read_number(xs, path, 0) != 0;
}

bool domain_find_manager(struct xs_handle *xs, const char *name, struct domain *manager_out,
                         char why_out[XEN_WHY_LEN])
{
    bool named = name && *name;
    enum domain_found found = domain_find(xs, named ? name : MANAGER_NAME, manager_out, why_out);

    if (named || found != DOMAIN_NONE)
        return found == DOMAIN_FOUND;
    if (manager_is_ready(xs, 0) && domain_read(xs, 0, manager_out))
        return true;
    snprintf(why_out, XEN_WHY_LEN,
             "no manager is running: start its domain with `xentmem start`, or the daemon "
             "in dom0 with `systemctl start xentmemd`");
    return false;
}
