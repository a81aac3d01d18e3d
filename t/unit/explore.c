/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * explore.c: the store's protocol on one record, every step in every order.
 *
 * Two or three processes ask, wait, are told, or are killed, and time passes
 * between any two steps, until all attempts of a plan are used up; every state
 * that this can lead to is looked at once. In each: no more wrong guesses were
 * looked at in a window than the limit and those forgiven; the record has no
 * fault; nobody's place was taken away; whoever asks for the last time is
 * answered; and if all processes died now, or gave up, all places would be
 * free again, nobody would be counted as waiting, and the right password would
 * be let in. EXPLORE=big asks for larger plans.
 */
#include "explore.h"

#define GUESSES(n) .wrong = (n), .right = 1
#define BUDGET(p, a, k, t)                                                     \
    .procs = (p), .attempts = (a), .kills = (k), .ticks = (t)

static const plan_t PLANS[] = {
    {.name = "one place", .limit = 1, GUESSES(2), BUDGET(3, 4, 1, 1)},
    {.name = "two places", .limit = 2, GUESSES(3), BUDGET(3, 4, 1, 1)},
    {.name = "three places", .limit = 3, GUESSES(4), BUDGET(3, 4, 1, 1)},
    {.name = "two places, other people's failures",
     .limit = 2,
     GUESSES(3),
     .strangers = 1,
     BUDGET(3, 4, 1, 0)},
    {.name = "two places, between the seconds",
     .limit = 2,
     .frac_usec = 500000,
     GUESSES(3),
     BUDGET(3, 4, 1, 1)},
    {.name = "one place, the password is changed",
     .limit = 1,
     GUESSES(1),
     .changes = 1,
     BUDGET(3, 4, 0, 0)},
    {.name = "two places, a proven password is changed",
     .limit = 2,
     GUESSES(2),
     .changes = 1,
     .proven = 1,
     BUDGET(2, 4, 0, 0)},
    {.name = "two right passwords forgive",
     .limit = 3,
     GUESSES(4),
     .changes = 1,
     BUDGET(1, 7, 0, 0)},
    {.name = "one place, everybody has the right password",
     .limit = 1,
     .right = 1,
     .never_refuse = 1,
     BUDGET(3, 8, 2, 2)},
    {.name = "more places than slots",
     .limit = 8,
     .dead = 4,
     GUESSES(3),
     BUDGET(3, 4, 1, 0)},
    {.name = "told \"not now\", or in",
     .limit = 1,
     .dead = 1,
     .busy = 6,
     .proven = 1,
     .tells = 1,
     .no_fault = 1,
     GUESSES(4),
     BUDGET(3, 5, 0, 0)},
};

static const plan_t LARGE[] = {
    {.name = "one place", .limit = 1, GUESSES(2), BUDGET(3, 6, 2, 1)},
    {.name = "two places", .limit = 2, GUESSES(3), BUDGET(3, 5, 2, 1)},
    {.name = "three places", .limit = 3, GUESSES(4), BUDGET(3, 5, 1, 1)},
    {.name = "two places, between the seconds",
     .limit = 2,
     .frac_usec = 500000,
     GUESSES(3),
     BUDGET(3, 5, 1, 1)},
    {.name = "one place, the password is changed",
     .limit = 1,
     GUESSES(2),
     .changes = 1,
     BUDGET(3, 5, 0, 0)},
    {.name = "two right passwords forgive",
     .limit = 3,
     GUESSES(4),
     .changes = 1,
     BUDGET(2, 6, 0, 0)},
    {.name = "told \"not now\", or in",
     .limit = 2,
     .dead = 2,
     .busy = 6,
     .proven = 1,
     .tells = 1,
     .no_fault = 1,
     GUESSES(4),
     BUDGET(3, 6, 0, 0)},
};

int main(void) { return explore_all(PLANS, COUNT(PLANS), LARGE, COUNT(LARGE)); }
