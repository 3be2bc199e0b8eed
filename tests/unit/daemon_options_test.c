/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/options.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/segments.h"
#include "daemon/util/size.h"
#include "tests/lib/runner.h"

static void sizes_take_a_suffix(void)
{
    uint64_t bytes = 0;

    CU_ASSERT_TRUE(size_parse("0", &bytes) && bytes == 0);
    CU_ASSERT_TRUE(size_parse("3K", &bytes) && bytes == 3072);
    CU_ASSERT_TRUE(size_parse("5M", &bytes) && bytes == 5u << 20);
    CU_ASSERT_TRUE(size_parse("2G", &bytes) && bytes == 2ull << 30);
    CU_ASSERT_TRUE(size_parse("1T", &bytes) && bytes == 1ull << 40);
    CU_ASSERT_TRUE(size_parse("16777215T", &bytes) && bytes == UINT64_MAX - (1ull << 40) + 1);
}

static void what_is_no_size_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "K",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1k",
                                      "1KB",
                                      "1.5G",
                                      "0x10",
                                      "1KM",
                                      "one",
                                      "4096",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "16777216T"};
    uint64_t bytes = 42;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(size_parse(bad[i], &bytes));
    CU_ASSERT_EQUAL(bytes, 42);
}

static void numbers_lie_in_their_range(void)
{
    uint64_t number = 42;

    CU_ASSERT_TRUE(number_parse("7", 7, 9, &number) && number == 7);
    CU_ASSERT_TRUE(number_parse("9", 7, 9, &number) && number == 9);
    CU_ASSERT_FALSE(number_parse("6", 7, 9, &number));
    CU_ASSERT_FALSE(number_parse("10", 7, 9, &number));
    CU_ASSERT_FALSE(number_parse("8x", 7, 9, &number));
    CU_ASSERT_EQUAL(number, 9);
}

static char said[1024]; /* by the last parse() */

static enum options_result parse(struct options *o, int argc, const char *const *args)
{
    char copies[16][64], *argv[17] = {NULL};
    enum options_result result;
    int err = dup(STDERR_FILENO), pipe_fds[2];
    ssize_t length;

    for (int i = 0; i < argc; i++) {
        snprintf(copies[i], sizeof(copies[i]), "%s", args[i]);
        argv[i] = copies[i];
    }
    optind = 0; /* getopt's own: begin anew */
    if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return OPTIONS_DONE;
    dup2(pipe_fds[1], STDERR_FILENO);
    result = options_parse(argc, argv, o);
    fflush(stderr);
    dup2(err, STDERR_FILENO);
    length = read(pipe_fds[0], said, sizeof(said) - 1);
    said[length > 0 ? length : 0] = '\0';
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(err);
    return result;
}
#define PARSE(o, ...)                                                                              \
    parse(o, (int)(sizeof((const char *[]){"xentmemd", __VA_ARGS__}) / sizeof(char *)),            \
          (const char *const[]){"xentmemd", __VA_ARGS__})

static void defaults_grant_local_clients_no_persistent_page(void)
{
    const char *const none[] = {"xentmemd"};
    struct options o;

    CU_ASSERT_EQUAL(parse(&o, 1, none), OPTIONS_RUN);
    CU_ASSERT_EQUAL(o.memory_pages, 0);
    CU_ASSERT_STRING_EQUAL(o.socket, OPTIONS_SOCKET_DEFAULT);
    CU_ASSERT_EQUAL(o.socket_mode, 0600);
    CU_ASSERT_EQUAL(o.poll_us, OPTIONS_POLL_CHOOSE);
    CU_ASSERT_EQUAL(o.xen, XEN_IF_THERE);
    CU_ASSERT_EQUAL(o.local.quota_pages, 0);
    CU_ASSERT_EQUAL(o.local.min_pages, 0);
    CU_ASSERT_EQUAL(o.local.max_pages, PAGES_UNLIMITED);
    CU_ASSERT_EQUAL(o.local.weight, 256);
    CU_ASSERT_TRUE(o.workers >= 1);
    CU_ASSERT_EQUAL(o.log_level, LOG_LEVEL_INFO);
    CU_ASSERT_FALSE(o.fresh);
}

static void every_option_is_taken(void)
{
    struct options o;

    CU_ASSERT_EQUAL(PARSE(&o, "--memory=1G", "--workers=3", "--poll-us=0", "--no-xen",
                          "--socket-mode=666", "--local-quota=8K", "--local-min=4K",
                          "--local-max=1M", "--local-weight=7", "--log-level=debug", "--fresh"),
                    OPTIONS_RUN);
    CU_ASSERT_EQUAL(o.memory_pages, 262144);
    CU_ASSERT_EQUAL(o.workers, 3);
    CU_ASSERT_EQUAL(o.poll_us, 0);
    CU_ASSERT(o.poll_local);
    CU_ASSERT_EQUAL(o.xen, XEN_NEVER);
    CU_ASSERT_EQUAL(o.socket_mode, 0666);
    CU_ASSERT_EQUAL(o.local.quota_pages, 2);
    CU_ASSERT_EQUAL(o.local.min_pages, 1);
    CU_ASSERT_EQUAL(o.local.max_pages, 256);
    CU_ASSERT_EQUAL(o.local.weight, 7);
    CU_ASSERT_EQUAL(o.log_level, LOG_LEVEL_DEBUG);
    CU_ASSERT_TRUE(o.fresh);
    CU_ASSERT_EQUAL(PARSE(&o, "--no-local", "--xen"), OPTIONS_RUN);
    CU_ASSERT_PTR_NULL(o.socket);
    CU_ASSERT_EQUAL(o.xen, XEN_REQUIRED);
}

