/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operator's commands, as programs, against the real daemon on its socket. */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
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

static void start(void)
{
    static const char *const args[] = {"--memory", "32M", "--local-quota", "0", NULL};

    CU_ASSERT_TRUE_FATAL(daemon_run_start(&daemon_run, args));
}

static void begin(void)
{
    CU_ASSERT_TRUE_FATAL(daemon_run_init(&daemon_run));
    start();
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

    snprintf(line, sizeof(line), "timeout 30 %s/bin/xentmem -q -a local:%s %s 2>&1", top,
             daemon_run.socket, args);
    f = popen(line, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    length = fread(output, 1, sizeof(output) - 1, f);
    output[length] = '\0';
    status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The same by another attachment of the user. */
static int by_device(unsigned device, const char *args)
{
    char line[PATH_MAX];

    snprintf(line, sizeof(line), "-a local:%s:%u %s", daemon_run.socket, device, args);
    return xentmem(line);
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
    CU_ASSERT_EQUAL(xentmem("--json list members " POOL), 4);
    SAYS("list members " POOL ": nobody may join it, and nobody has");
    end();
}

static void a_reader_cannot_make_a_pool_and_learns_who_can(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("allow " POOL " uid:0 read"), 0);
    CU_ASSERT_EQUAL(xentmem("pool join " POOL), 4);
    SAYS("a member that may only read cannot make it");
    end();
}

static void a_min_above_the_max_is_refused_whichever_comes_first(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("set uid:0 min=2M max=1M"), 4);
    SAYS("min would be 2.0 MiB, and max 1.0 MiB");
    CU_ASSERT_EQUAL(xentmem("pool create"), 0); /* without an account there is nothing to compare */
    CU_ASSERT_EQUAL(xentmem("set uid:0 max=1M"), 0);
    CU_ASSERT_EQUAL(xentmem("set uid:0 min=2M"), 4);
    SAYS("min would be 2.0 MiB, and max 1.0 MiB");
    SAYS_NOT("--memory");
    CU_ASSERT_EQUAL(xentmem("set uid:1 min=2M"), 0); /* somebody else */
    CU_ASSERT_EQUAL(xentmem("set uid:0 min=1M weight=7"), 0);
    CU_ASSERT_EQUAL(xentmem("set uid:0/0 max=512K"), 4);
    CU_ASSERT_EQUAL(xentmem("set uid:0 min=2M max=4M"), 0);
    CU_ASSERT_EQUAL(xentmem("--json list"), 0);
    SAYS("\"min_pages\": 512");
    SAYS("\"max_pages\": 1024");

    CU_ASSERT_EQUAL(xentmem("allow " POOL " uid:0"), 0);
    CU_ASSERT_EQUAL(xentmem("pool join " POOL), 0);
    CU_ASSERT_EQUAL(xentmem("set " POOL " max=1M"), 0);
    CU_ASSERT_EQUAL(xentmem("set " POOL " min=2M"), 4);
    end();
}

static void a_min_that_the_manager_has_not_is_refused_with_the_numbers(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("pool create"), 0);
    CU_ASSERT_EQUAL(xentmem("set uid:0 min=33M"), 4);
    SAYS("the manager has 32.0 MiB");
    SAYS("--memory");
    CU_ASSERT_EQUAL(xentmem("set uid:0 min=20M"), 0);
    CU_ASSERT_EQUAL(xentmem("set " POOL " min=13M"), 4);
    SAYS("minimums reserve 20.0 MiB");
    SAYS("persistent pages and disks take 0 KiB");
    SAYS("its workers");
    CU_ASSERT_EQUAL(xentmem("set " POOL " min=11M"), 0);
    CU_ASSERT_EQUAL(xentmem("stats --metrics"), 0);
    SAYS("\nxentmem_minimum_pages 7936\n");
    CU_ASSERT_EQUAL(xentmem("set uid:0 min=0"), 0);
    CU_ASSERT_EQUAL(xentmem("stats --metrics"), 0);
    SAYS("\nxentmem_minimum_pages 2816\n");
    end();
}

