/* SPDX-License-Identifier: MIT */
#include "codec.h"

static bool all_zero(const uint64_t *words, unsigned nr)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < nr; i++)
        any |= words[i];
    return any == 0;
}

static bool data_is_absent(const struct tmemif_data *d)
{
    return d->kind == 0 && d->reserved == 0 && d->ref == 0 && d->offset == 0 && d->length == 0;
}

/* A reference to exactly @length bytes that the sender has shared. */
static enum tmemif_status check_data(const struct tmemif_data *d, const struct tmem_limits *limits,
                                     uint64_t length)
{
    if (d->reserved || d->length != length)
        return TMEMIF_BAD_REQUEST;

    switch (d->kind) {
    case TMEMIF_DATA_AREA:
        if (d->ref)
            return TMEMIF_BAD_REQUEST;
        /* 64-bit sum: 32-bit offset and length cannot overflow it */
        return (uint64_t)d->offset + d->length <= limits->data_bytes ? TMEMIF_OK : TMEMIF_BAD_DATA;
    case TMEMIF_DATA_GRANT:
        if (!limits->grant_copy)
            return TMEMIF_NOT_SUPPORTED;
        return (uint64_t)d->offset + d->length <= TMEMIF_PAGE_SIZE ? TMEMIF_OK : TMEMIF_BAD_DATA;
    default:
        return TMEMIF_BAD_REQUEST;
    }
}

static enum tmemif_status check_area(const struct tmemif_data *d, const struct tmem_limits *limits,
                                     uint64_t length, uint32_t align)
{
    if (d->kind != TMEMIF_DATA_AREA || d->offset % align)
        return TMEMIF_BAD_REQUEST;
    return check_data(d, limits, length);
}

static enum tmemif_status check_none(const struct tmemif_request *r,
                                     const struct tmem_limits *limits)
{
    (void)limits;
    if (r->op == TMEMIF_OP_NOP || r->op == TMEMIF_OP_RESET) {
        if (r->pool)
            return TMEMIF_BAD_REQUEST;
    }
    return all_zero(r->u.none, 7) ? TMEMIF_OK : TMEMIF_BAD_REQUEST;
}

static enum tmemif_status check_page(const struct tmemif_request *r,
                                     const struct tmem_limits *limits)
{
    const struct tmemif_page *p = &r->u.page;
    bool leased = r->op == TMEMIF_OP_PAGE_PUT && (r->flags & TMEMIF_PUT_LEASED);

    if (!leased && (p->lease.epoch || p->lease.object || p->lease.handle))
        return TMEMIF_BAD_REQUEST;
    if (r->op == TMEMIF_OP_PAGE_FLUSH)
        return data_is_absent(&p->data) ? TMEMIF_OK : TMEMIF_BAD_REQUEST;
    return check_data(&p->data, limits, TMEMIF_PAGE_SIZE);
}

static enum tmemif_status check_range(const struct tmemif_request *r,
                                      const struct tmem_limits *limits)
{
    const struct tmemif_range *f = &r->u.range;

    (void)limits;
    if (!all_zero(f->reserved, 3) || f->first > f->last)
        return TMEMIF_BAD_REQUEST;
    if (r->op == TMEMIF_OP_OBJECT_FLUSH && (f->first != 0 || f->last != TMEMIF_INDEX_MAX))
        return TMEMIF_BAD_REQUEST;
    return TMEMIF_OK;
}

static enum tmemif_status check_pool(const struct tmemif_request *r,
                                     const struct tmem_limits *limits)
{
    const struct tmemif_pool *p = &r->u.pool;
    bool shared = r->op == TMEMIF_OP_POOL_JOIN;
    uint8_t any = 0;

    (void)limits;
    if (r->pool || p->reserved0 || !all_zero(p->reserved, 4) || (p->flags & ~TMEMIF_POOL_FLAGS))
        return TMEMIF_BAD_REQUEST;
    if (shared != !!(p->flags & TMEMIF_POOL_SHARED))
        return TMEMIF_BAD_REQUEST;
    /* inclusive says something only of a private ephemeral pool (rules C9 - C11) */
    if ((p->flags & TMEMIF_POOL_INCLUSIVE) &&
        (p->flags & (TMEMIF_POOL_SHARED | TMEMIF_POOL_PERSISTENT)))
        return TMEMIF_BAD_REQUEST;

    for (unsigned i = 0; i < TMEMIF_UUID_LEN; i++)
        any |= p->uuid[i];
    return shared == !!any ? TMEMIF_OK : TMEMIF_BAD_REQUEST;
}

