/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/frontend_fake.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/lib/handle_life.h"

static struct fake *fake_of(struct attach *a)
{
    return (struct fake *)a;
}

static void ring_bell(int fd)
{
    ssize_t r = write(fd, "", 1);

    (void)r;
}

static void empty(int fd)
{
    char bytes[256];
    ssize_t r = read(fd, bytes, sizeof(bytes));

    (void)r;
}

/* ---- the library's side ---- */

static void fake_notify(struct attach *a, unsigned ring)
{
    int deaf = FAKE_DEAF;

    (void)ring;
    if (!atomic_compare_exchange_strong(&fake_of(a)->manners, &deaf, FAKE_POLITE))
        ring_bell(fake_of(a)->to_back[1]);
}

static void fake_consume(struct attach *a, unsigned ring)
{
    empty(a->wait_fds[ring]);
}

static enum attach_state fake_look(struct attach *a)
{
    struct pollfd event = {.fd = a->event_fd, .events = POLLIN};

    if (poll(&event, 1, 0) > 0)
        empty(a->event_fd);
    return (enum attach_state)atomic_load(&fake_of(a)->look);
}

static enum attach_state fake_again(struct attach *a)
{
    struct fake *f = fake_of(a);
    enum attach_state state = (enum attach_state)atomic_load(&f->again);

    atomic_fetch_add(&f->nr_again, 1);
    if (state == ATTACH_SERVED) {
        atomic_store(&f->look, ATTACH_SERVED);
        atomic_store(&f->manners, FAKE_POLITE);
    }
    return state;
}

static void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static void fake_close(struct attach *a, bool forked)
{
    struct fake *f = fake_of(a);

    if (!forked) {
        atomic_store(&f->stop, true);
        ring_bell(f->to_back[1]);
        pthread_join(f->thread, NULL);
    }
    close_pair(f->to_back);
    close_pair(f->event);
    for (unsigned i = 0; i < FAKE_RINGS; i++)
        close_pair(f->to_front[i]);
    free(f->memory);
    free(f->store);
}

static const struct attach_ops fake_ops = {
    .notify = fake_notify,
    .consume = fake_consume,
    .look = fake_look,
    .again = fake_again,
    .close = fake_close,
};

/* ---- the manager's side ---- */

static struct fake_page *find(struct fake *f, const struct tmemif_page *page)
{
    for (unsigned i = 0; i < FAKE_STORE; i++) {
        struct fake_page *p = &f->store[i];

        if (p->used && p->object == page->object[0] && p->index == page->index)
            return p;
    }
    return NULL;
}

static struct fake_page *find_or_make(struct fake *f, const struct tmemif_page *page)
{
    struct fake_page *found = find(f, page);

    for (unsigned i = 0; !found && i < FAKE_STORE; i++) {
        if (!f->store[i].used)
            found = &f->store[i];
    }
    return found;
}

static unsigned serve_page(struct fake *f, const struct tmemif_request *r)
{
    const struct tmemif_page *page = &r->u.page;
    struct fake_page *p = r->op == TMEMIF_OP_PAGE_PUT ? find_or_make(f, page) : find(f, page);
    uint8_t *data = f->attach.data + page->data.offset;

    switch (r->op) {
    case TMEMIF_OP_PAGE_PUT:
        if (!p)
            return TMEMIF_NO_MEMORY;
        p->used = true;
        p->object = page->object[0];
        p->index = page->index;
        memcpy(p->bytes, data, TMEMIF_PAGE_SIZE);
        return TMEMIF_OK;
    case TMEMIF_OP_PAGE_GET:
        if (!p)
            return TMEMIF_MISS;
        memcpy(data, p->bytes, TMEMIF_PAGE_SIZE);
        return TMEMIF_OK;
    default:
        if (p)
            p->used = false;
        atomic_fetch_add(&f->nr_flushes, 1);
        return TMEMIF_OK;
    }
}

static void spoil(int manners, const struct tmemif_request *r, struct tmemif_response *rsp)
{
    switch (manners) {
    case FAKE_WRONG_NUMBER:
        rsp->number++;
        break;
    case FAKE_MISSES_PUTS:
        rsp->status = TMEMIF_MISS;
        break;
    case FAKE_GIVES_LEASES:
        rsp->flags = TMEMIF_RSP_LEASE;
        break;
    case FAKE_HUGE_POOL_ID:
        rsp->value = TMEMIF_MAX_POOLS;
        break;
    case FAKE_SHORT_BATCH:
        if (r->op == TMEMIF_OP_BATCH)
            rsp->count--;
        break;
    case FAKE_NEW_STATUS:
        rsp->status = 999;
        break;
    default:
        break;
    }
}

static struct tmemif_response serve(struct fake *f, const struct tmemif_request *r, uint32_t number)
{
    struct tmemif_response rsp = {.number = number};

