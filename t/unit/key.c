/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * key.c: the hashes that name clients and guesses.
 *
 * Tables of what must meet and what must not. Secrets are fixed, so each run
 * sees the same hashes.
 */
#include "guard_key.h"
#include "addr.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const guard_secret_t SECRET = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const guard_secret_t OTHER = {
    {15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static void kinds_have_names(void)
{
    static const struct {
        guard_kind_e kind;
        const char *name, *shouted;
    } row[] = {{GUARD_KIND_IP, "ip", "IP"},
               {GUARD_KIND_NET, "net", "Net"},
               {GUARD_KIND_USER, "user", "USER"},
               {GUARD_KIND_LOGIN, "login", "LogIn"}};
    static const char *const nokind[] = {"", "i", "ips", "?", "ip ", "overflo"};

    for (size_t i = 0; i < COUNT(row); i++) {
        is_str(guard_kind_name(row[i].kind), row[i].name, row[i].name);
        is(guard_kind_parse(row[i].name), row[i].kind, "  and back");
        is(guard_kind_parse(row[i].shouted), row[i].kind, "  in any case");
    }
    is_str(guard_kind_name(GUARD_KIND_OVERFLOW), "overflow", "overflow");
    is_str(guard_kind_name((guard_kind_e)0), "?", "0 is no kind");
    is_str(guard_kind_name((guard_kind_e)99), "?", "99 is no kind");
    for (size_t i = 0; i < COUNT(nokind); i++) {
        ok(guard_kind_parse(nokind[i]) == 0, "no kind: '%s'", nokind[i]);
    }
}

/* From the table that SipHash's authors publish: key 00..0f, data 00, 01, ...
 * of that length. */
static void hash_is_siphash_2_4(void)
{
    static const struct {
        unsigned length;
        uint64_t hash;
    } row[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},
               {2, 0x0d6c8009d9a94f5a}, {7, 0xab0200f58b01d137},
               {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
               {63, 0x958a324ceb064572}};
    unsigned char data[64];

    for (unsigned i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)i;
    }
    for (size_t i = 0; i < COUNT(row); i++) {
        ok(guard_key_hash(&SECRET, data, row[i].length) == row[i].hash,
           "SipHash-2-4 of %u bytes", row[i].length);
    }
}

static void drawn_secrets_differ(void)
{
    guard_secret_t a = {{0}}, b = {{0}};

    ok(guard_secret_draw(&a) == APR_SUCCESS &&
           guard_secret_draw(&b) == APR_SUCCESS,
       "secrets can be drawn");
    ok(memcmp(&a, &b, sizeof a), "two drawn secrets differ");
}

/* ---- clients ---- */

typedef struct who_t {
    guard_kind_e kind;
    guard_counted_e counted;
    const char *addr;
    uint8_t bits;
    uint64_t scope, user;
} who_t;

static guard_client_t sealed(const guard_secret_t *secret, const who_t *who)
{
    guard_client_t client = {0};

    client.kind = (uint8_t)who->kind;
    client.counted = (uint8_t)who->counted;
    client.addr = addr(who->addr);
    client.bits = who->bits;
    client.scope = who->scope;
    guard_client_seal(&client, secret, who->user);
    return client;
}