static enum tmemif_status check_info(const struct tmemif_request *r,
                                     const struct tmem_limits *limits)
{
    if (!all_zero(r->u.info.reserved, 5))
        return TMEMIF_BAD_REQUEST;
    return check_area(&r->u.info.data, limits, sizeof(struct tmemif_pool_info), 8);
}

static enum tmemif_status check_batch(const struct tmemif_request *r,
                                      const struct tmem_limits *limits)
{
    const struct tmemif_batch *b = &r->u.batch;
    enum tmemif_status rc;

    if (r->pool || b->reserved0 || !all_zero(b->reserved, 2))
        return TMEMIF_BAD_REQUEST;
    if (b->count == 0 || b->count > TMEMIF_MAX_BATCH)
        return TMEMIF_BAD_REQUEST;
    rc = check_area(&b->requests, limits, (uint64_t)b->count * sizeof(struct tmemif_request), 8);
    if (rc)
        return rc;
    return check_area(&b->responses, limits, (uint64_t)b->count * sizeof(struct tmemif_response),
                      8);
}

static enum tmemif_status check_control(const struct tmemif_request *r,
                                        const struct tmem_limits *limits)
{
    const struct tmemif_control *c = &r->u.control;
    enum tmemif_status rc;

    if (r->pool || !all_zero(c->reserved, 3))
        return TMEMIF_BAD_REQUEST;
    if (c->message.length > TMEMIF_MAX_CONTROL_BYTES || c->reply.length > TMEMIF_MAX_CONTROL_BYTES)
        return TMEMIF_BAD_REQUEST;
    rc = check_area(&c->message, limits, c->message.length, 8);
    return rc ? rc : check_area(&c->reply, limits, c->reply.length, 8);
}

/* Everything that is checked before a handler runs, by operation. */
struct op_rule {
    const char *name;
    enum tmemif_status (*check)(const struct tmemif_request *, const struct tmem_limits *);
};

/* A row for every operation of TMEMIF_OPS; NULL names are no operations. */
#define OP_MAX TMEMIF_OP_CONTROL
static const struct op_rule rules[OP_MAX + 1] = {
#define X(value, opname, body) [value] = {.name = #opname, .check = check_##body},
    TMEMIF_OPS(X)
#undef X
};

static uint16_t flags_of(unsigned op)
{
    switch (op) {
    case TMEMIF_OP_PAGE_PUT:
        return TMEMIF_PUT_LEASED;
    case TMEMIF_OP_PAGE_GET:
        return TMEMIF_GET_WANT_LEASE;
    default:
        return 0;
    }
}

static bool may_stand_in_batch(unsigned op)
{
    return op >= TMEMIF_OP_PAGE_PUT && op <= TMEMIF_OP_RANGE_FLUSH;
}

enum tmemif_status tmem_request_decode(const struct tmemif_request *untrusted,
                                       const struct tmem_limits *limits,
                                       struct tmemif_request *request_out)
{
    enum tmemif_status rc;

    if (untrusted->op > OP_MAX || !rules[untrusted->op].check)
        return TMEMIF_BAD_OP;
    if (untrusted->op >= TMEMIF_OP_FIRST_PRIVILEGED && !limits->privileged)
        return TMEMIF_NOT_ALLOWED;
    if (untrusted->flags & ~flags_of(untrusted->op))
        return TMEMIF_BAD_REQUEST;
    if (untrusted->pool >= TMEMIF_MAX_POOLS)
        return TMEMIF_NO_POOL;
    rc = rules[untrusted->op].check(untrusted, limits);
    if (rc)
        return rc;

    *request_out = *untrusted;
    return TMEMIF_OK;
}

enum tmemif_status tmem_batch_element_decode(const struct tmemif_request *untrusted,
                                             const struct tmem_limits *limits,
                                             struct tmemif_request *request_out)
{
    if (!may_stand_in_batch(untrusted->op))
        return TMEMIF_BAD_OP;
    return tmem_request_decode(untrusted, limits, request_out);
}

const char *tmem_op_name(unsigned op)
{
    return op <= OP_MAX && rules[op].name ? rules[op].name : "unknown";
}

const char *tmem_status_name(unsigned status)
{
    switch (status) {
#define X(value, name, sentence)                                                                   \
    case value:                                                                                    \
        return #name;
        TMEMIF_STATUSES(X)
#undef X
    default:
        return "unknown";
    }
}

const char *tmem_status_sentence(unsigned status)
{
    switch (status) {
#define X(value, name, sentence)                                                                   \
    case value:                                                                                    \
        return sentence;
        TMEMIF_STATUSES(X)
#undef X
    default:
        return "unknown status";
    }
}
