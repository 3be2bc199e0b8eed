/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command as a user runs it, against the real daemon: what it prints and how it exits. */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/tool/command.h"
#include "tests/lib/daemon_run.h"
#include "tests/lib/runner.h"

#define UUID "6f1c3f0e-52a0-4f7e-9d5b-0d6c7a1c2b3d"

struct world {
    struct daemon_run daemon;
    char build[PATH_MAX / 2];
    char output[65536]; /* of the last command, both streams */
};

static void begin(struct world *w)
{
    static const char *const args[] = {"--memory", "64M", "--local-quota", "4M", "--log-level",
                                       "error",    NULL};
    ssize_t len = readlink("/proc/self/exe", w->build, sizeof(w->build) - 1);
    char *tests;

    w->build[len > 0 ? len : 0] = '\0';
    tests = strstr(w->build, "/tests/unit/");
    CU_ASSERT_PTR_NOT_NULL_FATAL(tests);
    *tests = '\0';
    CU_ASSERT_TRUE_FATAL(daemon_run_init(&w->daemon));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w->daemon, args));
}

static void end(struct world *w)
{
    CU_ASSERT_EQUAL(daemon_run_stop(&w->daemon), 0);
    daemon_run_fini(&w->daemon);
}

/* `xentmem -a local:SOCKET ARGUMENTS` by the shell. */
static FILE *run_begin(struct world *w, const char *arguments)
{
    char command[PATH_MAX + 2048];
    FILE *pipe;

    snprintf(command, sizeof(command), "{ %s/bin/xentmem -a local:%s %s\n} 2>&1", w->build,
             w->daemon.socket, arguments);
    pipe = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
    return pipe;
}

