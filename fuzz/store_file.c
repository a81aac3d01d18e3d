/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_file.c: any bytes as the store's file.
 *
 * Input: a byte of flags, then changes to a sound file of 64 clients, or the
 * file's bytes themselves. The changes are typed, so that a few bytes reach
 * any record, lock or name, and the checksum of the head is made good again
 * unless a flag says otherwise.
 * Holds: a tool opens it or refuses it and leaves it where it is; a server
 * always opens it, mended or set aside. Then the table is sound, every
 * operation works, nobody gets more guesses than his limit, whoever is
 * unlocked gets exactly that many, and the next one to open it finds no fault.
 */
#include "fuzz.h"
#include "guard_store_shm_shape.h"
#include "table.h"
#include "usage.h"

#include <stddef.h>
#include <stdlib.h>

const char fuzz_target[] = "store_file";

enum {
    RESIZE = 1,      /* to twice as many clients, and back */
    TOOL_FIRST = 2,  /* a tool opens it before the server does */
    DRAW = 4,        /* a new guess key */
    BAD_HEAD = 8,    /* its head is left as the changes made it */
    REBOOT = 16,     /* the machine was started anew since */
    RAW = 32,        /* the rest is the file */
    BAD_LENGTH = 64, /* it is too long or too short */
    SEAL = 128       /* a bad head gets the checksum that belongs to it */
};

#define CLIENTS GUARD_SHM_CLIENTS_MIN
#define SLACK 64 /* bytes that a file can be too long */
#define LIMIT USAGE_LIMIT

static uint8_t *sound, *image; /* a sound file, and the changed one */
static size_t sound_size;
static guard_shm_table_t table; /* in the image */

/* ---- the sound file ---- */

/* Clients in every phase, and a bucket or two that overflow. */
static void populate(caller_t *c)
{
    guard_claim_t known = caller_ip(c, "192.0.2.1", LIMIT);
    guard_claim_t both[] = {
        caller_claim(c, GUARD_KIND_LOGIN, "192.0.2.2", "alice", LIMIT),
        caller_claim(c, GUARD_KIND_USER, "::", "alice", 2 * LIMIT)};
    guard_ticket_t open = {0}, again = {0};

    for (unsigned i = 0; i < 60; i++) {
        guard_claim_t claim = usage_nth(c, i, 1);

        caller_attempt(c, &claim, 1, "mallory:x", GUARD_WRONG);
    }
    for (unsigned i = 60; i < 90; i++) {
        guard_claim_t claim = usage_nth(c, i, 0);

        caller_attempt(c, &claim, 1, "mallory:x", GUARD_WRONG);
        caller_attempt(c, &claim, 1, i % 2 ? "mallory:y" : "alice:right",
                       i % 2 ? GUARD_WRONG : GUARD_RIGHT);
    }
    caller_attempt(c, &known, 1, "alice:typo", GUARD_WRONG);
    caller_attempt(c, both, 2, "alice:right", GUARD_RIGHT);
    caller_reserve(c, &known, 1, "alice:flying", GUARD_LAST_TRY, &open);
    caller_pass(c, GUARD_REPEAT_SEC + 1);
    caller_reserve(c, &known, 1, "alice:typo", GUARD_LAST_TRY, &again);
}

/* The key of the table is drawn at random: put our own in its place. */
static void fix_secret(void)
{
    static const guard_secret_t SECRET = {"a table key"};
    size_t size;
    void *file = table_read(&size);

    guard_shm_shape_make(file, CLIENTS, &SECRET);
    table_write(file, size);
    free(file);
}

static guard_store_t *open_server(uint32_t clients, apr_pool_t *pool)
{
    guard_store_t *store = NULL;
    apr_status_t rv = table_open(&store, GUARD_SHM_SERVER, clients,
                                 &table_guess_secret, pool);

    fuzz_must(rv == APR_SUCCESS, "a server opens whatever is there");
    return store;
}

