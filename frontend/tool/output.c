/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/tool/command.h"
#include "frontend/tool/text.h"

struct output {
    bool json;
    bool failed; /* memory ran out at some cell */
    enum output_shape shape;
    const struct column *columns;
    unsigned nr_columns;
    /* for people: cells by row, nr_cells of them so far */
    char **cells;
    size_t nr_cells, cap_cells;
    /* for machines: finished rows, and the one being filled */
    struct json_object *rows, *row;
    unsigned column; /* of the next cell */
};

struct output *output_create(bool json, enum output_shape shape, const struct column *columns,
                             unsigned nr_columns)
{
    struct output *o = calloc(1, sizeof(*o));

    if (!o)
        return NULL;
    o->json = json;
    o->shape = shape;
    o->columns = columns;
    o->nr_columns = nr_columns;
    if (json) {
        o->rows = json_object_new_array();
        if (!o->rows) {
            free(o);
            return NULL;
        }
    }
    return o;
}

static void add_json(struct output *o, struct json_object *value)
{
    if (!o->row) {
        o->row = json_object_new_object();
        if (!o->row || json_object_array_add(o->rows, o->row)) {
            json_object_put(o->row);
            json_object_put(value);
            o->row = NULL;
            o->failed = true;
            return;
        }
    }
    if (json_object_object_add(o->row, o->columns[o->column].key, value)) {
        json_object_put(value);
        o->failed = true;
    }
}

static void add_cell(struct output *o, const char *text)
{
    if (o->nr_cells == o->cap_cells) {
        size_t cap = o->cap_cells ? 2 * o->cap_cells : 64;
        char **cells = realloc(o->cells, cap * sizeof(*cells));

        if (!cells) {
            o->failed = true;
            return;
        }
        o->cells = cells;
        o->cap_cells = cap;
    }
    o->cells[o->nr_cells] = strdup(text);
    if (!o->cells[o->nr_cells])
        o->failed = true;
    else
        o->nr_cells++;
}

/* One cell in whichever rendering is wanted; takes @value over. */
static void add(struct output *o, struct json_object *value, const char *text)
{
    if (!o->failed && o->json)
        add_json(o, value);
    else
        json_object_put(value);
    if (!o->failed && !o->json)
        add_cell(o, text);
    if (++o->column == o->nr_columns) {
        o->column = 0;
        o->row = NULL;
    }
}

void output_none(struct output *o)
{
    add(o, NULL, "-");
}

void output_text(struct output *o, const char *text)
{
    if (!text)
        output_none(o);
    else
        add(o, o->json ? json_object_new_string(text) : NULL, text);
}

void output_number(struct output *o, uint64_t number)
{
    bool pages = o->columns[o->column].kind == COLUMN_PAGES;
    char text[TEXT_SIZE_LEN];

    if (pages)
        text_of_size(text, number);
    else
        snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    if (pages && number == TEXT_UNLIMITED)
        add(o, NULL, text);
    else
        add(o, o->json ? json_object_new_uint64(number) : NULL, text);
}

void output_bool(struct output *o, bool yes)
{
    add(o, o->json ? json_object_new_boolean(yes) : NULL, yes ? "yes" : "no");
}

void output_real(struct output *o, double number)
{
    char text[32];

    snprintf(text, sizeof(text), "%.2f", number);
    add(o, o->json ? json_object_new_double(number) : NULL, text);
}

static bool is_right_aligned(const struct column *column)
{
    return column->kind == COLUMN_NUMBER || column->kind == COLUMN_PAGES ||
           column->kind == COLUMN_REAL;
}

static void print_padded(const char *text, int width, bool right, bool last)
{
    if (right)
        printf("%*s", width, text);
    else if (last)
        printf("%s", text);
    else
        printf("%-*s", width, text);
    fputs(last ? "\n" : "  ", stdout);
}

static int width_of(const struct output *o, unsigned column)
{
    size_t width = strlen(o->columns[column].title);

    for (size_t i = column; i < o->nr_cells; i += o->nr_columns) {
        if (strlen(o->cells[i]) > width)
            width = strlen(o->cells[i]);
    }
    return (int)width;
}

