/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmdline.h - the daemon's options from the kernel's command line. Pure. */
#ifndef XTM_STUBDOM_CMDLINE_H
#define XTM_STUBDOM_CMDLINE_H

#include <stddef.h>

#define CMDLINE_MAX_ARGS 32u

/*
 * xentmem.memory=SIZE becomes --memory=SIZE; xentmem.args=A,B,C become arguments of their own.
 * The list begins with @argv0 and the manager's own options and ends in NULL; text
 * that the list points to is kept in @room, which is a copy of the command line. What does not fit
 * is left out.
 */
struct cmdline {
    char room[4096];
    char *argv[CMDLINE_MAX_ARGS + 1];
    unsigned argc;
};

void cmdline_parse(struct cmdline *c, const char *argv0, const char *text);

#endif /* XTM_STUBDOM_CMDLINE_H */