/* Does @first stand before @then in what was printed last? */
static bool in_order(const char *first, const char *then)
{
    const char *one = strstr(output, first), *other = strstr(output, then);

    return one && other && one < other;
}

static void lists_are_in_order(void)
{
    static const char *const formats[] = {"", "--json "};
    char line[64];

    begin();
    for (unsigned uid = 12; uid > 8; uid--) {
        snprintf(line, sizeof(line), "allow " POOL " uid:%u", uid);
        CU_ASSERT_EQUAL(xentmem(line), 0);
    }
    CU_ASSERT_EQUAL(xentmem("allow " POOL " uid:0"), 0);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(line, sizeof(line), "%slist members " POOL, formats[i]);
        CU_ASSERT_EQUAL(xentmem(line), 0);
        CU_ASSERT(in_order("uid:0", "uid:9"));
        CU_ASSERT(in_order("uid:9", "uid:10"));
        CU_ASSERT(in_order("uid:10", "uid:11"));
        CU_ASSERT(in_order("uid:11", "uid:12"));
    }
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
    CU_ASSERT_EQUAL(by_device(5, "pool create --inclusive"), 0);
    CU_ASSERT_EQUAL(by_device(5, "put 0 1 1 " A_PAGE), 4);
    CU_ASSERT_EQUAL(xentmem("thaw uid:0"), 0);
    CU_ASSERT_EQUAL(by_device(5, "put 0 1 1 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 1 " A_PAGE), 0);
    end();
}

