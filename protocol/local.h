/* SPDX-License-Identifier: MIT */
/*
 * local.h - how a plain process attaches: the handshake of the local transport.
 *
 * Over a SOCK_SEQPACKET Unix socket the client sends one struct
 * tmemif_local_hello with, as SCM_RIGHTS, one memfd. The manager answers with
 * one struct tmemif_local_welcome and, if it is OK, one descriptor a ring. From
 * then on the socket carries nothing: its end-of-file, seen by either side, is
 * "the peer is gone".
 *
 *   hello's descriptor      memfd: ring 0 | ring 1 | ... | data area  (all in whole pages)
 *   welcome's descriptors   channel of ring 0, channel of ring 1, ...
 *
 * A channel is one of a pair of connected SOCK_SEQPACKET sockets; the manager keeps the other. A
 * message of one byte, whatever its value, is a notification, either way. A send that would have to
 * wait (MSG_DONTWAIT) is no error: what is full has notified already. To the manager the byte may
 * say on which processor the client looks for answers: tmemif_local_bell(). A channel that is
 * closed, or that a descriptor is sent over, ends the session.
 *
 * The memfd must be sealed with F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL before it is sent, or the
 * client could take pages away under the manager (SIGBUS), or leave it more of them to free than
 * were agreed; it is of exactly the size that the hello says, and not of huge pages.
 *
 * A client that leaves of its own will stores TMEMIF_FRONT_LEFT in front_alive
 * of ring 0 before it closes the socket; end-of-file without that is the loss of a member (rule
 * C25). After the manager was restarted the client sends the same memfd again,
 * untouched: back_epoch, not zero, tells that its rings were in use, and they
 * are taken up where they stood.
 */
#ifndef TMEMIF_LOCAL_H
#define TMEMIF_LOCAL_H

#include "tmemif.h"

#define TMEMIF_LOCAL_MAGIC     0x746d656du /* "tmem" */
#define TMEMIF_LOCAL_MAX_RINGS 16u
/* A fence time, if any, as the nodes fence-ms-min and fence-ms have it for guests: PROTOCOL.md. */
#define TMEMIF_LOCAL_MIN_FENCE_MS 1000u
#define TMEMIF_LOCAL_MAX_FENCE_MS 600000u
/*
 * Device number of root for operator's messages alone: no pools, and as many
 * such attachments at once as root likes.
 */
#define TMEMIF_LOCAL_OPERATOR   0xffffffffu
#define TMEMIF_LOCAL_REASON_LEN 96u

/*
 * The byte that notifies: the processor that it was sent on plus one, or 0 for none that fits.
 * It may be wrong, and nothing but speed depends on it: two that look for each other's
 * answers need a processor each.
 */
static inline uint8_t tmemif_local_bell(int processor)
{
    return processor >= 0 && processor < 255 ? (uint8_t)(processor + 1) : 0;
}

/* What it says; -1: nothing. */
static inline int tmemif_local_processor(uint8_t bell)
{
    return (int)bell - 1;
}

struct tmemif_local_hello {
    uint32_t magic;
    uint32_t version; /* enum tmemif_version */
    uint32_t device;  /* attachment number of this user; pools belong to (uid, device) */
    uint32_t nr_rings;
    uint32_t ring_page_order;
    uint32_t nr_data_pages;
    uint32_t fence_ms; /* as the frontend node fence-ms; 0: no heartbeat, end-of-file only */
    uint32_t reserved[9];
};

struct tmemif_local_welcome {
    uint32_t magic;
    uint32_t version;
    uint16_t status; /* enum tmemif_status; not OK: refused, the socket is closed next */
    uint16_t reserved0;
    uint32_t epoch;                       /* incarnation of the manager */
    char reason[TMEMIF_LOCAL_REASON_LEN]; /* refused: why, NUL-terminated ASCII */
    uint32_t reserved[4];
};

TMEMIF_ASSERT(sizeof(struct tmemif_local_hello) == 64);
TMEMIF_ASSERT(sizeof(struct tmemif_local_welcome) == 128);

#endif /* TMEMIF_LOCAL_H */
