/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of disks and of bases. */
#include <stdio.h>
#include <string.h>

#include "frontend/tool/operator_disk.h"
#include "frontend/tool/operator_names.h"
#include "frontend/tool/operator_talk.h"
#include "frontend/tool/output.h"
#include "frontend/tool/text.h"
#include "frontend/tool/vdev.h"

#define DISK_TEXT_LEN (WHO_LEN + VDEV_TEXT_LEN)

static const struct column disk_columns[] = {
    {"DISK", "disk", COLUMN_TEXT},      {"KIND", "kind", COLUMN_TEXT},
    {"SIZE", "pages", COLUMN_PAGES},    {"OWN", "own_pages", COLUMN_PAGES},
    {"BASE", "base", COLUMN_TEXT},      {"GUEST", "guest", COLUMN_TEXT},
    {"ID", "id", COLUMN_NUMBER},        {"VDEV", "vdev", COLUMN_TEXT},
    {"STATE", "state", COLUMN_TEXT},    {"HITS", "hits", COLUMN_PAGES},
    {"MISSES", "misses", COLUMN_PAGES},
};

static const struct column base_columns[] = {
    {"BASE", "base", COLUMN_TEXT},      {"SIZE", "pages", COLUMN_PAGES},
    {"OWN", "own_pages", COLUMN_PAGES}, {"ON", "on", COLUMN_TEXT},
    {"USERS", "users", COLUMN_NUMBER},  {"STATE", "state", COLUMN_TEXT},
};

struct disk_list {
    struct names names;
    struct output *o;
    const char *base; /* whose users are to be told */
    unsigned nr_told;
};

/* Names come from the manager, which is not trusted with our terminal. */
static void put_name(struct output *o, const char *name)
{
    output_text(o, tmemctl_name_is_valid(name) ? name : NULL);
}

/* A name with '/' in it. */
static void put_device(struct output *o, const char *name)
{
    char text[TMEMCTL_DISK_NAME_LEN] = {0};

    for (unsigned i = 0; i < sizeof(text) - 1 && name[i]; i++)
        text[i] = name[i] == '/' ? '-' : name[i];
    output_text(o, tmemctl_name_is_valid(text) ? name : NULL);
}

static const char *state_of(const struct tmemctl_disk_info *d)
{
    if (d->flags & TMEMCTL_DISK_LOST)
        return "lost";
    if (d->flags & TMEMCTL_DISK_SUSPECT)
        return "pages lost";
    if (d->flags & TMEMCTL_DISK_IMPORTING)
        return "importing";
    if (d->kind == TMEMCTL_DISK_BASE)
        return "whole";
    return d->flags & TMEMCTL_DISK_OPEN ? "attached" : "away";
}

static bool has_guest(const struct tmemctl_disk_info *d)
{
    return (d->flags & TMEMCTL_DISK_OPEN) || d->name[0] == '\0';
}

static const char *kind_of(const struct tmemctl_disk_info *d)
{
    switch (d->kind) {
    case TMEMCTL_DISK_SWAP:
        return "swap";
    case TMEMCTL_DISK_CACHE:
        return "cache";
    default:
        return "clone";
    }
}

/* As the operator would name it. */
static const char *text_of_disk(const struct names *names, const struct tmemctl_disk_info *d,
                                char text_out[DISK_TEXT_LEN])
{
    char guest[WHO_LEN], vdev[VDEV_TEXT_LEN];

    vdev_name(d->vdev, vdev);
    if (tmemctl_name_is_valid(d->name))
        snprintf(text_out, DISK_TEXT_LEN, "%.*s", (int)TMEMCTL_DISK_NAME_LEN - 1, d->name);
    else
        snprintf(text_out, DISK_TEXT_LEN, "%s:%s", name_of_domain(names, d->domid, guest), vdev);
    return text_out;
}

static void put_disk(void *arg, const void *record)
{
    const struct disk_list *list = arg;
    const struct tmemctl_disk_info *d = record;
    char disk[DISK_TEXT_LEN], guest[WHO_LEN], vdev[VDEV_TEXT_LEN];
    struct output *o = list->o;

    if (d->kind == TMEMCTL_DISK_BASE)
        return;
    output_text(o, text_of_disk(&list->names, d, disk));
    output_text(o, kind_of(d));
    output_number(o, d->nr_pages);
    output_number(o, d->own_pages);
    if (d->kind == TMEMCTL_DISK_CACHE)
        put_device(o, d->base);
    else
        put_name(o, d->base);
    if (has_guest(d)) {
        vdev_name(d->vdev, vdev);
        output_text(o, name_of_domain(&list->names, d->domid, guest));
        output_number(o, d->domid);
        output_text(o, vdev);
    } else {
        output_none(o);
        output_none(o);
        output_none(o);
    }
    output_text(o, state_of(d));
    if (d->kind == TMEMCTL_DISK_CACHE) {
        output_number(o, d->hits);
        output_number(o, d->misses);
    } else {
        output_none(o);
        output_none(o);
    }
}

static void put_base(void *arg, const void *record)
{
    const struct disk_list *list = arg;
    const struct tmemctl_disk_info *d = record;
    struct output *o = list->o;

    if (d->kind != TMEMCTL_DISK_BASE)
        return;
    put_name(o, d->name);
    output_number(o, d->nr_pages);
    output_number(o, d->own_pages);
    put_name(o, d->base);
    output_number(o, d->nr_above);
    output_text(o, state_of(d));
}

static int print(struct tool *tool, const char *manager, const struct column *columns,
                 unsigned nr_columns, void (*put)(void *arg, const void *record))
{
    const union tmemctl_message m = talk_message(TMEMCTL_LIST_DISKS);
    struct disk_list list = {.names = names_read(tool)};
    int code;

    list.o = output_create(tool->json, OUTPUT_TABLE, columns, nr_columns);
    if (!list.o) {
        code = tool_fail(TOOL_SYSTEM, "no memory");
    } else {
        code = talk_once(tool, manager, &m, put, &list, "list");
        if (code) {
            output_discard(list.o);
        } else {
            output_sort(list.o, &(unsigned){0}, 1);
            code = output_finish(list.o);
        }
    }
    names_free(&list.names);
    return code;
}

#define NR(columns) (unsigned)(sizeof(columns) / sizeof((columns)[0]))

int disk_print_disks(struct tool *tool, const char *manager)
{
    return print(tool, manager, disk_columns, NR(disk_columns), put_disk);
}

int disk_print_bases(struct tool *tool, const char *manager)
{
    return print(tool, manager, base_columns, NR(base_columns), put_base);
}

static void tell_user(void *arg, const void *record)
{
    struct disk_list *list = arg;
    const struct tmemctl_disk_info *d = record;
    char text[DISK_TEXT_LEN];

    if (d->kind == TMEMCTL_DISK_CACHE || strncmp(d->base, list->base, sizeof(d->base)) != 0)
        return;
    fprintf(stderr, "%s%s%s", list->nr_told++ ? ", " : "xentmem: on it: ",
            d->kind == TMEMCTL_DISK_BASE ? "base " : "", text_of_disk(&list->names, d, text));
}

void disk_tell_users(struct tool *tool, struct xentmem *t, const char *name)
{
    const union tmemctl_message m = talk_message(TMEMCTL_LIST_DISKS);
    struct disk_list list = {.names = names_read(tool), .base = name};

    (void)talk(tool, t, &m, tell_user, &list, "list");
    if (list.nr_told)
        fputc('\n', stderr);
    names_free(&list.names);
}
