/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd_states.h - the backend's end of one disk, as a table; states.h has the ends of an attachment.
 *
 * It differs where a stock frontend does: that one may have requests under way until it has said
 * Closed, whoever wants it to close, and begins anew with Initialising alone. Pure.
 */
#ifndef XTM_SCHEMA_VBD_STATES_H
#define XTM_SCHEMA_VBD_STATES_H

#include <stdint.h>

#include "xenstore-schema/states.h"

enum schema_vbd_state {
    SCHEMA_VBD_REFUSED = 0,
    SCHEMA_VBD_NEW,      /* nodes were found, nothing is published */
    SCHEMA_VBD_RESUMING, /* an earlier daemon served it; nothing is mapped */
    SCHEMA_VBD_WAITING,  /* InitWait: features are published */
    SCHEMA_VBD_SERVING,  /* Connected */
    SCHEMA_VBD_LEAVING,  /* Closing: served until the frontend has closed */
    SCHEMA_VBD_CLOSED,   /* Closed, until the frontend begins anew */
    SCHEMA_VBD_UNFIT, /* Closed, until the toolstack says something else: there is no such disk */
    SCHEMA_VBD_ENDED, /* detached or gone */
    SCHEMA_VBD_NR_STATES,
};

enum schema_vbd_event {
    SCHEMA_VBD_FRONT_PREPARES, /* frontend state: none, Initialising, InitWait */
    SCHEMA_VBD_FRONT_READY,    /* Initialised, Connected */
    SCHEMA_VBD_FRONT_CLOSES,   /* Closing */
    SCHEMA_VBD_FRONT_CLOSED,   /* Closed */
    SCHEMA_VBD_FRONT_ODD,      /* what has no meaning here */
    SCHEMA_VBD_NO_DISK,        /* the disk cannot be opened */
    SCHEMA_VBD_BROKEN,         /* an attach failed, or the frontend broke the protocol */
    SCHEMA_VBD_RENEWED,        /* the toolstack has written all nodes anew */
    SCHEMA_VBD_UNWANTED,       /* the toolstack detaches it; the frontend has not closed */
    SCHEMA_VBD_OFFLINE,        /* the same, and nobody uses it */
    SCHEMA_VBD_GONE,           /* nodes have vanished; the guest is gone */
    SCHEMA_VBD_NR_EVENTS,
};

enum schema_vbd_action {
    SCHEMA_VBD_NOTHING = 0,
    SCHEMA_VBD_OFFER,  /* end the session if there is one; open the disk, features, InitWait */
    SCHEMA_VBD_ATTACH, /* read nodes, map, bind, serve, then sizes and Connected */
    SCHEMA_VBD_RESIZE, /* sectors and Connected again, if the disk has become larger */
    SCHEMA_VBD_LEAVE,  /* publish Closing; serve on */
    SCHEMA_VBD_CLOSE,  /* end the session: unmap and unbind, then Closed */
    SCHEMA_VBD_DISOWN, /* the same, and the node `error` says why */
    SCHEMA_VBD_END,    /* the same, and the disk is let go, our nodes go */
};

struct schema_vbd_step {
    enum schema_vbd_state next; /* SCHEMA_VBD_REFUSED: no such step */
    enum schema_vbd_action action;
};

struct schema_vbd_step schema_vbd_step(enum schema_vbd_state state, enum schema_vbd_event event);

/* What the frontend's node `state` means; @value as read, XENBUS_GARBAGE for anything else. */
enum schema_vbd_event schema_vbd_event_of(uint32_t value);
/* Where a daemon that starts takes up a disk whose own node says @value. */
enum schema_vbd_state schema_vbd_begin(uint32_t value);

/* Names for the log. Never NULL. */
const char *schema_vbd_state_name(enum schema_vbd_state state);
const char *schema_vbd_event_name(enum schema_vbd_event event);

#endif /* XTM_SCHEMA_VBD_STATES_H */