static void print_table(const struct output *o)
{
    int *widths = calloc(o->nr_columns, sizeof(*widths));

    for (unsigned c = 0; c < o->nr_columns; c++) {
        if (widths)
            widths[c] = width_of(o, c);
        print_padded(o->columns[c].title, widths ? widths[c] : 0, is_right_aligned(&o->columns[c]),
                     c + 1 == o->nr_columns);
    }
    for (size_t i = 0; i < o->nr_cells; i++) {
        unsigned c = (unsigned)(i % o->nr_columns);

        print_padded(o->cells[i], widths ? widths[c] : 0, is_right_aligned(&o->columns[c]),
                     c + 1 == o->nr_columns);
    }
    free(widths);
}

static void print_record(const struct output *o)
{
    int width = 0;

    for (unsigned c = 0; c < o->nr_columns; c++) {
        if ((int)strlen(o->columns[c].title) > width)
            width = (int)strlen(o->columns[c].title);
    }
    for (size_t i = 0; i < o->nr_cells; i++)
        printf("%-*s  %s\n", width, o->columns[i % o->nr_columns].title, o->cells[i]);
}

static int flush_stdout(void)
{
    if (fflush(stdout) || ferror(stdout))
        return tool_fail(TOOL_SYSTEM, "cannot write the output: %s", strerror(errno));
    return TOOL_DONE;
}

int output_json(struct json_object *value)
{
    const char *text = json_object_to_json_string_ext(
        value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

    if (text)
        puts(text);
    json_object_put(value);
    return text ? flush_stdout() : tool_fail(TOOL_SYSTEM, "no memory for the output");
}

void output_discard(struct output *o)
{
    json_object_put(o->rows);
    for (size_t i = 0; i < o->nr_cells; i++)
        free(o->cells[i]);
    free(o->cells);
    free(o);
}

/* ---- in order ---- */

struct order {
    const struct output *o;
    const unsigned *columns;
    unsigned nr;
};

/* As strverscmp(3) has it: uid:99 comes before uid:100. */
static int compare_cells(const void *a, const void *b, void *arg)
{
    const struct order *order = arg;
    char *const *one = a, *const *other = b;
    int result = 0;

    for (unsigned i = 0; i < order->nr && result == 0; i++)
        result = strverscmp(one[order->columns[i]], other[order->columns[i]]);
    return result;
}

static const char *text_of_member(struct json_object *row, const char *key)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(row, key, &value);
    return value ? json_object_get_string(value) : "-";
}

static int compare_rows(const void *a, const void *b, void *arg)
{
    const struct order *order = arg;
    int result = 0;

    for (unsigned i = 0; i < order->nr && result == 0; i++) {
        const char *key = order->o->columns[order->columns[i]].key;

        result = strverscmp(text_of_member(*(struct json_object *const *)a, key),
                            text_of_member(*(struct json_object *const *)b, key));
    }
    return result;
}

static void sort_json(struct output *o, struct order *order)
{
    size_t nr = json_object_array_length(o->rows);
    struct json_object **rows = calloc(nr + 1, sizeof(*rows));

    if (!rows) {
        o->failed = true;
        return;
    }
    for (size_t i = 0; i < nr; i++)
        rows[i] = json_object_get(json_object_array_get_idx(o->rows, i));
    qsort_r(rows, nr, sizeof(*rows), compare_rows, order);
    /* each place takes one over and lets the one before go */
    for (size_t i = 0; i < nr; i++) {
        if (json_object_array_put_idx(o->rows, i, rows[i])) {
            json_object_put(rows[i]);
            o->failed = true;
        }
    }
    free(rows);
}

void output_sort(struct output *o, const unsigned *columns, unsigned nr)
{
    struct order order = {.o = o, .columns = columns, .nr = nr};

    if (o->failed)
        return;
    if (o->json)
        sort_json(o, &order);
    else if (o->nr_cells)
        qsort_r(o->cells, o->nr_cells / o->nr_columns, o->nr_columns * sizeof(*o->cells),
                compare_cells, &order);
}

int output_finish(struct output *o)
{
    int code;

    if (o->failed) {
        code = tool_fail(TOOL_SYSTEM, "no memory for the output");
    } else if (o->json && o->shape == OUTPUT_RECORD) {
        code = output_json(json_object_get(json_object_array_get_idx(o->rows, 0)));
    } else if (o->json) {
        code = output_json(json_object_get(o->rows));
    } else {
        if (o->shape == OUTPUT_RECORD)
            print_record(o);
        else
            print_table(o);
        code = flush_stdout();
    }
    output_discard(o);
    return code;
}
