/* SPDX-License-Identifier: MIT */
/*
 * codec.h - from bytes that a guest could write to requests that can be used.
 *
 * The caller copies a slot out of shared memory first (ring_back_take, or a
 * bounded copy of a batch); what is checked here is that private copy. Pure:
 * no allocation, no I/O, no state.
 */
#ifndef TMEM_CODEC_H
#define TMEM_CODEC_H

#ifndef __KERNEL__
#include <stdbool.h>
#endif

#include "tmemif.h"

/* What was negotiated with the sender; bounds for its requests. */
struct tmem_limits {
    uint64_t data_bytes; /* size of its data area */
    bool grant_copy;     /* TMEMIF_DATA_GRANT was offered */
    bool privileged;     /* CONTROL is allowed */
};

/*
 * Check @untrusted, a private copy, whole: operation, flags, pool id range,
 * reserved fields, data references. OK: *@request_out is @untrusted and every
 * field of it lies in its documented range. Otherwise *@request_out is
 * unchanged, and the status is what the sender is to be told:
 *   BAD_OP         the operation is unknown
 *   NOT_ALLOWED    it needs a privileged session
 *   BAD_REQUEST    unknown flags, reserved fields set, a bad length or range
 *   NO_POOL        a pool id past TMEMIF_MAX_POOLS
 *   BAD_DATA       a reference outside the data area or a page
 *   NOT_SUPPORTED  a reference of a kind that was not offered
 */
enum tmemif_status tmem_request_decode(const struct tmemif_request *untrusted,
                                       const struct tmem_limits *limits,
                                       struct tmemif_request *request_out);

/* The same for an element of a BATCH, where only page and range requests may stand. */
enum tmemif_status tmem_batch_element_decode(const struct tmemif_request *untrusted,
                                             const struct tmem_limits *limits,
                                             struct tmemif_request *request_out);

/* "PAGE_PUT" for 32; "unknown" for what is no operation. Never NULL. */
const char *tmem_op_name(unsigned op);

/* "QUOTA" and its sentence; "unknown" for what is no status. Never NULL. */
const char *tmem_status_name(unsigned status);
const char *tmem_status_sentence(unsigned status);

#endif /* TMEM_CODEC_H */
