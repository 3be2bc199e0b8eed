/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem disk clean: nodes of disks that one of the two domains has left behind. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_dead.h"
#include "frontend/tool/operator_disk.h"
#include "frontend/tool/operator_orphan.h"
#include "frontend/tool/vdev.h"

/* A domain that is gone has no name. */
static void say_removed(unsigned domid, uint32_t vdev)
{
    char name[VDEV_TEXT_LEN];

    vdev_name(vdev, name);
    printf("dom%u:%s: removed, the guest is gone\n", domid, name);
}

/* xl knows all that there is of a disk, its configuration of the guest included. */
static bool detach(const struct orphan *o)
{
    char guest[16], vdev[16];
    int status;
    pid_t pid;

    snprintf(guest, sizeof(guest), "%u", o->guest);
    snprintf(vdev, sizeof(vdev), "%u", o->vdev);
    pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr))
            execlp("xl", "xl", "block-detach", guest, vdev, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static int clean_one(struct xs_handle *xs, const struct orphan *o)
{
    char text[ORPHAN_TEXT_LEN];

    orphan_text(text, xs, o->guest, o->vdev);
    if (o->is_connected)
        return tool_fail(TOOL_REFUSED,
                         "%s: the guest uses it and waits for its manager, domain %u: "
                         "xentmem start",
                         text, o->manager);
    if (!detach(o))
        return tool_fail(TOOL_SYSTEM, "%s: xl block-detach failed", text);
    printf("%s: removed, its manager is gone\n", text);
    return TOOL_DONE;
}

static int clean_orphans(struct xs_handle *xs)
{
    unsigned nr = 0;
    struct orphan *orphans = orphans_find(xs, &nr);
    int code = TOOL_DONE;

    if (!orphans)
        return tool_fail(TOOL_SYSTEM, "out of memory");
    for (unsigned i = 0; i < nr; i++) {
        struct domain manager;
        int one =
            domain_read(xs, orphans[i].manager, &manager) ? TOOL_DONE : clean_one(xs, &orphans[i]);

        code = one ? one : code;
    }
    free(orphans);
    return code;
}

int disk_clean(void)
{
    char why[XEN_WHY_LEN];
    struct xs_handle *xs = xen_open(why);
    unsigned nr = 0;
    struct domain *domains;
    int code;

    if (!xs)
        return tool_fail(TOOL_SYSTEM, "%s", why);
    domains = domains_read(xs, &nr);
    if (domains && nr)
        dead_remove_disks(xs, domains, nr, say_removed);
    free(domains);
    code = clean_orphans(xs);
    xs_close(xs);
    return code;
}
