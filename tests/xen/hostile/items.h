/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* items.h - what a hostile program can do, by name, one thing a run. */
#ifndef TESTS_HOSTILE_ITEMS_H
#define TESTS_HOSTILE_ITEMS_H

#include <stdbool.h>

struct hostile_item {
    const char *name;
    bool (*run)(void); /* true: what came of it is as it should be */
};

/* The exit status of having done item @name, or listed all for "list"; 2: there is no such. */
int hostile_items_run(const struct hostile_item *items, unsigned nr, const char *name);

/* @child in processes that are killed anywhere between its first step and full load. */
void hostile_kill_children(void (*child)(void));

#endif /* TESTS_HOSTILE_ITEMS_H */