static const struct {
    const char *rule;
    who_t a, b;
    int same;
} client_row[] = {
#define IP GUARD_KIND_IP, GUARD_COUNTED_FOR_REAL
#define NET GUARD_KIND_NET, GUARD_COUNTED_FOR_REAL
#define USER GUARD_KIND_USER, GUARD_COUNTED_FOR_REAL
#define LOGIN GUARD_KIND_LOGIN, GUARD_COUNTED_FOR_REAL
    {"the same address again",
     {IP, "192.0.2.7", 128, 1, 5},
     {IP, "192.0.2.7", 128, 1, 5},
     1},
    {"a mapped address is the IPv4 one",
     {IP, "192.0.2.7", 128, 1, 5},
     {IP, "::ffff:192.0.2.7", 128, 1, 5},
     1},
    {"another address",
     {IP, "192.0.2.7", 128, 1, 5},
     {IP, "192.0.2.8", 128, 1, 5},
     0},
    {"another address behind the same prefix",
     {IP, "2001:db8::7", 64, 1, 5},
     {IP, "2001:db8::8", 64, 1, 5},
     1},
    {"the same block under another prefix",
     {IP, "192.0.2.0", 128, 1, 5},
     {IP, "192.0.2.0", 120, 1, 5},
     0},
    {"another scope",
     {IP, "192.0.2.7", 128, 1, 5},
     {IP, "192.0.2.7", 128, 2, 5},
     0},
    {"ip: the user does not matter",
     {IP, "192.0.2.7", 128, 1, 5},
     {IP, "192.0.2.7", 128, 1, 6},
     1},
    {"net: the user does not matter",
     {NET, "192.0.2.7", 120, 1, 5},
     {NET, "192.0.2.8", 120, 1, 6},
     1},
    {"ip is not net",
     {IP, "192.0.2.7", 120, 1, 5},
     {NET, "192.0.2.7", 120, 1, 5},
     0},
    {"user: the address does not matter",
     {USER, "192.0.2.7", 0, 1, 5},
     {USER, "2001:db8::1", 0, 1, 5},
     1},
    {"user: another user",
     {USER, "192.0.2.7", 0, 1, 5},
     {USER, "192.0.2.7", 0, 1, 6},
     0},
    {"login: the same address and user",
     {LOGIN, "192.0.2.7", 128, 1, 5},
     {LOGIN, "192.0.2.7", 128, 1, 5},
     1},
    {"login: another user",
     {LOGIN, "192.0.2.7", 128, 1, 5},
     {LOGIN, "192.0.2.7", 128, 1, 6},
     0},
    {"login: another address",
     {LOGIN, "192.0.2.7", 128, 1, 5},
     {LOGIN, "192.0.2.8", 128, 1, 5},
     0},
    {"observed counts are apart",
     {IP, "192.0.2.7", 128, 1, 5},
     {GUARD_KIND_IP, GUARD_COUNTED_OBSERVED, "192.0.2.7", 128, 1, 5},
     0},
};

static void clients_are_the_same_or_not(void)
{
    for (size_t i = 0; i < COUNT(client_row); i++) {
        guard_client_t a = sealed(&SECRET, &client_row[i].a);
        guard_client_t b = sealed(&SECRET, &client_row[i].b);

        is(a.id == b.id, client_row[i].same, client_row[i].rule);
        ok(a.id && b.id, "  no id is 0");
    }
}

static void sealing_masks_the_address(void)
{
    static const who_t net = {NET, "192.0.2.7", 120, 1, 5};
    static const who_t user = {USER, "192.0.2.7", 128, 1, 5};
    guard_addr_t masked = addr("192.0.2.0"), none = {{0}};
    guard_client_t client = sealed(&SECRET, &net);

    ok(same_addr(&client.addr, &masked), "a sealed client's address is cut");
    ok(client.id != sealed(&OTHER, &net).id,
       "another table secret names the client otherwise");
    client = sealed(&SECRET, &user);
    ok(same_addr(&client.addr, &none) && client.bits == 0,
       "a user's client has no address");
}

/* ---- guesses ---- */

typedef struct parts_t {
    const char *realm, *user, *password;
} parts_t;

static guard_guess_t guess_of(const parts_t *parts)
{
    return guard_guess_make(&SECRET, parts->realm, parts->user,
                            parts->password);
}

static void guesses_are_the_same_or_not(void)
{
    static const struct {
        const char *rule;
        parts_t a, b;
        int same;
    } row[] = {
        {"the same again", {"r", "u", "p"}, {"r", "u", "p"}, 1},
        {"another password", {"r", "u", "p"}, {"r", "u", "q"}, 0},
        {"case matters", {"r", "u", "p"}, {"r", "u", "P"}, 0},
        {"another user", {"r", "u", "p"}, {"r", "v", "p"}, 0},
        {"another realm", {"r", "u", "p"}, {"s", "u", "p"}, 0},
        {"(ab, c) is not (a, bc)", {"r", "ab", "c"}, {"r", "a", "bc"}, 0},
        {"(ab, c) in realm and user", {"ab", "c", "p"}, {"a", "bc", "p"}, 0},
        {"(a, '') is not ('', a)", {"r", "a", ""}, {"r", "", "a"}, 0},
        {"('', r, u) is not (r, u, '')", {"", "r", "u"}, {"r", "u", ""}, 0},
        {"swapped parts", {"r", "a", "b"}, {"r", "b", "a"}, 0},
        {"NULL password is ''", {"r", "u", NULL}, {"r", "u", ""}, 1},
        {"NULL user is ''", {"r", NULL, "p"}, {"r", "", "p"}, 1},
        {"NULL realm is ''", {NULL, "u", "p"}, {"", "u", "p"}, 1},
        {"nothing at all is a guess too", {NULL, NULL, NULL}, {"", "", ""}, 1},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_guess_t a = guess_of(&row[i].a), b = guess_of(&row[i].b);

        is(a.tag == b.tag, row[i].same, row[i].rule);
        ok(a.tag == a.proven_tag && b.tag == b.proven_tag,
           "  what proves it is the guess itself");
    }
}

