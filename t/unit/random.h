/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * random.h: numbers that look random and are the same in each run.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/** splitmix64: any state is good, so any seed is. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/** @return 0 to below - 1 */
static inline unsigned random_below(uint64_t *state, unsigned below)
{
    return (unsigned)(random_next(state) % below);
}

#endif
