/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data.h - copies between a peer's memory and ours; the peer may write to its side meanwhile.
 *
 * References have passed the codec: they lie inside the data area, or inside a
 * page of a grant. Worker's code; no lock is held.
 */
#ifndef XTM_SESSION_DATA_H
#define XTM_SESSION_DATA_H

#include <stdbool.h>

#include "daemon/session/link.h"
#include "daemon/store/page_copy.h"
#include "protocol/tmemif.h"

/* from->length bytes to @local, each read once. False: the grant cannot be read. */
bool data_copy_in(struct link *link, const struct tmemif_data *from, void *local);
/*
 * A page to @frame, with all that a put must know of it where that costs no second look:
 * then *@known_out is set, else it is cleared. False: the grant cannot be read.
 */
bool data_take_page(struct link *link, const struct tmemif_data *from, void *frame, uint64_t seed,
                    struct page_facts *facts_out, bool *known_out);
/* to->length bytes from @local. False: the grant cannot be written. */
bool data_copy_out(struct link *link, const struct tmemif_data *to, const void *local);
/* to->length bytes, a page at most, of @word over and over. */
bool data_fill(struct link *link, const struct tmemif_data *to, uint32_t word);

/* Slot @n of a vector at @base of the data area, each word read exactly once (XSA-155). */
struct tmemif_request data_take_request(const struct link *link, const struct tmemif_data *base,
                                        uint32_t n);
void data_put_response(struct link *link, const struct tmemif_data *base, uint32_t n,
                       const struct tmemif_response *rsp);

#endif /* XTM_SESSION_DATA_H */