static void begin(void)
{
    caller_t c = {.scope = "fuzz"};
    apr_pool_t *pool;

    table_begin();
    if (sound) {
        return;
    }
    pool = fuzz_begin();
    open_server(CLIENTS, pool);
    fuzz_end();
    fix_secret();
    pool = fuzz_begin();
    c.store = open_server(CLIENTS, pool);
    c.now_usec = table_world.clock_usec;
    populate(&c);
    fuzz_end();
    sound = table_read(&sound_size);
    image = aligned_alloc(4096, sound_size + 8192 - sound_size % 4096);
    fuzz_must(image != NULL, "there is memory");
    table_sweep();
}

/* ---- the changes ---- */

static void put(void *to, size_t room, fuzz_input_t *input)
{
    size_t at = fuzz_below(input, (unsigned)room);
    size_t count = fuzz_take(input, 1) % 16 + 1;

    for (size_t i = at; i < at + count && i < room; i++) {
        ((uint8_t *)to)[i] = (uint8_t)fuzz_take(input, 1);
    }
}

static guard_record_t *record_at(unsigned index, uint8_t **tag)
{
    unsigned entry = index % GUARD_SHM_BUCKET_RECORDS;
    unsigned bucket = index / GUARD_SHM_BUCKET_RECORDS % table.bucket_count;

    *tag = &table.index[bucket].tag[entry];
    return &table.bucket[bucket].record[entry];
}

static guard_record_t *take_record(fuzz_input_t *input, uint8_t **tag)
{
    return record_at(
        fuzz_below(input, table.bucket_count * GUARD_SHM_BUCKET_RECORDS), tag);
}

/* Give a record an id that belongs where it is. */
static void settle_in(fuzz_input_t *input)
{
    unsigned index =
        fuzz_below(input, table.bucket_count * GUARD_SHM_BUCKET_RECORDS);
    uint64_t bucket = index / GUARD_SHM_BUCKET_RECORDS;
    uint8_t *tag;
    guard_record_t *record = record_at(index, &tag);

    record->id = ((bucket << 32) / table.bucket_count + 0x1000000) << 32 |
                 (fuzz_take(input, 2) + 1);
    *tag = guard_shm_table_tag_of(record->id);
}

static void copy_record(fuzz_input_t *input)
{
    uint8_t *from_tag, *to_tag;
    const guard_record_t *from = take_record(input, &from_tag);
    guard_record_t *to = take_record(input, &to_tag);

    *to = *from;
    *to_tag = *from_tag;
}

/* A change that a killed process left half done. */
static void mark(fuzz_input_t *input)
{
    guard_shm_stripe_t *stripe =
        &table.stripe[fuzz_below(input, GUARD_SHM_STRIPES)];
    uint8_t *tag;

    stripe->image = *take_record(input, &tag);
    stripe->image_tag = *tag;
    stripe->image_index = fuzz_take(input, 4);
    stripe->marked = (uint32_t)fuzz_take(input, 1);
}

/* A record whose scope has a name of one byte, that many times. */
static void name_scope(fuzz_input_t *input)
{
    uint8_t *tag;
    guard_record_t *record = take_record(input, &tag);
    guard_shm_scope_t *scope;
    int byte;

    record->scope = fuzz_take(input, 2) & 4095u;
    scope = &table.scope[record->scope % GUARD_SHM_SCOPES];
    scope->published = (uint32_t)fuzz_take(input, 1);
    byte = (int)fuzz_take(input, 1);
    memset(scope->name, byte, fuzz_take(input, 1) % (sizeof(scope->name) + 1));
}

static void fill(fuzz_input_t *input)
{
    size_t at = fuzz_take(input, 3) % sound_size;
    size_t count = fuzz_take(input, 2);

    memset(image + at, (int)fuzz_take(input, 1),
           count < sound_size - at ? count : sound_size - at);
}

static void change(fuzz_input_t *input)
{
    uint8_t *tag;

    switch (fuzz_take(input, 1) % 9) {
    case 0:
        put(image + fuzz_take(input, 3) % (sound_size - 16), 16, input);
        break;
    case 1:
        put(table.head, sizeof(*table.head), input);
        break;
    case 2:
        put(&table.stripe[fuzz_below(input, GUARD_SHM_STRIPES)],
            sizeof(*table.stripe), input);
        break;
    case 3:
        put(take_record(input, &tag), sizeof(guard_record_t), input);
        break;
    case 4:
        settle_in(input);
        break;
    case 5:
        copy_record(input);
        break;
    case 6:
        mark(input);
        break;
    case 7:
        name_scope(input);
        break;
    default:
        fill(input);
        break;
    }
}

