/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem disk, rollback, and freeze of a disk. */
#include "frontend/tool/operator_disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_grant.h"
#include "frontend/tool/vdev.h"

/* ---- names ---- */

int disk_take_name(const char *text, char name_out[TMEMCTL_DISK_NAME_LEN])
{
    memcpy(name_out, text, strnlen(text, TMEMCTL_DISK_NAME_LEN));
    if (strlen(text) < TMEMCTL_DISK_NAME_LEN && tmemctl_name_is_valid(name_out))
        return TOOL_DONE;
    return tool_fail(TOOL_USAGE,
                     "%s: a name is a letter or digit, then letters, digits, '.', '_' and '-', at "
                     "most %u in all",
                     text, TMEMCTL_DISK_NAME_LEN - 1);
}

static int find_domain(struct tool *tool, const char *text, uint32_t *domid_out)
{
    struct xs_handle *xs = NULL;
    char why[XEN_WHY_LEN] = "";
    struct domain domain;
    uint64_t domid;
    bool found;

    /* dom7 is what the lists call a domain whose name is not known */
    if (text_to_number(text, UINT16_MAX, &domid) ||
        (!talk_by_xenstore(tool) && strncmp(text, "dom", 3) == 0 &&
         text_to_number(text + 3, UINT16_MAX, &domid))) {
        *domid_out = (uint32_t)domid;
        return TOOL_DONE;
    }
    if (talk_is_misplaced(tool))
        return talk_say_place();
    if (!talk_by_xenstore(tool))
        return tool_fail(TOOL_REFUSED, "%s: without xenstore a guest is named by its domid", text);
    xs = xen_open(why);
    if (!xs)
        return tool_fail(TOOL_SYSTEM, "%s", why);
    found = domain_find(xs, text, &domain, why) == DOMAIN_FOUND;
    xs_close(xs);
    if (!found)
        return tool_fail(TOOL_REFUSED, "%s", why);
    *domid_out = domain.domid;
    return TOOL_DONE;
}

/* The disk that is written so (operator_disk.h). TOOL_DONE, or what to exit with. */
static int find_disk(struct tool *tool, const char *text, struct tmemctl_disk_ref *disk_out)
{
    const char *colon = strrchr(text, ':');
    char guest[XEN_NAME_LEN] = "";

    *disk_out = (struct tmemctl_disk_ref){0};
    if (!colon)
        return disk_take_name(text, disk_out->name);
    if ((size_t)(colon - text) >= sizeof(guest))
        return tool_fail(TOOL_USAGE, "%s: the guest's name is too long", text);
    if (!vdev_parse(colon + 1, &disk_out->vdev))
        return tool_fail(TOOL_USAGE, "%s: a guest's disk is GUEST:VDEV, as in g1:xvda", text);
    memcpy(guest, text, (size_t)(colon - text));
    return find_domain(tool, guest, &disk_out->domid);
}

bool disk_token(uint64_t *token_out)
{
    do {
        if (getrandom(token_out, sizeof(*token_out), 0) != sizeof(*token_out)) {
            tool_fail(TOOL_SYSTEM, "no random numbers: %s", strerror(errno));
            return false;
        }
    } while (*token_out == 0);
    return true;
}

/* ---- what the manager answers ---- */

