/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stubdom/cmdline.h"

#include <stdint.h>
#include <string.h>

static const char memory_key[] = "xentmem.memory=";
static const char args_key[] = "xentmem.args=";

/* Guests are all that a manager's domain serves. */
static const char *const own_options[] = {"--xen", "--no-local"};

static void add(struct cmdline *c, const char *arg)
{
    if (c->argc == CMDLINE_MAX_ARGS)
        return;
    c->argv[c->argc++] = (char *)(uintptr_t)arg; /* execv() has no const, and changes nothing */
    c->argv[c->argc] = NULL;
}

static void add_each(struct cmdline *c, char *list)
{
    char *save = NULL;

    for (char *arg = strtok_r(list, ",", &save); arg; arg = strtok_r(NULL, ",", &save))
        add(c, arg);
}

void cmdline_parse(struct cmdline *c, const char *argv0, const char *text)
{
    size_t len = strnlen(text, sizeof(c->room) - 1);
    char *save = NULL;

    memcpy(c->room, text, len);
    c->room[len] = '\0';
    c->argc = 0;
    add(c, argv0);
    for (unsigned i = 0; i < sizeof(own_options) / sizeof(own_options[0]); i++)
        add(c, own_options[i]);

    for (char *word = strtok_r(c->room, " \t\n", &save); word;
         word = strtok_r(NULL, " \t\n", &save)) {
        if (strncmp(word, memory_key, strlen(memory_key)) == 0) {
            add(c, "--memory");
            add(c, word + strlen(memory_key));
        } else if (strncmp(word, args_key, strlen(args_key)) == 0) {
            add_each(c, word + strlen(args_key));
        }
    }
}
