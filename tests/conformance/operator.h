/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operator.h - the operator of a test: control messages over a privileged session. */
#ifndef CONFORMANCE_OPERATOR_H
#define CONFORMANCE_OPERATOR_H

#include "frontend/include/xentmem.h"
#include "protocol/control.h"
#include "tests/conformance/harness.h"

bool operator_set_guest(struct xentmem *t, const struct tmemctl_who *who,
                        const struct policy *policy);
bool operator_set_shared(struct xentmem *t, const uint8_t *uuid, const struct policy *policy);
bool operator_allow(struct xentmem *t, const uint8_t *uuid, const struct tmemctl_who *who,
                    enum pool_right right);
bool operator_freeze_guest(struct xentmem *t, const struct tmemctl_who *who, bool frozen);
bool operator_freeze_shared(struct xentmem *t, const uint8_t *uuid, bool frozen);
bool operator_remove(struct xentmem *t, const uint8_t *uuid);
/* NULL: the manager's counters agree with a full scan. Else a sentence, good until the next. */
const char *operator_check(struct xentmem *t);

#endif /* CONFORMANCE_OPERATOR_H */
