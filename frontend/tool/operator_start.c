/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xentmem start: the manager's domain, with the number of the one that died under guests' disks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_orphan.h"
#include "frontend/tool/vdev.h"

#define SHIM XENTMEM_DATADIR "/same-domid.so"

/*
 * The domain's name in an xl configuration, xl.cfg(5): name = "xentmem"; "" if it has none, which
 * is for xl to say. False: errno.
 */
static bool read_name(const char *config, char name_out[XEN_NAME_LEN])
{
    char line[512], quote[2], name[XEN_NAME_LEN];
    FILE *file = fopen(config, "re");

    name_out[0] = '\0';
    if (!file)
        return false;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, " name = %1[\"']%127[^\"'\n]", quote, name) == 2)
            strcpy(name_out, name);
    }
    fclose(file);
    return true;
}

/* Does a domain of that name, which may be none, run? */
static bool is_running(struct xs_handle *xs, const char *name, struct domain *living_out)
{
    char ignored[XEN_WHY_LEN];

    return name[0] && domain_find(xs, name, living_out, ignored) == DOMAIN_FOUND;
}

/* xl would say the same of a manager that runs, in libxl's words and after half of the work. */
static int may_start(struct xs_handle *xs, const char *config, char name_out[XEN_NAME_LEN])
{
    struct domain living;

    if (!read_name(config, name_out))
        return tool_fail(TOOL_SYSTEM, "%s: %s", config, strerror(errno));
    if (is_running(xs, name_out, &living))
        return tool_fail(TOOL_REFUSED,
                         "the manager %s runs (domain %u); shut it down or destroy it first: "
                         "xl shutdown %s, or xl destroy %s",
                         name_out, living.domid, name_out, name_out);
    return TOOL_DONE;
}

/*
 * The domid of a manager that is gone and has left disks; 0: there is none. False: there are
 * several, and @why_out names them.
 */
static bool find_domid(const struct orphan *orphans, unsigned nr, unsigned *domid_out,
                       char why_out[XEN_WHY_LEN])
{
    *domid_out = 0;
    for (unsigned i = 0; i < nr; i++) {
        if (!orphans[i].is_connected)
            continue;
        if (*domid_out != 0 && orphans[i].manager != *domid_out) {
            snprintf(why_out, XEN_WHY_LEN,
                     "guests have disks of several managers that are gone, such as the domains %u "
                     "and %u: `xentmem start CONFIG DOMID` says which",
                     *domid_out, orphans[i].manager);
            return false;
        }
        *domid_out = orphans[i].manager;
    }
    return true;
}

/*
 * In the child. libxl does not reuse a domid within a minute of its last use.
 * LIBXL_DOMID_REUSE_TIMEOUT=0 shortens that to the current second, hence the sleep; it takes a
 * negative value for the default.
 */
static void run_xl(const char *config, unsigned domid)
{
    char text[16];

    if (domid) {
        snprintf(text, sizeof(text), "%u", domid);
        setenv("LD_PRELOAD", SHIM, 1);
        setenv("LIBXL_DOMID_REUSE_TIMEOUT", "0", 1);
        setenv("XENTMEM_DOMID", text, 1);
        sleep(1);
    }
    execlp("xl", "xl", "create", "-q", config, (char *)NULL);
    _exit(127);
}

