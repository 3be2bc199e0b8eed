/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xentmem base: the images that clones begin with. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/tool/operator_command.h"
#include "frontend/tool/operator_disk.h"
#include "frontend/tool/output.h"
#include "frontend/tool/progress.h"
#include "protocol/tmemif.h"

#define CHUNK_PAGES 64u

/* ---- import ---- */

/* BASE_PAGES as it is sent. */
struct pages_message {
    struct tmemctl_base_pages head;
    uint8_t pages[TMEMCTL_MAX_PAGES][TMEMIF_PAGE_SIZE];
};

struct import {
    struct tool *tool;
    struct xentmem *t;
    const char *name, *file;
    int fd;
    bool is_file;   /* with a size, and holes that need not be read */
    uint64_t bytes; /* its size, or how much was read */
    uint64_t token;
    uint64_t nr_sent; /* pages */
    struct progress progress;
    struct pages_message message;
    uint8_t chunk[CHUNK_PAGES][TMEMIF_PAGE_SIZE];
};

static int import_result(struct import *im, enum tmemctl_command command, int status)
{
    if (status == -1 && errno == ENODEV && command != TMEMCTL_BASE_IMPORT)
        return tool_fail(TOOL_NO_MANAGER,
                         "base import: %s: the manager was restarted meanwhile; import it again",
                         im->name);
    return disk_result(im->tool, command, "base import", im->name, status);
}

static int send_message(struct import *im)
{
    struct tmemctl_base_pages *head = &im->message.head;
    uint32_t count = head->count;
    int status;

    if (count == 0)
        return TOOL_DONE;
    head->head.length = (uint32_t)sizeof(*head) + count * TMEMIF_PAGE_SIZE;
    status = talk_ask(im->t, &im->message, head->head.length);
    if (status == XENTMEM_OK)
        im->nr_sent += count;
    head->count = 0;
    return import_result(im, TMEMCTL_BASE_PAGES, status);
}

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, TMEMIF_PAGE_SIZE - 1) == 0;
}

/* Pages of zeros are what a base has anyway. */
static int add_page(struct import *im, uint32_t number, const uint8_t *page)
{
    struct tmemctl_base_pages *head = &im->message.head;
    int code = TOOL_DONE;

    if (is_zero(page))
        return TOOL_DONE;
    if (head->count == TMEMCTL_MAX_PAGES || head->first + head->count != number)
        code = send_message(im);
    if (code)
        return code;
    if (head->count == 0)
        head->first = number;
    memcpy(im->message.pages[head->count++], page, TMEMIF_PAGE_SIZE);
    return TOOL_DONE;
}

/* As much as there is, to the chunk's end or the input's. -1: errno. */
static ssize_t read_chunk(struct import *im)
{
    size_t nr = 0;

    while (nr < sizeof(im->chunk)) {
        ssize_t r = read(im->fd, (uint8_t *)im->chunk + nr, sizeof(im->chunk) - nr);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        nr += (size_t)r;
    }
    return (ssize_t)nr;
}

