/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/catalogue.h"

#include <string.h>

#include "daemon/blk/disk.h"
#include "daemon/blk/layer.h"

#define CATALOGUE_LAYER 0u
#define ENTRY_MAGIC     0x6b736964u /* "disk" */
#define ENTRY_VERSION   1u

#define FLAG_SUSPECT 0x1u
#define FLAG_SWAP    0x2u
#define FLAGS_ALL    0x3u

/* An entry as it lies in the store, followed by zeros to the end of the page. */
struct entry_page {
    uint32_t magic;
    uint32_t version;
    uint32_t number;
    uint32_t kind;
    uint32_t layer;
    uint32_t below;
    uint32_t nr_pages;
    uint32_t flags;
    uint64_t token;
    uint32_t domid, vdev;
    char name[TARGET_NAME_SIZE];
    uint32_t made_pages; /* 0: nr_pages */
    uint8_t zeros[DISK_PAGE_SIZE - 52 - TARGET_NAME_SIZE];
};
_Static_assert(sizeof(struct entry_page) == DISK_PAGE_SIZE, "an entry is a page");

static bool find_layer(struct engine *e, account_nr *layer_out)
{
    struct account_key key;
    uint32_t cursor = 0;

    while (engine_account_next(e, &cursor, layer_out, &key)) {
        if (key.kind == ACCOUNT_DISK && key.id == CATALOGUE_LAYER)
            return true;
    }
    return false;
}

void catalogue_open(struct catalogue *c, struct engine *e, unsigned worker)
{
    *c = (struct catalogue){.engine = e, .worker = worker};
    if (find_layer(e, &c->layer)) {
        if (layer_adopt(e, c->layer))
            return;
        layer_end(e, c->layer);
    }
    c->layer = LAYOUT_NONE;
}

enum tmemif_status catalogue_make(struct catalogue *c)
{
    return c->layer != LAYOUT_NONE ? TMEMIF_OK : layer_make(c->engine, CATALOGUE_LAYER, &c->layer);
}

void entry_set_name(struct entry *entry, const char *name)
{
    memset(entry->name, 0, sizeof(entry->name));
    memcpy(entry->name, name, strnlen(name, sizeof(entry->name) - 1));
}

static bool is_sound(const struct entry_page *p, uint32_t number)
{
    if (p->magic != ENTRY_MAGIC || p->version != ENTRY_VERSION || p->number != number)
        return false;
    if (p->kind < ENTRY_DISK || p->kind > ENTRY_FILLING || p->layer == CATALOGUE_LAYER ||
        p->layer > CATALOGUE_LAST_LAYER)
        return false;
    if (p->below == p->layer || p->nr_pages == 0 || p->made_pages > p->nr_pages ||
        p->flags & ~FLAGS_ALL)
        return false;
    if (p->name[0] == '\0')
        return p->kind == ENTRY_DISK;
    return tmemctl_is_name(p->name, strnlen(p->name, sizeof(p->name)));
}

enum tmemif_status catalogue_read(struct catalogue *c, uint32_t number, struct entry *entry_out)
{
    struct entry_page page;
    enum tmemif_status rc = TMEMIF_MISS;

    if (c->layer != LAYOUT_NONE)
        rc = layer_read(c->engine, c->worker, c->layer, number, &page);
    if (rc == TMEMIF_MISS)
        return TMEMIF_NOT_FOUND;
    if (rc != TMEMIF_OK)
        return rc;
    if (!is_sound(&page, number))
        return TMEMIF_BAD_DATA;
    *entry_out = (struct entry){
        .kind = (enum entry_kind)page.kind,
        .layer = page.layer,
        .below = page.below,
        .nr_pages = page.nr_pages,
        .made_pages = page.made_pages ? page.made_pages : page.nr_pages,
        .is_swap = page.flags & FLAG_SWAP,
        .suspect = page.flags & FLAG_SUSPECT,
        .token = page.token,
        .domid = page.domid,
        .vdev = page.vdev,
    };
    memcpy(entry_out->name, page.name, sizeof(page.name));
    return TMEMIF_OK;
}

enum tmemif_status catalogue_write(struct catalogue *c, uint32_t number, const struct entry *entry)
{
    struct entry_page page = {
        .magic = ENTRY_MAGIC,
        .version = ENTRY_VERSION,
        .number = number,
        .kind = (uint32_t)entry->kind,
        .layer = entry->layer,
        .below = entry->below,
        .nr_pages = entry->nr_pages,
        .made_pages = entry->made_pages,
        .flags = (entry->is_swap ? FLAG_SWAP : 0) | (entry->suspect ? FLAG_SUSPECT : 0),
        .token = entry->token,
        .domid = entry->domid,
        .vdev = entry->vdev,
    };

    memcpy(page.name, entry->name, sizeof(page.name));
    return layer_write(c->engine, c->worker, c->layer, number, &page);
}

void catalogue_erase(struct catalogue *c, uint32_t number)
{
    uint32_t done;

    (void)layer_flush(c->engine, c->worker, c->layer, number, 1, &done); /* never refused (C16) */
}