static void bad_options_are_refused(void)
{
    struct options o;

    CU_ASSERT_EQUAL(PARSE(&o, "--memory=0"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--memory=4095"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--memory=lots"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--memory=16777216T"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--workers=0"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--workers=65"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--poll-us=8001"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--local-weight=0"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--local-weight=65537"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--socket="), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--socket-mode=9"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--socket-mode=1777"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--log-level=loud"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--bogus"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "word"), OPTIONS_BAD);
    CU_ASSERT_EQUAL(PARSE(&o, "--no-local", "--no-xen"), OPTIONS_BAD);
}

static void what_is_no_option_is_said_in_our_words(void)
{
    struct options o;

    CU_ASSERT_EQUAL(PARSE(&o, "--nonsense"), OPTIONS_BAD);
    CU_ASSERT_STRING_EQUAL(
        said, "xentmemd: --nonsense is no option of xentmemd (xentmemd -h lists them)\n");
    CU_ASSERT_EQUAL(PARSE(&o, "-x"), OPTIONS_BAD);
    CU_ASSERT_STRING_EQUAL(said,
                           "xentmemd: -x is no option of xentmemd (xentmemd -h lists them)\n");
    CU_ASSERT_EQUAL(PARSE(&o, "--memory"), OPTIONS_BAD);
    CU_ASSERT_STRING_EQUAL(said, "xentmemd: --memory needs a value (xentmemd -h)\n");
    CU_ASSERT_EQUAL(PARSE(&o, "--fresh=1"), OPTIONS_BAD);
    CU_ASSERT_STRING_EQUAL(
        said, "xentmemd: --fresh=1 is no option of xentmemd (xentmemd -h lists them)\n");
    CU_ASSERT_EQUAL(PARSE(&o, "more"), OPTIONS_BAD);
    CU_ASSERT_STRING_EQUAL(said, "xentmemd: more: it takes no argument (xentmemd -h)\n");
}

static void what_an_option_takes_is_said(void)
{
    static const struct {
        const char *arg, *says;
    } bad[] = {
        {"--memory=5000", "--memory takes a size from 1M to 3T"},
        {"--memory=1020K", "--memory takes a size from 1M to 3T"},
        {"--memory=4T", "--memory takes a size from 1M to 3T"},
        {"--socket=", "--socket takes a path"},
        {"--socket-mode=888", "from 0 to 777"},
        {"--workers=65", "from 1 to 64; \"65\" is none"},
        {"--poll-us=8001", "from 0 to 8000"},
        {"--local-quota=5K", "multiple of 4K"},
        {"--local-min=unlimited", "a number with a unit"},
        {"--local-max=5", "or unlimited"},
        {"--local-weight=0", "from 1 to 65536"},
        {"--log-level=loud", "error, warning, notice, info or debug"},
    };
    struct options o;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(PARSE(&o, bad[i].arg), OPTIONS_BAD);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, bad[i].says));
    }
    CU_ASSERT_EQUAL(PARSE(&o, "--memory=1M"), OPTIONS_RUN);
    CU_ASSERT_EQUAL(o.memory_pages, 256);
    CU_ASSERT_EQUAL(PARSE(&o, "--memory=3T", "--local-quota=0", "--local-max=unlimited"),
                    OPTIONS_RUN);
    CU_ASSERT_EQUAL(o.local.quota_pages, 0);
    CU_ASSERT_EQUAL(o.local.max_pages, PAGES_UNLIMITED);
}

static void minimum_that_cannot_be_kept_is_refused(void)
{
    struct options o;

    CU_ASSERT_EQUAL(PARSE(&o, "--local-min=2M", "--local-max=1M"), OPTIONS_BAD);
    CU_ASSERT_STRING_EQUAL(said, "xentmemd: --local-min is more than --local-max\n");
    CU_ASSERT_EQUAL(PARSE(&o, "--local-min=100G", "--memory=64M"), OPTIONS_BAD);
    CU_ASSERT_STRING_EQUAL(said, "xentmemd: --local-min is more than --memory\n");
    CU_ASSERT_EQUAL(PARSE(&o, "--local-min=1M", "--local-max=1M", "--memory=1M"), OPTIONS_RUN);
    CU_ASSERT_EQUAL(PARSE(&o, "--local-min=1M"), OPTIONS_RUN);
    CU_ASSERT_EQUAL(PARSE(&o, "--no-local", "--no-xen", "--xen"), OPTIONS_RUN);
    CU_ASSERT_EQUAL(o.xen, XEN_REQUIRED);
}

static void default_memory_leaves_a_reserve(void)
{
    CU_ASSERT_EQUAL(segments_default_pages(0), 0);
    /* little: half of it */
    CU_ASSERT_EQUAL(segments_default_pages(100 * 1024), 50 * 256);
    /* more: 128 MiB stay */
    CU_ASSERT_EQUAL(segments_default_pages(512 * 1024), (512 - 128) * 256);
    /* much: an eighth stays */
    CU_ASSERT_EQUAL(segments_default_pages(8 * 1024 * 1024), 7 * 1024 * 256);
}

#define TESTS(T)                                                                                   \
    T(sizes_take_a_suffix)                                                                         \
    T(what_is_no_size_is_refused)                                                                  \
    T(numbers_lie_in_their_range)                                                                  \
    T(defaults_grant_local_clients_no_persistent_page)                                             \
    T(every_option_is_taken)                                                                       \
    T(bad_options_are_refused)                                                                     \
    T(what_is_no_option_is_said_in_our_words)                                                      \
    T(what_an_option_takes_is_said)                                                                \
    T(minimum_that_cannot_be_kept_is_refused)                                                      \
    T(default_memory_leaves_a_reserve)
RUN_TESTS(TESTS)
