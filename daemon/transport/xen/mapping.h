/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapping.h - a guest's pages mapped and its channels bound, or a sentence that says why not.
 *
 * The sentence names the node (@what, at most MAPPING_WHAT_LEN), the limit or the rule that stood
 * in the way. errno is ENOMEM then if the manager lacks something, which it may have later, and
 * EINVAL if what the guest says is no good. Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_MAPPING_H
#define XTM_TRANSPORT_XEN_MAPPING_H

#include <stdint.h>

#include "daemon/transport/xen/platform.h"
#include "xenstore-schema/nodes.h"
#include "xenstore-schema/value.h"

#define MAPPING_WHAT_LEN 40u

/*
 * Why no page of the guest of @place is to be mapped, or NULL. One's own: in PVH Xen takes it from
 * its old place then; in dom0, which is PV, it does not.
 */
const char *mapping_forbidden(const struct schema_place *place);
struct platform_grants *mapping_open(struct platform *p, uint32_t domid,
                                     char why_out[SCHEMA_REASON_LEN]);
/* @nr pages side by side, readable and writable. */
void *mapping_map(struct platform *p, struct platform_grants *g, const char *what, uint32_t *refs,
                  uint32_t nr, char why_out[SCHEMA_REASON_LEN]);
struct platform_channel *mapping_bind(struct platform *p, uint32_t domid, const char *what,
                                      uint32_t port, char why_out[SCHEMA_REASON_LEN]);

/* Why a grant could not be copied from. */
void mapping_explain_ref(const char *what, int16_t status, char why_out[SCHEMA_REASON_LEN]);

#endif /* XTM_TRANSPORT_XEN_MAPPING_H */
