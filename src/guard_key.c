/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_key.c owns addresses, prefixes and the keyed hashes that name clients
 * and guesses. It knows nothing of requests, records or stores.
 *
 * Invariant: an address in memory is always 16 bytes, IPv4 mapped, so that
 * equal addresses have equal bytes and a prefix is one number.
 */
#include "guard_key.h"

#include <apr_siphash.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const unsigned char V4_MAPPED[12] = {0, 0, 0, 0, 0,    0,
                                            0, 0, 0, 0, 0xff, 0xff};

static const char *const KIND_NAME[] = {
    "?", "ip", "net", "user", "login", "overflow",
};

const char *guard_kind_name(guard_kind_e kind)
{
    return kind <= GUARD_KIND_OVERFLOW ? KIND_NAME[kind] : KIND_NAME[0];
}

guard_kind_e guard_kind_parse(const char *name)
{
    for (int kind = GUARD_KIND_IP; kind <= GUARD_KIND_MAX; kind++) {
        if (!strcasecmp(name, KIND_NAME[kind])) {
            return (guard_kind_e)kind;
        }
    }
    return 0;
}

apr_status_t guard_addr_from_bytes(guard_addr_t *out, const void *bytes,
                                   apr_size_t length)
{
    if (length == 16) {
        memcpy(out->byte, bytes, 16);
        return APR_SUCCESS;
    }
    if (length != 4) {
        return APR_EINVAL;
    }
    memcpy(out->byte, V4_MAPPED, sizeof(V4_MAPPED));
    memcpy(out->byte + sizeof(V4_MAPPED), bytes, 4);
    return APR_SUCCESS;
}

apr_status_t guard_addr_parse(guard_addr_t *out, const char *text)
{
    unsigned char bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1) {
        return guard_addr_from_bytes(out, bytes, 4);
    }
    if (inet_pton(AF_INET6, text, bytes) == 1) {
        return guard_addr_from_bytes(out, bytes, 16);
    }
    return APR_EINVAL;
}

int guard_addr_is_v4(const guard_addr_t *addr)
{
    return !memcmp(addr->byte, V4_MAPPED, sizeof(V4_MAPPED));
}

void guard_addr_mask(guard_addr_t *addr, unsigned bits)
{
    unsigned whole = bits / 8;

    if (bits >= GUARD_ADDR_BITS) {
        return;
    }
    addr->byte[whole] &= (unsigned char)(0xff00u >> (bits % 8));
    memset(addr->byte + whole + 1, 0, 15 - whole);
}

/* Read the digits behind the slash: 0 to most, nothing else. */
static apr_status_t parse_bits(unsigned *bits, const char *text, unsigned most)
{
    unsigned value = 0;

    if (!*text || strlen(text) > 3) {
        return APR_EINVAL;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return APR_EINVAL;
        }
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (value > most) {
        return APR_EINVAL;
    }
    *bits = value;
    return APR_SUCCESS;
}

