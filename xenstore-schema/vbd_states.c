/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/vbd_states.h"

/* Short names keep a row on a line; they live in this file only. */
#define NEW      SCHEMA_VBD_NEW
#define RESUMING SCHEMA_VBD_RESUMING
#define WAITING  SCHEMA_VBD_WAITING
#define SERVING  SCHEMA_VBD_SERVING
#define LEAVING  SCHEMA_VBD_LEAVING
#define CLOSED   SCHEMA_VBD_CLOSED
#define UNFIT    SCHEMA_VBD_UNFIT
#define ENDED    SCHEMA_VBD_ENDED

#define IDLE   SCHEMA_VBD_NOTHING
#define OFFER  SCHEMA_VBD_OFFER
#define ATTACH SCHEMA_VBD_ATTACH
#define RESIZE SCHEMA_VBD_RESIZE
#define LEAVE  SCHEMA_VBD_LEAVE
#define CLOSE  SCHEMA_VBD_CLOSE
#define DISOWN SCHEMA_VBD_DISOWN
#define END    SCHEMA_VBD_END

/* clang-format off */
static const struct schema_vbd_step steps[SCHEMA_VBD_NR_STATES][SCHEMA_VBD_NR_EVENTS] = {
    /* prepares, ready, closes, closed, odd; no disk, broken; renewed, unwanted, offline, gone */
    [NEW] = {
        {WAITING, OFFER}, {WAITING, OFFER}, {WAITING, OFFER}, {WAITING, OFFER}, {WAITING, OFFER},
        {UNFIT, DISOWN}, {CLOSED, DISOWN},
        {WAITING, OFFER}, {ENDED, END}, {ENDED, END}, {ENDED, END},
    },
    [RESUMING] = {
        {WAITING, OFFER}, {SERVING, ATTACH}, {SERVING, ATTACH}, {CLOSED, CLOSE}, {CLOSED, DISOWN},
        {UNFIT, DISOWN}, {CLOSED, DISOWN},
        /* it may have requests under way: it is served until it has closed */
        {WAITING, OFFER}, {SERVING, ATTACH}, {ENDED, END}, {ENDED, END},
    },
    [WAITING] = {
        {WAITING, IDLE}, {SERVING, ATTACH}, {CLOSED, CLOSE}, {WAITING, IDLE}, {CLOSED, DISOWN},
        {UNFIT, DISOWN}, {CLOSED, DISOWN},
        {WAITING, OFFER}, {ENDED, END}, {ENDED, END}, {ENDED, END},
    },
    [SERVING] = {
        {WAITING, OFFER}, {SERVING, RESIZE}, {LEAVING, LEAVE}, {CLOSED, CLOSE}, {CLOSED, DISOWN},
        {UNFIT, DISOWN}, {CLOSED, DISOWN},
        {WAITING, OFFER}, {LEAVING, LEAVE}, {ENDED, END}, {ENDED, END},
    },
    [LEAVING] = {
        {WAITING, OFFER}, {LEAVING, IDLE}, {LEAVING, IDLE}, {CLOSED, CLOSE}, {CLOSED, DISOWN},
        {UNFIT, DISOWN}, {CLOSED, DISOWN},
        {WAITING, OFFER}, {LEAVING, IDLE}, {ENDED, END}, {ENDED, END},
    },
    [CLOSED] = {
        {WAITING, OFFER}, {CLOSED, IDLE}, {CLOSED, IDLE}, {CLOSED, IDLE}, {CLOSED, IDLE},
        {UNFIT, DISOWN}, {CLOSED, DISOWN},
        {WAITING, OFFER}, {ENDED, END}, {ENDED, END}, {ENDED, END},
    },
    [UNFIT] = {
        {UNFIT, IDLE}, {UNFIT, IDLE}, {UNFIT, IDLE}, {UNFIT, IDLE}, {UNFIT, IDLE},
        {0}, {0},
        {WAITING, OFFER}, {ENDED, END}, {ENDED, END}, {ENDED, END},
    },
    [ENDED] = {
        {ENDED, IDLE}, {ENDED, IDLE}, {ENDED, IDLE}, {ENDED, IDLE}, {ENDED, IDLE},
        {0}, {0},
        {WAITING, OFFER}, {ENDED, IDLE}, {ENDED, IDLE}, {ENDED, IDLE},
    },
};
/* clang-format on */

struct schema_vbd_step schema_vbd_step(enum schema_vbd_state state, enum schema_vbd_event event)
{
    return steps[state][event];
}

enum schema_vbd_event schema_vbd_event_of(uint32_t value)
{
    switch (schema_back_event_of(value)) {
    case SCHEMA_FRONT_PREPARES:
        return SCHEMA_VBD_FRONT_PREPARES;
    case SCHEMA_FRONT_READY:
        return SCHEMA_VBD_FRONT_READY;
    case SCHEMA_FRONT_CLOSES:
        return SCHEMA_VBD_FRONT_CLOSES;
    case SCHEMA_FRONT_CLOSED:
        return SCHEMA_VBD_FRONT_CLOSED;
    default:
        return SCHEMA_VBD_FRONT_ODD;
    }
}

enum schema_vbd_state schema_vbd_begin(uint32_t value)
{
    switch (value) {
    case XENBUS_CONNECTED:
    case XENBUS_CLOSING: /* the toolstack may have written it, or we: the frontend's node decides */
        return SCHEMA_VBD_RESUMING;
    case XENBUS_CLOSED:
        return SCHEMA_VBD_CLOSED;
    default:
        return SCHEMA_VBD_NEW;
    }
}

const char *schema_vbd_state_name(enum schema_vbd_state state)
{
    static const char *const names[SCHEMA_VBD_NR_STATES] = {
        [SCHEMA_VBD_REFUSED] = "refused",   [SCHEMA_VBD_NEW] = "new",
        [SCHEMA_VBD_RESUMING] = "resuming", [SCHEMA_VBD_WAITING] = "waiting",
        [SCHEMA_VBD_SERVING] = "serving",   [SCHEMA_VBD_LEAVING] = "leaving",
        [SCHEMA_VBD_CLOSED] = "closed",     [SCHEMA_VBD_UNFIT] = "unfit",
        [SCHEMA_VBD_ENDED] = "ended",
    };

    return state < SCHEMA_VBD_NR_STATES ? names[state] : "unknown";
}

const char *schema_vbd_event_name(enum schema_vbd_event event)
{
    static const char *const names[SCHEMA_VBD_NR_EVENTS] = {
        [SCHEMA_VBD_FRONT_PREPARES] = "front prepares",
        [SCHEMA_VBD_FRONT_READY] = "front ready",
        [SCHEMA_VBD_FRONT_CLOSES] = "front closes",
        [SCHEMA_VBD_FRONT_CLOSED] = "front closed",
        [SCHEMA_VBD_FRONT_ODD] = "front state odd",
        [SCHEMA_VBD_NO_DISK] = "no disk",

        [SCHEMA_VBD_BROKEN] = "broken",
        [SCHEMA_VBD_RENEWED] = "nodes renewed",
        [SCHEMA_VBD_UNWANTED] = "unwanted",
        [SCHEMA_VBD_OFFLINE] = "offline",
        [SCHEMA_VBD_GONE] = "nodes gone",
    };

    return event < SCHEMA_VBD_NR_EVENTS ? names[event] : "unknown";
}
