/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/runner.h"

#include <CUnit/TestRun.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc <= 1;
}

/* CUnit counts assertions over the whole run; a test's own are the difference. */
static unsigned nr_asserts_before;

static void before_test(const CU_pTest test, const CU_pSuite suite)
{
    (void)test;
    (void)suite;
    nr_asserts_before = CU_get_number_of_asserts();
    fflush(stdout);
}

static void after_test(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
    (void)suite;
    if (failure)
        printf("not ok %s: %s:%u: %s\n", test->pName, failure->strFileName, failure->uiLineNumber,
               failure->strCondition);
    else if (CU_get_number_of_asserts() == nr_asserts_before)
        printf("not ok %s: it asserts nothing\n", test->pName);
    else
        printf("ok %s\n", test->pName);
    fflush(stdout);
}

/* A test without assertions has failed; CUnit's summary does not know that, so count here. */
static bool all_passed(unsigned nr_run)
{
    return nr_run > 0 && CU_get_number_of_tests_run() == nr_run &&
           CU_get_number_of_tests_failed() == 0 && CU_get_number_of_suites_failed() == 0 &&
           CU_get_number_of_asserts() >= nr_run;
}

int run_tests(const char *program, const struct named_test *tests, int argc, char **argv)
{
    unsigned nr_wanted = 0;
    CU_pSuite suite;
    bool passed;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite(program, NULL, NULL);
    for (; suite && tests->name; tests++) {
        if (!is_wanted(tests->name, argc, argv))
            continue;
        if (!CU_add_test(suite, tests->name, tests->run)) {
            printf("not ok %s: %s\n", tests->name, CU_get_error_msg());
            CU_cleanup_registry();
            return 1;
        }
        nr_wanted++;
    }

    CU_set_test_start_handler(before_test);
    CU_set_test_complete_handler(after_test);
    CU_run_all_tests();
    if (nr_wanted == 0)
        printf("not ok %s: no test has that name\n", program);
    passed = all_passed(nr_wanted);
    CU_cleanup_registry();
    return passed ? 0 : 1;
}
