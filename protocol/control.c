/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <stdbool.h>
#include <string.h>

static bool is_zero(const void *bytes, size_t nr)
{
    const uint8_t *b = bytes;
    uint8_t any = 0;

    for (size_t i = 0; i < nr; i++)
        any |= b[i];
    return any == 0;
}

static bool who_is_valid(const struct tmemctl_who *w)
{
    if (w->reserved)
        return false;
    switch (w->kind) {
    case TMEMCTL_XEN:
        return true;
    case TMEMCTL_LOCAL:
        return is_zero(w->uuid, sizeof(w->uuid));
    default:
        return false;
    }
}

/* Fields that are not to be changed are zero, so that a message has one form. */
static bool change_is_valid(const struct tmemctl_policy *p)
{
    if (p->fields == 0 || (p->fields & ~TMEMCTL_SET_FIELDS))
        return false;
    if (!(p->fields & TMEMCTL_SET_QUOTA) && p->quota_pages)
        return false;
    if (!(p->fields & TMEMCTL_SET_MIN) && p->min_pages)
        return false;
    if (!(p->fields & TMEMCTL_SET_MAX) && p->max_pages)
        return false;
    if (p->fields & TMEMCTL_SET_WEIGHT)
        return p->weight >= 1 && p->weight <= TMEMCTL_MAX_WEIGHT;
    return p->weight == 0;
}

static bool check_plain(const union tmemctl_message *m)
{
    (void)m;
    return true;
}

static bool check_shared(const union tmemctl_message *m)
{
    return !is_zero(m->shared.uuid, TMEMIF_UUID_LEN);
}

static bool check_set_guest(const union tmemctl_message *m)
{
    return who_is_valid(&m->set_guest.guest) && change_is_valid(&m->set_guest.policy);
}

static bool check_set_shared(const union tmemctl_message *m)
{
    return !is_zero(m->set_shared.uuid, TMEMIF_UUID_LEN) && change_is_valid(&m->set_shared.policy);
}

static bool check_allow(const union tmemctl_message *m)
{
    const struct tmemctl_allow *a = &m->allow;

    if (is_zero(a->uuid, sizeof(a->uuid)) || !who_is_valid(&a->guest) || a->reserved)
        return false;
    if (a->head.command == TMEMCTL_DENY)
        return a->right == 0;
    return a->right == TMEMCTL_RIGHT_READ || a->right == TMEMCTL_RIGHT_FILL;
}

static bool check_target(const union tmemctl_message *m)
{
    const struct tmemctl_target *t = &m->target;

    if (is_zero(t->uuid, sizeof(t->uuid)))
        return who_is_valid(&t->guest);
    return is_zero(&t->guest, sizeof(t->guest));
}

