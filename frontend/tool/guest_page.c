/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* put, get and flush: files over consecutive indexes of an object. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/tool/guest.h"
#include "frontend/tool/guest_refusal.h"
#include "frontend/tool/output.h"
#include "frontend/tool/progress.h"
#include "frontend/tool/text.h"

#define PAGES_AT_ONCE 64u
#define MAX_LENGTH    (1ull << 44) /* of all indexes of an object */

/* What to do with which pages, and the file beside them. */
struct job {
    struct tool *tool;
    const struct command *command;
    uint32_t pool;
    struct xentmem_object object;
    uint32_t first;
    uint64_t nr_pages; /* get, flush */
    uint64_t nr_bytes; /* get: to write */
    bool whole_object; /* flush */
    const char *path;  /* "-": standard input or output */
    int fd;
    bool is_new;    /* get: the file was not there before */
    bool has_begun; /* get: what was in it is gone */
    struct xentmem *t;
    struct progress progress;
    uint8_t *pages; /* PAGES_AT_ONCE */
    struct xentmem_op ops[PAGES_AT_ONCE];
};

/* "INDEX" or "FIRST-LAST". */
static bool parse_range(const char *text, uint32_t *first_out, uint32_t *last_out)
{
    char copy[32];
    char *dash;
    uint64_t first, last;

    if (strlen(text) >= sizeof(copy))
        return false;
    strcpy(copy, text);
    dash = strchr(copy, '-');
    if (dash)
        *dash++ = '\0';
    if (!text_to_number(copy, UINT32_MAX, &first))
        return false;
    last = first;
    if (dash && (!text_to_number(dash, UINT32_MAX, &last) || last < first))
        return false;
    *first_out = (uint32_t)first;
    *last_out = (uint32_t)last;
    return true;
}

static bool parse_pool_and_object(struct job *job, char **argv)
{
    uint64_t number;

    if (!text_to_number(argv[0], XENTMEM_MAX_POOLS - 1, &number)) {
        tool_usage(job->command, "%s: not the number of a pool, 0 to %u", argv[0],
                   XENTMEM_MAX_POOLS - 1);
        return false;
    }
    job->pool = (uint32_t)number;
    if (!text_to_object(argv[1], &job->object)) {
        tool_usage(job->command,
                   "%s: not an object: a number, 0x and up to 48 hexadecimal digits, or name:TEXT",
                   argv[1]);
        return false;
    }
    return true;
}

/* For getopt(); false: there was one, and the usage has been printed. */
static bool takes_no_option(const struct command *command, int argc, char **argv)
{
    static const struct option none[] = {{0}};
    int option;

    option = getopt_long(argc, argv, ":", none, NULL);
    if (option != -1)
        tool_bad_option(command, option, argv);
    return option == -1;
}

/* Of put and get. False: the usage has been printed. */
static bool has_arguments(const struct command *command, int argc, char **argv)
{
    if (argc < 3)
        tool_usage(command, "needs a pool, an object, an index, and perhaps a file");
    else if (argc > 4)
        tool_usage(command, "%s: too many arguments", argv[4]);
    return argc >= 3 && argc <= 4;
}

/* 0, or what to exit with. */
static int job_open(struct job *job, int flags)
{
    int code = TOOL_DONE;
    struct stat st;

    job->fd = flags & O_CREAT ? STDOUT_FILENO : STDIN_FILENO;
    if (strcmp(job->path, "-") != 0) {
        job->is_new = (flags & O_CREAT) && lstat(job->path, &st) < 0;
        job->fd = open(job->path, flags | O_CLOEXEC, 0666);
    }
    if (job->fd < 0)
        return tool_fail(TOOL_SYSTEM, "%s: %s", job->path, strerror(errno));
    job->progress.off = job->tool->no_progress;
    job->pages = malloc(PAGES_AT_ONCE * XENTMEM_PAGE_SIZE);
    if (!job->pages)
        return tool_fail(TOOL_SYSTEM, "no memory");
    job->t = tool_open(job->tool, &code);
    return code;
}

static int job_close(struct job *job, int code)
{
    progress_clear(&job->progress);
    xentmem_close(job->t);
    free(job->pages);
    if (job->is_new && !job->has_begun && job->fd >= 0)
        unlink(job->path);
    if (job->fd > STDERR_FILENO && close(job->fd) < 0 && code == TOOL_DONE)
        return tool_fail(TOOL_SYSTEM, "%s: %s", job->path, strerror(errno));
    return code;
}

