/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_listen.c owns a child's subscription. It knows channels
 * and their words, and of the memory only how to forget.
 *
 * A message changes what this child believes, not what all do: each child
 * hears by itself, and one that was idle hears late. So a message moves the
 * time since when this child believes to the moment it was heard. Only that
 * lockouts are forgotten is for all; it costs a question each.
 *
 * That moment is read from the clock here, after the bytes were read: a time
 * given by the caller may be older than the message.
 *
 * Invariant: while since_usec is not 0, the wire is looked at under the lock
 * only; while it is 0, it belongs to whoever mends it.
 */
#include "guard_store_redis_listen.h"
#include "guard_store.h"

#include <apr_strings.h>

#include <pthread.h>
#include <string.h>

struct guard_redis_listen_t {
    pthread_mutex_t look_lock;
    pthread_mutex_t mend_lock;
    guard_redis_wire_t *wire;
    guard_redis_memory_t *memory;
    const char *channel;
    apr_pool_t *own_pool;
    _Atomic uint64_t since_usec; /* [look_lock] to change */
    _Atomic uint64_t due_usec;   /* [mend_lock] to change: next try */
};

/* What one look has heard. */
typedef struct heard_t {
    guard_redis_listen_t *listen;
    int has_news;
    int is_strange; /* what no subscription says */
} heard_t;

static int says(const guard_redis_reply_t *reply, const char *word)
{
    return reply->kind == GUARD_REDIS_STRING && reply->length == strlen(word) &&
           !memcmp(reply->text, word, reply->length);
}

/* A word that is not known may be a later version's: then all may have
 * changed. */
static void hear(void *baton, unsigned index, const guard_redis_reply_t *reply)
{
    heard_t *heard = baton;

    (void)index;
    if (reply->kind != GUARD_REDIS_ARRAY || reply->count != 3 ||
        !says(reply->element[0], "message")) {
        heard->is_strange = 1;
        return;
    }
    heard->has_news = 1;
    if (!says(reply->element[2], "locked")) {
        guard_redis_memory_forget_lockouts(heard->listen->memory);
    }
}

static void lose_locked(guard_redis_listen_t *listen)
{
    guard_redis_wire_close(listen->wire);
    atomic_store(&listen->since_usec, 0);
}

static void look_locked(guard_redis_listen_t *listen)
{
    heard_t heard = {.listen = listen};

    if (guard_redis_wire_poll(listen->wire, hear, &heard) != GUARD_REDIS_FINE ||
        heard.is_strange) {
        lose_locked(listen);
    } else if (heard.has_news) {
        atomic_store(&listen->since_usec, guard_store_clock());
    }
}

uint64_t guard_redis_listen_look(guard_redis_listen_t *listen)
{
    uint64_t since_usec;

    /* Who mends may be at it for a whole timeout. */
    if (!atomic_load(&listen->since_usec)) {
        return 0;
    }
    pthread_mutex_lock(&listen->look_lock);
    if (atomic_load(&listen->since_usec)) {
        look_locked(listen);
    }
    since_usec = atomic_load(&listen->since_usec);
    pthread_mutex_unlock(&listen->look_lock);
    return since_usec;
}

int guard_redis_listen_is_due(const guard_redis_listen_t *listen,
                              uint64_t now_usec)
{
    return !atomic_load(&listen->since_usec) &&
           now_usec >= atomic_load(&listen->due_usec);
}

static guard_redis_cause_e subscribe(guard_redis_listen_t *listen,
                                     const guard_redis_found_t *found,
                                     uint64_t deadline_usec)
{
    guard_redis_cause_e cause = guard_redis_wire_connect(
        listen->wire, found->address, found->count, deadline_usec);

    if (cause == GUARD_REDIS_FINE) {
        cause = guard_redis_wire_listen(listen->wire, listen->channel,
                                        deadline_usec);
    }
    return cause;
}

guard_redis_cause_e guard_redis_listen_mend(guard_redis_listen_t *listen,
                                            const guard_redis_found_t *found,
                                            uint64_t now_usec,
                                            uint64_t deadline_usec)
{
    guard_redis_cause_e cause = GUARD_REDIS_FINE;

    if (!guard_redis_listen_is_due(listen, now_usec) ||
        pthread_mutex_trylock(&listen->mend_lock)) {
        return GUARD_REDIS_FINE;
    }
    if (guard_redis_listen_is_due(listen, now_usec)) {
        atomic_store(&listen->due_usec, now_usec + GUARD_REDIS_MEND_USEC);
        cause = subscribe(listen, found, deadline_usec);
        if (cause == GUARD_REDIS_FINE) {
            pthread_mutex_lock(&listen->look_lock);
            atomic_store(&listen->since_usec, guard_store_clock());
            pthread_mutex_unlock(&listen->look_lock);
        }
    }
    pthread_mutex_unlock(&listen->mend_lock);
    return cause;
}

/* The pool has no parent: a child may be ended by a signal handler, or beside
 * running threads, and its end closes the connection by itself. */
apr_status_t guard_redis_listen_create(guard_redis_listen_t **out,
                                       const guard_redis_target_t *target,
                                       const char *prefix,
                                       guard_redis_memory_t *memory)
{
    guard_redis_listen_t *listen;
    apr_pool_t *own_pool;
    apr_status_t rv = apr_pool_create_unmanaged(&own_pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    listen = apr_pcalloc(own_pool, sizeof(*listen));
    listen->own_pool = own_pool;
    listen->memory = memory;
    listen->channel = apr_pstrcat(own_pool, prefix, ":events", NULL);
    rv = pthread_mutex_init(&listen->look_lock, NULL);
    if (!rv) {
        rv = pthread_mutex_init(&listen->mend_lock, NULL);
    }
    if (!rv) {
        rv = guard_redis_wire_create(&listen->wire, target, own_pool);
    }
    if (rv) {
        apr_pool_destroy(own_pool);
        return rv;
    }
    *out = listen;
    return APR_SUCCESS;
}

void guard_redis_listen_destroy(guard_redis_listen_t *listen)
{
    apr_pool_destroy(listen->own_pool);
}