static const struct {
    enum tmemctl_command command;
    int status;
    const char *why; /* of the disk or base that is named before it */
} reasons[] = {
    {TMEMCTL_BASE_IMPORT, XENTMEM_BUSY, "there is a base of this name already"},
    {TMEMCTL_BASE_PAGES, XENTMEM_NOT_FOUND, "the manager was restarted meanwhile; import it again"},
    {TMEMCTL_BASE_IMPORT, XENTMEM_NO_MEMORY, "the manager has no memory left for it"},
    {TMEMCTL_BASE_PAGES, XENTMEM_NO_MEMORY, "the manager has no memory left for it"},
    {TMEMCTL_BASE_END, XENTMEM_NO_MEMORY, "the manager has no memory left for it"},
    {TMEMCTL_BASE_END, XENTMEM_NOT_FOUND, "the manager was restarted meanwhile; import it again"},
    {TMEMCTL_BASE_REMOVE, XENTMEM_NOT_FOUND, "there is no such base"},
    {TMEMCTL_BASE_REMOVE, XENTMEM_BUSY, "the base is in use"},
    {TMEMCTL_DISK_ADD, XENTMEM_NOT_FOUND, "there is no such base"},
    {TMEMCTL_DISK_ADD, XENTMEM_BUSY, "there is another disk of this name already"},
    {TMEMCTL_DISK_ADD, XENTMEM_BAD_KIND, "the base has lost pages, or too many layers"},
    {TMEMCTL_DISK_FREEZE, XENTMEM_NOT_FOUND, "there is no such disk"},
    {TMEMCTL_DISK_FREEZE, XENTMEM_BUSY, "there is a base of this name already"},
    {TMEMCTL_DISK_FREEZE, XENTMEM_BAD_KIND, "it is a cache, or pages of the disk were lost"},
    {TMEMCTL_DISK_FREEZE, XENTMEM_TOO_MANY,
     "the disk has as many layers as it can have, or the "
     "manager as many disks"},
    {TMEMCTL_DISK_ROLLBACK, XENTMEM_NOT_FOUND, "there is no such disk"},
    {TMEMCTL_DISK_ROLLBACK, XENTMEM_BAD_KIND, "it is a cache, or pages of its base were lost"},
    {TMEMCTL_DISK_REMOVE, XENTMEM_NOT_FOUND, "there is no such disk"},
    {TMEMCTL_DISK_REMOVE, XENTMEM_BUSY,
     "a guest has the disk, or the manager has just begun: detach it, or try again"},
    {TMEMCTL_DISK_REMOVE, XENTMEM_BAD_KIND,
     "it is a cache; detach it, and what its device holds stays"},
    {TMEMCTL_DISK_RESIZE, XENTMEM_NOT_FOUND, "there is no such disk"},
    {TMEMCTL_DISK_RESIZE, XENTMEM_BAD_KIND,
     "a cache is as large as its device, and a disk that has lost pages stays as it is"},
    {TMEMCTL_DISK_RESIZE, XENTMEM_BAD_REQUEST,
     "the disk is larger than that; it cannot be made smaller"},
};

int disk_result(struct tool *tool, enum tmemctl_command command, const char *what, const char *name,
                int status)
{
    if (status == XENTMEM_TOO_MANY && command != TMEMCTL_DISK_FREEZE)
        return tool_fail(TOOL_REFUSED, "%s: %s: the manager has as many disks as it can have", what,
                         name);
    if (status == XENTMEM_NOT_SUPPORTED || status == XENTMEM_BAD_OP)
        return tool_fail(TOOL_REFUSED, "%s: this manager has no disks", what);
    for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].command == command && reasons[i].status == status)
            return tool_fail(TOOL_REFUSED, "%s: %s: %s", what, name, reasons[i].why);
    }
    return tool_result(tool, what, status);
}

/* Ask one message without records, attached for it alone. @base: of a new disk, or NULL. */
static int ask_about(struct tool *tool, const char *manager, const union tmemctl_message *m,
                     const char *what, const char *name, const char *base)
{
    int code, status;
    struct xentmem *t = talk_open(tool, manager, &code);

    if (!t)
        return code;
    status = talk_ask(t, m, m->head.length);
    /* these two are about the base: reasons[] */
    if (base && (status == XENTMEM_NOT_FOUND || status == XENTMEM_BAD_KIND))
        name = base;
    code = disk_result(tool, (enum tmemctl_command)m->head.command, what, name, status);
    talk_close(tool, t);
    return code;
}

static int ask(struct tool *tool, const char *manager, const union tmemctl_message *m,
               const char *what, const char *name)
{
    return ask_about(tool, manager, m, what, name, NULL);
}

/* ---- the commands ---- */

