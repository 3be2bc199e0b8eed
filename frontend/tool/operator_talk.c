/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/tool/operator_attach.h"
#include "frontend/tool/operator_signal.h"

/* The device of dom0's attachment for messages; guests' own are counted from 0. */
#define CONTROL_DEVICE UINT32_C(4294967295)
#define CONTROL_WHERE  "xen:4294967295"
#define CONTROL_LOCK   "/run/xentmem/control.lock"
/* Where "local:" finds its daemon (xentmem_open()). */
#define LOCAL_SOCKET "/run/xentmem/socket"

#define MANAGER_TIMEOUT_MS 15000u

/* The other one may wait for its manager first. */
#define LOCK_TRIES (TOOL_BUSY_TRIES + MANAGER_TIMEOUT_MS / TOOL_BUSY_WAIT_MS)

/*
 * A manager that gives more parts than this to one list is not to be believed: all of them are
 * kept until the last. A whole one is TMEMCTL_MAX_REPLY bytes; the longest lists that the daemon
 * has are of 4096 pools with 208 bytes each, 14 parts, and of 16384 members with 40, 11 parts.
 */
#define MAX_PARTS 32u

bool talk_by_xenstore(const struct tool *tool)
{
    return !tool->attach && xen_is_dom0();
}

bool talk_is_misplaced(const struct tool *tool)
{
    char text[8] = "";
    FILE *f;

    if (tool->attach || xen_is_dom0() || access(LOCAL_SOCKET, F_OK) == 0)
        return false;
    f = fopen("/sys/hypervisor/type", "re");
    if (!f)
        return false;
    if (!fgets(text, sizeof(text), f))
        text[0] = '\0';
    fclose(f);
    return strncmp(text, "xen", 3) == 0;
}

int talk_say_place(void)
{
    return tool_fail(TOOL_NO_MANAGER,
                     "this is a guest of Xen and no daemon runs in it: it is a command for dom0; "
                     "`xentmem pool list` shows this guest's pools");
}

/*
 * Dom0 has one attachment for messages, whatever manager it leads to, so it is had by one command
 * until that has closed it: another one would lead it elsewhere. It may be taken with the policy
 * file open, and nobody who has it opens that. A lock that cannot be had for want
 * of its file is gone without. @code_out: as in talk_open().
 */
