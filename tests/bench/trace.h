/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.h - a block trace: a header line that names the columns, among them `time`, `op` and
 * `block`, then a line for each access. An op that begins with w or W is a write, with
 * r or R a read. A block is the number of a 4096-byte page of a disk.
 */
#ifndef TESTS_BENCH_TRACE_H
#define TESTS_BENCH_TRACE_H

#include <stddef.h>

#include "tests/bench/policies/policy.h"

struct trace {
    struct access *accesses;
    size_t nr;
    uint32_t nr_blocks; /* different ones */
};

/* False: *why_out is a sentence, and *line_out the line or 0. */
bool trace_read(const char *path, struct trace *trace_out, const char **why_out, size_t *line_out);
void trace_free(struct trace *t);

#endif /* TESTS_BENCH_TRACE_H */
