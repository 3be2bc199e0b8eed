/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/tool/operator_book_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/tool/operator_book_json.h"

/* All of @file, to be freed; NULL: errno. */
static char *read_all(FILE *file, size_t *length_out)
{
    char *text = NULL;
    size_t length = 0, size = 0;

    do {
        char *larger = realloc(text, size += 65536);

        if (!larger) {
            free(text);
            return NULL;
        }
        text = larger;
        length += fread(text + length, 1, size - length, file);
    } while (length == size);
    if (ferror(file)) {
        int error = errno;

        free(text);
        errno = error;
        return NULL;
    }
    text[length] = '\0'; /* there is room: what was read did not fill it */
    *length_out = length;
    return text;
}

static unsigned line_of(const char *text, size_t at)
{
    unsigned line = 1;

    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

static struct json_object *parse(const struct book *book, const char *text, size_t length,
                                 char why_out[BOOK_WHY_LEN])
{
    struct json_tokener *tokener = length <= INT_MAX ? json_tokener_new() : NULL;
    struct json_object *value = tokener ? json_tokener_parse_ex(tokener, text, (int)length) : NULL;
    enum json_tokener_error error =
        tokener ? json_tokener_get_error(tokener) : json_tokener_error_depth;
    size_t end = tokener ? json_tokener_get_parse_end(tokener) : 0;

    if (tokener)
        json_tokener_free(tokener);
    if (error == json_tokener_continue)
        snprintf(why_out, BOOK_WHY_LEN, "%s: ends in the middle", book->path);
    else if (error != json_tokener_success)
        snprintf(why_out, BOOK_WHY_LEN, "%s: line %u: %s", book->path, line_of(text, end),
                 json_tokener_error_desc(error));
    else if (text[end + strspn(text + end, " \t\r\n")] != '\0')
        snprintf(why_out, BOOK_WHY_LEN, "%s: line %u: something behind the end", book->path,
                 line_of(text, end));
    else if (!value)
        snprintf(why_out, BOOK_WHY_LEN, "%s: not a policy file", book->path);
    else
        return value;
    json_object_put(value);
    return NULL;
}

static bool read_file(struct book *book, char why_out[BOOK_WHY_LEN])
{
    FILE *file = fopen(book->path, "re");
    struct json_object *from = NULL;
    size_t length = 0;
    char *text;
    bool ok;

    if (!file && errno == ENOENT)
        return true;
    text = file ? read_all(file, &length) : NULL;
    if (!text)
        snprintf(why_out, BOOK_WHY_LEN, "%s: cannot be read: %s", book->path, strerror(errno));
    if (file)
        fclose(file);
    if (text)
        from = parse(book, text, length, why_out);
    free(text);
    ok = from && book_from_json(book, from, why_out);
    json_object_put(from);
    if (!ok)
        book_clear(book);
    return ok;
}

static bool make_folder(const char *path, char why_out[BOOK_WHY_LEN])
{
    char copy[sizeof(((struct book *)NULL)->path)];
    const char *folder;

    snprintf(copy, sizeof(copy), "%s", path);
    folder = dirname(copy);
    if (mkdir(folder, 0755) == 0 || errno == EEXIST)
        return true;
    snprintf(why_out, BOOK_WHY_LEN, "%s: %s", folder, strerror(errno));
    return false;
}

/* The agent has it for a moment now and then, which is nothing to speak of. */
#define LOCK_TRIES   50
#define LOCK_WAIT_MS 20

/* Somebody who waits for longer learns of what: a command may have it for as long as it takes. */
static bool wait_for_lock(int fd, const char *path)
{
    for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK)
            return false;
        poll(NULL, 0, LOCK_WAIT_MS);
    }
    fprintf(stderr, "xentmem: waiting for another command, which has %s\n", path);
    return flock(fd, LOCK_EX) == 0;
}

/* The lock is a file of its own: the book's is replaced whenever it is saved. */
static bool take_lock(struct book *book, char why_out[BOOK_WHY_LEN])
{
    char path[sizeof(book->path) + 8];

    snprintf(path, sizeof(path), "%s.lock", book->path);
    book->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (book->lock_fd < 0 || !wait_for_lock(book->lock_fd, path)) {
        snprintf(why_out, BOOK_WHY_LEN, "%s: %s", path, strerror(errno));
        if (book->lock_fd >= 0)
            close(book->lock_fd);
        return false;
    }
    return true;
}

bool book_open(struct book *book, const char *path, char why_out[BOOK_WHY_LEN])
{
    *book = (struct book){.lock_fd = -1};
    if (strlen(path) >= sizeof(book->path)) {
        snprintf(why_out, BOOK_WHY_LEN, "the name of the policy file is too long");
        return false;
    }
    strcpy(book->path, path);
    if (!make_folder(path, why_out) || !take_lock(book, why_out))
        return false;
    if (!read_file(book, why_out)) {
        book_close(book);
        return false;
    }
    return true;
}

void book_close(struct book *book)
{
    book_clear(book);
    close(book->lock_fd);
}

static bool write_text(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        ssize_t r = write(fd, text, left);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        text += r;
        left -= (size_t)r;
    }
    return true;
}

/* A rename is durable when its folder is. */
static bool sync_folder(const char *path)
{
    char copy[sizeof(((struct book *)NULL)->path)];
    bool ok;
    int fd;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool replace_file(const char *path, const char *text)
{
    char beside[sizeof(((struct book *)NULL)->path) + 8];
    bool ok;
    int fd;

    snprintf(beside, sizeof(beside), "%s.new", path);
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    ok = write_text(fd, text) && write_text(fd, "\n") && fsync(fd) == 0;
    /* a full disk may show only here */
    ok = close(fd) == 0 && ok;
    ok = ok && rename(beside, path) == 0;
    if (!ok) {
        int error = errno;

        unlink(beside);
        errno = error;
        return false;
    }
    return sync_folder(path);
}

bool book_save(const struct book *book, char why_out[BOOK_WHY_LEN])
{
    struct json_object *all = book_to_json(book);
    const char *text =
        all ? json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED)
            : NULL;
    bool ok = false;

    if (!text)
        snprintf(why_out, BOOK_WHY_LEN, "no memory for the policy file");
    else if (!replace_file(book->path, text))
        snprintf(why_out, BOOK_WHY_LEN, "%s: cannot be written: %s", book->path, strerror(errno));
    else
        ok = true;
    json_object_put(all);
    return ok;
}
