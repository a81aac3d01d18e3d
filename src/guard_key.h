/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_key.h: from what a request carries to what a store counts by.
 *
 * Addresses, prefixes, and the keyed hashes that name clients and guesses.
 * Everything here is a pure function of its arguments: no clock, no lock, no
 * request, so any thread may call any of it at any time.
 */
#ifndef GUARD_KEY_H
#define GUARD_KEY_H

#include <apr.h>
#include <apr_errno.h>
#include <stdint.h>

/**
 * An address, 16 bytes in network order. IPv4 is held as ::ffff:a.b.c.d
 * (RFC 4291 section 2.5.5.2), so that one code path serves both families and
 * a v4-mapped address is the IPv4 address by itself.
 */
typedef struct guard_addr_t {
    unsigned char byte[16];
} guard_addr_t;

/** A block of addresses. bits counts in the mapped space: IPv4 /24 is 120. */
typedef struct guard_cidr_t {
    guard_addr_t addr; /* masked */
    uint8_t bits;      /* 0 to 128 */
} guard_cidr_t;

#define GUARD_ADDR_BITS 128
#define GUARD_ADDR_V4_BASE 96 /* bits of ::ffff:0:0/96 */
/** Room for "ffff:...:255.255.255.255/128" and its NUL. */
#define GUARD_CIDR_TEXT_MAX 56

/** A SipHash key (128 bits), from the kernel's random source. */
typedef struct guard_secret_t {
    unsigned char byte[16];
} guard_secret_t;

/** What a count is kept by: the KEY of AuthGuardLimit. 0 is no kind. */
typedef enum {
    GUARD_KIND_IP = 1,
    GUARD_KIND_NET,
    GUARD_KIND_USER,
    GUARD_KIND_LOGIN,
    GUARD_KIND_OVERFLOW /* stores only: the shared budget of a full bucket */
} guard_kind_e;

#define GUARD_KIND_MAX 4 /* kinds that a directive can name */

/** Which set of records a client is counted in. */
typedef enum {
    GUARD_COUNTED_FOR_REAL = 0,
    GUARD_COUNTED_OBSERVED = 1 /* AuthGuard Observe: records of its own */
} guard_counted_e;

/**
 * A client: a scope, a kind of key and a key. id stands for all of it, and
 * is what stores look up; the rest is kept so that people can be told.
 */
typedef struct guard_client_t {
    uint64_t id; /* never 0 */
    guard_addr_t addr;
    uint8_t bits; /* 0 where the kind has no address */
    uint8_t kind;
    uint8_t counted;
    uint8_t tenant;         /* 1: a .htaccess makes its scope; not part of id */
    uint64_t scope;         /* a keyed hash of what counts as one */
    const char *scope_name; /* borrowed; may be NULL */
} guard_client_t;

/**
 * A guess, never the password itself. tag finds the same guess again;
 * proven_tag finds what proved right. Both are the same but for Digest,
 * whose answers differ each time (a guess then neither joins nor repeats).
 */
typedef struct guard_guess_t {
    uint32_t tag;
    uint32_t proven_tag;
    uint32_t user; /* tag of the user name, in the bits a slot has */
} guard_guess_t;

#define GUARD_USER_TAG_BITS 21

/** @return the name a directive uses for the kind, "overflow", or "?". */
const char *guard_kind_name(guard_kind_e kind);

/** @return the kind of that name (any case), or 0. */
guard_kind_e guard_kind_parse(const char *name);

/**
 * Read an address. A scope id ("%eth0") and anything after the address is
 * refused.
 * @return APR_SUCCESS, or APR_EINVAL with *out untouched.
 */
apr_status_t guard_addr_parse(guard_addr_t *out, const char *text);

/**
 * Take an address from a socket: 4 bytes are IPv4, 16 are IPv6, in network
 * order.
 * @return APR_SUCCESS, or APR_EINVAL for another length.
 */
apr_status_t guard_addr_from_bytes(guard_addr_t *out, const void *bytes,
                                   apr_size_t length);

/** @return 1 for an IPv4 address, mapped ones included, else 0. */
int guard_addr_is_v4(const guard_addr_t *addr);

/** Clear what lies behind the first bits (0 to 128, mapped space). */
void guard_addr_mask(guard_addr_t *addr, unsigned bits);

/**
 * Read ADDRESS or ADDRESS/BITS, bits counted as people do (0 to 32, 0 to
 * 128). Host bits behind the prefix are cleared.
 * @return APR_SUCCESS, or APR_EINVAL with *out untouched.
 */
apr_status_t guard_cidr_parse(guard_cidr_t *out, const char *text);

/** @return 1 if addr lies in cidr, else 0. */
int guard_cidr_contains(const guard_cidr_t *cidr, const guard_addr_t *addr);

/** Write the address, IPv4 as dotted quad. @return buf. */
char *guard_addr_format(char buf[GUARD_CIDR_TEXT_MAX],
                        const guard_addr_t *addr);

/** Write ADDRESS/BITS with bits as people count them. @return buf. */
char *guard_cidr_format(char buf[GUARD_CIDR_TEXT_MAX], const guard_addr_t *addr,
                        unsigned bits);

/**
 * Fill a secret from the kernel's random source (getrandom(2)).
 * @return APR_SUCCESS or the system's error.
 */
apr_status_t guard_secret_draw(guard_secret_t *out);

/** SipHash-2-4 of length bytes at data under secret. */
uint64_t guard_key_hash(const guard_secret_t *secret, const void *data,
                        apr_size_t length);

/**
 * Complete a client: mask the address to its bits (and clear it for
 * GUARD_KIND_USER), then compute client->id from kind, counted, bits,
 * address, scope and user.
 * @param user guard_key_hash of the user name; counts for `user` and `login`
 */
void guard_client_seal(guard_client_t *client, const guard_secret_t *secret,
                       uint64_t user);

/**
 * Make a guess out of what a password check is given. Each part is hashed
 * with its length, so that no two splits of one string meet.
 * @param realm, user, password NUL-terminated; NULL counts as ""
 */
guard_guess_t guard_guess_make(const guard_secret_t *secret, const char *realm,
                               const char *user, const char *password);

/**
 * Make a guess out of a Digest answer: found again by nobody, proven by user
 * and nonce.
 */
guard_guess_t guard_guess_make_digest(const guard_secret_t *secret,
                                      const char *realm, const char *user,
                                      const char *nonce, const char *header);

#endif
