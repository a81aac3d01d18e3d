/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * late.h: settlements that are owed, for tests. Each is made of its token, so
 * that one which nobody pushed is known by sight; and how each ended is counted
 * in memory that processes share.
 */
#ifndef LATE_H
#define LATE_H

#include "guard_store_redis_late.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define LATE_TOKENS 400000 /* of one test */
#define LATE_SEC ((uint64_t)apr_time_from_sec(1))

/** What is shared; zeroed: nothing is owed. */
typedef struct late_world_t {
    guard_redis_late_t late;
    _Atomic uint64_t now_usec;
    _Atomic unsigned strange; /* taken, and nobody had pushed that */
    _Atomic unsigned twice;   /* ended as told a second time */
    _Atomic unsigned ended;
    _Atomic int is_over;              /* come to an end */
    _Atomic uint64_t pushing, ending; /* a token: somebody is about to */
    _Atomic uint8_t is_pushed[LATE_TOKENS];
    _Atomic uint8_t is_ended[LATE_TOKENS];
} late_world_t;

static late_world_t *world;

/** @return 0 if there is no memory */
static inline int late_make_world(void)
{
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return world != MAP_FAILED;
}

/** Nothing is owed, nothing was. */
static inline void late_clear(void)
{
    memset(world, 0, sizeof(*world));
    world->now_usec = 1000 * LATE_SEC;
}

/** One that is made of its token, due at once. The name is the caller's. */
static inline guard_redis_owed_t late_of(uint64_t token, char name[64])
{
    guard_redis_owed_t owed = {.due_usec = 1000,
                               .token = token,
                               .outcome = GUARD_WRONG,
                               .guess = {.tag = (uint32_t)token},
                               .claim_count = GUARD_CLAIMS_MAX};

    snprintf(name, 64, "scope-%050llu", (unsigned long long)token);
    for (unsigned i = 0; i < GUARD_CLAIMS_MAX; i++) {
        owed.claim[i].client.id = token * 8 + i;
        owed.claim[i].client.scope_name = name;
        owed.claim[i].policy.lockout_max_usec = (apr_interval_time_t)token;
        owed.hold[i].until_sec = (uint32_t)token;
    }
    return owed;
}

/** @return 1 if that is what late_of() makes of its token */
static inline int late_is_whole(const guard_redis_owed_t *owed)
{
    char name[64];
    guard_redis_owed_t whole = late_of(owed->token, name);
    int same = owed->due_usec == whole.due_usec &&
               owed->outcome == whole.outcome &&
               owed->guess.tag == whole.guess.tag &&
               owed->claim_count == GUARD_CLAIMS_MAX;

    for (unsigned i = 0; same && i < GUARD_CLAIMS_MAX; i++) {
        const guard_claim_t *claim = &owed->claim[i];

        same = claim->client.id == whole.claim[i].client.id &&
               claim->client.scope_name == owed->scope_name[i] &&
               !strcmp(owed->scope_name[i], name) &&
               claim->policy.lockout_max_usec ==
                   (apr_interval_time_t)owed->token &&
               owed->hold[i].until_sec == (uint32_t)owed->token;
    }
    return same;
}

static inline void late_push(uint64_t token)
{
    char name[64];
    guard_redis_owed_t owed = late_of(token, name);

    guard_redis_late_push(&world->late, &owed, world->now_usec);
    world->is_pushed[token] = 1;
}

/** Take one and end it. @return 1; 0 if none was due */
static inline int late_tell(void)
{
    guard_redis_owed_t owed;

    if (!guard_redis_late_take(&world->late, world->now_usec, &owed)) {
        return 0;
    }
    if (!late_is_whole(&owed) || owed.token >= LATE_TOKENS) {
        world->strange++;
        return 1;
    }
    world->ending = owed.token;
    if (guard_redis_late_end(&world->late, &owed, 1, world->now_usec)) {
        world->twice += atomic_exchange(&world->is_ended[owed.token], 1);
        world->ended++;
    }
    world->ending = 0;
    return 1;
}

#endif
