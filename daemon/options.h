/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.h - the command line of xentmemd (docs/xentmemd.8.pod). */
#ifndef XTM_OPTIONS_H
#define XTM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "daemon/engine/account.h"
#include "daemon/util/log.h"

#define OPTIONS_SOCKET_DEFAULT "/run/xentmem/socket"
#define OPTIONS_POLL_CHOOSE    (-1)

enum xen_choice {
    XEN_IF_THERE, /* default: serve guests if this runs on Xen */
    XEN_NEVER,    /* --no-xen */
    XEN_REQUIRED, /* --xen */
};

struct options {
    uint64_t memory_pages; /* 0: as much as is available, less a reserve */
    const char *socket;    /* NULL: no local clients */
    mode_t socket_mode;
    unsigned workers;
    int poll_us;         /* how long a worker looks before it sleeps, or OPTIONS_POLL_CHOOSE */
    bool poll_local;     /* for local clients, too */
    struct policy local; /* of local clients */
    enum xen_choice xen;
    enum log_level log_level;
    bool fresh; /* drop what the keeper kept */
};

enum options_result {
    OPTIONS_RUN,
    OPTIONS_DONE, /* --help or --version was printed */
    OPTIONS_BAD,  /* a sentence was printed to standard error */
};

/* Strings point into @argv. */
enum options_result options_parse(int argc, char **argv, struct options *options_out);

#endif /* XTM_OPTIONS_H */