static void device_of_a_user_is_set_and_frozen_alone(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("set -d 1 uid:0 quota=8K"), 0);
    CU_ASSERT_EQUAL(xentmem("pool create --persistent"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 4); /* by attachment 0 */
    CU_ASSERT_EQUAL(xentmem("set -d 0 uid:0 quota=8K"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 0 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("freeze -d 1 uid:0"), 4); /* nobody has used it yet */
    CU_ASSERT_EQUAL(xentmem("put 0 1 1 " A_PAGE), 0);
    CU_ASSERT_EQUAL(xentmem("freeze uid:0/0 -d 0"), 0);
    CU_ASSERT_EQUAL(xentmem("put 0 1 1 " A_PAGE), 4);
    CU_ASSERT_EQUAL(xentmem("thaw uid:0 -d 0"), 0);
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
    SAYS("# TYPE xentmem_guest_requests counter\n");
    SAYS("\nxentmem_guest_requests_total{uid=\"0\",device=\"0\"} ");
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
        {"list nonsense", 1, "guests, pools, disks or members UUID"},
        {"list members", 1, "a UUID"},
        {"list members 12", 1, "12: not the UUID of a shared pool"},
        {"list members " POOL, 4, "list members " POOL ": nobody may join it"},
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
        {"set uid:1/1 -d 2 quota=4K", 1, "uid:1/1 is not attachment 2"},
        {"set " POOL " -d 2 quota=4K", 1, "a shared pool is no attachment"},
        {"thaw uid:1/1 -d 2", 1, "uid:1/1 is not attachment 2"},
        {"allow " POOL " g1", 4, "without Xen"},
        {"allow " POOL " uid:0 write", 1, "read or fill"},
        {"allow pool uid:0", 1, "pool: not the UUID of a shared pool"},
        {"allow " POOL " " POOL, 4, "is no guest"},
        {"allow 00000000-0000-0000-0000-000000000000 uid:0", 1, "not the UUID of a shared pool"},
        {"set 00000000-0000-0000-0000-000000000000 quota=4K", 4, "is not zero"},
        {"deny " POOL, 1, "needs"},
        {"freeze", 1, "needs"},
        {"freeze uid:4711", 4, "freeze uid:4711: no such guest"},
        {"thaw " POOL, 4, "thaw " POOL ": no such guest or pool"},
        {"remove x", 1, "x: not the UUID of a shared pool"},
        {"remove " POOL, 4, "remove " POOL ": no such guest or pool"},
        {"list --manager m", 1, "--manager m: names the domain of a manager; this asks the daemon"},
        {"set uid:0 quota=4K --manager m", 1, "--manager m: names the domain"},
        {"base import", 1, "base import takes a new base's name, and a file"},
        {"base rm", 1, "base rm takes a base"},
        {"base bogus", 1, "bogus: not one of list, import, rm"},
        {"base import deb /tmp", 2, "base import: cannot read /tmp: Is a directory"},
        {"disk add web", 1, "disk add takes a new disk's name and a base"},
        {"disk bogus", 1, "bogus: not one of list, add, resize, rm, clean"},
        {"stats --nonsense", 1, "--nonsense is no option"},
        {"stats --manager", 1, "--manager needs a value"},
        {"attach -x g1", 1, "-x is no option"},
        {"log loud", 1, "a level"},
        {"attach", 1, "needs one guest"},
        {"attach --device 4294967295 g1", 1, "a device is"},
        {"attach g1 --device 4294967295", 1, "a device is"}, /* options behind arguments too */
        {"attach --quota much g1", 1, "--quota much: a size is"},
        {"attach --weight 0 g1", 1, "--weight 0: a weight is"},
        {"attach --timeout 99999 g1", 1, "--timeout 99999: a time limit"},
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

/* ---- disks ---- */

#define SAYS_NO_BASE                                                                               \
    do {                                                                                           \
        CU_ASSERT_EQUAL(xentmem("--json base list"), 0);                                           \
        SAYS("[");                                                                                 \
        SAYS_NOT("{");                                                                             \
    } while (0)

/* 3 pages, the middle one of zeros, and a hole of 1 MiB behind them; and the command for it. */
static void write_image(char path_out[128], char line_out[256])
{
    char page[4096];
    int fd;

    snprintf(path_out, 128, "%s/image", daemon_run.directory);
    snprintf(line_out, 256, "--json base import root %s", path_out);
    for (size_t i = 0; i < sizeof(page); i++)
        page[i] = (char)i;
    fd = open(path_out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pwrite(fd, page, sizeof(page), 0), sizeof(page));
    CU_ASSERT_EQUAL(pwrite(fd, page, sizeof(page), 2 * (off_t)sizeof(page)), sizeof(page));
    CU_ASSERT_EQUAL(ftruncate(fd, 1 << 20), 0);
    close(fd);
}

static void base_is_imported_without_its_zeros_and_listed(void)
{
    char image[128], line[256];

    begin();
    write_image(image, line);
    CU_ASSERT_EQUAL(xentmem(line), 0);
    SAYS("\"pages\": 256");
    SAYS("\"own_pages\": 2");
    CU_ASSERT_EQUAL(xentmem(line), 4);
    SAYS("root: there is a base of this name already");
    CU_ASSERT_EQUAL(xentmem("--json base list"), 0);
    SAYS("\"base\": \"root\"");
    SAYS("\"pages\": 256");
    SAYS("\"own_pages\": 2");
    SAYS("\"state\": \"whole\"");
    /* layers are not guests, nor pools of guests */
    CU_ASSERT_EQUAL(xentmem("--json list guests"), 0);
    SAYS_NOT("{");
    CU_ASSERT_EQUAL(xentmem("--json list pools"), 0);
    SAYS_NOT("{");
    /* found again, and gone when it is removed */
    daemon_run_kill(&daemon_run);
    start();
    CU_ASSERT_EQUAL(xentmem("--json base list"), 0);
    SAYS("\"own_pages\": 2");
    CU_ASSERT_EQUAL(xentmem("base rm root"), 0);
    CU_ASSERT_EQUAL(xentmem("base rm root"), 4);
    SAYS_NO_BASE;
    unlink(image);
    end();
}

static void base_comes_from_standard_input_whatever_its_length(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("--json base import a - < /proc/version"), 0);
    SAYS("\"pages\": 1");
    CU_ASSERT_EQUAL(xentmem("base import none - < /dev/null"), 4);
    SAYS("there is nothing in it");
    CU_ASSERT_EQUAL(xentmem("base import b /no/such/file"), 2);
    CU_ASSERT_EQUAL(xentmem("base import b /tmp"), 2);
    CU_ASSERT_EQUAL(xentmem("base import .b - < /proc/version"), 1);
    CU_ASSERT_EQUAL(xentmem("base import a/b - < /proc/version"), 1);
    CU_ASSERT_EQUAL(xentmem("base import b - < /proc/self/exe"), 0);
    CU_ASSERT_EQUAL(xentmem("base list"), 0);
    SAYS("a ");
    SAYS("b ");
    SAYS_NOT("none");
    /* more than there is memory for, and nothing of it stays */
    CU_ASSERT_EQUAL(xentmem("base import big - < /dev/urandom"), 4);
    SAYS("big: the manager has no memory left for it");
    CU_ASSERT_EQUAL(xentmem("base list"), 0);
    SAYS_NOT("big");
    end();
}

/* An import that has sent something and waits for more, as a process. Its input's other end. */
static pid_t begin_import(int *fd_out)
{
    static uint8_t pages[100 * 4096];
    char program[PATH_MAX], where[PATH_MAX];
    int fds[2];
    pid_t pid;

    snprintf(program, sizeof(program), "%s/bin/xentmem", build());
    snprintf(where, sizeof(where), "local:%s", daemon_run.socket);
    for (size_t i = 0; i < sizeof(pages); i++)
        pages[i] = (uint8_t)(i * 7 + i / 4096);
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid == 0) {
        dup2(fds[0], STDIN_FILENO);
        execl(program, "xentmem", "-q", "-a", where, "base", "import", "cut", "-", NULL);
        _exit(127);
    }
    close(fds[0]);
    CU_ASSERT_EQUAL(write(fds[1], pages, sizeof(pages)), sizeof(pages));
    *fd_out = fds[1];
    return pid;
}

