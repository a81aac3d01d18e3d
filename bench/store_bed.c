/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_bed.c owns the table that is measured, and what one operation is. It
 * knows no clock but the store's.
 *
 * Invariant: nobody in the table is ever locked out: the limit is the highest
 * that there is, and whoever measures ends the window after each turn.
 */
#include "store_bed.h"
#include "guard_store_shm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DIR_MAX 256
#define RECORD_WORDS (BED_RECORD_BYTES / 8)

void bed_fail(const char *what)
{
    perror(what);
    exit(1);
}

void *bed_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        bed_fail("mmap");
    }
    return memory;
}

/* splitmix64 */
uint64_t bed_draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The n-th of many IPv4 addresses. */
static guard_addr_t nth_address(uint32_t n)
{
    unsigned char byte[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                             (unsigned char)(n >> 8), (unsigned char)n};
    guard_addr_t addr;

    guard_addr_from_bytes(&addr, byte, sizeof(byte));
    return addr;
}

static void make_claim(const bed_t *bed, const guard_addr_t *addr,
                       guard_claim_t *claim)
{
    memset(claim, 0, sizeof(*claim));
    claim->client.addr = *addr;
    claim->client.bits = GUARD_ADDR_BITS;
    claim->client.kind = GUARD_KIND_IP;
    claim->client.scope = bed->scope;
    claim->client.scope_name = "bench";
    claim->policy = guard_policy_default;
    claim->policy.limit = GUARD_LIMIT_MAX; /* nobody is locked out */
    claim->policy.window_usec = BED_WINDOW_USEC;
    guard_client_seal(&claim->client, &bed->store->table_secret, 0);
}

/* Reserve, and settle as wrong; again, where the lock's holder had lost the
 * processor for too long. @return 1 if it was admitted, else 0. */
static int verify(const bed_t *bed, const guard_addr_t *addr, uint64_t random)
{
    const guard_store_ops_t *ops = bed->store->ops;
    guard_guess_t guess = {.tag = (uint32_t)random,
                           .proven_tag = (uint32_t)random,
                           .user = (uint32_t)(random >> 32)};
    guard_ticket_t ticket = {0};
    guard_report_t report;
    guard_claim_t claim;
    apr_status_t rv;

    make_claim(bed, addr, &claim);
    do {
        rv = ops->reserve(bed->store, bed->now_usec, &claim, 1, &guess,
                          GUARD_LAST_TRY, &ticket, &report);
    } while (rv == APR_TIMEUP);
    if (rv != APR_SUCCESS || report.verdict != GUARD_ADMIT) {
        return 0;
    }
    do {
        rv = ops->settle(bed->store, bed->now_usec, &ticket, GUARD_WRONG,
                         &report);
    } while (rv == APR_TIMEUP);
    return rv == APR_SUCCESS;
}

static int peek(const bed_t *bed, const guard_addr_t *addr)
{
    guard_report_t report;
    guard_claim_t claim;
    apr_status_t rv;

    make_claim(bed, addr, &claim);
    do {
        rv = bed->store->ops->peek(bed->store, bed->now_usec, &claim, 1,
                                   &report);
    } while (rv == APR_TIMEUP);
    return rv == APR_SUCCESS && report.verdict == GUARD_ADMIT;
}

static int touch(const bed_t *bed, const guard_addr_t *addr)
{
    uint64_t name[2] = {bed->scope}; /* as long as what names a client */
    uint64_t *record;

    memcpy(&name[1], addr->byte + 8, sizeof(name[1]));
    record = bed->floor +
             guard_key_hash(&bed->store->table_secret, name, sizeof(name)) %
                 bed->clients * RECORD_WORDS;
    record[0]++;
    record[RECORD_WORDS - 1]++;
    return 1;
}

