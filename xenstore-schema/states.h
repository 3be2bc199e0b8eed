/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * states.h - the XenbusState machines of both ends, as tables.
 *
 * Something happens (an event), the table says in which state the end is
 * afterwards and what it has to do (an action). A cell that says nothing is a
 * refusal: whoever made the event is wrong. The flow of both ends side by side:
 * SCHEMA.md. Pure.
 */
#ifndef XTM_SCHEMA_STATES_H
#define XTM_SCHEMA_STATES_H

#include <stdint.h>

/* Values of the nodes `state` (xen/io/xenbus.h). */
enum schema_xenbus {
    XENBUS_UNKNOWN = 0, /* also: the node is absent */
    XENBUS_INITIALISING = 1,
    XENBUS_INIT_WAIT = 2,
    XENBUS_INITIALISED = 3,
    XENBUS_CONNECTED = 4,
    XENBUS_CLOSING = 5,
    XENBUS_CLOSED = 6,
    XENBUS_RECONFIGURING = 7,
    XENBUS_RECONFIGURED = 8,
};
/* As the value of a node that is not a number from 0 to 8. */
#define XENBUS_GARBAGE 9u

/* ---- the backend's end of one attachment ---- */

enum schema_back_state {
    SCHEMA_BACK_REFUSED = 0,
    SCHEMA_BACK_NEW,      /* nodes were found, nothing is published */
    SCHEMA_BACK_RESUMING, /* an earlier daemon served it: nodes say Connected, nothing is mapped */
    SCHEMA_BACK_WAITING,  /* InitWait: features are published */
    SCHEMA_BACK_SERVING,  /* Connected */
    SCHEMA_BACK_CLOSED,   /* Closed, until the frontend begins anew */
    SCHEMA_BACK_ENDED,    /* detached or gone */
    SCHEMA_BACK_NR_STATES,
};

enum schema_back_event {
    SCHEMA_FRONT_PREPARES, /* frontend state: none, Initialising, InitWait */
    SCHEMA_FRONT_READY,    /* Initialised, Connected */
    SCHEMA_FRONT_CLOSES,   /* Closing */
    SCHEMA_FRONT_CLOSED,   /* Closed */
    SCHEMA_FRONT_ODD,      /* what has no meaning here */
    SCHEMA_PEER_BROKEN,    /* an attach failed, or the peer broke the protocol */
    SCHEMA_PEER_LEFT,      /* front_alive says that its process is gone, or has left */
    SCHEMA_NODES_RENEWED,  /* the toolstack has written all nodes anew */
    SCHEMA_NODES_OFFLINE,  /* the toolstack detaches it */
    SCHEMA_NODES_GONE,     /* nodes have vanished; the guest is gone */
    SCHEMA_BACK_NR_EVENTS,
};

enum schema_back_action {
    SCHEMA_BACK_NOTHING = 0,
    SCHEMA_BACK_OFFER,  /* end the session if there is one; publish features, then InitWait */
    SCHEMA_BACK_ATTACH, /* read nodes, map, bind, serve, then publish Connected */
    SCHEMA_BACK_CLOSE,  /* end the session: unmap and unbind, then Closing, then Closed */
    SCHEMA_BACK_DISOWN, /* the same, and the node `error` says why */
    SCHEMA_BACK_END,    /* the same, and the pools go: the attachment is no more */
};

struct schema_back_step {
    enum schema_back_state next; /* SCHEMA_BACK_REFUSED: no such step */
    enum schema_back_action action;
};

struct schema_back_step schema_back_step(enum schema_back_state state,
                                         enum schema_back_event event);

/* What the frontend's node `state` means; @value as read, XENBUS_GARBAGE for anything else. */
enum schema_back_event schema_back_event_of(uint32_t value);
/* Where a daemon that starts takes up an attachment whose own node says @value. */
enum schema_back_state schema_back_begin(uint32_t value);

/* Names for the log. Never NULL. */
const char *schema_back_state_name(enum schema_back_state state);
const char *schema_back_event_name(enum schema_back_event event);

/* ---- the frontend's end ---- */

enum schema_front_state {
    SCHEMA_FRONT_REFUSED = 0,
    SCHEMA_FRONT_IDLE,     /* nothing is shared */
    SCHEMA_FRONT_STARTING, /* Initialising: waits for the backend's features */
    SCHEMA_FRONT_SHARED,   /* Initialised: everything is granted */
    SCHEMA_FRONT_ATTACHED, /* Connected */
    SCHEMA_FRONT_CLOSING,  /* Closing: waits until the backend has unmapped */
    SCHEMA_FRONT_DISOWNED, /* the backend has closed; its reason is in `error` */
    SCHEMA_FRONT_ORPHANED, /* the attachment is no more */
    SCHEMA_FRONT_NR_STATES,
};

enum schema_front_event {
    SCHEMA_USER_OPENS,
    SCHEMA_USER_CLOSES,
    SCHEMA_BACK_PREPARES,  /* backend state: Initialising or anything without a meaning here */
    SCHEMA_BACK_WAITS,     /* InitWait */
    SCHEMA_BACK_SERVES,    /* Connected */
    SCHEMA_BACK_CLOSES,    /* Closing */
    SCHEMA_BACK_IS_CLOSED, /* Closed */
    SCHEMA_BACK_RESTARTED, /* the node `epoch` has changed */
    SCHEMA_BACK_GONE,      /* no backend node */
    SCHEMA_FRONT_NR_EVENTS,
};

enum schema_front_action {
    SCHEMA_FRONT_NOTHING = 0,
    SCHEMA_FRONT_ANNOUNCE, /* write Initialising */
    SCHEMA_FRONT_SHARE,    /* make rings, grant all, write nodes, then Initialised */
    SCHEMA_FRONT_ATTACH,   /* write Connected */
    SCHEMA_FRONT_LEAVE,    /* say good-bye in front_alive, write Closing */
    SCHEMA_FRONT_RETRACT,  /* free what is shared, write Closed */
    SCHEMA_FRONT_DISCARD,  /* free what is shared; nobody reads our nodes any more */
    SCHEMA_FRONT_LOOK,     /* notify all rings, look at all of them */
};

struct schema_front_step {
    enum schema_front_state next; /* SCHEMA_FRONT_REFUSED: no such step */
    enum schema_front_action action;
};

struct schema_front_step schema_front_step(enum schema_front_state state,
                                           enum schema_front_event event);

/* What the backend's node `state` means. */
enum schema_front_event schema_front_event_of(uint32_t value);

#endif /* XTM_SCHEMA_STATES_H */
