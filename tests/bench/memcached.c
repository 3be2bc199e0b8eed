/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/memcached.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bed.h"

#define START_TRIES   500u
#define START_STEP_NS 10000000

/* Keys have a fixed width, so that every answer's length is known. */
#define KEY_FORMAT "%08x"
#define KEY_LEN    8u
#define VALUE_HEAD (sizeof("VALUE 01234567 0 4096\r\n") - 1)
#define VALUE_LEN  (VALUE_HEAD + TMEMIF_PAGE_SIZE + 2)
#define END        "END\r\n"
#define END_LEN    (sizeof(END) - 1)
#define STORED     "STORED\r\n"
#define BUFFER_LEN (MEMCACHED_DEPTH * VALUE_LEN + END_LEN)

static void name_socket(const struct memcached *m, struct sockaddr_un *name)
{
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(name->sun_path, sizeof(name->sun_path), "%s/socket", m->directory);
}

static void run(const struct memcached *m, unsigned mib)
{
    struct sockaddr_un name;
    char mib_text[16];

    name_socket(m, &name);
    snprintf(mib_text, sizeof(mib_text), "%u", mib);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("memcached", "memcached", "-u", "root", "-s", name.sun_path, "-m", mib_text,
           (char *)NULL);
    _exit(127);
}

static bool connect_to(struct memcached *m)
{
    struct sockaddr_un name;

    name_socket(m, &name);
    m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(m->fd >= 0);
    if (connect(m->fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
        return true;
    close(m->fd);
    m->fd = -1;
    return false;
}

void memcached_start(struct memcached *m, unsigned mib)
{
    bool connected = false;

    *m = (struct memcached){.directory = "/tmp/xentmem-bench-XXXXXX", .fd = -1};
    m->buffer = malloc(BUFFER_LEN);
    MUST(m->buffer != NULL && mkdtemp(m->directory) != NULL);
    m->pid = fork();
    MUST(m->pid >= 0);
    if (m->pid == 0)
        run(m, mib);
    for (unsigned i = 0; i < START_TRIES && !connected; i++) {
        struct timespec step = {.tv_nsec = START_STEP_NS};

        MUST(waitpid(m->pid, NULL, WNOHANG) == 0);
        nanosleep(&step, NULL);
        connected = connect_to(m);
    }
    MUST(connected);
}

void memcached_stop(struct memcached *m)
{
    struct sockaddr_un name;

    close(m->fd);
    kill(m->pid, SIGTERM);
    waitpid(m->pid, NULL, 0);
    name_socket(m, &name);
    unlink(name.sun_path);
    rmdir(m->directory);
    free(m->buffer);
}

static void send_all(const struct memcached *m, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(m->fd, data, len, MSG_NOSIGNAL);

        MUST(n > 0);
        data += n;
        len -= (size_t)n;
    }
}

static void receive_all(const struct memcached *m, size_t len)
{
    size_t have = 0;

    while (have < len) {
        ssize_t n = recv(m->fd, m->buffer + have, len - have, 0);

        MUST(n > 0);
        have += (size_t)n;
    }
}

void memcached_set(struct memcached *m, uint32_t key, const void *page)
{
    char request[64 + TMEMIF_PAGE_SIZE];
    int head = snprintf(request, 64, "set " KEY_FORMAT " 0 0 4096\r\n", key);

    MUST(head > 0);
    memcpy(request + head, page, TMEMIF_PAGE_SIZE);
    memcpy(request + head + TMEMIF_PAGE_SIZE, "\r\n", 2);
    send_all(m, request, (size_t)head + TMEMIF_PAGE_SIZE + 2);
    receive_all(m, sizeof(STORED) - 1);
    MUST(memcmp(m->buffer, STORED, sizeof(STORED) - 1) == 0);
}

static size_t write_request(char *request, const uint32_t *keys, unsigned nr)
{
    static const char digits[] = "0123456789abcdef";
    char *at = request;

    memcpy(at, "get", 3);
    at += 3;
    for (unsigned i = 0; i < nr; i++) {
        *at++ = ' ';
        for (unsigned d = 0; d < KEY_LEN; d++)
            *at++ = digits[keys[i] >> (28 - 4 * d) & 15];
    }
    *at++ = '\r';
    *at++ = '\n';
    return (size_t)(at - request);
}

void memcached_get(struct memcached *m, const uint32_t *keys, unsigned nr, const void **pages_out)
{
    char request[8 + MEMCACHED_DEPTH * (KEY_LEN + 1)];

    MUST(nr <= MEMCACHED_DEPTH);
    send_all(m, request, write_request(request, keys, nr));
    receive_all(m, nr * VALUE_LEN + END_LEN);
    for (unsigned i = 0; i < nr; i++) {
        const char *value = m->buffer + i * VALUE_LEN;

        MUST(memcmp(value, "VALUE ", 6) == 0);
        pages_out[i] = value + VALUE_HEAD;
    }
    MUST(memcmp(m->buffer + nr * VALUE_LEN, END, END_LEN) == 0);
}