/* One operation of that kind, by the number that its process has for it. */
int bed_operate(const bed_t *bed, bed_kind_e kind, uint32_t number,
                uint64_t random)
{
    const guard_addr_t *known = &bed->known[number % bed->known_count];
    guard_addr_t newcomer;

    switch (kind) {
    case BED_FLOOR:
        return touch(bed, known);
    case BED_PEEK:
        return peek(bed, known);
    case BED_NEWCOMER:
        newcomer = nth_address(bed->next + number);
        return verify(bed, &newcomer, random);
    case BED_VERIFY:
    case BED_KINDS:
        break;
    }
    return verify(bed, known, random);
}

/* Where the kernel is older, reading at least maps what it can. */
static void map_in(void *memory, size_t bytes)
{
    volatile unsigned char *byte = memory;

#ifdef MADV_POPULATE_WRITE
    if (!madvise(memory, bytes, MADV_POPULATE_WRITE)) {
        return;
    }
#endif
    for (size_t i = 0; i < bytes; i += 4096) {
        (void)byte[i];
    }
}

void bed_populate(const bed_t *bed)
{
    guard_shm_handle_t handle = guard_store_shm_handle(bed->store);

    map_in(handle.mapping, handle.size_bytes);
    map_in(bed->floor, (size_t)bed->clients * BED_RECORD_BYTES);
}

static apr_status_t collect(void *baton, const guard_entry_t *entry)
{
    bed_t *bed = baton;

    if (bed->known_count < bed->clients) {
        bed->known[bed->known_count++] = entry->addr;
    }
    return APR_SUCCESS;
}

/* A server's table lies in memory, too: below /run. */
static const char *base(void)
{
    const char *told = getenv("TMPDIR");

    if (told && strlen(told) < DIR_MAX - 32) {
        return told;
    }
    return access("/dev/shm", W_OK) ? P_tmpdir : "/dev/shm";
}

/* The file's name goes at once, so that nothing is left, whatever happens. */
void bed_open(bed_t *bed, uint32_t clients)
{
    char dir[DIR_MAX], path[DIR_MAX + 8];
    guard_shm_options_t options = {
        .path = path, .clients = clients, .role = GUARD_SHM_SERVER};

    memset(bed, 0, sizeof(*bed));
    bed->clients = clients;
    snprintf(dir, sizeof(dir), "%s/guard-bench-XXXXXX", base());
    if (!mkdtemp(dir)) {
        bed_fail(dir);
    }
    snprintf(path, sizeof(path), "%s/table", dir);
    apr_pool_create(&bed->pool, NULL);
    if (guard_store_shm_open(&bed->store, &options, bed->pool) != APR_SUCCESS) {
        bed_fail(path);
    }
    unlink(path);
    rmdir(dir);
    bed->now_usec = guard_store_clock();
    bed->scope = guard_key_hash(&bed->store->table_secret, "bench", 5);
    bed->known = calloc(bed->clients, sizeof(*bed->known));
    bed->floor = bed_shared((size_t)bed->clients * BED_RECORD_BYTES);
    if (!bed->known) {
        bed_fail("calloc");
    }
}

void bed_close(bed_t *bed)
{
    apr_pool_destroy(bed->pool);
    munmap(bed->floor, (size_t)bed->clients * BED_RECORD_BYTES);
    free(bed->known);
}

/* Let so many clients fail once. */
void bed_fill(bed_t *bed, uint32_t count)
{
    while (count--) {
        guard_addr_t addr = nth_address(bed->next++);

        verify(bed, &addr, bed->next);
    }
}

/* See who is there, in no order. */
void bed_get_to_know(bed_t *bed)
{
    guard_filter_t all = {.by = GUARD_FILTER_ALL};
    uint64_t state = bed->next;

    bed->known_count = 0;
    bed->store->ops->iterate(bed->store, bed->now_usec, &all, collect, bed);
    for (uint32_t i = bed->known_count; i > 1; i--) {
        uint32_t other = (uint32_t)(bed_draw(&state) % i);
        guard_addr_t addr = bed->known[other];

        bed->known[other] = bed->known[i - 1];
        bed->known[i - 1] = addr;
    }
}