/* Carry out @nr operations of @kind from @index on. */
static int transfer(struct job *job, uint32_t kind, uint32_t index, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        job->ops[i] = (struct xentmem_op){.kind = kind,
                                          .pool = job->pool,
                                          .index = index + i,
                                          .object = job->object,
                                          .page = job->pages + i * XENTMEM_PAGE_SIZE};
    return tool_result(job->tool, job->command->name, xentmem_vector(job->t, job->ops, nr));
}

/* Fill as many bytes as the file has. Negative: the reason is printed. */
static ssize_t read_full(struct job *job, uint8_t *to, size_t nr_bytes)
{
    size_t have = 0;

    while (have < nr_bytes) {
        ssize_t r = read(job->fd, to + have, nr_bytes - have);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            tool_fail(TOOL_SYSTEM, "%s: %s", job->path, strerror(errno));
            return -1;
        }
        if (r == 0)
            break;
        have += (size_t)r;
    }
    return (ssize_t)have;
}

static int write_full(struct job *job, const uint8_t *from, size_t nr_bytes)
{
    /* only now: pages that are not there leave the file as it is. EINVAL: it is no regular file */
    if (nr_bytes && !job->has_begun && strcmp(job->path, "-") != 0 && ftruncate(job->fd, 0) < 0 &&
        errno != EINVAL)
        return tool_fail(TOOL_SYSTEM, "%s: %s", job->path, strerror(errno));
    job->has_begun = job->has_begun || nr_bytes;
    while (nr_bytes) {
        ssize_t r = write(job->fd, from, nr_bytes);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return tool_fail(TOOL_SYSTEM, "%s: %s", job->path, strerror(errno));
        from += r;
        nr_bytes -= (size_t)r;
    }
    return TOOL_DONE;
}

/* ---- put ---- */

/* How many of a vector were stored before the first that was not. */
static unsigned count_stored(const struct job *job, unsigned nr)
{
    unsigned stored = 0;

    while (stored < nr && job->ops[stored].status == XENTMEM_OK)
        stored++;
    return stored;
}

static int put_file(struct job *job, uint64_t *stored_out)
{
    uint64_t index = job->first;

    for (bool more = true; more;) {
        ssize_t bytes = read_full(job, job->pages, PAGES_AT_ONCE * XENTMEM_PAGE_SIZE);
        unsigned nr, stored;
        int code;

        if (bytes < 0)
            return TOOL_SYSTEM;
        nr = (unsigned)(((size_t)bytes + XENTMEM_PAGE_SIZE - 1) / XENTMEM_PAGE_SIZE);
        more = nr == PAGES_AT_ONCE;
        if (nr == 0)
            break;
        memset(job->pages + bytes, 0, nr * XENTMEM_PAGE_SIZE - (size_t)bytes);
        if (index + nr - 1 > UINT32_MAX)
            return tool_fail(TOOL_USAGE, "put: %s goes beyond the last index", job->path);
        code = transfer(job, XENTMEM_PUT, (uint32_t)index, nr);
        if (code)
            return code;
        stored = count_stored(job, nr);
        *stored_out += stored;
        if (stored < nr) {
            char what[48];

            progress_clear(&job->progress);
            snprintf(what, sizeof(what), "put: index %" PRIu64, index + stored);
            return guest_refused(job->tool, job->t, job->pool, what, job->ops[stored].status);
        }
        index += nr;
        progress_show(&job->progress, "put: %" PRIu64 " pages", *stored_out);
    }
    return TOOL_DONE;
}

static int print_stored(const struct tool *tool, uint64_t stored)
{
    static const struct column column = {"STORED", "stored", COLUMN_NUMBER};
    struct output *o;

    if (!tool->json)
        return TOOL_DONE;
    o = output_create(true, OUTPUT_RECORD, &column, 1);
    if (!o)
        return tool_fail(TOOL_SYSTEM, "no memory");
    output_number(o, stored);
    return output_finish(o);
}

int guest_put(struct tool *tool, int argc, char **argv)
{
    struct job job = {.tool = tool, .command = guest_command("put"), .path = "-", .fd = -1};
    uint64_t stored = 0, index;
    int code, printed;

    if (!takes_no_option(job.command, argc, argv))
        return TOOL_USAGE;
    if (!has_arguments(job.command, argc - optind, argv + optind))
        return TOOL_USAGE;
    argv += optind;
    argc -= optind;
    if (!parse_pool_and_object(&job, argv))
        return TOOL_USAGE;
    if (!text_to_number(argv[2], UINT32_MAX, &index))
        return tool_usage(job.command, "%s: not an index, 0 to 4294967295", argv[2]);
    job.first = (uint32_t)index;
    if (argc == 4)
        job.path = argv[3];

    code = job_open(&job, O_RDONLY);
    if (code == TOOL_DONE)
        code = put_file(&job, &stored);
    code = job_close(&job, code);
    if (code == TOOL_DONE && stored == 0 && !tool->json)
        fprintf(stderr, "xentmem: put: %s is empty: nothing was stored\n",
                strcmp(job.path, "-") ? job.path : "standard input");
    printed = print_stored(tool, stored);
    return code ? code : printed;
}

