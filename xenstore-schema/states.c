/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore-schema/states.h"

/* Short names keep a row on a line; they live in this file only. */
#define NEW      SCHEMA_BACK_NEW
#define RESUMING SCHEMA_BACK_RESUMING
#define WAITING  SCHEMA_BACK_WAITING
#define SERVING  SCHEMA_BACK_SERVING
#define CLOSED   SCHEMA_BACK_CLOSED
#define ENDED    SCHEMA_BACK_ENDED

/* clang-format off */
static const struct schema_back_step back_steps[SCHEMA_BACK_NR_STATES][SCHEMA_BACK_NR_EVENTS] = {
    [NEW] = {
        /* the features come first, whatever the frontend's node says; then it is looked at again */
        [SCHEMA_FRONT_PREPARES] = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_FRONT_READY]    = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_FRONT_CLOSES]   = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_FRONT_CLOSED]   = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_FRONT_ODD]      = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_PEER_BROKEN]    = {CLOSED,  SCHEMA_BACK_DISOWN},
        [SCHEMA_NODES_RENEWED]  = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_NODES_OFFLINE]  = {ENDED,   SCHEMA_BACK_END},
        [SCHEMA_NODES_GONE]     = {ENDED,   SCHEMA_BACK_END},
    },
    [RESUMING] = {
        [SCHEMA_FRONT_PREPARES] = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_FRONT_READY]    = {SERVING, SCHEMA_BACK_ATTACH},
        [SCHEMA_FRONT_CLOSES]   = {CLOSED,  SCHEMA_BACK_CLOSE},
        [SCHEMA_FRONT_CLOSED]   = {CLOSED,  SCHEMA_BACK_CLOSE},
        [SCHEMA_FRONT_ODD]      = {CLOSED,  SCHEMA_BACK_DISOWN},
        [SCHEMA_PEER_BROKEN]    = {CLOSED,  SCHEMA_BACK_DISOWN},
        [SCHEMA_NODES_RENEWED]  = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_NODES_OFFLINE]  = {ENDED,   SCHEMA_BACK_END},
        [SCHEMA_NODES_GONE]     = {ENDED,   SCHEMA_BACK_END},
    },
    [WAITING] = {
        [SCHEMA_FRONT_PREPARES] = {WAITING, SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_READY]    = {SERVING, SCHEMA_BACK_ATTACH},
        [SCHEMA_FRONT_CLOSES]   = {CLOSED,  SCHEMA_BACK_CLOSE},
        [SCHEMA_FRONT_CLOSED]   = {WAITING, SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_ODD]      = {CLOSED,  SCHEMA_BACK_DISOWN},
        [SCHEMA_PEER_BROKEN]    = {CLOSED,  SCHEMA_BACK_DISOWN},
        [SCHEMA_NODES_RENEWED]  = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_NODES_OFFLINE]  = {ENDED,   SCHEMA_BACK_END},
        [SCHEMA_NODES_GONE]     = {ENDED,   SCHEMA_BACK_END},
    },
    [SERVING] = {
        /* another process of the guest begins, and we have not seen the old one end */
        [SCHEMA_FRONT_PREPARES] = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_FRONT_READY]    = {SERVING, SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_CLOSES]   = {CLOSED,  SCHEMA_BACK_CLOSE},
        [SCHEMA_FRONT_CLOSED]   = {CLOSED,  SCHEMA_BACK_CLOSE},
        [SCHEMA_FRONT_ODD]      = {CLOSED,  SCHEMA_BACK_DISOWN},
        [SCHEMA_PEER_BROKEN]    = {CLOSED,  SCHEMA_BACK_DISOWN},
        [SCHEMA_PEER_LEFT]      = {CLOSED,  SCHEMA_BACK_CLOSE},
        [SCHEMA_NODES_RENEWED]  = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_NODES_OFFLINE]  = {ENDED,   SCHEMA_BACK_END},
        [SCHEMA_NODES_GONE]     = {ENDED,   SCHEMA_BACK_END},
    },
    [CLOSED] = {
        [SCHEMA_FRONT_PREPARES] = {WAITING, SCHEMA_BACK_OFFER},
        /* old news: what it was ready for is over, and it has not begun anew */
        [SCHEMA_FRONT_READY]    = {CLOSED,  SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_CLOSES]   = {CLOSED,  SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_CLOSED]   = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_FRONT_ODD]      = {CLOSED,  SCHEMA_BACK_NOTHING},
        [SCHEMA_NODES_RENEWED]  = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_NODES_OFFLINE]  = {ENDED,   SCHEMA_BACK_END},
        [SCHEMA_NODES_GONE]     = {ENDED,   SCHEMA_BACK_END},
    },
    [ENDED] = {
        [SCHEMA_FRONT_PREPARES] = {ENDED,   SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_READY]    = {ENDED,   SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_CLOSES]   = {ENDED,   SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_CLOSED]   = {ENDED,   SCHEMA_BACK_NOTHING},
        [SCHEMA_FRONT_ODD]      = {ENDED,   SCHEMA_BACK_NOTHING},
        [SCHEMA_NODES_RENEWED]  = {WAITING, SCHEMA_BACK_OFFER},
        [SCHEMA_NODES_OFFLINE]  = {ENDED,   SCHEMA_BACK_NOTHING},
        [SCHEMA_NODES_GONE]     = {ENDED,   SCHEMA_BACK_NOTHING},
    },
};
/* clang-format on */

