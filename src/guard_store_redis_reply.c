/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_reply.c owns the memory of replies. hiredis knows the
 * protocol; it calls the functions below for every value it has read. It
 * refuses to know sockets, and what a reply means.
 *
 * A reply's values lie in the small area, which every reader has. What does
 * not fit there lies in the large one, which is made when a reply first needs
 * it and freed when one came that did not: pointers into the small one stay
 * good, and a wire that once listed the keys is soon as small as the others.
 *
 * Invariant: no server can make a reader keep more than both areas and
 * PENDING_MAX bytes that are still to be read, or a buffer that hiredis made
 * for them. An array is announced before its elements come, and takes its
 * room then: one that can't fit is refused at once.
 */
#include "guard_store_redis_reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_NODES 64
#define SMALL_TEXT 2048
#define LINE_BYTES 64 /* what the protocol adds to a value, and more */
#define PENDING_MAX (GUARD_REDIS_TEXT_MAX + LINE_BYTES * GUARD_REDIS_NODES_MAX)

/* hiredis 1 counts elements in size_t, and knows RESP3. */
#if HIREDIS_MAJOR >= 1
typedef size_t element_count_t;
#else
typedef int element_count_t;
#endif

typedef struct node_t {
    guard_redis_reply_t reply; /* first: it is shown as this */
    const guard_redis_reply_t **link;
} node_t;

typedef struct area_t {
    unsigned node_count, link_count;
    size_t text_length;
} area_t;

typedef struct small_t {
    node_t node[SMALL_NODES];
    const guard_redis_reply_t *link[SMALL_NODES];
    char text[SMALL_TEXT];
} small_t;

typedef struct large_t {
    node_t node[GUARD_REDIS_NODES_MAX];
    const guard_redis_reply_t *link[GUARD_REDIS_NODES_MAX];
    char text[GUARD_REDIS_TEXT_MAX];
} large_t;

struct guard_redis_reader_t {
    redisReader *protocol;
    size_t pending; /* bytes fed that made no whole reply yet */
    int is_halfway; /* in a reply: what came of it lies in the areas */
    const char *fault;
    unsigned announced; /* values of this reply, those to come included */
    area_t in_small, in_large;
    small_t small;
    large_t *large;
};

static int has_large(guard_redis_reader_t *reader)
{
    if (!reader->large) {
        reader->large = malloc(sizeof(*reader->large));
        if (!reader->large) {
            reader->fault = "no memory for a large reply";
        }
    }
    return reader->large != NULL;
}

/* That there is room for it was seen when it was announced. */
static node_t *take_node(guard_redis_reader_t *reader)
{
    if (reader->in_small.node_count < SMALL_NODES) {
        return &reader->small.node[reader->in_small.node_count++];
    }
    return has_large(reader)
               ? &reader->large->node[reader->in_large.node_count++]
               : NULL;
}

static const guard_redis_reply_t **take_links(guard_redis_reader_t *reader,
                                              unsigned count)
{
    const guard_redis_reply_t **link;

    if (count <= SMALL_NODES - reader->in_small.link_count) {
        link = reader->small.link + reader->in_small.link_count;
        reader->in_small.link_count += count;
        return link;
    }
    if (!has_large(reader)) {
        return NULL;
    }
    link = reader->large->link + reader->in_large.link_count;
    reader->in_large.link_count += count;
    return link;
}

static char *take_text(guard_redis_reader_t *reader, size_t length)
{
    area_t *area = &reader->in_small;
    char *text = reader->small.text;

    if (length >= SMALL_TEXT - area->text_length) {
        area = &reader->in_large;
        if (length >= GUARD_REDIS_TEXT_MAX - area->text_length) {
            reader->fault = "a reply with more text than there is room for";
            return NULL;
        }
        if (!has_large(reader)) {
            return NULL;
        }
        text = reader->large->text;
    }
    text += area->text_length;
    area->text_length += length + 1;
    return text;
}

static guard_redis_reader_t *reader_of(const redisReadTask *task)
{
    return task->privdata;
}

static node_t *make_node(const redisReadTask *task, guard_redis_kind_e kind)
{
    guard_redis_reader_t *reader = reader_of(task);
    node_t *node = take_node(reader);

    if (!node) {
        return NULL;
    }
    *node = (node_t){.reply = {.kind = kind}};
    if (task->parent) {
        ((node_t *)task->parent->obj)->link[task->idx] = &node->reply;
    } else {
        reader->announced = 1;
    }
    return node;
}

static void *refuse(const redisReadTask *task, const char *fault)
{
    reader_of(task)->fault = fault;
    return NULL;
}

static guard_redis_kind_e text_kind(int type)
{
    return type == REDIS_REPLY_STRING   ? GUARD_REDIS_STRING
           : type == REDIS_REPLY_STATUS ? GUARD_REDIS_STATUS
           : type == REDIS_REPLY_ERROR  ? GUARD_REDIS_ERROR
                                        : 0;
}

static void *create_string(const redisReadTask *task, char *bytes,
                           size_t length)
{
    guard_redis_kind_e kind = text_kind(task->type);
    node_t *node;
    char *text;

    if (!kind) {
        return refuse(task, "a text of a kind that was not asked for");
    }
    /* hiredis has seen that there are two more bytes, and not which. */
    if (kind == GUARD_REDIS_STRING && memcmp(bytes + length, "\r\n", 2)) {
        return refuse(task, "a string that is longer than it said");
    }
    node = make_node(task, kind);
    text = node ? take_text(reader_of(task), length) : NULL;
    if (!text) {
        return NULL;
    }
    memcpy(text, bytes, length);
    text[length] = '\0';
    node->reply.text = text;
    node->reply.length = length;
    return node;
}