static bool check_log(const union tmemctl_message *m)
{
    return m->log.reserved == 0 && m->log.level >= TMEMCTL_LOG_ERROR &&
           m->log.level <= TMEMCTL_LOG_DEBUG;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int tmemctl_is_name(const char *text, size_t length)
{
    if (length == 0 || length >= TMEMCTL_DISK_NAME_LEN || !is_alphanumeric(text[0]))
        return false;
    for (size_t i = 1; i < length; i++) {
        if (!is_alphanumeric(text[i]) && text[i] != '.' && text[i] != '_' && text[i] != '-')
            return false;
    }
    return true;
}

int tmemctl_name_is_valid(const char *name)
{
    size_t length = 0;

    while (length < TMEMCTL_DISK_NAME_LEN && name[length])
        length++;
    return tmemctl_is_name(name, length) && is_zero(name + length, TMEMCTL_DISK_NAME_LEN - length);
}

static bool disk_ref_is_valid(const struct tmemctl_disk_ref *d)
{
    if (d->name[0])
        return tmemctl_name_is_valid(d->name) && d->domid == 0 && d->vdev == 0;
    return is_zero(d->name, sizeof(d->name));
}

static bool check_base(const union tmemctl_message *m)
{
    return tmemctl_name_is_valid(m->base.name);
}

static bool check_base_import(const union tmemctl_message *m)
{
    const struct tmemctl_base_import *i = &m->base_import;

    return tmemctl_name_is_valid(i->name) && i->token;
}

static bool check_base_pages(const union tmemctl_message *m)
{
    return m->base_pages.token && m->base_pages.count <= TMEMCTL_MAX_PAGES;
}

static bool check_base_end(const union tmemctl_message *m)
{
    return m->base_end.token && m->base_end.nr_pages && !m->base_end.reserved;
}

static bool check_disk_add(const union tmemctl_message *m)
{
    return tmemctl_name_is_valid(m->disk_add.name) && tmemctl_name_is_valid(m->disk_add.base);
}

static bool check_disk_freeze(const union tmemctl_message *m)
{
    const struct tmemctl_disk_freeze *f = &m->disk_freeze;

    return disk_ref_is_valid(&f->disk) && tmemctl_name_is_valid(f->name) && f->token;
}

static bool check_disk(const union tmemctl_message *m)
{
    return disk_ref_is_valid(&m->disk.disk);
}

static bool check_disk_resize(const union tmemctl_message *m)
{
    const struct tmemctl_disk_resize *r = &m->disk_resize;

    return disk_ref_is_valid(&r->disk) && r->nr_pages && !r->reserved;
}

/* Everything that is checked before a handler runs, by command. */
struct command_rule {
    const char *name;
    uint32_t bytes;
    uint32_t record_bytes;
    bool list;
    bool (*check)(const union tmemctl_message *);
};

#define RECORD_none      0u
#define RECORD_guest     (uint32_t)sizeof(struct tmemctl_guest)
#define RECORD_pool      (uint32_t)sizeof(struct tmemctl_pool)
#define RECORD_member    (uint32_t)sizeof(struct tmemctl_member)
#define RECORD_counter   (uint32_t)sizeof(struct tmemctl_counter)
#define RECORD_verdict   (uint32_t)sizeof(struct tmemctl_verdict)
#define RECORD_disk_info (uint32_t)sizeof(struct tmemctl_disk_info)

static const struct command_rule rules[] = {
#define X(value, command, message, nr_bytes, record, is_list, change)                              \
    [value] = {.name = #command,                                                                   \
               .bytes = nr_bytes,                                                                  \
               .record_bytes = RECORD_##record,                                                    \
               .list = is_list,                                                                    \
               .check = check_##message},
    TMEMCTL_COMMANDS(X)
#undef X
};
#define NR_RULES (sizeof(rules) / sizeof(rules[0]))

static const struct command_rule *rule_of(uint32_t command)
{
    return command < NR_RULES && rules[command].check ? &rules[command] : NULL;
}

/* Bytes behind the message proper. */
static uint64_t tail_bytes(const union tmemctl_message *m)
{
    return m->head.command == TMEMCTL_BASE_PAGES ? (uint64_t)m->base_pages.count * 4096 : 0;
}

enum tmemif_status tmemctl_decode(const void *untrusted, uint32_t length,
                                  union tmemctl_message *message_out)
{
    union tmemctl_message m;
    const struct command_rule *rule;

    memset(&m, 0, sizeof(m));
    if (length < sizeof(m.head))
        return TMEMIF_BAD_REQUEST;
    memcpy(&m.head, untrusted, sizeof(m.head));
    rule = rule_of(m.head.command);
    if (!rule)
        return TMEMIF_BAD_OP;
    if (length < rule->bytes || m.head.length != length)
        return TMEMIF_BAD_REQUEST;
    memcpy(&m, untrusted, rule->bytes);
    if (length != rule->bytes + tail_bytes(&m))
        return TMEMIF_BAD_REQUEST;
    if ((m.head.cursor && !rule->list) || !rule->check(&m))
        return TMEMIF_BAD_REQUEST;

    *message_out = m;
    return TMEMIF_OK;
}

enum tmemif_status tmemctl_reply_check(const void *reply, uint32_t length, uint32_t command)
{
    const struct command_rule *rule = rule_of(command);
    struct tmemctl_reply r;

    if (!rule || length < sizeof(r) || length > TMEMCTL_MAX_REPLY)
        return TMEMIF_BAD_REQUEST;
    memcpy(&r, reply, sizeof(r));
    if (r.command != command || r.length != length || r.record_bytes != rule->record_bytes)
        return TMEMIF_BAD_REQUEST;
    /* 64-bit product: a 32-bit count and a known record size cannot overflow it */
    if (sizeof(r) + (uint64_t)r.count * r.record_bytes != length)
        return TMEMIF_BAD_REQUEST;
    if (rule->record_bytes == 0 && r.count)
        return TMEMIF_BAD_REQUEST;
    return !r.cursor || rule->list ? TMEMIF_OK : TMEMIF_BAD_REQUEST;
}

const char *tmemctl_command_name(uint32_t command)
{
    const struct command_rule *rule = rule_of(command);

    return rule ? rule->name : "unknown";
}

uint32_t tmemctl_record_bytes(uint32_t command)
{
    const struct command_rule *rule = rule_of(command);

    return rule ? rule->record_bytes : 0;
}