static int create(const char *config, unsigned domid)
{
    int status;
    pid_t pid;

    if (domid && access(SHIM, R_OK))
        return tool_fail(TOOL_SYSTEM, "%s is not there: make install-dom0", SHIM);
    pid = fork();
    if (pid == 0)
        run_xl(config, domid);
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return tool_fail(TOOL_SYSTEM, "xl: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
        return tool_fail(TOOL_SYSTEM, "xl cannot be run");
    return WEXITSTATUS(status) == 0 ? TOOL_DONE
                                    : tool_fail(TOOL_REFUSED, "xl create %s failed", config);
}

/*
 * ---- the mark ----
 *
 * A start that is cut off has created the manager, and has not written the nodes of the disks that
 * wait for it. A file of the manager's number is there meanwhile: without it nothing says that
 * disks without a backend are those of a manager that died (operator_orphan.h).
 */
#define MARK_LEN 40u

static void mark_path(char path_out[MARK_LEN], unsigned domid)
{
    snprintf(path_out, MARK_LEN, "/run/xentmem/start.%u", domid);
}

/* A start that is not cut off can do without. */
static void mark(unsigned domid)
{
    char path[MARK_LEN];
    int fd;

    mkdir("/run/xentmem", 0755);
    mark_path(path, domid);
    fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static bool is_marked(unsigned domid)
{
    char path[MARK_LEN];

    mark_path(path, domid);
    return access(path, F_OK) == 0;
}

static void unmark(unsigned domid)
{
    char path[MARK_LEN];

    mark_path(path, domid);
    unlink(path);
}

/* Who wrote the nodes is to unmark(). */
static int create_marked(const char *config, unsigned domid)
{
    int code;

    if (domid)
        mark(domid);
    code = create(config, domid);
    if (code)
        unmark(domid);
    return code;
}

/* ---- the guests' disks ---- */

/* The new manager has nothing of a disk but what is on a device. */
static void say_adopted(struct xs_handle *xs, const struct orphan *o, const char *text)
{
    struct domain guest;
    char vdev[VDEV_TEXT_LEN];

    if (o->is_cache) {
        printf("%s: the manager serves it again\n", text);
        return;
    }
    vdev_name(o->vdev, vdev);
    if (!domain_read(xs, o->guest, &guest) || !guest.name[0])
        snprintf(guest.name, sizeof(guest.name), "%u", o->guest);
    printf("%s: its content is lost, requests fail; detach it: xl block-detach %s %s\n", text,
           guest.name, vdev);
}

static int adopt(struct xs_handle *xs, const struct orphan *orphans, unsigned nr, unsigned domid)
{
    char text[ORPHAN_TEXT_LEN], why[XEN_WHY_LEN];
    struct domain domain;
    int code = TOOL_DONE;

    if (domid && nr && !domain_read(xs, domid, &domain))
        return tool_fail(TOOL_REFUSED,
                         "the manager has another number than %u: disks of guests wait on; once no "
                         "domain %u is in `xl list`, xl destroy the manager and start it again",
                         domid, domid);
    for (unsigned i = 0; i < nr; i++) {
        if (orphans[i].manager != domid || !orphans[i].is_connected)
            continue;
        orphan_text(text, xs, orphans[i].guest, orphans[i].vdev);
        if (orphan_adopt(xs, &orphans[i], why))
            say_adopted(xs, &orphans[i], text);
        else
            code = tool_fail(TOOL_SYSTEM, "%s: %s", text, why);
    }
    return code;
}

/*
 * Those of managers that live are no orphans here: a guest whose detach took too long may say that
 * it is connected still, and a number may be another domain's by now. How many are left.
 */
static unsigned keep_dead(struct xs_handle *xs, struct orphan *orphans, unsigned nr)
{
    struct domain domain;
    unsigned nr_kept = 0;

    for (unsigned i = 0; i < nr; i++) {
        if (!domain_read(xs, orphans[i].manager, &domain))
            orphans[nr_kept++] = orphans[i];
    }
    return nr_kept;
}

/*
 * Is there the manager of this configuration, whose start was cut off? The nodes of the disks that
 * wait for it are written now; *@code_out is what came of it.
 */
static bool resume(struct xs_handle *xs, const char *config, const struct orphan *orphans,
                   unsigned nr, unsigned domid, int *code_out)
{
    char name[XEN_NAME_LEN];
    struct domain living;

    if (!read_name(config, name) || !is_running(xs, name, &living) ||
        (domid && domid != living.domid) || !is_marked(living.domid))
        return false;
    printf("%s runs already, domain %u\n", name, living.domid);
    *code_out = adopt(xs, orphans, nr, living.domid);
    if (*code_out == TOOL_DONE)
        unmark(living.domid);
    if (!manager_is_ready(xs, living.domid))
        tool_say("no daemon has announced itself in %s yet: if none does, it is half made: xl "
                 "destroy %s, and start again",
                 name, name);
    return true;
}

static int start(struct xs_handle *xs, const char *config, unsigned domid)
{
    unsigned nr = 0;
    struct orphan *orphans = orphans_find(xs, &nr);
    char why[XEN_WHY_LEN], name[XEN_NAME_LEN] = "";
    struct domain living;
    int code;

    if (!orphans)
        return tool_fail(TOOL_SYSTEM, "out of memory");
    if (resume(xs, config, orphans, nr, domid, &code)) {
        free(orphans);
        return code;
    }
    nr = keep_dead(xs, orphans, nr);
    if (domid == 0 && !find_domid(orphans, nr, &domid, why))
        code = tool_fail(TOOL_USAGE, "%s", why);
    else if (domid && domain_read(xs, domid, &living))
        code = tool_fail(TOOL_REFUSED,
                         "there is a domain %u; DOMID is that of a manager that has died: xl list",
                         domid);
    else
        code = may_start(xs, config, name);
    if (code == TOOL_DONE)
        code = create_marked(config, domid);
    if (code == TOOL_DONE && is_running(xs, name, &living))
        printf("%s runs, domain %u\n", name, living.domid);
    if (code == TOOL_DONE)
        code = adopt(xs, orphans, nr, domid);
    if (code == TOOL_DONE)
        unmark(domid);
    free(orphans);
    return code;
}

int operator_start(struct tool *tool, int argc, char **argv)
{
    struct operator_options o;
    uint64_t domid = 0;
    char why[XEN_WHY_LEN];
    struct xs_handle *xs;
    int code, nr;

    (void)tool;
    if (!operator_read_options(argv[0], 0, argc, argv, &o))
        return TOOL_USAGE;
    nr = argc - optind;
    if (nr > 2 || (nr == 2 && (!text_to_number(argv[optind + 1], UINT16_MAX, &domid) || !domid)))
        return tool_usage(operator_command(argv[0]), "a configuration and a domid at most");
    xs = xen_open(why);
    if (!xs)
        return tool_fail(TOOL_SYSTEM, "%s", why);
    code = start(xs, nr ? argv[optind] : OPERATOR_CONFIG, (unsigned)domid);
    xs_close(xs);
    return code;
}
