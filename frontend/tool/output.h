/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.h - one description of a table, two renderings: aligned columns for
 * people, JSON for machines.
 *
 *     static const struct column columns[] = {
 *         { "GUEST", "guest", COLUMN_TEXT },
 *         { "USED",  "used_pages", COLUMN_PAGES },
 *     };
 *     struct output *o = output_create(tool->json, OUTPUT_TABLE, columns, 2);
 *     output_text(o, name);
 *     output_number(o, pages);      // cells in the order of the columns
 *     code = output_finish(o);      // prints, frees
 *
 * A table is printed as a JSON array of objects; a record (one row) as one
 * object, and as "title: value" lines for people. Memory that runs out
 * is remembered and reported by output_finish().
 */
#ifndef XENTMEM_TOOL_OUTPUT_H
#define XENTMEM_TOOL_OUTPUT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

enum column_kind {
    COLUMN_TEXT,   /* JSON string */
    COLUMN_NUMBER, /* JSON number */
    COLUMN_PAGES,  /* pages of 4096 bytes: "12.5 MiB" for people, the page count in JSON */
    COLUMN_BOOL,   /* "yes" and "no"; JSON true and false */
    COLUMN_REAL,   /* a fraction: two digits for people */
};

struct column {
    const char *title; /* for people */
    const char *key;   /* in JSON */
    enum column_kind kind;
};

enum output_shape { OUTPUT_TABLE, OUTPUT_RECORD };

struct output;

/* @columns stays the caller's and must live until output_finish(). NULL: no memory. */
struct output *output_create(bool json, enum output_shape shape, const struct column *columns,
                             unsigned nr_columns);

/* The next cell, which must be of the column's kind. TEXT_UNLIMITED pages: "unlimited", null. */
void output_text(struct output *o, const char *text);  /* NULL: "-", null */
void output_number(struct output *o, uint64_t number); /* NUMBER and PAGES */
void output_bool(struct output *o, bool yes);
void output_real(struct output *o, double number);
/* No value: "-" and null. */
void output_none(struct output *o);

/* Put rows in order of their cells in @columns, the first one first; numbers in a text count as
 * such. */
void output_sort(struct output *o, const unsigned *columns, unsigned nr);

/* Print to stdout and free @o. Returns TOOL_DONE, or TOOL_SYSTEM with the reason on stderr. */
int output_finish(struct output *o);

/* Free @o and print nothing. */
void output_discard(struct output *o);

/* Print @value as indented JSON with a newline; takes it over. As output_finish(). */
int output_json(struct json_object *value);

#endif /* XENTMEM_TOOL_OUTPUT_H */