/* Make the head good again; as many clients as fill the same buckets will do.
 * @return 1 if it was good, else 0 */
static int repair(void)
{
    guard_shm_shape_t *shape = &table.head->shape;
    guard_shm_shape_t before = *shape;

    guard_shm_shape_make(shape, CLIENTS + (before.clients - CLIENTS) % 7,
                         &before.table_secret);
    return !memcmp(shape, &before, sizeof(before));
}

/* As whoever wrote that head would have: with another version, say. */
static void seal(guard_shm_shape_t *shape)
{
    static const guard_secret_t KNOWN = {"mod_auth_guard"};

    shape->checksum =
        guard_key_hash(&KNOWN, shape, offsetof(guard_shm_shape_t, checksum));
}

/* Write the changed file. @return 1 if it is a table, else 0. */
static int write_changed(fuzz_input_t *input, unsigned flags)
{
    size_t length = sound_size;
    int is_table = 1;

    memcpy(image, sound, sound_size);
    memset(image + sound_size, 0, SLACK);
    guard_shm_table_attach(
        &table, image, CLIENTS,
        &((guard_shm_head_t *)(void *)image)->shape.table_secret);
    while (input->at < input->end) {
        change(input);
    }
    if (flags & SEAL) {
        seal(&table.head->shape);
    }
    if (flags & BAD_HEAD) {
        guard_shm_shape_t bad = table.head->shape;

        is_table = repair();
        table.head->shape = bad;
    } else {
        repair();
    }
    if (flags & BAD_LENGTH) {
        length += table.head->counts[0].counter[0] % SLACK + 1;
        length -= table.head->counts[0].counter[1] % 2 * (SLACK + 1);
        is_table = 0;
    }
    table_write(image, length);
    return is_table;
}

/* ---- what must hold ---- */

static void try_tool(apr_pool_t *parent, int is_table)
{
    guard_store_t *store = NULL;
    apr_pool_t *pool;
    apr_status_t rv;

    apr_pool_create(&pool, parent);
    rv = table_open(&store, GUARD_SHM_TOOL, 0, &table_guess_secret, pool);
    fuzz_must(rv == (is_table ? APR_SUCCESS : APR_EINVAL),
              "a tool opens a table, and refuses what is none");
    if (rv == APR_SUCCESS) {
        usage_try(store, pool);
    }
    apr_pool_destroy(pool);
    fuzz_must(table_count() == 1, "a tool leaves the file where it is");
}

static void try_server(apr_pool_t *parent, int is_table, uint32_t clients,
                       int draw)
{
    guard_store_t *store = NULL;
    apr_pool_t *pool;

    apr_pool_create(&pool, parent);
    fuzz_must(table_open(&store, GUARD_SHM_SERVER, clients,
                         draw ? NULL : &table_guess_secret,
                         pool) == APR_SUCCESS,
              "a server opens whatever is there");
    fuzz_must(guard_store_shm_clients(store) == clients, "of the size wanted");
    fuzz_must(table_count() == (is_table ? 1 : 2),
              "what is no table is set aside, and nothing else is");
    usage_try(store, pool);
    apr_pool_destroy(pool);
    table_forget_aside();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t input = {.at = data, .end = data + size};
    unsigned flags = (unsigned)fuzz_take(&input, 1);
    apr_pool_t *pool;
    int is_table = 0;

    begin();
    if (flags & RAW) {
        table_write(input.at, (size_t)(input.end - input.at));
    } else {
        is_table = write_changed(&input, flags);
    }
    if (flags & REBOOT) {
        table_world.boot_id = "second";
        table_world.clock_usec = apr_time_from_sec(60);
        table_world.wall_usec += apr_time_from_sec(300);
    }
    pool = fuzz_begin();
    if (flags & TOOL_FIRST) {
        try_tool(pool, is_table);
    }
    try_server(pool, is_table, flags & RESIZE ? 2 * CLIENTS : CLIENTS,
               flags & DRAW);
    try_tool(pool, 1);
    if (flags & RESIZE) {
        try_server(pool, 1, CLIENTS, 0);
    }
    fuzz_end();
    table_sweep();
    return 0;
}
