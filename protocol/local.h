/* SPDX-License-Identifier: MIT */
/*
 * local.h - how a plain process attaches: the handshake of the local transport.
 *
 * Over a SOCK_SEQPACKET Unix socket the client sends one struct
 * tmemif_local_hello with, as SCM_RIGHTS, a memfd and two eventfds a ring; the
 * manager answers with one struct tmemif_local_welcome. From then on the
 * socket carries nothing: its end-of-file, seen by either side, is "the peer
 * is gone".
 *
 *   descriptors   memfd | to_backend[0] to_frontend[0] | to_backend[1] ...
 *   memfd         ring 0 | ring 1 | ... | data area       (all in whole pages)
 *
 * The memfd must be sealed with F_SEAL_SHRINK | F_SEAL_SEAL before it is sent,
 * or the client could take pages away under the manager (SIGBUS).
 */
#ifndef TMEMIF_LOCAL_H
#define TMEMIF_LOCAL_H

#include "tmemif.h"

#define TMEMIF_LOCAL_MAGIC 0x746d656du /* "tmem" */
/* SCM_RIGHTS carries at most 253 descriptors; the local transport takes fewer rings. */
#define TMEMIF_LOCAL_MAX_RINGS 16u
#define TMEMIF_LOCAL_REASON_LEN 96u

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
    uint32_t epoch;  /* incarnation of the manager */
    char reason[TMEMIF_LOCAL_REASON_LEN]; /* refused: why, NUL-terminated ASCII */
    uint32_t reserved[4];
};

TMEMIF_ASSERT(sizeof(struct tmemif_local_hello) == 64);
TMEMIF_ASSERT(sizeof(struct tmemif_local_welcome) == 128);

#endif /* TMEMIF_LOCAL_H */
