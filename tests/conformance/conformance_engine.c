/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules, in one process: guests are threads that call the engine. */
#include <stdio.h>

#include "tests/conformance/engine_harness.h"

int main(int argc, char **argv)
{
    struct harness h;
    int status;

    if (!engine_harness_open(&h, NULL)) {
        printf("not ok conformance_engine: no engine\n");
        return 1;
    }
    status = harness_run(&h, argc - 1, argv + 1);
    engine_harness_close(&h);
    return status;
}
