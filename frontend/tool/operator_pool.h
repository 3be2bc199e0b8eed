/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator_pool.h - policy of a shared pool: one entry of the policy file for all managers, and
 * nodes at each manager that has the pool or a guest that may join it.
 */
#ifndef XENTMEM_TOOL_OPERATOR_POOL_H
#define XENTMEM_TOOL_OPERATOR_POOL_H

#include "frontend/tool/operator_command.h"

/*
 * The pool's entry with @grant changed, in the book and at those managers; also where no daemon
 * runs now, which is said. Returns an exit code,
 * with the reason on stderr.
 */
int pool_set(struct operator_place *place, const uint8_t uuid[16], const struct operator_options *o,
             const struct grant *grant);

#endif /* XENTMEM_TOOL_OPERATOR_POOL_H */
