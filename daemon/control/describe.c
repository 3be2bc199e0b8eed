/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* What does not fit is cut off. */
struct text {
    char *to;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    size_t room = DESCRIBE_LEN - t->len;
    va_list args;
    int r;

    va_start(args, format);
    r = vsnprintf(t->to + t->len, room, format, args);
    va_end(args);
    if (r > 0)
        t->len += (size_t)r < room ? (size_t)r : room - 1;
}

static void add_guest(struct text *t, const struct tmemctl_who *who)
{
    add(t, " guest=%s%" PRIu32, who->kind == TMEMCTL_XEN ? "dom" : "uid", who->id);
    if (who->device == TMEMCTL_EVERY_DEVICE)
        add(t, " device=every");
    else
        add(t, " device=%" PRIu32, who->device);
}

static void add_pool(struct text *t, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    add(t, " pool=");
    for (unsigned i = 0; i < TMEMIF_UUID_LEN; i++)
        add(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

static void add_pages(struct text *t, const char *name, uint64_t pages)
{
    if (pages == TMEMCTL_UNLIMITED)
        add(t, " %s=unlimited", name);
    else
        add(t, " %s=%" PRIu64, name, pages);
}

static void add_policy(struct text *t, const struct tmemctl_policy *policy)
{
    if (policy->fields & TMEMCTL_SET_QUOTA)
        add_pages(t, "quota_pages", policy->quota_pages);
    if (policy->fields & TMEMCTL_SET_MIN)
        add_pages(t, "min_pages", policy->min_pages);
    if (policy->fields & TMEMCTL_SET_MAX)
        add_pages(t, "max_pages", policy->max_pages);
    if (policy->fields & TMEMCTL_SET_WEIGHT)
        add(t, " weight=%" PRIu32, policy->weight);
}

static void add_disk(struct text *t, const struct tmemctl_disk_ref *ref)
{
    if (ref->name[0])
        add(t, " disk=%s", ref->name);
    else
        add(t, " guest=dom%" PRIu32 " vbd=%" PRIu32, ref->domid, ref->vdev);
}

static const char *level_name(uint32_t level)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

    /* the codec has refused all others */
    return names[level - TMEMCTL_LOG_ERROR];
}

void describe(char text_out[DESCRIBE_LEN], const union tmemctl_message *m)
{
    struct text t = {.to = text_out};

    text_out[0] = '\0';
    switch ((enum tmemctl_command)m->head.command) {
    case TMEMCTL_SET_GUEST:
        add_guest(&t, &m->set_guest.guest);
        add_policy(&t, &m->set_guest.policy);
        break;
    case TMEMCTL_SET_SHARED:
        add_pool(&t, m->set_shared.uuid);
        add_policy(&t, &m->set_shared.policy);
        break;
    case TMEMCTL_ALLOW:
    case TMEMCTL_DENY:
        add_pool(&t, m->allow.uuid);
        add_guest(&t, &m->allow.guest);
        if (m->allow.right)
            add(&t, " right=%s", m->allow.right == TMEMCTL_RIGHT_FILL ? "fill" : "read");
        break;
    case TMEMCTL_FREEZE:
    case TMEMCTL_THAW:
        if (m->target.guest.kind)
            add_guest(&t, &m->target.guest);
        else
            add_pool(&t, m->target.uuid);
        break;
    case TMEMCTL_REMOVE:
        add_pool(&t, m->shared.uuid);
        break;
    case TMEMCTL_LOG:
        add(&t, " level=%s", level_name(m->log.level));
        break;
    case TMEMCTL_BASE_IMPORT:
        add(&t, " base=%s", m->base_import.name);
        break;
    case TMEMCTL_BASE_END:
        add(&t, " pages=%" PRIu32, m->base_end.nr_pages);
        break;
    case TMEMCTL_BASE_REMOVE:
        add(&t, " base=%s", m->base.name);
        break;
    case TMEMCTL_DISK_ADD:
        add(&t, " disk=%s base=%s", m->disk_add.name, m->disk_add.base);
        break;
    case TMEMCTL_DISK_FREEZE:
        add_disk(&t, &m->disk_freeze.disk);
        add(&t, " base=%s", m->disk_freeze.name);
        break;
    case TMEMCTL_DISK_RESIZE:
        add_disk(&t, &m->disk_resize.disk);
        add(&t, " pages=%" PRIu32, m->disk_resize.nr_pages);
        break;
    case TMEMCTL_DISK_ROLLBACK:
    case TMEMCTL_DISK_REMOVE:
        add_disk(&t, &m->disk.disk);
        break;
    case TMEMCTL_BASE_PAGES:
    case TMEMCTL_LIST_DISKS:
    case TMEMCTL_LIST_GUESTS:
    case TMEMCTL_LIST_POOLS:
    case TMEMCTL_LIST_MEMBERS:
    case TMEMCTL_STATS:
    case TMEMCTL_CHECK:
        break;
    }
}
