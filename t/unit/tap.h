/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * tap.h: the Test Anything Protocol for unit tests in C, read by prove.
 *
 * A test is a program that calls ok() or is() for each thing it shows and
 * returns tap_done() from main.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_run;
static int tap_failed;

/** Report one result. @return pass, so that a failure can add diagnostics. */
__attribute__((format(printf, 2, 3))) static inline int
ok(int pass, const char *name, ...)
{
    va_list args;

    tap_run++;
    tap_failed += !pass;
    printf("%sok %d - ", pass ? "" : "not ", tap_run);
    va_start(args, name);
    vprintf(name, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    return pass;
}

/** Compare two whole numbers and show both if they differ. */
static inline int is(long long got, long long expected, const char *name)
{
    int pass = ok(got == expected, "%s", name);

    if (!pass) {
        printf("#      got: %lld\n# expected: %lld\n", got, expected);
    }
    return pass;
}

/** Compare two strings; NULL equals NULL only. */
static inline int is_str(const char *got, const char *expected,
                         const char *name)
{
    int same = got && expected ? !strcmp(got, expected) : got == expected;
    int pass = ok(same, "%s", name);

    if (!pass) {
        printf("#      got: %s\n# expected: %s\n", got ? got : "NULL",
               expected ? expected : "NULL");
    }
    return pass;
}

/** Print the plan. @return the program's exit status. */
static inline int tap_done(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed ? 1 : 0;
}

#endif
