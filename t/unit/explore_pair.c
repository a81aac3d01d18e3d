/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * explore_pair.c: the same as explore.c for a call that has two records: a
 * guess gets a place in both or in none, also where a process is killed after
 * it has written one of them.
 */
#include "explore.h"

#define GUESSES(n) .wrong = (n), .right = 1
#define BUDGET(p, a, k, t)                                                     \
    .procs = (p), .attempts = (a), .kills = (k), .ticks = (t)

static const plan_t PLANS[] = {
    {.name = "two places by address, one by login",
     .limit = 2,
     .kind2 = GUARD_KIND_LOGIN,
     .limit2 = 1,
     GUESSES(2),
     BUDGET(2, 4, 1, 1)},
    {.name = "one place by address, two by network",
     .limit = 1,
     .kind2 = GUARD_KIND_NET,
     .limit2 = 2,
     GUESSES(2),
     BUDGET(3, 3, 1, 1)},
    {.name = "two places by address, two by network",
     .limit = 2,
     .kind2 = GUARD_KIND_NET,
     .limit2 = 2,
     GUESSES(3),
     BUDGET(2, 4, 1, 0)},
    {.name = "one place each, everybody has the right password",
     .limit = 1,
     .kind2 = GUARD_KIND_NET,
     .limit2 = 1,
     .right = 1,
     .never_refuse = 1,
     BUDGET(3, 5, 1, 1)},
};

static const plan_t LARGE[] = {
    {.name = "two places by address, one by login",
     .limit = 2,
     .kind2 = GUARD_KIND_LOGIN,
     .limit2 = 1,
     GUESSES(2),
     BUDGET(3, 4, 1, 1)},
    {.name = "two places by address, three by network",
     .limit = 2,
     .kind2 = GUARD_KIND_NET,
     .limit2 = 3,
     GUESSES(3),
     BUDGET(3, 4, 1, 1)},
};

int main(void) { return explore_all(PLANS, COUNT(PLANS), LARGE, COUNT(LARGE)); }
