/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operator_grant.h - what an operator may grant, as people write it: quota=64M weight=512. */
#ifndef XENTMEM_TOOL_OPERATOR_GRANT_H
#define XENTMEM_TOOL_OPERATOR_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/tool/text.h"

#define GRANT_UNLIMITED  TEXT_UNLIMITED
#define GRANT_MAX_PAGES  UINT64_C(4294967294) /* what a node of xenstore can say (nodes.def) */
#define GRANT_MAX_WEIGHT 65536u

/* Pages of 4096 bytes; any of them may be GRANT_UNLIMITED. */
struct grant {
    uint64_t quota_pages, min_pages, max_pages;
    uint32_t weight;
    unsigned fields; /* which of them were given: TMEMCTL_SET_* of protocol/control.h */
};

/* Nothing given, everything at its default. */
extern const struct grant GRANT_DEFAULT;

/*
 * "64M", "64MiB", "1G", "512K", "2T", "100p" (pages), "0", "unlimited". Whole pages only.
 * False: *why_out is a static sentence.
 */
bool grant_parse_size(const char *text, uint64_t *pages_out, const char **why_out);

/*
 * One of @name "quota", "min", "max", "weight" takes @value. False: *why_out is
 * a static sentence, and nothing has changed.
 */
bool grant_set(struct grant *grant, const char *name, const char *value, const char **why_out);

/* The same for "name=value". */
bool grant_assign(struct grant *grant, const char *assignment, const char **why_out);

/* Take over the fields that @from has. */
void grant_merge(struct grant *to, const struct grant *from);

/* Can it be kept? False: @why_out is a sentence with the sizes, for min is above max. */
#define GRANT_WHY_LEN 128u
bool grant_is_sound(const struct grant *grant, char why_out[GRANT_WHY_LEN]);

/* As a node of xenstore has it: a number, 4294967295 for GRANT_UNLIMITED. */
uint32_t grant_node_pages(uint64_t pages);

#endif /* XENTMEM_TOOL_OPERATOR_GRANT_H */
