/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MOST 32u

/* Blocks and their ids: open addressing, never more than half full. */
struct ids {
    struct id_slot {
        uint64_t block;
        uint32_t id_plus_one; /* 0: free */
    } * slots;
    size_t nr_slots; /* a power of two */
    uint32_t nr;
};

static struct id_slot *ids_seek(const struct ids *ids, uint64_t block)
{
    size_t i = (size_t)(block * 0x9e3779b97f4a7c15ull >> 20) & (ids->nr_slots - 1);

    while (ids->slots[i].id_plus_one && ids->slots[i].block != block)
        i = (i + 1) & (ids->nr_slots - 1);
    return &ids->slots[i];
}

static bool ids_grow(struct ids *ids)
{
    struct ids larger = {.nr_slots = ids->nr_slots ? ids->nr_slots * 2 : 1024, .nr = ids->nr};

    larger.slots = calloc(larger.nr_slots, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < ids->nr_slots; i++) {
        if (ids->slots[i].id_plus_one)
            *ids_seek(&larger, ids->slots[i].block) = ids->slots[i];
    }
    free(ids->slots);
    *ids = larger;
    return true;
}

static bool ids_find(struct ids *ids, uint64_t block, uint32_t *id_out)
{
    struct id_slot *slot;

    if (ids->nr >= ids->nr_slots / 2 && !ids_grow(ids))
        return false;
    slot = ids_seek(ids, block);
    if (!slot->id_plus_one)
        *slot = (struct id_slot){block, ++ids->nr};
    *id_out = slot->id_plus_one - 1;
    return true;
}

struct reader {
    FILE *file;
    char *line;
    size_t room;
    char *columns[COLUMNS_MOST];
    unsigned nr_columns;
    size_t line_nr;
    const char *why;
};

/* The next line, cut at its commas; false at the end. */
static bool next_line(struct reader *r)
{
    char *rest;

    if (getline(&r->line, &r->room, r->file) < 0)
        return false;
    r->line_nr++;
    r->line[strcspn(r->line, "\r\n")] = '\0';
    rest = r->line;
    for (r->nr_columns = 0; rest && r->nr_columns < COLUMNS_MOST; r->nr_columns++) {
        r->columns[r->nr_columns] = strsep(&rest, ",");
        r->columns[r->nr_columns] += strspn(r->columns[r->nr_columns], " ");
    }
    return true;
}

static bool find_column(const struct reader *r, const char *name, unsigned *at_out)
{
    for (unsigned i = 0; i < r->nr_columns; i++) {
        if (strcasecmp(r->columns[i], name) == 0) {
            *at_out = i;
            return true;
        }
    }
    return false;
}

static bool parse_access(struct reader *r, unsigned op, unsigned block, struct access *a)
{
    char *end;

    if (op >= r->nr_columns || block >= r->nr_columns) {
        r->why = "a column is missing";
        return false;
    }
    if (!strchr("rRwW", r->columns[op][0]) || r->columns[op][0] == '\0') {
        r->why = "op is neither a read nor a write";
        return false;
    }
    a->is_write = strchr("wW", r->columns[op][0]) != NULL;
    errno = 0;
    a->block = strtoull(r->columns[block], &end, 10);
    if (errno || end == r->columns[block] || *end != '\0' || r->columns[block][0] == '-') {
        r->why = "block is no number";
        return false;
    }
    return true;
}

static bool add(struct trace *t, struct ids *ids, size_t *room, struct access *a)
{
    if (t->nr == *room) {
        size_t larger = *room ? *room * 2 : 4096;
        struct access *accesses = realloc(t->accesses, larger * sizeof(*accesses));

        if (!accesses)
            return false;
        t->accesses = accesses;
        *room = larger;
    }
    if (!ids_find(ids, a->block, &a->id))
        return false;
    t->accesses[t->nr++] = *a;
    return true;
}

static bool read_all(struct reader *r, struct trace *t, struct ids *ids)
{
    unsigned time_at, op, block;
    size_t room = 0;

    if (!next_line(r) || !find_column(r, "time", &time_at) || !find_column(r, "op", &op) ||
        !find_column(r, "block", &block)) {
        r->why = "the first line must name the columns time, op and block";
        return false;
    }
    while (next_line(r)) {
        struct access a = {0};

        if (!parse_access(r, op, block, &a))
            return false;
        if (!add(t, ids, &room, &a)) {
            r->why = "no memory";
            return false;
        }
    }
    if (t->nr == 0)
        r->why = "there is no access in it";
    return t->nr != 0;
}

bool trace_read(const char *path, struct trace *trace_out, const char **why_out, size_t *line_out)
{
    struct reader r = {.file = fopen(path, "re")};
    struct trace t = {0};
    struct ids ids = {0};
    bool ok;

    *line_out = 0;
    if (!r.file) {
        *why_out = strerror(errno);
        return false;
    }
    ok = read_all(&r, &t, &ids);
    t.nr_blocks = ids.nr;
    *why_out = r.why;
    *line_out = r.line_nr;
    fclose(r.file);
    free(r.line);
    free(ids.slots);
    if (ok)
        *trace_out = t;
    else
        trace_free(&t);
    return ok;
}

void trace_free(struct trace *t)
{
    free(t->accesses);
    *t = (struct trace){0};
}
