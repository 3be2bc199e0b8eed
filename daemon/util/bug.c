/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/bug.h"

#include <stdio.h>
#include <stdlib.h>

void bug(const char *invariant)
{
    fprintf(stderr, "bug: broken invariant: %s\n", invariant);
    abort();
}