static bool base_list_comes_to_say(const char *text)
{
    long end_ms = daemon_run_now_ms() + 20000;

    while (daemon_run_now_ms() < end_ms) {
        if (xentmem("--json base list") == 0 && strstr(output, text))
            return true;
    }
    return false;
}

static void import_that_is_cut_off_leaves_nothing(void)
{
    int fd, status;
    pid_t pid;

    begin();
    for (unsigned round = 0; round < 2; round++) {
        pid = begin_import(&fd);
        CU_ASSERT(base_list_comes_to_say("\"state\": \"importing\""));
        CU_ASSERT_EQUAL(xentmem("base rm cut"), 4);
        CU_ASSERT_EQUAL(xentmem("disk add home cut"), 4);
        if (round == 0) {
            kill(pid, SIGKILL);
        } else {
            daemon_run_kill(&daemon_run);
            start();
        }
        close(fd);
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT(round == 0 ? WIFSIGNALED(status) : WEXITSTATUS(status) == 5);
        CU_ASSERT(base_list_comes_to_say("[\n]"));
    }
    CU_ASSERT_EQUAL(xentmem("stats"), 0);
    end();
}

static void disk_is_added_frozen_resized_rolled_back_and_removed(void)
{
    begin();
    CU_ASSERT_EQUAL(xentmem("disk add home root"), 4);
    SAYS("root: there is no such base");
    CU_ASSERT_EQUAL(xentmem("base import root - < /proc/version"), 0);
    CU_ASSERT_EQUAL(xentmem("disk add home root"), 0);
    CU_ASSERT_EQUAL(xentmem("--json list disks"), 0);
    SAYS("\"disk\": \"home\"");
    SAYS("\"kind\": \"clone\"");
    SAYS("\"state\": \"away\"");
    SAYS("\"guest\": null");
    CU_ASSERT_EQUAL(xentmem("freeze home then"), 0);
    CU_ASSERT_EQUAL(xentmem("freeze home then"), 4);
    SAYS("there is a base of this name already");
    CU_ASSERT_EQUAL(xentmem("freeze 7:xvda then2"), 4);
    SAYS("there is no such disk");
    CU_ASSERT_EQUAL(xentmem("freeze 7:xyz then2"), 1);
    CU_ASSERT_EQUAL(xentmem("disk resize home 8K"), 0);
    CU_ASSERT_EQUAL(xentmem("--json disk"), 0);
    SAYS("\"pages\": 2,");
    CU_ASSERT_EQUAL(xentmem("disk resize home 2p"), 0); /* it is so already */
    CU_ASSERT_EQUAL(xentmem("disk resize home 4K"), 4);
    SAYS("home: the disk is larger than that; it cannot be made smaller");
    CU_ASSERT_EQUAL(xentmem("disk resize homes 8K"), 4);
    SAYS("there is no such disk");
    CU_ASSERT_EQUAL(xentmem("disk resize root 8K"), 4); /* a base */
    CU_ASSERT_EQUAL(xentmem("disk resize home 5K"), 1);
    CU_ASSERT_EQUAL(xentmem("disk resize home 16T"), 1);
    CU_ASSERT_EQUAL(xentmem("disk resize home 99999999999999999999M"), 1);
    CU_ASSERT_EQUAL(xentmem("disk resize home unlimited"), 1);
    SAYS("the size of a disk is a whole number");
    CU_ASSERT_EQUAL(xentmem("disk resize home 0M"), 1);
    SAYS("and less than 16T");
    CU_ASSERT_EQUAL(xentmem("disk resize home"), 1);
    CU_ASSERT_EQUAL(xentmem("rollback home"), 0);
    CU_ASSERT_EQUAL(xentmem("rollback homes"), 4);
    CU_ASSERT_EQUAL(xentmem("base rm root"), 4);
    SAYS("root: the base is in use");
    SAYS("on it: base then");
    CU_ASSERT_EQUAL(xentmem("base rm then"), 4);
    SAYS("on it: home");
    CU_ASSERT_EQUAL(xentmem("disk rm home"), 0);
    CU_ASSERT_EQUAL(xentmem("disk rm home"), 4);
    CU_ASSERT_EQUAL(xentmem("base rm then"), 0);
    CU_ASSERT_EQUAL(xentmem("base rm root"), 0);
    CU_ASSERT_EQUAL(xentmem("base"), 0);
    CU_ASSERT_EQUAL(xentmem("disk"), 0);
    CU_ASSERT_EQUAL(xentmem("base export root"), 1);
    CU_ASSERT_EQUAL(xentmem("disk rm"), 1);
    CU_ASSERT_EQUAL(xentmem("rollback"), 1);
    end();
}

