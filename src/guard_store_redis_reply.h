/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_reply.h: from the bytes of a Redis server to replies.
 *
 * hiredis reads the protocol; what it reads is kept in areas of fixed sizes,
 * and nothing is taken from the heap for a reply but, once a reader, the large
 * area, when a reply needs it (a page of SCAN). A reply that doesn't fit, that
 * nests deeper, or that is none is a fault, and after a fault a reader is
 * broken until it is reset.
 *
 * A reader belongs to one thread at a time.
 */
#ifndef GUARD_STORE_REDIS_REPLY_H
#define GUARD_STORE_REDIS_REPLY_H

#include <apr_errno.h>
#include <apr_pools.h>

/* One reply: its values, arrays included, the bytes of its texts (each with
 * a NUL), and arrays within arrays. */
#define GUARD_REDIS_NODES_MAX 1200
#define GUARD_REDIS_TEXT_MAX 131072
#define GUARD_REDIS_DEPTH_MAX 3

typedef enum {
    GUARD_REDIS_NIL = 1,
    GUARD_REDIS_STATUS,  /* +OK */
    GUARD_REDIS_ERROR,   /* -WRONGPASS ... */
    GUARD_REDIS_INTEGER, /* :1 */
    GUARD_REDIS_STRING,
    GUARD_REDIS_ARRAY
} guard_redis_kind_e;

typedef struct guard_redis_reply_t guard_redis_reply_t;

/** One value. Only the fields of its kind are set; the others are 0. */
struct guard_redis_reply_t {
    guard_redis_kind_e kind;
    long long integer; /* INTEGER */
    const char *text;  /* STATUS, ERROR, STRING; ends with NUL, may hold some */
    size_t length;     /* of text */
    unsigned count;    /* ARRAY; may be 0, and element is not NULL then */
    const guard_redis_reply_t *const *element; /* ARRAY; none is NULL */
};

typedef enum {
    GUARD_REDIS_READ_MORE = 1, /* half a reply, or none: feed it */
    GUARD_REDIS_READ_REPLY,
    GUARD_REDIS_READ_BROKEN /* guard_redis_reader_fault says why */
} guard_redis_read_e;

typedef struct guard_redis_reader_t guard_redis_reader_t;

/** Make a reader, which ends with pool.
 *  @return APR_SUCCESS or APR_ENOMEM */
apr_status_t guard_redis_reader_create(guard_redis_reader_t **out,
                                       apr_pool_t *pool);

/** Forget all that was fed, and any fault.
 *  @return APR_SUCCESS or APR_ENOMEM; then the reader stays broken */
apr_status_t guard_redis_reader_reset(guard_redis_reader_t *reader);

/** Add bytes. What can't be kept makes the reader broken: see next(). */
void guard_redis_reader_feed(guard_redis_reader_t *reader, const char *bytes,
                             size_t length);

/** Take the next whole reply. It is valid until the next call of next() or
 *  reset(). *reply is set with READ_REPLY only. */
guard_redis_read_e guard_redis_reader_next(guard_redis_reader_t *reader,
                                           const guard_redis_reply_t **reply);

/** @return 1 if no byte is left over, of half a reply or of another, else 0. */
int guard_redis_reader_is_empty(const guard_redis_reader_t *reader);

/** @return what is wrong with a broken reader, in words of ours; "" if it is
 *  not broken. */
const char *guard_redis_reader_fault(const guard_redis_reader_t *reader);

/** @return 1 if reply is an error whose first word is code ("NOSCRIPT"),
 *  else 0. */
int guard_redis_reply_is_error(const guard_redis_reply_t *reply,
                               const char *code);

#endif
