/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * fuzz.c owns what all targets share: the pool of an input, and the taking of
 * values from it. It knows no target.
 *
 * A pool gives out pieces of one block, so that reading past one of them is
 * reading the next one, and no sanitizer sees it. So apr_palloc is replaced,
 * for the program and for APR itself: while an input is tried each piece comes
 * from malloc, and is freed when the input is done.
 */
#include "fuzz.h"

#include <apr_general.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 65536 /* then the pool's own memory has to do */

static void *piece[PIECES_MAX];
static size_t piece_count;
static apr_pool_t *input_pool;
static void (*at_end)(void);

#undef apr_palloc
void *apr_palloc(apr_pool_t *pool, apr_size_t size)
{
    static void *(*pools_own)(apr_pool_t *, apr_size_t);
    void *memory;

    if (!input_pool || piece_count == PIECES_MAX) {
        if (!pools_own) {
            *(void **)&pools_own = dlsym(RTLD_NEXT, "apr_palloc");
        }
        return pools_own(pool, size);
    }
    memory = malloc(size ? size : 1);
    fuzz_must(memory != NULL, "there is memory");
    piece[piece_count++] = memory;
    return memory;
}

apr_pool_t *fuzz_begin(void)
{
    static int begun;

    if (!begun) {
        begun = 1;
        apr_initialize();
    }
    apr_pool_create(&input_pool, NULL);
    return input_pool;
}

void fuzz_end(void)
{
    apr_pool_destroy(input_pool);
    input_pool = NULL;
    while (piece_count) {
        free(piece[--piece_count]);
    }
}

void fuzz_at_end(void (*clean)(void))
{
    at_end = clean;
    atexit(clean);
}

void fuzz_must(int holds, const char *what)
{
    if (!holds) {
        if (at_end) {
            at_end();
        }
        fprintf(stderr, "%s: does not hold: %s\n", fuzz_target, what);
        abort();
    }
}

char *fuzz_text(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    size_t length = size ? strnlen((const char *)data, size) : 0;
    char *text = apr_palloc(pool, length + 1);

    memcpy(text, data, length);
    text[length] = '\0';
    return text;
}

uint64_t fuzz_take(fuzz_input_t *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && input->at < input->end; i++) {
        value |= (uint64_t)*input->at++ << (8 * i);
    }
    return value;
}

unsigned fuzz_below(fuzz_input_t *input, unsigned below)
{
    return (unsigned)fuzz_take(input, 2) % below;
}