/* Its exit status; what it printed is kept. */
static int run_end(struct world *w, FILE *pipe)
{
    size_t length = 0, r;
    int status;

    while ((r = fread(w->output + length, 1, sizeof(w->output) - 1 - length, pipe)) > 0)
        length += r;
    w->output[length] = '\0';
    status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

__attribute__((format(printf, 2, 3))) static int run(struct world *w, const char *format, ...)
{
    char arguments[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    return run_end(w, run_begin(w, arguments));
}

/* Until somebody has an attachment; false: nobody comes to have one. */
static bool comes_into_use(struct world *w)
{
    for (unsigned tries = 0; tries < 400; tries++) {
        if (run(w, "list | grep -qw attached") == 0)
            return true;
        usleep(50000);
    }
    return false;
}

/* Make a file of @nr_bytes that no two pages of are alike. */
static void make_file(struct world *w, char path_out[128], unsigned nr_bytes)
{
    FILE *file;

    snprintf(path_out, 128, "%s/file", w->daemon.directory);
    file = fopen(path_out, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (unsigned i = 0; i < nr_bytes; i++)
        fputc((int)((i * 2654435761u) >> 24), file);
    fclose(file);
}

static void a_file_goes_in_and_comes_back(void)
{
    struct world w;
    char path[128];

    begin(&w);
    make_file(&w, path, 1000003);
    CU_ASSERT_EQUAL(run(&w, "pool create --persistent"), 0);
    CU_ASSERT_STRING_EQUAL(w.output, "0\n");
    CU_ASSERT_EQUAL(run(&w, "put 0 name:file 5 %s", path), 0);
    CU_ASSERT_STRING_EQUAL(w.output, "");
    CU_ASSERT_EQUAL(
        run(&w, "get -l 1000003 0 name:file 5 %s.back && cmp %s %s.back", path, path, path), 0);
    CU_ASSERT_EQUAL(run(&w, "get -l 1000003 0 name:file 5 | cmp - %s", path), 0);
    CU_ASSERT_EQUAL(run(&w,
                        "get 0 name:file 5-249 %s.back && test $(stat -c %%s %s.back) = 1003520",
                        path, path),
                    0);
    CU_ASSERT_EQUAL(run(&w, "get 0 name:other 5"), 3);
    CU_ASSERT_EQUAL(run(&w, "flush 0 name:file 6"), 0);
    CU_ASSERT_EQUAL(run(&w, "get 0 name:file 5-9 >/dev/null"), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "index 6"));
    CU_ASSERT_EQUAL(run(&w, "flush 0 name:file 7-10"), 0);
    CU_ASSERT_EQUAL(run(&w, "get 0 name:file 10"), 3);
    CU_ASSERT_EQUAL(run(&w, "get 0 name:file 11 >/dev/null"), 0);
    CU_ASSERT_EQUAL(run(&w, "flush 0 name:file"), 0);
    CU_ASSERT_EQUAL(run(&w, "get 0 name:file 11"), 3);
    CU_ASSERT_EQUAL(run(&w, "reset"), 0);
    CU_ASSERT_EQUAL(run(&w, "get 0 name:file 11"), 4);
    run(&w, "pool list; rm -f %s %s.back", path, path);
    end(&w);
}

static void a_get_that_finds_nothing_leaves_the_file(void)
{
    struct world w;
    char path[128];

    begin(&w);
    make_file(&w, path, 5000);
    CU_ASSERT_EQUAL(run(&w, "pool create --persistent"), 0);
    CU_ASSERT_EQUAL(run(&w, "put 0 1 0 %s", path), 0);
    CU_ASSERT_EQUAL(run(&w, "get 0 1 7 %s", path), 3);
    CU_ASSERT_EQUAL(run(&w, "get 5 1 0 %s", path), 4);
    CU_ASSERT_EQUAL(run(&w, "get 0 1 7 %s.new", path), 3);
    CU_ASSERT_EQUAL(run(&w, "-h >/dev/null; test -e %s.new", path), 1);
    CU_ASSERT_EQUAL(run(&w, "get -l 5000 0 1 0 | cmp - %s", path), 0);
    /* what is found replaces all of it; a device is as good as a file */
    CU_ASSERT_EQUAL(run(&w, "get -l 7 0 1 0 %s && test $(stat -c %%s %s) = 7", path, path), 0);
    CU_ASSERT_EQUAL(run(&w, "get 0 1 0 /dev/null"), 0);
    CU_ASSERT_EQUAL(daemon_run_stop(&w.daemon), 0);
    CU_ASSERT_EQUAL(run(&w, "get 0 1 0 %s", path), 5);
    CU_ASSERT_EQUAL(
        run(&w, "-h >/dev/null; test $(stat -c %%s %s) = 7; c=$?; rm %s; exit $c", path, path), 0);
    daemon_run_fini(&w.daemon);
}

static void standard_input_is_read_and_filled_up_with_zeros(void)
{
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "pool create -p"), 0);
    CU_ASSERT_EQUAL(run(&w, "-j put 0 0xff 4294967295 - </dev/null"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "\"stored\": 0"));
    CU_ASSERT_EQUAL(run(&w, "put 0 0xff 4294967295 - </dev/null"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "standard input is empty: nothing was stored"));
    CU_ASSERT_EQUAL(run(&w, "put 0 0xff 4294967295 <<X\nhello\nX\n"), 0);
    CU_ASSERT_EQUAL(run(&w, "get -l 6 0 255 4294967295"), 0);
    CU_ASSERT_STRING_EQUAL(w.output, "hello\n");
    CU_ASSERT_EQUAL(run(&w, "get 0 255 4294967295 | tr -d '\\000' | wc -c"), 0);
    CU_ASSERT_STRING_EQUAL(w.output, "6\n");
    CU_ASSERT_EQUAL(run(&w, "put 0 0xff 4294967295 /bin/sh"), 1);
    end(&w);
}

static void a_quota_stops_a_put_and_names_the_page(void)
{
    struct world w;
    char path[128];

    begin(&w);
    make_file(&w, path, 5 << 20);
    CU_ASSERT_EQUAL(run(&w, "pool create -p"), 0);
    CU_ASSERT_EQUAL(run(&w, "-j put 0 1 0 %s", path), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "index 1024: refused: the quota"));
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "\"stored\": 1024"));
    run(&w, "reset; rm -f %s", path);
    end(&w);
}