apr_status_t guard_cidr_parse(guard_cidr_t *out, const char *text)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    guard_addr_t addr;
    unsigned base, bits;

    if (length >= sizeof(address)) {
        return APR_EINVAL;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    if (guard_addr_parse(&addr, address) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    /* "::ffff:192.0.2.0/120" is written in IPv6's own count of bits. */
    base = strchr(address, ':') ? 0 : GUARD_ADDR_V4_BASE;
    bits = GUARD_ADDR_BITS - base;
    if (slash && parse_bits(&bits, slash + 1, bits) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    out->addr = addr;
    out->bits = (uint8_t)(base + bits);
    guard_addr_mask(&out->addr, out->bits);
    return APR_SUCCESS;
}

int guard_cidr_contains(const guard_cidr_t *cidr, const guard_addr_t *addr)
{
    guard_addr_t masked = *addr;

    guard_addr_mask(&masked, cidr->bits);
    return !memcmp(masked.byte, cidr->addr.byte, sizeof(masked.byte));
}

char *guard_addr_format(char buf[GUARD_CIDR_TEXT_MAX], const guard_addr_t *addr)
{
    if (guard_addr_is_v4(addr)) {
        inet_ntop(AF_INET, addr->byte + sizeof(V4_MAPPED), buf,
                  GUARD_CIDR_TEXT_MAX);
    } else {
        inet_ntop(AF_INET6, addr->byte, buf, GUARD_CIDR_TEXT_MAX);
    }
    return buf;
}

char *guard_cidr_format(char buf[GUARD_CIDR_TEXT_MAX], const guard_addr_t *addr,
                        unsigned bits)
{
    size_t length;

    guard_addr_format(buf, addr);
    if (guard_addr_is_v4(addr) && bits >= GUARD_ADDR_V4_BASE) {
        bits -= GUARD_ADDR_V4_BASE;
    }
    length = strlen(buf);
    apr_snprintf(buf + length, GUARD_CIDR_TEXT_MAX - length, "/%u", bits);
    return buf;
}

apr_status_t guard_secret_draw(guard_secret_t *out)
{
    ssize_t got;

    do {
        got = getrandom(out->byte, sizeof(out->byte), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno;
    }
    return got == sizeof(out->byte) ? APR_SUCCESS : APR_EGENERAL;
}

uint64_t guard_key_hash(const guard_secret_t *secret, const void *data,
                        apr_size_t length)
{
    return apr_siphash24(data, length, secret->byte);
}

/* A name is of two words for an IPv4 address and of four for another, and a
 * user is one more: no two kinds of names are alike. */
void guard_client_seal(guard_client_t *client, const guard_secret_t *secret,
                       uint64_t user)
{
    const unsigned char *addr = client->addr.byte;
    uint64_t name[5] = {client->scope};
    unsigned words = 2;
    uint32_t what[2];

    if (client->kind == GUARD_KIND_USER) {
        memset(&client->addr, 0, sizeof(client->addr));
        client->bits = 0;
    }
    guard_addr_mask(&client->addr, client->bits);
    what[0] = (uint32_t)client->kind | (uint32_t)client->counted << 8 |
              (uint32_t)client->bits << 16;
    memcpy(&what[1], addr + sizeof(V4_MAPPED), sizeof(what[1]));
    memcpy(&name[1], what, sizeof(what));
    if (!guard_addr_is_v4(&client->addr)) {
        memcpy(&name[2], addr, sizeof(V4_MAPPED));
        words = 4;
    }
    if (client->kind == GUARD_KIND_USER || client->kind == GUARD_KIND_LOGIN) {
        name[words++] = user;
    }
    client->id = guard_key_hash(secret, name, words * sizeof(name[0]));
    if (!client->id) {
        client->id = 1; /* 0 is taken: no record */
    }
}

/* What the hashes are for, so that one can't stand in for another. */
enum { FOR_GUESS = 1, FOR_ANSWER, FOR_NONCE, FOR_LONG = 0x100 };

#define PARTS 4
#define SHORT_BYTES 256 /* what is hashed in one go */

typedef struct block_t {
    uint16_t domain, length[PARTS];
    char text[SHORT_BYTES];
} block_t;

/* A long one: each part is hashed on its own, then lengths and digests
 * together, so that an 8 kB password needs no buffer. */
static uint64_t hash_long(const guard_secret_t *secret, uint64_t domain,
                          const char *const text[PARTS],
                          const uint64_t length[PARTS])
{
    uint64_t block[1 + 2 * PARTS] = {domain};

    for (int i = 0; i < PARTS; i++) {
        block[1 + 2 * i] = length[i];
        block[2 + 2 * i] = guard_key_hash(secret, text[i], length[i]);
    }
    return guard_key_hash(secret, block, sizeof(block));
}

/*
 * Lengths first, then the parts, in one buffer: no two splits of one string
 * meet. A password does not stay on the stack.
 */
static uint64_t hash_parts(const guard_secret_t *secret, uint16_t domain,
                           const char *const part[PARTS])
{
    block_t block;
    const char *text[PARTS];
    uint64_t length[PARTS], hash, used = 0;

    for (int i = 0; i < PARTS; i++) {
        text[i] = part[i] ? part[i] : "";
        length[i] = strlen(text[i]);
        used += length[i];
    }
    if (used > SHORT_BYTES) {
        return hash_long(secret, domain | FOR_LONG, text, length);
    }
    block.domain = domain;
    used = 0;
    for (int i = 0; i < PARTS; i++) {
        block.length[i] = (uint16_t)length[i];
        memcpy(block.text + used, text[i], length[i]);
        used += length[i];
    }
    hash = guard_key_hash(secret, &block, offsetof(block_t, text) + used);
    explicit_bzero(block.text, used);
    return hash;
}

static uint32_t tag_user(const guard_secret_t *secret, const char *user)
{
    uint64_t hash =
        guard_key_hash(secret, user ? user : "", user ? strlen(user) : 0);

    return (uint32_t)(hash & ((1u << GUARD_USER_TAG_BITS) - 1));
}

guard_guess_t guard_guess_make(const guard_secret_t *secret, const char *realm,
                               const char *user, const char *password)
{
    const char *const part[PARTS] = {realm, user, password};
    guard_guess_t guess;

    guess.tag = (uint32_t)hash_parts(secret, FOR_GUESS, part);
    guess.proven_tag = guess.tag;
    guess.user = tag_user(secret, user);
    return guess;
}

guard_guess_t guard_guess_make_digest(const guard_secret_t *secret,
                                      const char *realm, const char *user,
                                      const char *nonce, const char *header)
{
    const char *const answer[PARTS] = {realm, user, nonce, header};
    const char *const proof[PARTS] = {realm, user, nonce};
    guard_guess_t guess;

    guess.tag = (uint32_t)hash_parts(secret, FOR_ANSWER, answer);
    guess.proven_tag = (uint32_t)hash_parts(secret, FOR_NONCE, proof);
    guess.user = tag_user(secret, user);
    return guess;
}
