/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/figures.h"

#include <stdio.h>
#include <stdlib.h>

void figure_add(struct figure *f, double value)
{
    if (f->nr < ROUNDS_MOST)
        f->values[f->nr++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(double *values, size_t nr)
{
    if (nr == 0)
        return 0;
    qsort(values, nr, sizeof(*values), compare);
    return nr % 2 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

void figure_print(const struct figure *f)
{
    struct figure sorted = *f;
    double mid = median(sorted.values, sorted.nr);

    if (sorted.nr == 0)
        return;
    printf("%-50s %10.4g %10.4g %10.4g\n", f->name, mid, sorted.values[0],
           sorted.values[sorted.nr - 1]);
    fflush(stdout);
}

void figure_print_as(const char *before, const char *name, const char *behind,
                     const struct figure *f)
{
    char text[64];
    struct figure named = *f;

    snprintf(text, sizeof(text), "%s_%s_%s", before, name, behind);
    named.name = text;
    figure_print(&named);
}

void random_shuffle(uint64_t *state, uint32_t *values, uint32_t nr)
{
    for (uint32_t i = nr; i > 1; i--) {
        uint32_t j = random_below(state, i);
        uint32_t value = values[i - 1];

        values[i - 1] = values[j];
        values[j] = value;
    }
}