static void a_put_without_a_quota_names_whoever_can_grant_one(void)
{
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "set uid:%u quota=0", geteuid()), 0);
    CU_ASSERT_EQUAL(run(&w, "pool create -p"), 0);
    CU_ASSERT_EQUAL(run(&w, "put 0 1 0 /bin/sh"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "index 0: refused: no persistent pages were granted"));
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "xentmem set uid:0 quota=SIZE"));
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "--local-quota"));
    CU_ASSERT_PTR_NULL(strstr(w.output, "used up"));
    CU_ASSERT_PTR_NULL(strstr(w.output, "GUEST"));
    CU_ASSERT_EQUAL(run(&w, "set uid:%u max=0", geteuid()), 0);
    CU_ASSERT_EQUAL(run(&w, "pool create"), 0);
    CU_ASSERT_EQUAL(run(&w, "put 1 1 0 /bin/sh"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "xentmem set uid:0 max=SIZE"));
    CU_ASSERT_EQUAL(run(&w, "allow " UUID " uid:%u", geteuid()), 0);
    CU_ASSERT_EQUAL(run(&w, "pool join " UUID " -p"), 0);
    CU_ASSERT_EQUAL(run(&w, "put 2 1 0 /bin/sh"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "xentmem set " UUID " quota=SIZE"));
    end(&w);
}

static void a_pool_of_another_kind_says_what_to_change(void)
{
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "allow " UUID " uid:%u && %s/bin/xentmem -a local:%s:1 pool join " UUID,
                        geteuid(), w.build, w.daemon.socket),
                    0);
    CU_ASSERT_EQUAL(run(&w, "pool join " UUID " -p"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "--persistent and --leased as its first member did"));
    CU_ASSERT_EQUAL(run(&w, "pool create"), 0);
    CU_ASSERT_EQUAL(run(&w, "pool leave 0"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "pool destroy 0"));
    for (unsigned i = 1; i < 64; i++)
        CU_ASSERT_EQUAL(run(&w, "pool create"), 0);
    CU_ASSERT_EQUAL(run(&w, "pool create"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "has its 64"));
    end(&w);
}

/* One sentence says what is wrong, and getopt_long() adds none of its own. */
static void what_is_wrong_is_named_once_with_what_is_right(void)
{
    static const struct {
        const char *args, *says;
    } wrong[] = {
        {"-n 1 pool list", "either -n"},
        {"-a nowhere pool list", "nowhere: neither xen:N nor local:PATH[:N]"},
        {"--nonsense", "xentmem: --nonsense is no option"},
        {"-x", "xentmem: -x is no option"},
        {"-n", "xentmem: -n needs a value"},
        {"pool create -p -i", "either --persistent or --inclusive"},
        {"pool join " UUID " --inclusive", "--inclusive is for a private pool"},
        {"pool join 00000000-0000-0000-0000-000000000000", "not the UUID of a shared pool"},
        {"pool make", "make: not one of create"},
        {"pool create --nonsense", "xentmem pool: --nonsense is no option"},
        {"pool info 64", "64: not the number of a pool, 0 to 63"},
        {"pool list -p", "no such option"},
        {"put 64 1 1", "0 to 63"},
        {"put 0 1 4294967296", "0 to 4294967295"},
        {"put -x 0 1 1", "xentmem put: -x is no option"},
        {"get -l 0 0 1 5", "1 to 17592186044416"},
        {"get -l", "xentmem get: -l needs a value"},
        {"get 0 1 5-4", "0 to 4294967295"},
        {"put 0 1 1 file more", "more: too many arguments"},
        {"get 0 1 1 file more", "more: too many arguments"},
        {"reset now", "usage: xentmem reset\n"},
        {"flush -x 0", "xentmem flush: -x is no option"},
        {"bench -d 0", "0: not a number from 1 to 1024"},
        {"bench --rings x", "1 to 64"},
    };
    struct world w;

    begin(&w);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        int code = run(&w, "%s", wrong[i].args);
        bool said = strstr(w.output, wrong[i].says) != NULL;

        if (code != 1 || !said || strstr(w.output, "unrecognized"))
            printf("# xentmem %s: exit %d: %s\n", wrong[i].args, code, w.output);
        CU_ASSERT_EQUAL(code, 1);
        CU_ASSERT(said);
        CU_ASSERT_PTR_NULL(strstr(w.output, "unrecognized"));
        CU_ASSERT_PTR_NULL(strstr(w.output, "invalid option"));
    }
    end(&w);
}

