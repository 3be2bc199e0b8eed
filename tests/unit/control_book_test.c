/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy file: what was said is found again, and damage is refused and left alone. */
#include "frontend/tool/operator_book_file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/runner.h"

static const uint8_t uuid_a[16] = {0xa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t uuid_b[16] = {0xb};
static const uint8_t uuid_pool[16] = {0xc};

static char folder[64], path[128], why[BOOK_WHY_LEN];

static void make_place(void)
{
    strcpy(folder, "/tmp/xentmem-book-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/policy.json", folder);
}

static void remove_place(void)
{
    char name[160];

    unlink(path);
    snprintf(name, sizeof(name), "%s.lock", path);
    unlink(name);
    snprintf(name, sizeof(name), "%s.new", path);
    CU_ASSERT_EQUAL(access(name, F_OK), -1); /* nothing half written is left */
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void fill(struct book *book)
{
    struct book_guest *guest = book_add_guest(book, uuid_a, 3);
    struct book_shared *shared;

    strcpy(guest->name, "web \"1\"");
    strcpy(guest->manager, "xentmem");
    guest->attach = true;
    guest->grant.quota_pages = 16384;
    guest->grant.weight = 512;
    guest = book_add_guest(book, uuid_b, 0);
    guest->grant.max_pages = GRANT_MAX_PAGES;
    shared = book_add_shared(book, uuid_pool);
    shared->grant.quota_pages = GRANT_UNLIMITED;
    CU_ASSERT_TRUE(book_allow_guest(shared, uuid_a, true));
    CU_ASSERT_TRUE(book_allow_guest(shared, uuid_b, false));
}

static size_t read_text(char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t length;

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    length = fread(text, 1, size - 1, f);
    text[length] = '\0';
    fclose(f);
    return length;
}

static void write_text(const char *text, size_t length)
{
    FILE *f = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(text, 1, length, f), length);
    fclose(f);
}

static void save_filled(void)
{
    struct book book;

    CU_ASSERT_TRUE_FATAL(book_open(&book, path, why));
    fill(&book);
    CU_ASSERT_TRUE(book_save(&book, why));
    book_close(&book);
}

static void a_missing_file_is_an_empty_book(void)
{
    struct book book;

    make_place();
    CU_ASSERT_TRUE(book_open(&book, path, why));
    CU_ASSERT_EQUAL(book.nr_guests, 0);
    CU_ASSERT_EQUAL(book.nr_shared, 0);
    book_close(&book);
    remove_place();
}

static void a_guest_is_forgotten_with_its_rights(void)
{
    struct book book;
    const uint32_t other = 4;

    make_place();
    CU_ASSERT_TRUE_FATAL(book_open(&book, path, why));
    fill(&book);
    CU_ASSERT_FALSE(book_forget_guest(&book, uuid_pool, NULL));
    CU_ASSERT_FALSE(book_forget_guest(&book, uuid_a, &other));
    CU_ASSERT_PTR_NOT_NULL(book_add_guest(&book, uuid_a, other));
    /* one attachment of it: a right is the guest's */
    CU_ASSERT_TRUE(book_forget_guest(&book, uuid_a, &other));
    CU_ASSERT_PTR_NOT_NULL(book_find_guest(&book, uuid_a, 3));
    CU_ASSERT_EQUAL(book.shared[0].nr_allow, 2);
    CU_ASSERT_TRUE(book_forget_guest(&book, uuid_a, NULL));
    CU_ASSERT_EQUAL(book.nr_guests, 1);
    CU_ASSERT_PTR_NOT_NULL(book_find_guest(&book, uuid_b, 0));
    CU_ASSERT_EQUAL(book.shared[0].nr_allow, 1);
    CU_ASSERT_EQUAL(memcmp(book.shared[0].allow[0].guest, uuid_b, 16), 0);
    CU_ASSERT_FALSE(book_forget_guest(&book, uuid_a, NULL));
    /* one that is known by a right alone */
    CU_ASSERT_TRUE(book_allow_guest(&book.shared[0], uuid_pool, true));
    CU_ASSERT_TRUE(book_forget_guest(&book, uuid_pool, NULL));
    CU_ASSERT_EQUAL(book.shared[0].nr_allow, 1);
    book_close(&book);
    remove_place();
}

/* Which xl lets a domain be called. */
static void a_name_that_is_not_utf8_is_mended(void)
{
    char text[4096];
    struct book book;
    struct book_guest *guest;

    make_place();
    CU_ASSERT_TRUE_FATAL(book_open(&book, path, why));
    guest = book_add_guest(&book, uuid_a, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(guest);
    strcpy(guest->name, "m\xfcller");
    strcpy(guest->manager, "\xc3");
    CU_ASSERT_TRUE(book_save(&book, why));
    book_close(&book);
    CU_ASSERT_TRUE_FATAL(book_open(&book, path, why));
    CU_ASSERT_STRING_EQUAL(book.guests[0].name, "m?ller");
    CU_ASSERT_STRING_EQUAL(book.guests[0].manager, "?");
    CU_ASSERT_TRUE(book_save(&book, why));
    book_close(&book);
    read_text(text, sizeof(text));
    CU_ASSERT_TRUE(text_is_utf8(text));
    remove_place();
}

static void what_was_saved_is_read_again(void)
{
    struct book book;
    struct book_guest *guest;
    struct book_shared *shared;

    make_place();
    save_filled();
    CU_ASSERT_TRUE_FATAL(book_open(&book, path, why));
    CU_ASSERT_EQUAL(book.nr_guests, 2);
    guest = book_find_guest(&book, uuid_a, 3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(guest);
    CU_ASSERT_STRING_EQUAL(guest->name, "web \"1\"");
    CU_ASSERT_STRING_EQUAL(guest->manager, "xentmem");
    CU_ASSERT_TRUE(guest->attach);
    CU_ASSERT_EQUAL(guest->grant.quota_pages, 16384);
    CU_ASSERT_EQUAL(guest->grant.max_pages, GRANT_UNLIMITED);
    CU_ASSERT_EQUAL(guest->grant.weight, 512);
    guest = book_find_guest(&book, uuid_b, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(guest);
    CU_ASSERT_FALSE(guest->attach);
    CU_ASSERT_EQUAL(guest->grant.max_pages, GRANT_MAX_PAGES);
    CU_ASSERT_PTR_NULL(book_find_guest(&book, uuid_a, 0));

    CU_ASSERT_EQUAL(book.nr_shared, 1);
    shared = book_find_shared(&book, uuid_pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(shared);
    CU_ASSERT_EQUAL(shared->grant.quota_pages, GRANT_UNLIMITED);
    CU_ASSERT_EQUAL(shared->nr_allow, 2);
    for (unsigned i = 0; i < shared->nr_allow; i++)
        CU_ASSERT_EQUAL(shared->allow[i].fill, memcmp(shared->allow[i].guest, uuid_a, 16) == 0);
    book_close(&book);
    remove_place();
}

static void an_entry_is_made_once_and_a_right_replaces_a_right(void)
{
    struct book book = {0};
    struct book_shared *shared;

    CU_ASSERT_PTR_NOT_NULL_FATAL(book_add_guest(&book, uuid_a, 0));
    CU_ASSERT_PTR_EQUAL(book_add_guest(&book, uuid_a, 0), book_find_guest(&book, uuid_a, 0));
    CU_ASSERT_EQUAL(book.nr_guests, 1);
    shared = book_add_shared(&book, uuid_pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(shared);
    book_allow_guest(shared, uuid_a, true);
    book_allow_guest(shared, uuid_b, true);
    book_allow_guest(shared, uuid_a, false);
    CU_ASSERT_EQUAL(shared->nr_allow, 2);
    book_deny_guest(shared, uuid_b);
    CU_ASSERT_EQUAL(shared->nr_allow, 1);
    CU_ASSERT_FALSE(shared->allow[0].fill);
    book_deny_guest(shared, uuid_b);
    CU_ASSERT_EQUAL(shared->nr_allow, 1);
    book_remove_shared(&book, uuid_pool);
    CU_ASSERT_PTR_NULL(book_find_shared(&book, uuid_pool));
    book_close(&book);
}

static void a_truncated_file_is_refused_and_left_as_it_is(void)
{
    static char text[8192], now[8192];
    struct book book;
    size_t length;

    make_place();
    save_filled();
    length = read_text(text, sizeof(text));
    CU_ASSERT_FATAL(length > 100);
    /* the last two bytes are "}" and a newline */
    for (size_t cut = 0; cut < length - 1; cut++) {
        write_text(text, cut);
        CU_ASSERT_FALSE(book_open(&book, path, why));
        CU_ASSERT_PTR_NOT_NULL(strstr(why, path));
        CU_ASSERT_EQUAL(read_text(now, sizeof(now)), cut);
    }
    remove_place();
}

/* The saved file with the first @was replaced by @is. */
static void refused_with(const char *was, const char *is)
{
    static char text[8192], bad[8400];
    struct book book;
    char *at;

    make_place();
    save_filled();
    read_text(text, sizeof(text));
    at = strstr(text, was);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(at - text), text, is, at + strlen(was));
    write_text(bad, strlen(bad));
    CU_ASSERT_FALSE(book_open(&book, path, why));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "policy.json"));
    remove_place();
}

static void every_damaged_field_is_refused(void)
{
    refused_with("\"version\": 1", "\"version\": 2");
    refused_with("\"version\": 1", "\"versio\": 1");
    refused_with("\"version\": 1", "\"version\": \"1\"");
    refused_with("\"guests\"", "\"guest\"");
    refused_with("\"shared\"", "\"share\"");
    refused_with("0a010203-", "0a01020g-");
    refused_with("0a010203-", "0a010203");
    refused_with("\"device\": 3", "\"device\": -1");
    refused_with("\"device\": 3", "\"device\": 4294967296");
    refused_with("\"device\": 3", "\"device\": 3.5");
    refused_with("\"device\": 3", "\"devise\": 3");
    refused_with("\"attach\": true", "\"attach\": 1");
    refused_with("\"quota_pages\": 16384", "\"quota_pages\": -5");
    refused_with("\"quota_pages\": 16384", "\"quota_pages\": 4294967295");
    refused_with("\"quota_pages\": 16384", "\"quota_pages\": 99999999999999999999");
    refused_with("\"max_pages\": null", "\"maximum_pages\": null");
    refused_with("\"weight\": 512", "\"weight\": 0");
    refused_with("\"weight\": 512", "\"weight\": 65537");
    refused_with("\"weight\": 512", "\"weight\": null");
    refused_with("\"right\": \"fill\"", "\"right\": \"rule\"");
    refused_with("\"manager\": \"xentmem\"", "\"manager\": \"xen\\u0000mem\"");
    /* twice the same guest */
    refused_with(
        "0b000000-0000-0000-0000-000000000000\",\n      \"name\": \"\",\n      \"device\": 0",
        "0a010203-0405-0607-0809-0a0b0c0d0e0f\",\n      \"name\": \"\",\n      \"device\": 3");
}

static void a_failed_save_leaves_the_old_file(void)
{
    static char before[8192], after[8192];
    int status;
    pid_t child;

    make_place();
    save_filled();
    read_text(before, sizeof(before));
    fflush(NULL);
    child = fork();
    if (child == 0) {
        struct rlimit limit = {64, 64};
        struct book book;

        /* a real failure of write(2): EFBIG, as a full disk would give ENOSPC */
        signal(SIGXFSZ, SIG_IGN);
        if (!book_open(&book, path, why))
            _exit(1);
        strcpy(book_find_guest(&book, uuid_a, 3)->name, "other");
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(book_save(&book, why) ? 2 : strstr(why, path) ? 0 : 3);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
    read_text(after, sizeof(after));
    CU_ASSERT_STRING_EQUAL(before, after);
    remove_place();
}

static void two_writers_lose_nothing(void)
{
    struct book book;

    make_place();
    fflush(NULL);
    for (int child = 0; child < 4; child++) {
        if (fork() == 0) {
            for (uint32_t i = 0; i < 25; i++) {
                if (!book_open(&book, path, why) ||
                    !book_add_guest(&book, uuid_a, (uint32_t)child * 100 + i) ||
                    !book_save(&book, why))
                    _exit(1);
                book_close(&book);
            }
            _exit(0);
        }
    }
    for (int child = 0; child < 4; child++) {
        int status = 1;

        CU_ASSERT_TRUE(wait(&status) > 0);
        CU_ASSERT_EQUAL(status, 0);
    }
    CU_ASSERT_TRUE_FATAL(book_open(&book, path, why));
    CU_ASSERT_EQUAL(book.nr_guests, 100);
    book_close(&book);
    remove_place();
}

static void whoever_waits_long_for_another_writer_says_so_once(void)
{
    char text[512] = "";
    struct book book;
    int status = 1, ends[2];
    pid_t child;
    FILE *said;

    make_place();
    CU_ASSERT_TRUE_FATAL(book_open(&book, path, why));
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
        close(book.lock_fd); /* or it would have the lock itself */
        _exit(book_open(&book, path, why) ? 0 : 1);
    }
    close(ends[1]);
    said = fdopen(ends[0], "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    if (poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, 60000) == 1)
        CU_ASSERT_PTR_NOT_NULL(fgets(text, sizeof(text), said));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "waiting for another command"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, path));
    book_close(&book);
    CU_ASSERT_PTR_NULL(fgets(text, sizeof(text), said)); /* it has ended */
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    fclose(said);
    remove_place();
}

static void only_root_reads_the_file(void)
{
    struct stat st;

    make_place();
    save_filled();
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    remove_place();
}

static void a_damaged_file_is_refused_with_the_place(void)
{
    static const struct {
        const char *text, *says;
    } damaged[] = {
        {"", "ends in the middle"},
        {"{ \"version\": 1,\n  \"guests\": [ {", "ends in the middle"},
        {"{ \"version\": 1,\n  \"guests\": [ ],\n  \"shared\" [ ] }",
         "line 3: object property name separator"},
        {"{ \"version\": 1,\n  guests: [ ] }", "line 2: "},
        {"[ ]", "not a policy file"},
        {"null\n", "not a policy file"},
        {"{ } {", "line 1: something behind the end"},
    };
    char path_says[192];
    struct book book;

    make_place();
    for (unsigned i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
        write_text(damaged[i].text, strlen(damaged[i].text));
        CU_ASSERT_FALSE(book_open(&book, path, why));
        snprintf(path_says, sizeof(path_says), "%s: %s", path, damaged[i].says);
        if (strncmp(why, path_says, strlen(path_says)))
            fprintf(stderr, "%s\n", why);
        CU_ASSERT_EQUAL(strncmp(why, path_says, strlen(path_says)), 0);
    }
    remove_place();
}

#define TESTS(T)                                                                                   \
    T(a_damaged_file_is_refused_with_the_place)                                                    \
    T(a_missing_file_is_an_empty_book)                                                             \
    T(a_guest_is_forgotten_with_its_rights)                                                        \
    T(a_name_that_is_not_utf8_is_mended)                                                           \
    T(what_was_saved_is_read_again)                                                                \
    T(an_entry_is_made_once_and_a_right_replaces_a_right)                                          \
    T(a_truncated_file_is_refused_and_left_as_it_is)                                               \
    T(every_damaged_field_is_refused)                                                              \
    T(a_failed_save_leaves_the_old_file)                                                           \
    T(two_writers_lose_nothing)                                                                    \
    T(whoever_waits_long_for_another_writer_says_so_once)                                          \
    T(only_root_reads_the_file)
RUN_TESTS(TESTS)
