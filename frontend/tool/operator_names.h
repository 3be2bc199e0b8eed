/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operator_names.h - the names of the domains that run, for what people read. */
#ifndef XENTMEM_TOOL_OPERATOR_NAMES_H
#define XENTMEM_TOOL_OPERATOR_NAMES_H

#include "frontend/tool/command.h"
#include "frontend/tool/operator_xen.h"
#include "protocol/control.h"

struct names {
    struct domain *domains;
    unsigned nr;
};

/* Those in xenstore, where the command looks there; to be freed. */
struct names names_read(const struct tool *tool);
void names_free(struct names *names);

#define WHO_LEN (XEN_NAME_LEN + 16)

/* "g1", or "dom7" if it has no name (any more). */
const char *name_of_domain(const struct names *names, uint32_t domid, char text_out[WHO_LEN]);
/* The same of a guest, or "uid:1000". */
const char *name_of(const struct names *names, const struct tmemctl_who *who,
                    char text_out[WHO_LEN]);

#endif /* XENTMEM_TOOL_OPERATOR_NAMES_H */
