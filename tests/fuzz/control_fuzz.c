/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as an operator's message and as a manager's reply: refused, or in range whole. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

static int uuid_is_zero(const uint8_t *uuid)
{
    static const uint8_t zero[TMEMIF_UUID_LEN];

    return memcmp(uuid, zero, sizeof(zero)) == 0;
}

static void who_is_in_range(const struct tmemctl_who *who)
{
    require(who->kind == TMEMCTL_XEN || who->kind == TMEMCTL_LOCAL);
    require(who->reserved == 0);
    require(who->kind == TMEMCTL_XEN || uuid_is_zero(who->uuid));
}

static void policy_is_in_range(const struct tmemctl_policy *p)
{
    require(p->fields && !(p->fields & ~TMEMCTL_SET_FIELDS));
    require(p->weight <= TMEMCTL_MAX_WEIGHT);
    require(!(p->fields & TMEMCTL_SET_WEIGHT) == (p->weight == 0));
    require((p->fields & TMEMCTL_SET_QUOTA) || !p->quota_pages);
}

static void name_is_in_range(const char *name)
{
    size_t length = strnlen(name, TMEMCTL_DISK_NAME_LEN);

    require(length > 0 && length < TMEMCTL_DISK_NAME_LEN);
    require(name[0] != '.' && !memchr(name, '/', length) && !memchr(name, ':', length));
    for (size_t i = length; i < TMEMCTL_DISK_NAME_LEN; i++)
        require(name[i] == 0);
}

static void disk_is_in_range(const struct tmemctl_disk_ref *disk)
{
    if (!disk->name[0])
        return;
    name_is_in_range(disk->name);
    require(disk->domid == 0 && disk->vdev == 0);
}

static void message_is_in_range(const union tmemctl_message *m, size_t size)
{
    require(m->head.length == size && size <= TMEMCTL_MAX_MESSAGE);
    require(strcmp(tmemctl_command_name(m->head.command), "unknown") != 0);
    switch (m->head.command) {
    case TMEMCTL_LIST_GUESTS:
    case TMEMCTL_LIST_POOLS:
    case TMEMCTL_STATS:
    case TMEMCTL_LIST_DISKS:
        return; /* any cursor */
    case TMEMCTL_LIST_MEMBERS:
        require(!uuid_is_zero(m->shared.uuid));
        return;
    default:
        require(m->head.cursor == 0);
    }
    switch (m->head.command) {
    case TMEMCTL_SET_GUEST:
        who_is_in_range(&m->set_guest.guest);
        policy_is_in_range(&m->set_guest.policy);
        break;
    case TMEMCTL_SET_SHARED:
        require(!uuid_is_zero(m->set_shared.uuid));
        policy_is_in_range(&m->set_shared.policy);
        break;
    case TMEMCTL_ALLOW:
    case TMEMCTL_DENY:
        require(!uuid_is_zero(m->allow.uuid));
        who_is_in_range(&m->allow.guest);
        require(m->head.command == TMEMCTL_DENY ? m->allow.right == 0
                                                : m->allow.right >= 1 && m->allow.right <= 2);
        break;
    case TMEMCTL_FREEZE:
    case TMEMCTL_THAW:
        if (uuid_is_zero(m->target.uuid))
            who_is_in_range(&m->target.guest);
        else
            require(m->target.guest.kind == 0);
        break;
    case TMEMCTL_LOG:
        require(m->log.level >= 3 && m->log.level <= 7);
        break;
    case TMEMCTL_BASE_IMPORT:
        name_is_in_range(m->base_import.name);
        require(m->base_import.token != 0);
        break;
    case TMEMCTL_BASE_PAGES:
        require(size == sizeof(m->base_pages) + (size_t)m->base_pages.count * TMEMIF_PAGE_SIZE);
        break;
    case TMEMCTL_BASE_REMOVE:
        name_is_in_range(m->base.name);
        break;
    case TMEMCTL_DISK_ADD:
        name_is_in_range(m->disk_add.name);
        name_is_in_range(m->disk_add.base);
        break;
    case TMEMCTL_DISK_FREEZE:
        disk_is_in_range(&m->disk_freeze.disk);
        name_is_in_range(m->disk_freeze.name);
        break;
    case TMEMCTL_DISK_RESIZE:
        disk_is_in_range(&m->disk_resize.disk);
        require(m->disk_resize.nr_pages != 0);
        break;
    case TMEMCTL_DISK_ROLLBACK:
    case TMEMCTL_DISK_REMOVE:
        disk_is_in_range(&m->disk.disk);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union tmemctl_message m;
    struct tmemctl_reply r;

    if (size > TMEMCTL_MAX_REPLY + 64)
        return 0;
    if (tmemctl_decode(data, (uint32_t)size, &m) == TMEMIF_OK)
        message_is_in_range(&m, size);

    for (uint32_t command = 0; command <= TMEMCTL_DISK_RESIZE + 1; command++) {
        if (tmemctl_reply_check(data, (uint32_t)size, command) != TMEMIF_OK)
            continue;
        memcpy(&r, data, sizeof(r));
        require(r.record_bytes == tmemctl_record_bytes(command));
        require(sizeof(r) + (size_t)r.count * r.record_bytes == size);
    }
    return 0;
}
