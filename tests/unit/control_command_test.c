/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operator's commands, as programs, against the real daemon on its socket. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/daemon_run.h"
#include "tests/lib/runner.h"

#define POOL "11112222-3333-4444-5555-666677778888"
/* Less than 4096 bytes, and not one word over and over. */
#define A_PAGE "- </proc/version"

static struct daemon_run daemon_run;
static char output[65536];

static void begin(void)
{
    static const char *const args[] = {"--memory", "32M", "--local-quota", "0", NULL};

    CU_ASSERT_TRUE_FATAL(daemon_run_init(&daemon_run));
    CU_ASSERT_TRUE_FATAL(daemon_run_start(&daemon_run, args));
}

static void end(void)
{
    CU_ASSERT_EQUAL(daemon_run_stop(&daemon_run), 0);
    daemon_run_fini(&daemon_run);
}

/* BUILD, of which this program is BUILD/tests/unit/NAME. */
static const char *build(void)
{
    static char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    CU_ASSERT_FATAL(length > 0);
    path[length] = '\0';
    return dirname(dirname(dirname(path)));
}

/* `xentmem -a SOCKET ARGS` in a shell; both its streams are left in output. Its exit code. */
static int xentmem(const char *args)
{
    const char *top = build();
    char line[4 * PATH_MAX];
    size_t length;
    FILE *f;
    int status;

    snprintf(line, sizeof(line),
             "LD_LIBRARY_PATH=%s/lib timeout 30 %s/bin/xentmem -q -a local:%s %s 2>&1", top, top,
             daemon_run.socket, args);
    f = popen(line, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    length = fread(output, 1, sizeof(output) - 1, f);
    output[length] = '\0';
    status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define SAYS(text)     CU_ASSERT_PTR_NOT_NULL(strstr(output, text))
#define SAYS_NOT(text) CU_ASSERT_PTR_NULL(strstr(output, text))

static void list_shows_a_guest_and_its_pools(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("--json list"), 0);
    SAYS("[");
    SAYS_NOT("{");
    CU_ASSERT_EQUAL(xentmem("pool create --persistent"), 0);
    CU_ASSERT_EQUAL(xentmem("list"), 0);
    SAYS("GUEST");
    SAYS("uid:");
    SAYS("away"); /* the command that made the pool has ended */
    CU_ASSERT_EQUAL(xentmem("--json list pools"), 0);
    SAYS("\"kind\": \"persistent\"");
    SAYS("\"members\": 1");
    end();
}

static void set_changes_the_quota_and_it_holds(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("pool create --persistent"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE ""), 4); /* no quota */
    CU_ASSERT_EQUAL(xentmem("set uid:0 quota=8K weight=77"), 0);
    CU_ASSERT_EQUAL(xentmem("--json list guests"), 0);
    SAYS("\"quota_pages\": 2");
    SAYS("\"weight\": 77");
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 1 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 2 " A_PAGE), 4);
    CU_ASSERT_EQUAL(xentmem("set uid:0/0 quota=12K"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 2 " A_PAGE), 0);
    end();
}

static void nobody_joins_before_allow_and_nobody_gets_after_deny(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("pool join " POOL), 4);
    CU_ASSERT_EQUAL(xentmem("allow " POOL " uid:0"), 0);
    CU_ASSERT_EQUAL(xentmem("pool join " POOL), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("list members " POOL), 0);
    SAYS("fill");
    CU_ASSERT_EQUAL(xentmem("allow " POOL " uid:0 read"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 4);
    CU_ASSERT_EQUAL(xentmem("get 0 1 0 /dev/null"), 3); /* c25: the pool has begun anew */
    CU_ASSERT_EQUAL(xentmem("deny " POOL " uid:0"), 0);
    CU_ASSERT_EQUAL(xentmem("get 0 1 0 /dev/null"), 4);
    CU_ASSERT_EQUAL(xentmem("pool list"), 0);
    SAYS("denied");
    CU_ASSERT_EQUAL(xentmem("get 0 1 5-3 /dev/null"), 1);
    SAYS("5-3: not an index");
    CU_ASSERT_EQUAL(xentmem("--json list members " POOL), 0);
    SAYS("\"right\": \"none\"");
    SAYS("\"joined\": true");
    CU_ASSERT_EQUAL(xentmem("pool leave 0"), 0);
    CU_ASSERT_EQUAL(xentmem("--json list members " POOL), 0);
    SAYS("[");
    SAYS_NOT("{");
    end();
}

static void c17_freeze_refuses_puts_until_thaw(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("pool create --inclusive"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("freeze uid:0"), 0);
    CU_ASSERT_EQUAL(xentmem("list"), 0);
    SAYS("frozen");
    CU_ASSERT_EQUAL(xentmem("put 0 1 1 " A_PAGE), 4);
    CU_ASSERT_EQUAL(xentmem("get 0 1 0 /dev/null"), 0);
    CU_ASSERT_EQUAL(xentmem("thaw uid:0"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 1 " A_PAGE), 0);
    end();
}

static void remove_destroys_a_shared_pool_for_its_members(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("remove " POOL), 4);
    CU_ASSERT_EQUAL(xentmem("allow " POOL " uid:0"), 0);
    CU_ASSERT_EQUAL(xentmem("pool join " POOL), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("remove " POOL), 0);
    CU_ASSERT_EQUAL(xentmem("get 0 1 0 /dev/null"), 4);
    CU_ASSERT_EQUAL(xentmem("pool join " POOL), 4);
    CU_ASSERT_EQUAL(xentmem("list pools"), 0);
    SAYS_NOT(POOL);
    end();
}

/* Of the metrics in output: after each TYPE line the HELP of the same metric, with some text. */
static void every_metric_has_its_help(void)
{
    unsigned nr = 0;

    for (const char *at = strstr(output, "# TYPE "); at; at = strstr(at + 1, "# TYPE ")) {
        const char *line = strchr(at, '\n');
        char name[128] = "", help[128] = "", text[128] = "";

        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        CU_ASSERT_EQUAL(sscanf(at, "# TYPE %127s", name), 1);
        CU_ASSERT_EQUAL(sscanf(line + 1, "# HELP %127s %127[^\n]", help, text), 2);
        CU_ASSERT_STRING_EQUAL(name, help);
        nr++;
    }
    CU_ASSERT(nr > 20);
}

static void stats_count_what_was_done(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("pool create"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("get 0 1 0 /dev/null"), 0);
    CU_ASSERT_EQUAL(xentmem("get 0 1 0 /dev/null"), 3);
    CU_ASSERT_EQUAL(xentmem("stats --metrics"), 0);
    SAYS("# TYPE xentmem_gets counter\n");
    SAYS("\nxentmem_puts_total 1\n");
    SAYS("\nxentmem_gets_total 2\n");
    SAYS("\nxentmem_hits_total 1\n");
    SAYS("\nxentmem_pages_ephemeral 0\n");
    SAYS("\nxentmem_guest_max_pages{uid=\"0\",device=\"0\"} +Inf\n");
    SAYS("\nxentmem_guest_quota_pages{uid=\"0\",device=\"0\"} 0\n");
    SAYS_NOT("18446744073709551615");
    every_metric_has_its_help();
    SAYS("xentmem_pool_gets_total{uid=\"0\",device=\"0\",pool=\"0\",kind=\"ephemeral\"} 2\n");
    CU_ASSERT_STRING_EQUAL(output + strlen(output) - 6, "# EOF\n");
    CU_ASSERT_EQUAL(xentmem("stats --check"), 0);
    SAYS("yes");
    CU_ASSERT_EQUAL(xentmem("--json stats"), 0);
    SAYS("\"name\": \"puts\"");
    end();
}

static void commands_that_make_no_sense_are_refused_with_a_reason(void)
{
    static const struct {
        const char *args;
        int code;
        const char *says;
    } bad[] = {
        {"list nonsense", 1, "guests, pools or members UUID"},
        {"list members", 1, "a UUID"},
        {"list members 12", 1, "a UUID"},
        {"list guests pools", 1, "too many"},
        {"set uid:0", 1, "what to set"},
        {"set uid:0 quota=5X", 1, "a size is"},
        {"set uid:0 quota=5K", 1, "multiple of 4K"},
        {"set uid:0 weight=0", 1, "1 to 65536"},
        {"set uid:0 color=red", 1, "what can be set"},
        {"set uid:x quota=4K", 4, "by number"},
        {"set uid:4294967296 quota=4K", 4, "by number"},
        {"set uid:1/x quota=4K", 4, "by number"},
        {"set g1 quota=4K", 4, "without Xen"},
        {"allow " POOL " g1", 4, "without Xen"},
        {"allow " POOL " uid:0 write", 1, "read or fill"},
        {"allow pool uid:0", 1, "no UUID"},
        {"allow " POOL " " POOL, 4, "is no guest"},
        {"allow 00000000-0000-0000-0000-000000000000 uid:0", 1, "no UUID of a shared pool"},
        {"set 00000000-0000-0000-0000-000000000000 quota=4K", 4, "is not zero"},
        {"deny " POOL, 1, "needs"},
        {"freeze", 1, "needs"},
        {"freeze uid:4711", 4, "no such guest"},
        {"thaw " POOL, 4, "no such guest or pool"},
        {"remove x", 1, "no UUID"},
        {"stats --nonsense", 1, "--nonsense is no option"},
        {"stats --manager", 1, "--manager needs a value"},
        {"attach -x g1", 1, "-x is no option"},
        {"log loud", 1, "a level"},
        {"attach", 1, "needs one guest"},
        {"attach --device 4294967295 g1", 1, "a device is"},
        {"attach g1 --device 4294967295", 1, "a device is"}, /* options behind arguments too */
        {"attach --quota much g1", 1, "a size is"},
        {"attach --timeout 99999 g1", 1, "a time limit"},
        {"detach a b", 1, "needs one guest"},
        {"agent now", 1, "no arguments"},
    };

    begin();
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int code = xentmem(bad[i].args);

        if (code != bad[i].code || !strstr(output, bad[i].says))
            fprintf(stderr, "%s: exit %d: %s", bad[i].args, code, output);
        CU_ASSERT_EQUAL(code, bad[i].code);
        SAYS(bad[i].says);
    }
    end();
}

static void every_command_has_a_help_of_its_own(void)
{
    static const char *const commands[] = {"attach", "detach", "list",   "set",   "allow", "deny",
                                           "freeze", "thaw",   "remove", "stats", "log",   "agent"};
    char line[64];

    begin();
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        snprintf(line, sizeof(line), "%s -h", commands[i]);
        CU_ASSERT_EQUAL(xentmem(line), 0);
        snprintf(line, sizeof(line), "usage: xentmem %s", commands[i]);
        SAYS(line);
    }
    end();
}

static void without_a_daemon_every_command_says_so_at_once(void)
{
    begin();
    CU_ASSERT_EQUAL(daemon_run_stop(&daemon_run), 0);
    CU_ASSERT_EQUAL(xentmem("list"), 5);
    CU_ASSERT_EQUAL(xentmem("stats"), 5);
    CU_ASSERT_EQUAL(xentmem("set uid:0 quota=4K"), 5);
    CU_ASSERT_EQUAL(xentmem("freeze uid:0"), 5);
    daemon_run_fini(&daemon_run);
}

#define TESTS(T)                                                                                   \
    T(list_shows_a_guest_and_its_pools)                                                            \
    T(set_changes_the_quota_and_it_holds)                                                          \
    T(nobody_joins_before_allow_and_nobody_gets_after_deny)                                        \
    T(c17_freeze_refuses_puts_until_thaw)                                                          \
    T(remove_destroys_a_shared_pool_for_its_members)                                               \
    T(stats_count_what_was_done)                                                                   \
    T(commands_that_make_no_sense_are_refused_with_a_reason)                                       \
    T(every_command_has_a_help_of_its_own)                                                         \
    T(without_a_daemon_every_command_says_so_at_once)
RUN_TESTS(TESTS)
