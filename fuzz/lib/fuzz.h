/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * fuzz.h: what a fuzz target has to offer, and what it may use.
 *
 * A target is one file in fuzz/. It is built twice: with libFuzzer, which
 * looks for new inputs (make fuzz), and with replay.c, which runs the corpus
 * again (make test). Same input, same behaviour: a target keeps nothing from
 * one input to the next but what it builds before the first.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <apr_pools.h>

#include <stddef.h>
#include <stdint.h>

/** The target's name: its corpus lies in fuzz/corpus/ under this name. */
extern const char fuzz_target[];

/** Try one input. @return 0; a property that does not hold ends the process.
 *  The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** End the process with a word on what did not hold. */
void fuzz_must(int holds, const char *what);

/** Have clean() called when the process ends, and when fuzz_must ends it. */
void fuzz_at_end(void (*clean)(void));

/**
 * Begin an input. Until fuzz_end every allocation in any pool is a piece of
 * the heap by itself, so that ASan sees its last byte.
 * @return a pool that lasts until fuzz_end
 */
apr_pool_t *fuzz_begin(void);
void fuzz_end(void);

/** @return a copy as a string: up to the first NUL, and not a byte longer. */
char *fuzz_text(apr_pool_t *pool, const uint8_t *data, size_t size);

/** An input, taken byte by byte. Past its end are zeros. */
typedef struct fuzz_input_t {
    const uint8_t *at;
    const uint8_t *end;
} fuzz_input_t;

/** Take a number of that many bytes, 1 to 8, the lowest first. */
uint64_t fuzz_take(fuzz_input_t *input, unsigned bytes);

/** @return 0 to below - 1, from two bytes. */
unsigned fuzz_below(fuzz_input_t *input, unsigned below);

#endif
