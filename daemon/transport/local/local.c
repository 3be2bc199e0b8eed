/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/local/local.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/store/layout.h"
#include "daemon/transport/local/client.h"
#include "daemon/transport/local/closing.h"

#define MAX_CLIENTS 256u
/* Of other users than root, together: what is left of the clients is root's, and of the records of
 * rings guests'. */
#define MAX_CLIENTS_BUT_ROOT   128u
#define MAX_STRANGERS          32u /* connections without a hello; then accept() pauses */
#define MAX_STRANGERS_PER_USER 8u
/* Places of these that root alone gets: it comes in whatever others do, but for MAX_CLOSING. */
#define ROOTS_STRANGERS  MAX_STRANGERS_PER_USER
#define ACCEPTS_PER_TURN 16u
/* Connections that were hung up on and take long to close; a user's count among its strangers. */
#define MAX_CLOSING 64u

_Static_assert(MAX_CLIENTS_BUT_ROOT *TMEMIF_LOCAL_MAX_RINGS <= LAYOUT_MAX_RINGS / 2,
               "guests have rings, too");

static const struct timeval HANDSHAKE_TIME = {.tv_sec = 2};
static const struct timeval PAUSE_TIME = {.tv_usec = 100000};

/* A client and its place in the control thread's loop. */
struct connection {
    struct client client; /* its link comes first: a link is its connection */
    struct local_transport *transport;
    struct connection *next;
    struct event *event;
    struct closing closing; /* once it is no connection any more */
};

struct local_transport {
    struct local_config config;
    struct log_limit log_limit;
    struct connection *connections;
    struct closings closings; /* hung up on */
    int fd;
    struct event *accept_event;
    struct event *pause_event; /* a timer: accept again */
};

static void pause_accepting(struct local_transport *t, const char *why)
{
    log_limited(t->config.log, &t->log_limit, LOG_LEVEL_WARNING, "accept-paused", "why=\"%s\"",
                why);
    event_del(t->accept_event);
    event_add(t->pause_event, &PAUSE_TIME);
}

/* ---- connections ---- */

static void forget_closed(struct closing *closing)
{
    free((char *)closing - offsetof(struct connection, closing));
}

/* It is on no list. */
static void connection_close(struct connection *c)
{
    struct local_transport *t = c->transport;

    if (c->event)
        event_free(c->event);
    if (!client_hang_up(&c->client)) {
        closings_add(&t->closings, &c->closing, &c->client);
        return;
    }
    client_fini(&c->client);
    free(c);
}

static void connection_destroy(struct connection *gone)
{
    for (struct connection **at = &gone->transport->connections; *at; at = &(*at)->next) {
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    }
    connection_close(gone);
}

static void link_close(struct link *link)
{
    connection_destroy((struct connection *)link);
}

/* An attached client's socket has ended, or it broke the protocol. */
static void detach(struct connection *c, const char *why)
{
    enum session_end end = SESSION_LOST;

    if (client_has_left(&c->client)) {
        end = SESSION_CLOSED;
        why = "the client has left";
    }
    sessions_detach(c->transport->config.sessions, &c->client.link, end, why);
}

static void link_fail(struct link *link, const char *reason)
{
    detach((struct connection *)link, reason);
}

static const struct link_ops ops = {
    .notify = client_notify,
    .consume = client_consume,
    .fail = link_fail,
    .close = link_close,
};

/* Those that are attached; if @but_root only other users' than root's. */
static unsigned count_attached(const struct local_transport *t, bool but_root)
{
    unsigned nr = 0;

    for (const struct connection *c = t->connections; c; c = c->next)
        nr += c->client.attached && !(but_root && c->client.is_root);
    return nr;
}

/* Those that have sent no hello; @user: of the same user, NULL: of all. */
static unsigned count_strangers(const struct local_transport *t, const struct client *user)
{
    unsigned nr = 0;

    for (const struct connection *c = t->connections; c; c = c->next)
        nr += !c->client.attached && (!user || c->client.uid == user->uid);
    return nr;
}

static const char *why_too_many(const struct local_transport *t, const struct client *c)
{
    if (count_attached(t, false) >= MAX_CLIENTS)
        return "the manager has as many local clients as it takes";
    if (!c->is_root && count_attached(t, true) >= MAX_CLIENTS_BUT_ROOT)
        return "users other than root have as many sessions as they may have together";
    return NULL;
}

