/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runner.h - CUnit with its silences removed.
 *
 * A test program lists its tests once and gets main():
 *
 *     static void get_past_end_is_refused(void) { CU_ASSERT(...); }
 *     #define TESTS(T) T(get_past_end_is_refused) T(...)
 *     RUN_TESTS(TESTS)
 *
 * Each test prints `ok NAME` or `not ok NAME: file:line: condition`; the exit
 * status is 0 only if every test passed and asserted something. CUnit 2.1-3 itself returns
 * 0 after failed assertions, and lets an empty suite and a test without
 * assertions pass. Arguments, if any, are names of the tests to run.
 */
#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include <CUnit/CUnit.h>

struct named_test {
    const char *name;
    void (*run)(void);
};

int run_tests(const char *program, const struct named_test *tests, int argc, char **argv);

#define RUNNER_ENTRY(test) {#test, test},
#define RUN_TESTS(list)                                                                            \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct named_test tests[] = {list(RUNNER_ENTRY){0}};                          \
        return run_tests(__FILE__, tests, argc, argv);                                             \
    }

#endif /* TESTS_RUNNER_H */
