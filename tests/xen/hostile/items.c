/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/xen/hostile/items.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/xen/hostile/handshake.h"

int hostile_items_run(const struct hostile_item *items, unsigned nr, const char *name)
{
    bool list = strcmp(name, "list") == 0;

    for (unsigned i = 0; i < nr; i++) {
        if (list)
            puts(items[i].name);
        else if (strcmp(name, items[i].name) == 0)
            return items[i].run() ? 0 : 1;
    }
    return list ? 0 : 2;
}

void hostile_kill_children(void (*child)(void))
{
    static const int ms[] = {1, 30, 80, 150, 300, 500, 900, 1500};

    for (unsigned i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
        pid_t pid = fork();

        if (pid < 0)
            hostile_give_up("fork");
        if (pid == 0) {
            child();
            _exit(0);
        }
        poll(NULL, 0, ms[i]);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}
