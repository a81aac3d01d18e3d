/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * address.c: addresses and blocks of them, as people and proxies write them.
 *
 * Input: the text of a block, a newline, the text of an address.
 * Holds: what is refused leaves the result alone; what is read is written
 * back as text that reads the same; a block holds its own address, its edges,
 * and no address outside; IPv4 is one family however it is written.
 */
#include "guard_key.h"
#include "fuzz.h"

#include <apr_strings.h>

#include <arpa/inet.h>
#include <string.h>

const char fuzz_target[] = "address";

static int is_same(const guard_addr_t *a, const guard_addr_t *b)
{
    return !memcmp(a->byte, b->byte, sizeof(a->byte));
}

static int bit_of(const guard_addr_t *addr, unsigned bit)
{
    return addr->byte[bit / 8] >> (7 - bit % 8) & 1;
}

/* Bit by bit, where the code goes by bytes. */
static int is_in(const guard_cidr_t *cidr, const guard_addr_t *addr)
{
    for (unsigned bit = 0; bit < cidr->bits; bit++) {
        if (bit_of(&cidr->addr, bit) != bit_of(addr, bit)) {
            return 0;
        }
    }
    return 1;
}

static int try_address(apr_pool_t *pool, guard_addr_t *out, const char *text)
{
    guard_addr_t addr, again, untouched;
    char *buf = apr_palloc(pool, GUARD_CIDR_TEXT_MAX);
    unsigned char four[4];

    memset(&addr, 0x5a, sizeof(addr));
    untouched = addr;
    if (guard_addr_parse(&addr, text) != APR_SUCCESS) {
        fuzz_must(is_same(&addr, &untouched),
                  "a refused address leaves the result alone");
        return 0;
    }
    guard_addr_format(buf, &addr);
    fuzz_must(memchr(buf, '\0', GUARD_CIDR_TEXT_MAX) != NULL, "text ends");
    fuzz_must(guard_addr_parse(&again, buf) == APR_SUCCESS &&
                  is_same(&addr, &again),
              "what is written back reads the same");
    if (inet_pton(AF_INET, text, four) == 1) {
        fuzz_must(guard_addr_is_v4(&addr) && !memcmp(addr.byte + 12, four, 4),
                  "a dotted quad is IPv4");
        fuzz_must(guard_addr_parse(&again, apr_pstrcat(pool, "::ffff:", text,
                                                       NULL)) == APR_SUCCESS &&
                      is_same(&addr, &again),
                  "and so it is when mapped");
    }
    *out = addr;
    return 1;
}

static void try_edges(const guard_cidr_t *cidr)
{
    guard_addr_t first = cidr->addr, last = cidr->addr;

    fuzz_must(guard_cidr_contains(cidr, &first), "a block holds its address");
    for (unsigned bit = cidr->bits; bit < GUARD_ADDR_BITS; bit++) {
        fuzz_must(!bit_of(&first, bit), "which has no host bits");
        last.byte[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
    }
    fuzz_must(guard_cidr_contains(cidr, &last), "and its last one");
    if (cidr->bits) {
        unsigned bit = cidr->bits - 1u;

        last.byte[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
        fuzz_must(!guard_cidr_contains(cidr, &last), "and not the one beyond");
    }
}

static void try_block(apr_pool_t *pool, const char *text,
                      const guard_addr_t *other)
{
    guard_cidr_t cidr, again, untouched;
    char *buf = apr_palloc(pool, GUARD_CIDR_TEXT_MAX);

    memset(&cidr, 0x5a, sizeof(cidr));
    untouched = cidr;
    if (guard_cidr_parse(&cidr, text) != APR_SUCCESS) {
        fuzz_must(is_same(&cidr.addr, &untouched.addr) &&
                      cidr.bits == untouched.bits,
                  "a refused block leaves the result alone");
        return;
    }
    fuzz_must(cidr.bits <= GUARD_ADDR_BITS, "a block has its bits");
    try_edges(&cidr);
    guard_cidr_format(buf, &cidr.addr, cidr.bits);
    fuzz_must(memchr(buf, '\0', GUARD_CIDR_TEXT_MAX) != NULL, "text ends");
    fuzz_must(guard_cidr_parse(&again, buf) == APR_SUCCESS &&
                  again.bits == cidr.bits && is_same(&again.addr, &cidr.addr),
              "a block that is written back reads the same");
    if (other) {
        fuzz_must(guard_cidr_contains(&cidr, other) == is_in(&cidr, other),
                  "bytes and bits agree on what a block holds");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_begin();
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    const char *block = fuzz_text(pool, data, length);
    const char *address = fuzz_text(pool, data + length + (end != NULL),
                                    size - length - (end != NULL));
    guard_addr_t addr;
    int is_address = try_address(pool, &addr, address);

    try_block(pool, block, is_address ? &addr : NULL);
    try_address(pool, &addr, block);
    fuzz_end();
    return 0;
}