struct schema_back_step schema_back_step(enum schema_back_state state, enum schema_back_event event)
{
    return back_steps[state][event];
}

enum schema_back_event schema_back_event_of(uint32_t value)
{
    switch (value) {
    case XENBUS_UNKNOWN:
    case XENBUS_INITIALISING:
    case XENBUS_INIT_WAIT:
        return SCHEMA_FRONT_PREPARES;
    case XENBUS_INITIALISED:
    case XENBUS_CONNECTED:
        return SCHEMA_FRONT_READY;
    case XENBUS_CLOSING:
        return SCHEMA_FRONT_CLOSES;
    case XENBUS_CLOSED:
        return SCHEMA_FRONT_CLOSED;
    default:
        return SCHEMA_FRONT_ODD;
    }
}

enum schema_back_state schema_back_begin(uint32_t value)
{
    switch (value) {
    case XENBUS_CONNECTED:
        return SCHEMA_BACK_RESUMING;
    case XENBUS_CLOSING:
    case XENBUS_CLOSED:
        return SCHEMA_BACK_CLOSED;
    default:
        return SCHEMA_BACK_NEW;
    }
}

const char *schema_back_state_name(enum schema_back_state state)
{
    static const char *const names[SCHEMA_BACK_NR_STATES] = {
        [SCHEMA_BACK_REFUSED] = "refused",   [SCHEMA_BACK_NEW] = "new",
        [SCHEMA_BACK_RESUMING] = "resuming", [SCHEMA_BACK_WAITING] = "waiting",
        [SCHEMA_BACK_SERVING] = "serving",   [SCHEMA_BACK_CLOSED] = "closed",
        [SCHEMA_BACK_ENDED] = "ended",
    };

    return state < SCHEMA_BACK_NR_STATES ? names[state] : "unknown";
}

const char *schema_back_event_name(enum schema_back_event event)
{
    static const char *const names[SCHEMA_BACK_NR_EVENTS] = {
        [SCHEMA_FRONT_PREPARES] = "front prepares", [SCHEMA_FRONT_READY] = "front ready",
        [SCHEMA_FRONT_CLOSES] = "front closes",     [SCHEMA_FRONT_CLOSED] = "front closed",
        [SCHEMA_FRONT_ODD] = "front state odd",     [SCHEMA_PEER_BROKEN] = "peer broken",
        [SCHEMA_PEER_LEFT] = "peer left",           [SCHEMA_NODES_RENEWED] = "nodes renewed",
        [SCHEMA_NODES_OFFLINE] = "offline",         [SCHEMA_NODES_GONE] = "nodes gone",
    };

    return event < SCHEMA_BACK_NR_EVENTS ? names[event] : "unknown";
}

/* ---- the frontend's end ---- */

#define IDLE     SCHEMA_FRONT_IDLE
#define STARTING SCHEMA_FRONT_STARTING
#define SHARED   SCHEMA_FRONT_SHARED
#define ATTACHED SCHEMA_FRONT_ATTACHED
#define CLOSING  SCHEMA_FRONT_CLOSING
#define DISOWNED SCHEMA_FRONT_DISOWNED
#define ORPHANED SCHEMA_FRONT_ORPHANED

