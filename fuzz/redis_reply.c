/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_reply.c: the bytes of a Redis server, or of whoever stands there.
 *
 * Input: a byte for the size of the pieces, then what comes over the wire.
 * Holds: the pieces make no difference; every reply keeps within the bounds
 * and is whole; what passes for an answer of the script has no number beyond
 * its bounds; and written down again as the protocol has it, the replies are
 * read as the same, and nothing is left over.
 */
#include "guard_store_redis_script.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_target[] = "redis_reply";

/* Replies as the protocol has them. */
typedef struct written_t {
    char *bytes;
    size_t length, size;
    unsigned replies;
    guard_redis_read_e end;
    int is_empty;
} written_t;

/* Of the reply that is being looked at. */
static unsigned nodes;
static size_t text;

static void write_down(written_t *written, const void *bytes, size_t length)
{
    while (written->size - written->length < length) {
        written->size = written->size ? 2 * written->size : 4096;
        written->bytes = realloc(written->bytes, written->size);
        fuzz_must(written->bytes != NULL, "there is memory");
    }
    memcpy(written->bytes + written->length, bytes, length);
    written->length += length;
}

static void write_text(written_t *written, const guard_redis_reply_t *reply)
{
    char head[32];

    fuzz_must(reply->text && reply->text[reply->length] == '\0',
              "a text has an end");
    text += reply->length + 1;
    if (reply->kind == GUARD_REDIS_STRING) {
        snprintf(head, sizeof(head), "$%zu\r\n", reply->length);
    } else {
        strcpy(head, reply->kind == GUARD_REDIS_STATUS ? "+" : "-");
        fuzz_must(!memmem(reply->text, reply->length, "\r\n", 2),
                  "a line is one line");
    }
    write_down(written, head, strlen(head));
    write_down(written, reply->text, reply->length);
    write_down(written, "\r\n", 2);
}

static void write_reply(written_t *written, const guard_redis_reply_t *reply,
                        unsigned depth)
{
    char head[40];

    fuzz_must(reply != NULL, "no element is missing");
    nodes++;
    switch (reply->kind) {
    case GUARD_REDIS_NIL:
        write_down(written, "$-1\r\n", 5);
        return;
    case GUARD_REDIS_INTEGER:
        snprintf(head, sizeof(head), ":%lld\r\n", reply->integer);
        write_down(written, head, strlen(head));
        return;
    case GUARD_REDIS_ARRAY:
        fuzz_must(depth < GUARD_REDIS_DEPTH_MAX && reply->element,
                  "arrays nest as deep as they may");
        snprintf(head, sizeof(head), "*%u\r\n", reply->count);
        write_down(written, head, strlen(head));
        for (unsigned i = 0; i < reply->count; i++) {
            write_reply(written, reply->element[i], depth + 1);
        }
        return;
    default:
        write_text(written, reply);
    }
}

/* What the script is believed to have said lies in its bounds. */
static void believe(const guard_redis_reply_t *reply)
{
    guard_redis_answer_t answer;
    guard_entry_t entry;

    if (guard_redis_answer_read(&answer, reply) == APR_SUCCESS) {
        fuzz_must(answer.phase <= GUARD_PHASE_LOCKED &&
                      answer.row <= GUARD_ROW_FREE &&
                      answer.remaining_usec >= 0 &&
                      answer.remaining_usec <= GUARD_LOCKOUT_USEC_MAX,
                  "an answer in its bounds");
    }
    if (guard_redis_answer_read_entry(&entry, reply) == APR_SUCCESS) {
        fuzz_must(entry.kind >= GUARD_KIND_IP && entry.kind <= GUARD_KIND_MAX &&
                      entry.bits <= GUARD_ADDR_BITS &&
                      entry.remaining_usec >= 0 &&
                      memchr(entry.scope_name, 0, sizeof entry.scope_name),
                  "an entry in its bounds");
    }
}

static void take(guard_redis_reader_t *reader, written_t *written)
{
    const guard_redis_reply_t *reply = NULL;

    while ((written->end = guard_redis_reader_next(reader, &reply)) ==
           GUARD_REDIS_READ_REPLY) {
        nodes = 0;
        text = 0;
        write_reply(written, reply, 0);
        believe(reply);
        fuzz_must(nodes <= GUARD_REDIS_NODES_MAX &&
                      text <= 2048 + GUARD_REDIS_TEXT_MAX,
                  "a reply keeps within its room");
        written->replies++;
    }
}

static written_t read_in_pieces(guard_redis_reader_t *reader, const void *bytes,
                                size_t size, size_t piece)
{
    written_t written = {.end = GUARD_REDIS_READ_MORE};
    const char *at = bytes ? bytes : "", *end = at + size;

    fuzz_must(guard_redis_reader_reset(reader) == APR_SUCCESS,
              "a reader can be begun anew");
    while (at < end && written.end == GUARD_REDIS_READ_MORE) {
        size_t length = (size_t)(end - at) < piece ? (size_t)(end - at) : piece;

        guard_redis_reader_feed(reader, at, length);
        take(reader, &written);
        at += length;
    }
    written.is_empty = guard_redis_reader_is_empty(reader);
    fuzz_must((written.end == GUARD_REDIS_READ_BROKEN) ==
                  !!*guard_redis_reader_fault(reader),
              "what is broken says why");
    return written;
}

static void must_be_same(const written_t *a, const written_t *b)
{
    fuzz_must(a->replies == b->replies && a->length == b->length &&
                  (!a->length || !memcmp(a->bytes, b->bytes, a->length)),
              "the same replies");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_begin();
    guard_redis_reader_t *reader;
    written_t whole, pieces, again;
    size_t piece = size ? data[0] % 64 + 1u : 1;

    data += !!size;
    size -= !!size;
    fuzz_must(guard_redis_reader_create(&reader, pool) == APR_SUCCESS,
              "a reader can be made");
    whole = read_in_pieces(reader, data, size, 16384);
    pieces = read_in_pieces(reader, data, size, piece);
    must_be_same(&whole, &pieces);
    fuzz_must(whole.end == pieces.end && whole.is_empty == pieces.is_empty,
              "and the same end");
    again = read_in_pieces(reader, whole.bytes, whole.length, 16384);
    must_be_same(&whole, &again);
    fuzz_must(again.is_empty && again.end == GUARD_REDIS_READ_MORE,
              "what was written down is all there is");
    free(whole.bytes);
    free(pieces.bytes);
    free(again.bytes);
    fuzz_end();
    return 0;
}