static void every_command_has_a_help_of_its_own(void)
{
    static const char *const commands[] = {"attach", "detach", "list", "set",    "allow",
                                           "deny",   "freeze", "thaw", "remove", "stats",
                                           "log",    "agent",  "base", "disk",   "rollback"};
    char line[64];

    begin();
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        snprintf(line, sizeof(line), "%s -h", commands[i]);
        CU_ASSERT_EQUAL(xentmem(line), 0);
        snprintf(line, sizeof(line), "usage: xentmem %s", commands[i]);
        SAYS(line);
        SAYS_NOT(" \n");
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
    T(a_reader_cannot_make_a_pool_and_learns_who_can)                                              \
    T(a_min_that_the_manager_has_not_is_refused_with_the_numbers)                                  \
    T(a_min_above_the_max_is_refused_whichever_comes_first)                                        \
    T(lists_are_in_order)                                                                          \
    T(c17_freeze_refuses_puts_until_thaw)                                                          \
    T(device_of_a_user_is_set_and_frozen_alone)                                                    \
    T(remove_destroys_a_shared_pool_for_its_members)                                               \
    T(stats_count_what_was_done)                                                                   \
    T(commands_that_make_no_sense_are_refused_with_a_reason)                                       \
    T(base_is_imported_without_its_zeros_and_listed)                                               \
    T(base_comes_from_standard_input_whatever_its_length)                                          \
    T(import_that_is_cut_off_leaves_nothing)                                                       \
    T(disk_is_added_frozen_resized_rolled_back_and_removed)                                        \
    T(every_command_has_a_help_of_its_own)                                                         \
    T(without_a_daemon_every_command_says_so_at_once)
RUN_TESTS(TESTS)