static int disk_add(struct tool *tool, const char *manager, char **argv)
{
    union tmemctl_message m = talk_message(TMEMCTL_DISK_ADD);
    int code = disk_take_name(argv[0], m.disk_add.name);

    if (code == TOOL_DONE)
        code = disk_take_name(argv[1], m.disk_add.base);
    return code ? code : ask_about(tool, manager, &m, "disk add", argv[0], argv[1]);
}

/* A message that carries a disk and no more. */
static int change(struct tool *tool, const char *manager, enum tmemctl_command command,
                  const char *what, const char *text)
{
    union tmemctl_message m = talk_message(command);
    int code = find_disk(tool, text, &m.disk.disk);

    return code ? code : ask(tool, manager, &m, what, text);
}

static int disk_resize(struct tool *tool, const char *manager, char **argv)
{
    union tmemctl_message m = talk_message(TMEMCTL_DISK_RESIZE);
    const char *why;
    uint64_t pages;
    int code;

    if (!grant_parse_size(argv[1], &pages, &why) || pages == 0 || pages > UINT32_MAX)
        return tool_fail(TOOL_USAGE,
                         "%s: the size of a disk is a whole number with K, M, G or T, or p for "
                         "pages of 4K, and less than 16T",
                         argv[1]);
    m.disk_resize.nr_pages = (uint32_t)pages;
    code = find_disk(tool, argv[0], &m.disk_resize.disk);
    return code ? code : ask(tool, manager, &m, "disk resize", argv[0]);
}

int disk_usage(const char *command, const char *verb, const struct disk_verb *verbs)
{
    char names[128] = "";
    size_t length = 0;

    for (const struct disk_verb *v = verbs; v->name; v++) {
        if (strcmp(v->name, verb) == 0)
            return tool_usage(operator_command(command), "%s %s takes %s", command, verb, v->takes);
        length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
                                   v == verbs ? "" : ", ", v->name);
    }
    return tool_usage(operator_command(command), "%s: not one of %s", verb, names);
}

int operator_disk(struct tool *tool, int argc, char **argv)
{
    static const struct disk_verb verbs[] = {
        {"list", "no argument"},         {"add", "a new disk's name and a base"},
        {"resize", "a disk and a size"}, {"rm", "a disk"},
        {"clean", "no argument"},        {0},
    };
    struct operator_options o;
    const char *verb;
    int nr;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    verb = optind < argc ? argv[optind++] : "list";
    nr = argc - optind;
    if (strcmp(verb, "list") == 0 && nr == 0)
        return disk_print_disks(tool, o.manager);
    if (strcmp(verb, "add") == 0 && nr == 2)
        return disk_add(tool, o.manager, argv + optind);
    if (strcmp(verb, "rm") == 0 && nr == 1)
        return change(tool, o.manager, TMEMCTL_DISK_REMOVE, "disk rm", argv[optind]);
    if (strcmp(verb, "resize") == 0 && nr == 2)
        return disk_resize(tool, o.manager, argv + optind);
    if (strcmp(verb, "clean") == 0 && nr == 0)
        return disk_clean();
    return disk_usage(argv[0], verb, verbs);
}

int operator_rollback(struct tool *tool, int argc, char **argv)
{
    struct operator_options o;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    if (argc - optind != 1)
        return tool_usage(operator_command(argv[0]), "needs one disk");
    return change(tool, o.manager, TMEMCTL_DISK_ROLLBACK, "rollback", argv[optind]);
}

int operator_freeze_disk(struct tool *tool, const char *manager, const char *disk, const char *name)
{
    union tmemctl_message m = talk_message(TMEMCTL_DISK_FREEZE);
    char both[XEN_WHY_LEN];
    int code = find_disk(tool, disk, &m.disk_freeze.disk);

    if (code == TOOL_DONE)
        code = disk_take_name(name, m.disk_freeze.name);
    if (code)
        return code;
    if (!disk_token(&m.disk_freeze.token))
        return TOOL_SYSTEM;
    snprintf(both, sizeof(both), "%s as %s", disk, name);
    return ask(tool, manager, &m, "freeze", both);
}