/* Where the next data is, from @at on, at the beginning of its page. False: the rest is a hole. */
static bool skip_hole(const struct import *im, uint64_t *at)
{
    off_t data;

    if (!im->is_file)
        return true;
    data = lseek(im->fd, (off_t)*at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
        return false;
    if (data < 0)
        return true; /* the file system does not tell */
    *at = (uint64_t)data / TMEMIF_PAGE_SIZE * TMEMIF_PAGE_SIZE;
    return lseek(im->fd, (off_t)*at, SEEK_SET) >= 0;
}

static void show(struct import *im, uint64_t at)
{
    char done[TEXT_SIZE_LEN], all[TEXT_SIZE_LEN];

    text_of_size(done, at / TMEMIF_PAGE_SIZE);
    text_of_size(all, im->bytes / TMEMIF_PAGE_SIZE);
    if (im->is_file)
        progress_show(&im->progress, "%s: %s of %s", im->name, done, all);
    else
        progress_show(&im->progress, "%s: %s", im->name, done);
}

static int send_all(struct import *im)
{
    uint64_t at = 0;
    int code = TOOL_DONE;

    while (code == TOOL_DONE && skip_hole(im, &at)) {
        ssize_t nr = read_chunk(im);
        size_t pages;

        if (nr < 0)
            return tool_fail(TOOL_SYSTEM, "base import: cannot read %s: %s", im->file,
                             strerror(errno));
        if (nr == 0)
            break;
        memset((uint8_t *)im->chunk + nr, 0, sizeof(im->chunk) - (size_t)nr);
        pages = ((size_t)nr + TMEMIF_PAGE_SIZE - 1) / TMEMIF_PAGE_SIZE;
        if (at / TMEMIF_PAGE_SIZE + pages > UINT32_MAX)
            return tool_fail(TOOL_REFUSED, "base import: larger than a disk can be");
        for (size_t n = 0; code == TOOL_DONE && n < pages; n++)
            code = add_page(im, (uint32_t)(at / TMEMIF_PAGE_SIZE + n), im->chunk[n]);
        at += (size_t)nr;
        if (at > im->bytes)
            im->bytes = at;
        show(im, at);
    }
    return code ? code : send_message(im);
}

static int end_import(struct import *im, uint64_t nr_pages)
{
    union tmemctl_message m = talk_message(TMEMCTL_BASE_END);

    m.base_end.token = im->token;
    m.base_end.nr_pages = (uint32_t)nr_pages;
    return import_result(im, TMEMCTL_BASE_END, talk_ask(im->t, &m, m.head.length));
}

static int print_import(const struct import *im, uint64_t nr_pages)
{
    static const struct column columns[] = {{"Base", "base", COLUMN_TEXT},
                                            {"Size", "pages", COLUMN_PAGES},
                                            {"Stored", "own_pages", COLUMN_PAGES}};
    struct output *o = output_create(im->tool->json, OUTPUT_RECORD, columns, 3);

    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    output_text(o, im->name);
    output_number(o, nr_pages);
    output_number(o, im->nr_sent);
    return output_finish(o);
}

/* What fails here leaves nothing: the manager drops the import when we hang up. */
static int run_import(struct import *im, const union tmemctl_message *begin)
{
    uint64_t nr_pages;
    int code = import_result(im, TMEMCTL_BASE_IMPORT, talk_ask(im->t, begin, begin->head.length));

    if (code == TOOL_DONE)
        code = send_all(im);
    progress_clear(&im->progress);
    if (code)
        return code;
    nr_pages = (im->bytes + TMEMIF_PAGE_SIZE - 1) / TMEMIF_PAGE_SIZE;
    if (nr_pages == 0)
        return tool_fail(TOOL_REFUSED, "base import: there is nothing in it");
    if (nr_pages > UINT32_MAX)
        return tool_fail(TOOL_REFUSED, "base import: larger than a disk can be");
    code = end_import(im, nr_pages);
    return code ? code : print_import(im, nr_pages);
}

static int open_input(struct import *im, const char *file)
{
    struct stat st;

    im->file = strcmp(file, "-") == 0 ? "standard input" : file;
    im->fd = STDIN_FILENO;
    if (strcmp(file, "-") != 0)
        im->fd = open(file, O_RDONLY | O_CLOEXEC);
    if (im->fd < 0 || fstat(im->fd, &st) < 0)
        return tool_fail(TOOL_SYSTEM, "%s: %s", file, strerror(errno));
    if (S_ISCHR(st.st_mode) && im->fd != STDIN_FILENO)
        return tool_fail(TOOL_SYSTEM, "%s: neither a file nor a block device", file);
    /* a file that is our standard input may be somewhere in its middle */
    im->is_file = S_ISREG(st.st_mode) && im->fd != STDIN_FILENO;
    im->bytes = im->is_file ? (uint64_t)st.st_size : 0;
    return TOOL_DONE;
}

static int base_import(struct tool *tool, const char *manager, const char *name, const char *file)
{
    union tmemctl_message m = talk_message(TMEMCTL_BASE_IMPORT);
    struct import *im = calloc(1, sizeof(*im));
    int code;

    if (!im)
        return tool_fail(TOOL_SYSTEM, "no memory");
    im->tool = tool;
    im->name = name;
    im->progress.off = tool->no_progress;
    code = disk_take_name(name, m.base_import.name);
    if (code == TOOL_DONE && !disk_token(&im->token))
        code = TOOL_SYSTEM;
    if (code == TOOL_DONE)
        code = open_input(im, file);
    if (code == TOOL_DONE)
        im->t = talk_open(tool, manager, &code);
    if (im->t) {
        m.base_import.token = im->token;
        im->message.head = talk_message(TMEMCTL_BASE_PAGES).base_pages;
        im->message.head.token = im->token;
        code = run_import(im, &m);
        talk_close(tool, im->t);
    }
    if (im->fd > STDIN_FILENO)
        close(im->fd);
    free(im);
    return code;
}

/* ---- the rest ---- */

static int base_remove(struct tool *tool, const char *manager, const char *name)
{
    union tmemctl_message m = talk_message(TMEMCTL_BASE_REMOVE);
    int code = disk_take_name(name, m.base.name), status;
    struct xentmem *t;

    if (code)
        return code;
    t = talk_open(tool, manager, &code);
    if (!t)
        return code;
    status = talk_ask(t, &m, m.head.length);
    code = disk_result(tool, TMEMCTL_BASE_REMOVE, "base rm", name, status);
    if (status == XENTMEM_BUSY)
        disk_tell_users(tool, t, m.base.name);
    talk_close(tool, t);
    return code;
}

int operator_base(struct tool *tool, int argc, char **argv)
{
    static const struct disk_verb verbs[] = {
        {"list", "no argument"},
        {"import", "a new base's name, and a file or - for standard input"},
        {"rm", "a base"},
        {0},
    };
    struct operator_options o;
    const char *verb;
    int nr;

    if (!operator_read_options(argv[0], OPERATOR_MANAGER, argc, argv, &o))
        return TOOL_USAGE;
    verb = optind < argc ? argv[optind++] : "list";
    nr = argc - optind;
    if (strcmp(verb, "list") == 0 && nr == 0)
        return disk_print_bases(tool, o.manager);
    if (strcmp(verb, "import") == 0 && nr == 2)
        return base_import(tool, o.manager, argv[optind], argv[optind + 1]);
    if (strcmp(verb, "rm") == 0 && nr == 1)
        return base_remove(tool, o.manager, argv[optind]);
    return disk_usage(argv[0], verb, verbs);
}