static void greet(struct connection *c)
{
    struct local_transport *t = c->transport;
    const char *why = NULL;

    switch (client_greet(&c->client, t->config.sessions, &ops, t->config.epoch,
                         why_too_many(t, &c->client), &why)) {
    case GREETING_ATTACHED:
        event_remove_timer(c->event);
        break;
    case GREETING_UNHEARD:
        detach(c, "the welcome cannot be sent");
        break;
    case GREETING_STUCK:
        /* it will come again, and has lost nothing: what it holds waits as it did before */
        sessions_detach(t->config.sessions, &c->client.link,
                        c->client.link.resume ? SESSION_KEPT : SESSION_LOST,
                        "there is no memory to send the welcome");
        break;
    case GREETING_REFUSED:
        log_limited(t->config.log, &t->log_limit, LOG_LEVEL_NOTICE, "refused",
                    "uid=%u pid=%d why=\"%s\"", c->client.uid, (int)c->client.pid, why);
        connection_destroy(c);
        break;
    case GREETING_EMPTY:
        break;
    case GREETING_GONE:
        connection_destroy(c);
        break;
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    const char *why;

    (void)fd;
    if (!c->client.attached) {
        if (what & EV_READ)
            greet(c);
        else
            connection_destroy(c); /* it has said nothing for too long */
        return;
    }
    why = client_listen(&c->client);
    if (why)
        detach(c, why);
}

/* Who it is shows only once it is accepted, so those without a place are hung up on. */
static bool has_place(const struct local_transport *t, const struct client *c)
{
    unsigned places = c->is_root ? MAX_STRANGERS : MAX_STRANGERS - ROOTS_STRANGERS;

    return count_strangers(t, NULL) < places &&
           count_strangers(t, c) + closings_count(&t->closings, c) < MAX_STRANGERS_PER_USER;
}

static void add_connection(struct local_transport *t, int fd)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (!c || !client_init(&c->client, fd)) {
        if (!c)
            close(fd);
        free(c);
        return;
    }
    c->transport = t;
    c->event = event_new(t->config.base, fd, EV_READ | EV_PERSIST, on_socket, c);
    if (!c->event || event_add(c->event, &HANDSHAKE_TIME) < 0 || !has_place(t, &c->client)) {
        connection_close(c);
        return;
    }
    c->next = t->connections;
    t->connections = c;
}

static void on_listener(evutil_socket_t listener, short what, void *arg)
{
    struct local_transport *t = arg;

    (void)what;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd;

        if (count_strangers(t, NULL) >= MAX_STRANGERS) {
            pause_accepting(t, "too many connections without a hello");
            return;
        }
        if (closings_count(&t->closings, NULL) >= MAX_CLOSING) {
            pause_accepting(t, "too many connections whose descriptors take long to close");
            return;
        }
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            add_connection(t, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            /* out of descriptors or memory: the listener would stay readable, and we would spin */
            if (errno != EAGAIN)
                pause_accepting(t, strerror(errno));
            return;
        }
    }
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct local_transport *t = arg;

    (void)fd;
    (void)what;
    event_add(t->accept_event, NULL);
}

/* ---- the listener ---- */

/* Whether somebody listens on the socket at @at. */
static bool is_in_use(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool in_use;

    if (fd < 0)
        return true;
    in_use = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN;
    close(fd);
    return in_use;
}

/* A socket that an earlier daemon left; nothing else is ever removed. */
static bool make_way(const struct sockaddr_un *at, const char **why_out)
{
    struct stat st;

    if (lstat(at->sun_path, &st) < 0)
        return true;
    if (!S_ISSOCK(st.st_mode)) {
        *why_out = "there is something else than a socket at its path";
        return false;
    }
    if (is_in_use(at)) {
        *why_out = "another daemon listens on the socket";
        return false;
    }
    if (unlink(at->sun_path) == 0 || errno == ENOENT)
        return true;
    *why_out = strerror(errno);
    return false;
}

static int listen_at(const struct local_config *config, const char **why_out)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    mode_t mask;
    int fd, r;

    if (strlen(config->path) >= sizeof(at.sun_path)) {
        *why_out = "the path of the socket is too long";
        return -1;
    }
    strcpy(at.sun_path, config->path);
    if (!make_way(&at, why_out))
        return -1;

    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *why_out = strerror(errno);
        return -1;
    }
    mask = umask(0777 & ~config->mode);
    r = bind(fd, (const struct sockaddr *)&at, sizeof(at));
    umask(mask);
    if (r < 0 || listen(fd, SOMAXCONN) < 0) {
        *why_out = strerror(errno);
        close(fd);
        return -1;
    }
    return fd;
}

struct local_transport *local_transport_start(const struct local_config *config,
                                              const char **why_out)
{
    struct local_transport *t = calloc(1, sizeof(*t));

    *why_out = "out of memory";
    if (!t)
        return NULL;
    t->config = *config;
    t->fd = listen_at(config, why_out);
    if (t->fd < 0) {
        free(t);
        return NULL;
    }
    t->accept_event = event_new(config->base, t->fd, EV_READ | EV_PERSIST, on_listener, t);
    t->pause_event = event_new(config->base, -1, 0, on_pause_over, t);
    if (!closings_init(&t->closings, config->base, forget_closed) || !t->accept_event ||
        !t->pause_event || event_add(t->accept_event, NULL) < 0) {
        local_transport_stop(t);
        return NULL;
    }
    return t;
}

void local_transport_stop(struct local_transport *t)
{
    if (!t)
        return;
    if (t->accept_event)
        event_free(t->accept_event);
    if (t->pause_event)
        event_free(t->pause_event);
    close(t->fd);
    unlink(t->config.path);
    while (t->connections) {
        struct connection *c = t->connections;

        if (c->client.attached)
            sessions_detach(t->config.sessions, &c->client.link, SESSION_KEPT, "stopping");
        else
            connection_destroy(c);
    }
    closings_fini(&t->closings);
    free(t);
}