/* From the empty password to one that no buffer is kept for. */
static void passwords_of_all_lengths_differ(void)
{
    enum { LONGEST = 600 };
    static uint32_t tag[LONGEST + 1];
    char password[LONGEST + 1] = "";
    unsigned same = 0, changed = 0;

    for (unsigned n = 0; n <= LONGEST; n++) {
        parts_t whole = {"r", "u", password}, split = {"r", "uu", password};

        tag[n] = guess_of(&whole).tag;
        same += n && guess_of(&split).tag == tag[n - 1];
        changed += guess_of(&whole).tag != tag[n];
        for (unsigned i = 0; i < n; i++) {
            same += tag[i] == tag[n];
        }
        if (n < LONGEST) {
            password[n] = 'u';
        }
    }
    is(same, 0, "601 lengths of password: no two guesses are the same");
    is(changed, 0, "and each is found again");
}

static void guesses_carry_a_tag_of_their_user(void)
{
    guard_guess_t a = guard_guess_make(&SECRET, "r", "alice", "p");

    is(a.user, guard_guess_make(&SECRET, "r", "alice", "q").user,
       "the user's tag does not depend on the password");
    ok(a.user != guard_guess_make(&SECRET, "r", "bob", "p").user,
       "another user has another tag");
    ok(!(a.user >> GUARD_USER_TAG_BITS), "the tag fits in a slot");
    ok(a.tag != guard_guess_make(&OTHER, "r", "alice", "p").tag,
       "another guess secret names the guess otherwise");
    ok(a.user != guard_guess_make(&OTHER, "r", "alice", "p").user,
       "and its user");
}

static void digest_is_proven_by_user_and_nonce(void)
{
#define DIGEST(realm, user, nonce, header)                                     \
    guard_guess_make_digest(&SECRET, realm, user, nonce, header)
    guard_guess_t a = DIGEST("r", "alice", "n1", "answer 1");
    guard_guess_t next = DIGEST("r", "alice", "n1", "answer 2");

    ok(a.tag != next.tag, "each answer is a guess of its own");
    is(a.proven_tag, next.proven_tag, "the same user and nonce prove it");
    ok(a.tag != a.proven_tag, "no answer is what proves it");
    ok(a.proven_tag != DIGEST("r", "bob", "n1", "answer 1").proven_tag,
       "another user is not proven by it");
    ok(a.proven_tag != DIGEST("r", "alice", "n2", "answer 1").proven_tag,
       "another nonce is not");
    ok(a.proven_tag != DIGEST("s", "alice", "n1", "answer 1").proven_tag,
       "another realm is not");
    ok(DIGEST("r", "ab", "c", "h").proven_tag !=
           DIGEST("r", "a", "bc", "h").proven_tag,
       "(ab, c) is not (a, bc) in user and nonce");
    ok(a.proven_tag != guard_guess_make(&SECRET, "r", "alice", "n1").tag,
       "a nonce sent as a Basic password meets no Digest guess");
    is(a.user, next.user, "the user's tag depends on the user");
    ok(!(a.user >> GUARD_USER_TAG_BITS), "and fits in a slot");
    a = DIGEST(NULL, NULL, NULL, NULL);
    next = DIGEST("", "", "", "");
    ok(a.proven_tag == next.proven_tag, "NULL parts are empty parts");
#undef DIGEST
}

int main(void)
{
    kinds_have_names();
    hash_is_siphash_2_4();
    drawn_secrets_differ();
    clients_are_the_same_or_not();
    sealing_masks_the_address();
    guesses_are_the_same_or_not();
    passwords_of_all_lengths_differ();
    guesses_carry_a_tag_of_their_user();
    digest_is_proven_by_user_and_nonce();
    return tap_done();
}
