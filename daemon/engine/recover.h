/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover.h - from what the segments hold to an engine that serves it (rule C32). */
#ifndef XTM_ENGINE_RECOVER_H
#define XTM_ENGINE_RECOVER_H

#include "daemon/engine/state.h"

/* Fill a new engine from its store; nobody else uses either yet. False: no memory. */
bool engine_recover(struct engine *e);

#endif /* XTM_ENGINE_RECOVER_H */
