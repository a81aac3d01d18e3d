/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * store_bed.h: a table to measure, who is in it, and what is done to it.
 */
#ifndef STORE_BED_H
#define STORE_BED_H

#include "guard_store.h"

#define BED_WINDOW_USEC apr_time_from_sec(600)
#define BED_RECORD_BYTES 128

typedef enum {
    BED_FLOOR,    /* one keyed hash, and one touch of a random record */
    BED_VERIFY,   /* reserve, and settle as wrong: a client in the table */
    BED_PEEK,     /* the same client: where does he stand? */
    BED_NEWCOMER, /* as VERIFY, a client not seen before */
    BED_KINDS
} bed_kind_e;

typedef struct bed_t {
    uint32_t clients; /* for how many there is room */
    guard_store_t *store;
    apr_pool_t *pool;
    uint64_t scope;
    uint64_t now_usec;
    uint32_t next;       /* client not seen before */
    guard_addr_t *known; /* those in the table, in no order */
    uint32_t known_count;
    uint64_t *floor; /* as many records of BED_RECORD_BYTES */
} bed_t;

/** Say what failed, and end. */
void bed_fail(const char *what);

/** @return zeroed memory that processes share. */
void *bed_shared(size_t bytes);

/** Make an empty table, in a file below TMPDIR or in memory that has no name
 *  any more. */
void bed_open(bed_t *bed, uint32_t clients);

/** Take it away. */
void bed_close(bed_t *bed);

/** Let so many newcomers fail once. */
void bed_fill(bed_t *bed, uint32_t count);

/** See who is there now. */
void bed_get_to_know(bed_t *bed);

/** In a process that is about to measure: map it all in, so that no first
 *  touch is measured. */
void bed_populate(const bed_t *bed);

/** @return numbers that look random; each state gives its own row of them. */
uint64_t bed_draw(uint64_t *state);

/**
 * One operation.
 * @param number of the operation: it chooses the client
 * @param random the guess
 * @return 1 if it was admitted, else 0
 */
int bed_operate(const bed_t *bed, bed_kind_e kind, uint32_t number,
                uint64_t random);

#endif