static void *create_array(const redisReadTask *task, element_count_t count)
{
    guard_redis_reader_t *reader = reader_of(task);
    const redisReadTask *above = task->parent;
    unsigned depth;
    node_t *node;

    for (depth = 1; above; above = above->parent) {
        depth++;
    }
    if (task->type != REDIS_REPLY_ARRAY) {
        return refuse(task, "a collection of a kind that was not asked for");
    }
    if (depth > GUARD_REDIS_DEPTH_MAX) {
        return refuse(task, "a reply that nests too deep");
    }
    node = make_node(task, GUARD_REDIS_ARRAY);
    if (!node) {
        return NULL;
    }
    if ((size_t)count > GUARD_REDIS_NODES_MAX - reader->announced) {
        return refuse(task, "a reply with more values than there is room for");
    }
    reader->announced += (unsigned)count;
    node->link = take_links(reader, (unsigned)count);
    node->reply.count = (unsigned)count;
    node->reply.element = node->link;
    return node->link ? node : NULL;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    node_t *node = make_node(task, GUARD_REDIS_INTEGER);

    if (node) {
        node->reply.integer = value;
    }
    return node;
}

static void *create_nil(const redisReadTask *task)
{
    return make_node(task, GUARD_REDIS_NIL);
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double value, char *bytes,
                           size_t length)
{
    (void)value, (void)bytes, (void)length;
    return refuse(task, "a number of a kind that was not asked for");
}

static void *create_bool(const redisReadTask *task, int value)
{
    (void)value;
    return refuse(task, "a truth value that was not asked for");
}
#endif

/* The areas are begun anew with the next reply. */
static void free_object(void *object) { (void)object; }

static redisReplyObjectFunctions FUNCTIONS = {.createString = create_string,
                                              .createArray = create_array,
                                              .createInteger = create_integer,
                                              .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
                                              .createDouble = create_double,
                                              .createBool = create_bool,
#endif
                                              .freeObject = free_object};

static void begin_reply(guard_redis_reader_t *reader)
{
    if (!reader->in_large.node_count && !reader->in_large.link_count &&
        !reader->in_large.text_length) {
        free(reader->large);
        reader->large = NULL;
    }
    reader->announced = 0;
    reader->in_small = reader->in_large = (area_t){0};
}

static apr_status_t end_reader(void *data)
{
    guard_redis_reader_t *reader = data;

    if (reader->protocol) {
        redisReaderFree(reader->protocol);
    }
    free(reader->large);
    reader->protocol = NULL;
    reader->large = NULL;
    return APR_SUCCESS;
}

apr_status_t guard_redis_reader_create(guard_redis_reader_t **out,
                                       apr_pool_t *pool)
{
    guard_redis_reader_t *reader = apr_pcalloc(pool, sizeof(*reader));
    apr_status_t rv;

    if (!reader) {
        return APR_ENOMEM;
    }
    apr_pool_cleanup_register(pool, reader, end_reader, apr_pool_cleanup_null);
    rv = guard_redis_reader_reset(reader);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *out = reader;
    return APR_SUCCESS;
}

apr_status_t guard_redis_reader_reset(guard_redis_reader_t *reader)
{
    end_reader(reader);
    begin_reply(reader);
    reader->pending = 0;
    reader->is_halfway = 0;
    reader->fault = NULL;
    reader->protocol = redisReaderCreateWithFunctions(&FUNCTIONS);
    if (!reader->protocol) {
        reader->fault = "no memory for a reader of replies";
        return APR_ENOMEM;
    }
    reader->protocol->privdata = reader;
    return APR_SUCCESS;
}

void guard_redis_reader_feed(guard_redis_reader_t *reader, const char *bytes,
                             size_t length)
{
    if (reader->fault) {
        return;
    }
    if (length > PENDING_MAX - reader->pending) {
        reader->fault = "a reply that is too long";
        return;
    }
    reader->pending += length;
    if (redisReaderFeed(reader->protocol, bytes, length) != REDIS_OK) {
        reader->fault = "no memory for a reply";
    }
}

guard_redis_read_e guard_redis_reader_next(guard_redis_reader_t *reader,
                                           const guard_redis_reply_t **reply)
{
    void *object = NULL;

    if (reader->fault) {
        return GUARD_REDIS_READ_BROKEN;
    }
    if (!reader->pending) {
        return GUARD_REDIS_READ_MORE;
    }
    if (!reader->is_halfway) {
        begin_reply(reader);
    }
    if (redisReaderGetReply(reader->protocol, &object) != REDIS_OK) {
        if (!reader->fault) {
            reader->fault = redisReaderGetError(reader->protocol);
        }
        return GUARD_REDIS_READ_BROKEN;
    }
    reader->is_halfway = !object;
    if (!object) {
        return GUARD_REDIS_READ_MORE;
    }
    reader->pending = reader->protocol->len - reader->protocol->pos;
    *reply = &((node_t *)object)->reply;
    return GUARD_REDIS_READ_REPLY;
}

int guard_redis_reader_is_empty(const guard_redis_reader_t *reader)
{
    return !reader->pending;
}

const char *guard_redis_reader_fault(const guard_redis_reader_t *reader)
{
    return reader->fault ? reader->fault : "";
}

int guard_redis_reply_is_error(const guard_redis_reply_t *reply,
                               const char *code)
{
    size_t length = strlen(code);

    return reply->kind == GUARD_REDIS_ERROR && reply->length >= length &&
           !memcmp(reply->text, code, length) &&
           (!reply->text[length] || reply->text[length] == ' ');
}
