/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * wait.c: how many threads may wait. Told as a story for each number of
 * threads: P and V ask to wait for a place and for a verdict, a digit is the
 * guess, and with a + his who has not failed; a capital must be let, a small
 * letter not. p and v in brackets end one wait.
 */
#include "guard_wait.h"
#include "tap.h"

#include <ctype.h>
#include <stdio.h>

static const struct {
    const char *rule;
    int threads;
    const char *story;
} ROW[] = {
    {"places: a quarter", 16, "P1 P2 P3 P4 p5"},
    {"places: a quarter, for one guess too", 8, "P1 P1 p1"},
    {"one always may", 1, "P1 p2 V1 V1"},
    {"an end makes room", 4, "P1 p2 (p) P2"},
    {"one verdict: all", 4, "V7 V7 V7 V7 V7 V7"},
    {"several verdicts: half", 4, "V7 V8 v9 v7"},
    {"whoever comes to many of one", 4, "V7 V7 V7 v8 V7"},
    {"several verdicts, but who has not failed: all", 4, "V7 V8 v9 V9+ V7+ v7"},
    {"who has not failed waits for a place as others do", 4, "P1+ p2+"},
    {"mixed till the last has gone", 4, "V7 V8 (v) V7 v7 (v) (v) V7 V7 V7"},
    {"places and verdicts apart", 8, "P1 P2 p3 V1 V2 V3 V4 v5"},
};

/* @return NULL, or where the story went another way */
static const char *tell(const char *at)
{
    int held[GUARD_WAIT_KINDS] = {0};
    const char *wrong = NULL;

    for (; *at && !wrong; at++) {
        guard_wait_e what = tolower(at[at[0] == '(']) == 'v'
                                ? GUARD_WAIT_FOR_VERDICT
                                : GUARD_WAIT_FOR_PLACE;
        int may_wait;

        if (*at == '(') {
            guard_wait_end(what);
            held[what]--;
            at += 2;
        } else if (isalpha((unsigned char)*at)) {
            may_wait = guard_wait_begin(what, (uint32_t)at[1], at[2] == '+');
            held[what] += may_wait;
            wrong = may_wait == !!isupper((unsigned char)*at) ? NULL : at;
            at++;
        }
    }
    for (guard_wait_e what = 0; what < GUARD_WAIT_KINDS; what++) {
        while (held[what]-- > 0) {
            guard_wait_end(what);
        }
    }
    return wrong;
}

int main(void)
{
    for (unsigned i = 0; i < sizeof(ROW) / sizeof(ROW[0]); i++) {
        const char *wrong;

        guard_wait_init(ROW[i].threads);
        wrong = tell(ROW[i].story);
        if (!ok(!wrong, "%s, %d threads", ROW[i].rule, ROW[i].threads)) {
            printf("# story: %s\n# other: %s\n", ROW[i].story, wrong);
        }
    }
    return tap_done();
}