static void attachment_in_use_says_what_to_do(void)
{
    struct world w;
    int code;

    begin(&w);
    code = run(&w,
               "bench -s 600 >/dev/null & bench=$!; x='%s/bin/xentmem -a local:%s'; "
               "until $x list | grep -qw attached; do sleep 0.1; done; "
               "$x pool list; c=$?; kill $bench; wait; exit $c",
               w.build, w.daemon.socket);
    CU_ASSERT_EQUAL(code, 2);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(w.output, "in use by another process; -a local:PATH:N names another one"));
    end(&w);
}

/* The last command printed JSON of this type, and it is well formed. */
static struct json_object *must_be_json(const struct world *w, enum json_type type)
{
    struct json_object *value = json_tokener_parse(w->output);

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_EQUAL_FATAL(json_object_get_type(value), type);
    return value;
}

static void tables_are_for_people_and_json_for_machines(void)
{
    struct json_object *value, *member = NULL;
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "pool create --inclusive"), 0);
    CU_ASSERT_EQUAL(run(&w, "-j pool create --persistent"), 0);
    value = must_be_json(&w, json_type_object);
    CU_ASSERT(json_object_object_get_ex(value, "pool", &member));
    CU_ASSERT_EQUAL(json_object_get_int(member), 1);
    json_object_put(value);
    CU_ASSERT_EQUAL(run(&w, "pool list"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "POOL"));
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "ephemeral inclusive"));
    /* a size is called the same by the guest's command and the operator's */
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "HELD"));
    CU_ASSERT_EQUAL(run(&w, "list pools"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "HELD"));
    CU_ASSERT_PTR_NULL(strstr(w.output, "PAGES"));
    CU_ASSERT_EQUAL(run(&w, "--json pool list"), 0);
    value = must_be_json(&w, json_type_array);
    CU_ASSERT_EQUAL_FATAL(json_object_array_length(value), 2);
    CU_ASSERT(json_object_object_get_ex(json_object_array_get_idx(value, 1), "kind", &member));
    CU_ASSERT_STRING_EQUAL(json_object_get_string(member), "persistent");
    CU_ASSERT(
        json_object_object_get_ex(json_object_array_get_idx(value, 0), "most_pages", &member));
    CU_ASSERT_PTR_NULL(member);
    json_object_put(value);
    CU_ASSERT_EQUAL(run(&w, "-j pool info 1"), 0);
    json_object_put(must_be_json(&w, json_type_object));
    CU_ASSERT_EQUAL(run(&w, "pool destroy 1"), 0);
    CU_ASSERT_EQUAL(run(&w, "pool info 1"), 4);
    CU_ASSERT_EQUAL(run(&w, "pool leave 0"), 4);
    end(&w);
}

static void options_may_follow_what_they_speak_of(void)
{
    struct json_object *value, *member = NULL;
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "pool join " UUID " --persistent"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "not allowed by the operator"));
    CU_ASSERT_EQUAL(run(&w, "pool create --persistent --json"), 0);
    value = must_be_json(&w, json_type_object);
    CU_ASSERT(json_object_object_get_ex(value, "pool", &member));
    json_object_put(value);
    CU_ASSERT_EQUAL(run(&w, "pool list -- --json"), 1);
    end(&w);
}

static void what_the_operator_did_not_allow_is_refused(void)
{
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "pool join " UUID), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "not allowed by the operator"));
    end(&w);
}