/* ---- get ---- */

static int get_pages(struct job *job)
{
    uint64_t left_bytes = job->nr_bytes;
    uint64_t done = 0;

    while (done < job->nr_pages) {
        uint64_t left = job->nr_pages - done;
        unsigned nr = left < PAGES_AT_ONCE ? (unsigned)left : PAGES_AT_ONCE, found = 0;
        int code = transfer(job, XENTMEM_GET, job->first + (uint32_t)done, nr);
        size_t bytes;

        if (code)
            return code;
        found = count_stored(job, nr);
        bytes = (size_t)found * XENTMEM_PAGE_SIZE;
        if (bytes > left_bytes)
            bytes = (size_t)left_bytes;
        code = write_full(job, job->pages, bytes);
        if (code)
            return code;
        left_bytes -= bytes;
        if (found < nr) {
            int status = job->ops[found].status;

            progress_clear(&job->progress);
            return tool_fail(status == XENTMEM_MISS ? TOOL_MISS : TOOL_REFUSED,
                             "get: index %" PRIu64 ": %s", job->first + done + found,
                             xentmem_strstatus(status));
        }
        done += nr;
        progress_show(&job->progress, "get: %" PRIu64 " of %" PRIu64 " pages", done, job->nr_pages);
    }
    return TOOL_DONE;
}

int guest_get(struct tool *tool, int argc, char **argv)
{
    static const struct option options[] = {{"length", required_argument, NULL, 'l'}, {0}};
    struct job job = {.tool = tool, .command = guest_command("get"), .path = "-", .fd = -1};
    uint64_t length = 0;
    uint32_t last;
    int option, code;

    while ((option = getopt_long(argc, argv, ":l:", options, NULL)) != -1) {
        if (option != 'l')
            return tool_bad_option(job.command, option, argv);
        if (!text_to_number(optarg, MAX_LENGTH, &length) || length == 0)
            return tool_usage(job.command, "%s: not a length in bytes, 1 to %llu", optarg,
                              MAX_LENGTH);
    }
    argv += optind;
    argc -= optind;
    if (!has_arguments(job.command, argc, argv))
        return TOOL_USAGE;
    if (!parse_pool_and_object(&job, argv))
        return TOOL_USAGE;
    if (!parse_range(argv[2], &job.first, &last))
        return tool_usage(job.command, "%s: not an index, 0 to 4294967295, nor a range FIRST-LAST",
                          argv[2]);
    job.nr_pages = (uint64_t)last - job.first + 1;
    job.nr_bytes = job.nr_pages * XENTMEM_PAGE_SIZE;
    if (length) {
        if (last != job.first)
            return tool_usage(job.command, "either LAST or --length");
        job.nr_bytes = length;
        job.nr_pages = (length + XENTMEM_PAGE_SIZE - 1) / XENTMEM_PAGE_SIZE;
        if (job.first + job.nr_pages - 1 > UINT32_MAX)
            return tool_usage(job.command, "that goes beyond the last index");
    }
    if (argc == 4)
        job.path = argv[3];

    code = job_open(&job, O_WRONLY | O_CREAT);
    if (code == TOOL_DONE)
        code = get_pages(&job);
    return job_close(&job, code);
}

/* ---- flush ---- */

int guest_flush(struct tool *tool, int argc, char **argv)
{
    struct job job = {.tool = tool, .command = guest_command("flush")};
    uint32_t last = 0;
    struct xentmem *t;
    int code, status;

    if (!takes_no_option(job.command, argc, argv))
        return TOOL_USAGE;
    if (argc - optind < 2 || argc - optind > 3)
        return tool_usage(job.command, "needs a pool, an object, and perhaps indexes");
    argv += optind;
    argc -= optind;
    if (!parse_pool_and_object(&job, argv))
        return TOOL_USAGE;
    if (argc == 3 && !parse_range(argv[2], &job.first, &last))
        return tool_usage(job.command, "%s: not an index, 0 to 4294967295, nor a range FIRST-LAST",
                          argv[2]);

    t = tool_open(tool, &code);
    if (!t)
        return code;
    if (argc == 2)
        status = xentmem_flush_object(t, job.pool, &job.object);
    else if (last == job.first)
        status = xentmem_flush_page(t, job.pool, &job.object, job.first);
    else
        status = xentmem_flush_range(t, job.pool, &job.object, job.first, last);
    code = tool_result(tool, "flush", status);
    xentmem_close(t);
    return code;
}