/* clang-format off */
static const struct schema_front_step front_steps[SCHEMA_FRONT_NR_STATES][SCHEMA_FRONT_NR_EVENTS] = {
    [IDLE] = {
        [SCHEMA_USER_OPENS]     = {STARTING, SCHEMA_FRONT_ANNOUNCE},
        [SCHEMA_USER_CLOSES]    = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_PREPARES]  = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_WAITS]     = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_SERVES]    = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_CLOSES]    = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_IS_CLOSED] = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_RESTARTED] = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_GONE]      = {ORPHANED, SCHEMA_FRONT_NOTHING},
    },
    [STARTING] = {
        [SCHEMA_USER_CLOSES]    = {IDLE,     SCHEMA_FRONT_RETRACT},
        /* until the backend has seen that we begin anew, its node speaks of the session before */
        [SCHEMA_BACK_PREPARES]  = {STARTING, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_WAITS]     = {SHARED,   SCHEMA_FRONT_SHARE},
        [SCHEMA_BACK_SERVES]    = {STARTING, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_CLOSES]    = {STARTING, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_IS_CLOSED] = {STARTING, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_RESTARTED] = {STARTING, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_GONE]      = {ORPHANED, SCHEMA_FRONT_DISCARD},
    },
    [SHARED] = {
        [SCHEMA_USER_CLOSES]    = {CLOSING,  SCHEMA_FRONT_LEAVE},
        /* the toolstack has written the nodes anew: ours are gone */
        [SCHEMA_BACK_PREPARES]  = {ORPHANED, SCHEMA_FRONT_DISCARD},
        [SCHEMA_BACK_WAITS]     = {SHARED,   SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_SERVES]    = {ATTACHED, SCHEMA_FRONT_ATTACH},
        [SCHEMA_BACK_CLOSES]    = {SHARED,   SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_IS_CLOSED] = {DISOWNED, SCHEMA_FRONT_RETRACT},
        [SCHEMA_BACK_RESTARTED] = {SHARED,   SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_GONE]      = {ORPHANED, SCHEMA_FRONT_DISCARD},
    },
    [ATTACHED] = {
        [SCHEMA_USER_CLOSES]    = {CLOSING,  SCHEMA_FRONT_LEAVE},
        [SCHEMA_BACK_PREPARES]  = {ORPHANED, SCHEMA_FRONT_DISCARD},
        /* a manager that knows nothing of us: it has mapped nothing, and there is no `error` */
        [SCHEMA_BACK_WAITS]     = {DISOWNED, SCHEMA_FRONT_RETRACT},
        [SCHEMA_BACK_SERVES]    = {ATTACHED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_CLOSES]    = {ATTACHED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_IS_CLOSED] = {DISOWNED, SCHEMA_FRONT_RETRACT},
        [SCHEMA_BACK_RESTARTED] = {ATTACHED, SCHEMA_FRONT_LOOK},
        [SCHEMA_BACK_GONE]      = {ORPHANED, SCHEMA_FRONT_DISCARD},
    },
    [CLOSING] = {
        [SCHEMA_USER_CLOSES]    = {CLOSING,  SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_PREPARES]  = {ORPHANED, SCHEMA_FRONT_DISCARD},
        [SCHEMA_BACK_WAITS]     = {CLOSING,  SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_SERVES]    = {CLOSING,  SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_CLOSES]    = {CLOSING,  SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_IS_CLOSED] = {IDLE,     SCHEMA_FRONT_RETRACT},
        [SCHEMA_BACK_RESTARTED] = {CLOSING,  SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_GONE]      = {ORPHANED, SCHEMA_FRONT_DISCARD},
    },
    [DISOWNED] = {
        [SCHEMA_USER_OPENS]     = {STARTING, SCHEMA_FRONT_ANNOUNCE},
        [SCHEMA_USER_CLOSES]    = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_PREPARES]  = {DISOWNED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_WAITS]     = {DISOWNED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_SERVES]    = {DISOWNED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_CLOSES]    = {DISOWNED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_IS_CLOSED] = {DISOWNED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_RESTARTED] = {DISOWNED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_GONE]      = {ORPHANED, SCHEMA_FRONT_NOTHING},
    },
    [ORPHANED] = {
        /* the toolstack may have attached us again */
        [SCHEMA_USER_OPENS]     = {STARTING, SCHEMA_FRONT_ANNOUNCE},
        [SCHEMA_USER_CLOSES]    = {IDLE,     SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_PREPARES]  = {ORPHANED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_WAITS]     = {ORPHANED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_SERVES]    = {ORPHANED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_CLOSES]    = {ORPHANED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_IS_CLOSED] = {ORPHANED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_RESTARTED] = {ORPHANED, SCHEMA_FRONT_NOTHING},
        [SCHEMA_BACK_GONE]      = {ORPHANED, SCHEMA_FRONT_NOTHING},
    },
};
/* clang-format on */

struct schema_front_step schema_front_step(enum schema_front_state state,
                                           enum schema_front_event event)
{
    return front_steps[state][event];
}

enum schema_front_event schema_front_event_of(uint32_t value)
{
    switch (value) {
    case XENBUS_UNKNOWN:
        return SCHEMA_BACK_GONE;
    case XENBUS_INIT_WAIT:
        return SCHEMA_BACK_WAITS;
    case XENBUS_CONNECTED:
        return SCHEMA_BACK_SERVES;
    case XENBUS_CLOSING:
        return SCHEMA_BACK_CLOSES;
    case XENBUS_CLOSED:
        return SCHEMA_BACK_IS_CLOSED;
    default:
        return SCHEMA_BACK_PREPARES;
    }
}