    atomic_fetch_add(&f->nr_requests, 1);
    switch (r->op) {
    case TMEMIF_OP_PAGE_PUT:
    case TMEMIF_OP_PAGE_GET:
    case TMEMIF_OP_PAGE_FLUSH:
        rsp.status = (uint16_t)serve_page(f, r);
        if (rsp.status == TMEMIF_MISS && (r->flags & TMEMIF_GET_WANT_LEASE)) {
            rsp.flags = TMEMIF_RSP_LEASE;
            rsp.lease = (struct tmemif_lease){1, 2, 3};
        }
        break;
    case TMEMIF_OP_POOL_CREATE:
        rsp.value = 5;
        break;
    case TMEMIF_OP_CONTROL:
        memset(f->attach.data + r->u.control.reply.offset, 0x5a, 16);
        rsp.count = 16;
        break;
    default:
        break;
    }
    return rsp;
}

static struct tmemif_response serve_batch(struct fake *f, const struct tmemif_request *r,
                                          uint32_t number, int manners)
{
    const struct tmemif_batch *b = &r->u.batch;

    for (uint32_t i = 0; i < b->count; i++) {
        struct tmemif_request element;
        struct tmemif_response rsp;

        memcpy(&element, f->attach.data + b->requests.offset + i * sizeof(element),
               sizeof(element));
        rsp = serve(f, &element, i);
        if (manners == FAKE_BAD_ELEMENT && i == b->count - 1)
            rsp.status = TMEMIF_MISS;
        memcpy(f->attach.data + b->responses.offset + i * sizeof(rsp), &rsp, sizeof(rsp));
    }
    return (struct tmemif_response){.number = number, .count = b->count};
}

static void serve_ring(struct fake *f, unsigned number)
{
    struct ring_back *back = &f->back[number];
    int manners = atomic_load(&f->manners);
    bool bad;

    if (manners == FAKE_SILENT)
        return;
    for (uint32_t nr = ring_back_ready(back, &bad); nr; nr = manners == FAKE_SLOW ? 0 : nr - 1) {
        uint32_t k = back->req_cons, answered = back->rsp_prod;
        struct tmemif_request r = ring_back_take(back);
        struct tmemif_response rsp =
            r.op == TMEMIF_OP_BATCH ? serve_batch(f, &r, k, manners) : serve(f, &r, k);

        if (manners == FAKE_SLOW || manners == FAKE_MUTE)
            usleep(2000);
        spoil(manners, &r, &rsp);
        if (manners == FAKE_JUMPING_INDEX || manners == FAKE_BACKWARD_INDEX) {
            uint32_t jump = manners == FAKE_JUMPING_INDEX ? back->rsp_prod + 5 : UINT32_MAX;

            ring_publish(&back->view.shared->rsp_prod, jump);
            ring_bell(f->to_front[number][1]);
            continue;
        }
        if (manners == FAKE_LATE)
            usleep(970000);
        ring_back_answer(back, &rsp);
        if (ring_back_needs_notify(back, answered) && manners != FAKE_MUTE) {
            if (manners == FAKE_LATE)
                usleep(60000);
            ring_bell(f->to_front[number][1]);
        }
    }
}

static void *manage(void *arg)
{
    struct fake *f = arg;
    struct pollfd bell = {.fd = f->to_back[0], .events = POLLIN};

    while (!atomic_load(&f->stop)) {
        bool more = false;

        for (unsigned i = 0; i < FAKE_RINGS; i++) {
            serve_ring(f, i);
            more |= ring_back_arm(&f->back[i]) && atomic_load(&f->manners) != FAKE_SILENT;
        }
        if (!more && poll(&bell, 1, atomic_load(&f->manners) == FAKE_DEAF ? -1 : 5) > 0)
            empty(f->to_back[0]);
    }
    return NULL;
}

static void make_pipe(int pair[2])
{
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
}

static void count_sentence(void *arg, const char *sentence)
{
    (void)sentence;
    atomic_fetch_add(&((struct fake *)arg)->nr_said, 1);
}

struct xentmem *fake_open(struct fake *f, int timeout_ms, unsigned poll_us)
{
    struct handle_config config = {.log = {.say = count_sentence, .arg = f},
                                   .timeout_ms = timeout_ms,
                                   .poll_us = poll_us,
                                   .poll_pause_us = 1};
    struct xentmem *t = NULL;

    *f = (struct fake){
        .attach = {.ops = &fake_ops, .nr_rings = FAKE_RINGS, .nr_data_pages = FAKE_DATA_PAGES}};
    f->memory = aligned_alloc(4096, (FAKE_RINGS + FAKE_DATA_PAGES) * 4096);
    f->store = calloc(FAKE_STORE, sizeof(*f->store));
    if (!f->memory || !f->store)
        abort();
    memset(f->memory, 0, (FAKE_RINGS + FAKE_DATA_PAGES) * 4096);
    make_pipe(f->to_back);
    make_pipe(f->event);
    for (unsigned i = 0; i < FAKE_RINGS; i++) {
        make_pipe(f->to_front[i]);
        f->attach.rings[i] = f->memory + i * 4096;
        f->attach.wait_fds[i] = f->to_front[i][0];
        attach_init_ring(f->attach.rings[i], 0, 1);
        ring_back_init(&f->back[i], f->attach.rings[i], 0, 0);
    }
    f->attach.event_fd = f->event[0];
    f->attach.data = f->memory + FAKE_RINGS * 4096;
    pthread_create(&f->thread, NULL, manage, f);
    if (handle_create(&f->attach, &config, &t))
        abort();
    return t;
}

void fake_ring_event(struct fake *f)
{
    ring_bell(f->event[1]);
}