static void wrong_command_lines_show_the_usage(void)
{
    static const char *const wrong[] = {
        "",
        "nonsense",
        "--nonsense",
        "-n x pool list",
        "pool",
        "pool nonsense",
        "pool create 1",
        "pool create --nonsense",
        "pool join",
        "pool join 1234",
        "pool info",
        "pool info 64",
        "pool info -p 1",
        "pool destroy x",
        "put 0",
        "put 64 1 1",
        "put 0 x 1",
        "put 0 1 x",
        "put 0 1 4294967296",
        "get 0 1",
        "get 0 1 5-4",
        "get 0 1 5-",
        "get -l 0 0 1 5",
        "get -l 4097 0 1 4294967295",
        "get -l 5 0 1 5-6",
        "flush 0",
        "flush 0 1 2 3",
        "reset now",
        "bench -d 0",
        "bench -s x",
        "bench more",
        "stats --check --metrics",
        "help nonsense",
        "help put get",
    };
    struct world w;

    begin(&w);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        int code = run(&w, "%s", wrong[i]);

        if (code != 1 || !*w.output)
            printf("# xentmem %s: exit %d\n", wrong[i], code);
        CU_ASSERT_EQUAL(code, 1);
        CU_ASSERT_NOT_EQUAL(*w.output, '\0');
    }
    end(&w);
}

static void every_command_explains_itself(void)
{
    static const char *const commands[] = {"pool", "put", "get", "flush", "reset", "bench"};
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "-h"), 0);
    for (unsigned i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        char usage[64];

        CU_ASSERT_PTR_NOT_NULL(strstr(w.output, commands[i]));
        CU_ASSERT_EQUAL(run(&w, "%s -h", commands[i]), 0);
        snprintf(usage, sizeof(usage), "usage: xentmem %s", commands[i]);
        CU_ASSERT_PTR_EQUAL(strstr(w.output, usage), w.output);
        CU_ASSERT_EQUAL(run(&w, "help %s", commands[i]), 0);
        CU_ASSERT_PTR_EQUAL(strstr(w.output, usage), w.output);
        CU_ASSERT_EQUAL(run(&w, i % 2 ? "help" : "-h"), 0);
    }
    CU_ASSERT_EQUAL(run(&w, "--version"), 0);
    CU_ASSERT_STRING_EQUAL(w.output, "xentmem " XENTMEM_VERSION "\n");
    end(&w);
}

/* Nobody but root gives orders, and a socket that a user may not open is no other failure. */
static void what_is_for_root_is_refused(void)
{
    struct world w;

    begin(&w);
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(chmod(w.daemon.directory, 0755), 0);
        /* the tree may be where others may not go */
        CU_ASSERT_EQUAL(run(&w, "-V; cp %s/bin/xentmem %s", w.build, w.daemon.directory), 0);
        CU_ASSERT_EQUAL(run(&w,
                            "pool list >/dev/null; setpriv --reuid 65534 --regid 65534 "
                            "--clear-groups %s/xentmem -a local:%s list",
                            w.daemon.directory, w.daemon.socket),
                        4);
        CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "permission denied"));
        CU_ASSERT_EQUAL(chmod(w.daemon.socket, 0666), 0);
        CU_ASSERT_EQUAL(run(&w,
                            "pool list >/dev/null; setpriv --reuid 65534 --regid 65534 "
                            "--clear-groups %s/xentmem -a local:%s list",
                            w.daemon.directory, w.daemon.socket),
                        4);
        CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "only root"));
        CU_ASSERT_EQUAL(run(&w, "-V; rm %s/xentmem", w.daemon.directory), 0);
    }
    end(&w);
}

static void without_a_manager_the_exit_status_says_so(void)
{
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(daemon_run_stop(&w.daemon), 0);
    CU_ASSERT_EQUAL(run(&w, "pool list"), 5);
    CU_ASSERT_EQUAL(run(&w, "get 0 1 1"), 5);
    CU_ASSERT_EQUAL(run(&w, "put 0 1 1 /nowhere"), 2);
    end(&w);
}

static void a_manager_that_was_started_anew_is_said_in_words(void)
{
    static const char *const fresh[] = {"--memory", "64M", "--fresh", "--log-level", "error", NULL};
    struct world w;
    FILE *bench;

    begin(&w);
    bench = run_begin(&w, "bench -s 600");
    CU_ASSERT_TRUE(comes_into_use(&w));
    daemon_run_kill(&w.daemon);
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&w.daemon, fresh));
    CU_ASSERT_EQUAL(run_end(&w, bench), 5);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(w.output, "xentmem: the manager is gone; waiting for it to come back\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "has nothing of this attachment any more\n"));
    end(&w);
}