static bool lock_control(struct tool *tool, int *code_out)
{
    mkdir("/run/xentmem", 0755);
    tool->control_lock = open(CONTROL_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (tool->control_lock < 0)
        return true;
    for (unsigned tries = 1; flock(tool->control_lock, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (errno != EWOULDBLOCK)
            return true;
        if (tries == LOCK_TRIES || signal_is_held()) {
            *code_out = tool_fail(TOOL_SYSTEM,
                                  "another command talks to a manager (it holds %s): "
                                  "try again when that has ended",
                                  CONTROL_LOCK);
            return false;
        }
        poll(NULL, 0, TOOL_BUSY_WAIT_MS);
    }
    return true;
}

static void unlock_control(struct tool *tool)
{
    if (tool->control_lock >= 0)
        close(tool->control_lock);
    tool->control_lock = -1;
}

static int write_attachment(struct tool *tool, struct xs_handle *xs, const struct domain *manager,
                            const struct domain *dom0)
{
    const struct schema_place place = {.manager = manager->domid, .device = CONTROL_DEVICE};
    bool was_bare = attach_is_bare(xs, manager->domid);
    unsigned timeout_ms = MANAGER_TIMEOUT_MS;
    char why[XEN_WHY_LEN];
    int code;

    if (!attach_wait_ready(tool, xs, manager, dom0, &timeout_ms, why))
        return tool_fail(TOOL_NO_MANAGER, "%s", why);
    if (!attach_write(xs, manager, dom0, CONTROL_DEVICE, &GRANT_DEFAULT, NULL, why))
        return tool_fail(TOOL_SYSTEM, "%s", why);
    code = attach_wait(tool, xs, manager, dom0, CONTROL_DEVICE, timeout_ms, why);
    if (code == TOOL_DONE)
        return TOOL_DONE;
    tool_fail(code, "%s", why);
    if (!attach_take_back(xs, &place, was_bare, NULL, why))
        tool_say("%s", why);
    return code;
}

static int make_attachment(struct tool *tool, struct xs_handle *xs, const struct domain *manager)
{
    const struct schema_place place = {.manager = manager->domid, .device = CONTROL_DEVICE};
    struct domain dom0;
    int code;

    if (!lock_control(tool, &code))
        return code;
    if (!domain_read(xs, 0, &dom0))
        return tool_fail(TOOL_SYSTEM, "domain 0 is not in xenstore: has xen-init-dom0 run?");
    return attach_look(xs, &place, dom0.uuid) == ATTACH_THERE
               ? TOOL_DONE
               : write_attachment(tool, xs, manager, &dom0);
}

/* In dom0: which attachment leads to the manager. */
static int find_attachment(struct tool *tool, const char *name)
{
    char why[XEN_WHY_LEN];
    struct xs_handle *xs = xen_open(why);
    struct domain manager;
    int code = TOOL_DONE;

    if (!xs)
        return tool_fail(TOOL_SYSTEM, "%s", why);
    if (!domain_find_manager(xs, name, &manager, why)) {
        code = tool_fail(TOOL_NO_MANAGER, "%s", why);
    } else if (manager.domid == 0) {
        tool->attach = "local:";
    } else {
        tool->attach = CONTROL_WHERE;
        code = make_attachment(tool, xs, &manager);
    }
    xs_close(xs);
    return code;
}

/* The manager in another domain, which --manager names, is dom0's to ask. */
static int choose_attachment(struct tool *tool, const char *manager)
{
    if (!tool->attach && xen_is_dom0())
        return find_attachment(tool, manager);
    if (manager)
        return tool_fail(
            TOOL_USAGE, "--manager %s: names the domain of a manager; this asks the daemon %s%s",
            manager, tool->attach ? "at " : "on this machine", tool->attach ? tool->attach : "");
    if (!tool->attach)
        tool->attach = "local:";
    return TOOL_DONE;
}

struct xentmem *talk_open(struct tool *tool, const char *manager, int *code_out)
{
    bool misplaced = talk_is_misplaced(tool);
    struct xentmem *t = NULL;

    *code_out = choose_attachment(tool, manager);
    if (*code_out == TOOL_DONE && misplaced)
        *code_out = talk_say_place();
    if (*code_out == TOOL_DONE)
        t = tool_open_control(tool, code_out);
    if (!t)
        unlock_control(tool);
    return t;
}

void talk_close(struct tool *tool, struct xentmem *t)
{
    xentmem_close(t);
    unlock_control(tool);
}

union tmemctl_message talk_message(enum tmemctl_command command)
{
    union tmemctl_message m;

    memset(&m, 0, sizeof(m));
    m.head.command = command;
    switch (command) {
#define X(value, name, message, bytes, record, list, change)                                       \
    case value:                                                                                    \
        m.head.length = bytes;                                                                     \
        break;
        TMEMCTL_COMMANDS(X)
#undef X
    }
    return m;
}

static int bad_reply(const char *what)
{
    return tool_fail(TOOL_SYSTEM, "%s: the manager's reply is malformed", what);
}

/* One message and its reply. *@cursor_out: where to go on, 0 at the end. */
static int talk_part(struct tool *tool, struct xentmem *t, const union tmemctl_message *message,
                     void *reply, void (*each)(void *arg, const void *record), void *arg,
                     const char *what, uint64_t *cursor_out)
{
    size_t length = TMEMCTL_MAX_REPLY;
    int status = xentmem_control(t, message, message->head.length, reply, &length);
    struct tmemctl_reply head;

    if (status != XENTMEM_OK)
        return tool_result(tool, what, status);
    if (length > TMEMCTL_MAX_REPLY ||
        tmemctl_reply_check(reply, (uint32_t)length, message->head.command) != TMEMIF_OK)
        return bad_reply(what);
    memcpy(&head, reply, sizeof(head));
    for (uint32_t i = 0; each && i < head.count; i++)
        each(arg, (const uint8_t *)reply + sizeof(head) + (size_t)i * head.record_bytes);
    *cursor_out = head.cursor;
    return TOOL_DONE;
}

int talk(struct tool *tool, struct xentmem *t, const union tmemctl_message *message,
         void (*each)(void *arg, const void *record), void *arg, const char *what)
{
    union tmemctl_message m = *message;
    void *reply = malloc(TMEMCTL_MAX_REPLY); /* aligned for every record */
    int code;

    if (!reply)
        return tool_fail(TOOL_SYSTEM, "no memory");
    for (unsigned parts = 1;; parts++) {
        code = talk_part(tool, t, &m, reply, each, arg, what, &m.head.cursor);
        if (code || m.head.cursor == 0)
            break;
        if (parts == MAX_PARTS) {
            code = tool_fail(TOOL_SYSTEM, "%s: the manager's list does not end", what);
            break;
        }
    }
    free(reply);
    return code;
}

int talk_once(struct tool *tool, const char *manager, const union tmemctl_message *message,
              void (*each)(void *arg, const void *record), void *arg, const char *what)
{
    int code;
    struct xentmem *t = talk_open(tool, manager, &code);

    if (!t)
        return code;
    code = talk(tool, t, message, each, arg, what);
    talk_close(tool, t);
    return code;
}

int talk_ask(struct xentmem *t, const void *message, uint32_t length)
{
    struct tmemctl_reply reply;
    size_t room = sizeof(reply);

    return xentmem_control(t, message, length, &reply, &room);
}

int talk_ask_at(struct tool *tool, const struct domain *manager, const union tmemctl_message *m,
                const char *what, bool *is_missing_out)
{
    char number[16];
    int code, status;
    struct xentmem *t;

    *is_missing_out = false;
    if (manager) {
        snprintf(number, sizeof(number), "%u", manager->domid);
        tool->attach = NULL; /* another one than the last */
    }
    t = talk_open(tool, manager ? number : NULL, &code);
    if (!t)
        return code;
    status = talk_ask(t, m, m->head.length);
    *is_missing_out = status == XENTMEM_NOT_FOUND;
    code = *is_missing_out ? TOOL_DONE : tool_result(tool, what, status);
    talk_close(tool, t);
    return code;
}
