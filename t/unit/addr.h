/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * addr.h: addresses as tests write them.
 */
#ifndef ADDR_H
#define ADDR_H

#include "guard_key.h"
#include "tap.h"

/** @return the address of that text; what is none fails the test. */
static inline guard_addr_t addr(const char *text)
{
    guard_addr_t out = {{0}};

    if (guard_addr_parse(&out, text) != APR_SUCCESS) {
        ok(0, "fixture: %s is an address", text);
    }
    return out;
}

/** @return 1 if both are the same address, else 0. */
static inline int same_addr(const guard_addr_t *a, const guard_addr_t *b)
{
    return !memcmp(a->byte, b->byte, sizeof a->byte);
}

#endif