/* What the library gives up on after its time limit, and what it says at once. */
static void an_errno_of_the_library_becomes_its_exit_status(void)
{
    static const struct {
        int error, code;
    } known[] = {
        {ENODEV, TOOL_NO_MANAGER}, {ETIMEDOUT, TOOL_NO_MANAGER}, {ECONNREFUSED, TOOL_REFUSED},
        {EPROTO, TOOL_SYSTEM},     {EBUSY, TOOL_SYSTEM},
    };
    struct tool tool = {.no_progress = true, .control_lock = -1};

    for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
        errno = known[i].error;
        CU_ASSERT_EQUAL(tool_result(&tool, "get", -1), known[i].code);
    }
}

static void the_bench_measures_and_cleans_up(void)
{
    struct json_object *value, *member = NULL;
    struct world w;

    begin(&w);
    CU_ASSERT_EQUAL(run(&w, "-j bench -s 1 -d 8 -p 500"), 0);
    value = must_be_json(&w, json_type_array);
    CU_ASSERT_EQUAL_FATAL(json_object_array_length(value), 2);
    for (unsigned i = 0; i < 2; i++) {
        struct json_object *row = json_object_array_get_idx(value, i);

        CU_ASSERT(json_object_object_get_ex(row, "done", &member));
        CU_ASSERT(json_object_get_int64(member) > 0);
        CU_ASSERT(json_object_object_get_ex(row, "missed", &member));
        CU_ASSERT_EQUAL(json_object_get_int64(member), 0);
        CU_ASSERT(json_object_object_get_ex(row, "mib_per_second", &member));
        CU_ASSERT(json_object_get_double(member) > 0);
        CU_ASSERT(json_object_object_get_ex(row, "median_us", &member));
        CU_ASSERT(json_object_get_double(member) > 0);
    }
    json_object_put(value);
    CU_ASSERT_EQUAL(run(&w, "-j pool list"), 0);
    value = must_be_json(&w, json_type_array);
    CU_ASSERT_EQUAL(json_object_array_length(value), 0);
    json_object_put(value);

    CU_ASSERT_EQUAL(run(&w, "-j bench -s 60 -P 50"), 4);
    CU_ASSERT_STRING_EQUAL(w.output,
                           "xentmem: bench: there is no pool 50: see xentmem pool list\n");

    /* one that takes nothing: nothing is moved, however quickly */
    CU_ASSERT_EQUAL(run(&w, "pool create"), 0);
    CU_ASSERT_EQUAL(run(&w, "freeze uid:%u", (unsigned)getuid()), 0);
    CU_ASSERT_EQUAL(run(&w, "-j bench -s 1 -P 0"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "\"mib_per_second\": 0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(w.output, "no page was stored"));
    end(&w);
}

#define TESTS(T)                                                                                   \
    T(a_file_goes_in_and_comes_back)                                                               \
    T(a_get_that_finds_nothing_leaves_the_file)                                                    \
    T(standard_input_is_read_and_filled_up_with_zeros)                                             \
    T(a_quota_stops_a_put_and_names_the_page)                                                      \
    T(a_put_without_a_quota_names_whoever_can_grant_one)                                           \
    T(a_pool_of_another_kind_says_what_to_change)                                                  \
    T(attachment_in_use_says_what_to_do)                                                           \
    T(what_is_wrong_is_named_once_with_what_is_right)                                              \
    T(tables_are_for_people_and_json_for_machines)                                                 \
    T(options_may_follow_what_they_speak_of)                                                       \
    T(what_the_operator_did_not_allow_is_refused)                                                  \
    T(wrong_command_lines_show_the_usage)                                                          \
    T(every_command_explains_itself)                                                               \
    T(what_is_for_root_is_refused)                                                                 \
    T(without_a_manager_the_exit_status_says_so)                                                   \
    T(a_manager_that_was_started_anew_is_said_in_words)                                            \
    T(an_errno_of_the_library_becomes_its_exit_status)                                             \
    T(the_bench_measures_and_cleans_up)
RUN_TESTS(TESTS)
