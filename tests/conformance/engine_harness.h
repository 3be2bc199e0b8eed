/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine_harness.h - guests that call an engine in this process; for the suite and its self-check.
 */
#ifndef CONFORMANCE_ENGINE_HARNESS_H
#define CONFORMANCE_ENGINE_HARNESS_H

#include "tests/conformance/harness.h"
#include "tests/conformance/port.h"

/* A harness over a new engine. @wrap, if not NULL, may put another port before each guest's. */
bool engine_harness_open(struct harness *h,
                         struct port *(*wrap)(struct port *port, unsigned guest));
void engine_harness_close(struct harness *h);

#endif /* CONFORMANCE_ENGINE_HARNESS_H */
