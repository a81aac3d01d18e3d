/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_memory.c owns what is remembered of Redis's answers. It
 * knows no connection, and no rule by which Redis came to them.
 *
 * An entry is a few words, written one by one and without a lock. The first is
 * the others mixed with a keyed hash of what the entry is about: so words of
 * two writers, or of one who was killed in between, don't match, and nobody
 * outside can make some that do. The second (of a proof) or third (of a
 * lockout) says when Redis was asked, and after which doubts:
 *
 *     63              24 23          0
 *     |  asked, in ms   |  doubts so far, of the client and of all  |
 *
 * Counting doubts, and not their times, is what orders them: a doubt that is
 * counted is seen by every mark that is taken later and by no earlier one,
 * however long a process rests between reading a clock and writing a time.
 *
 * Invariant: a proof is fresh only if no doubt was raised since before Redis
 * was asked. What else is found may be older than what Redis would say, by
 * the times of guard_store_redis_memory.h.
 */
#include "guard_store_redis_memory.h"

#define ASKED_SHIFT 24
#define COUNT_MASK 0xffffffu

_Static_assert((GUARD_REDIS_PROOF_SETS & (GUARD_REDIS_PROOF_SETS - 1)) == 0 &&
                   (GUARD_REDIS_LOCKOUT_SETS &
                    (GUARD_REDIS_LOCKOUT_SETS - 1)) == 0,
               "sets are chosen by bits");

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static uint64_t asked_word(uint64_t asked_usec, uint64_t count)
{
    return asked_usec / 1000 << ASKED_SHIFT | (count & COUNT_MASK);
}

static uint64_t asked_usec(uint64_t word)
{
    return (word >> ASKED_SHIFT) * 1000;
}

static int has_count(uint64_t word, uint64_t count)
{
    return ((word ^ count) & COUNT_MASK) == 0;
}

/* Never too young: the word's time is rounded down. A caller whose clock was
 * read before somebody else asked finds it new. */
static uint64_t age_usec(uint64_t word, uint64_t now_usec)
{
    return now_usec > asked_usec(word) ? now_usec - asked_usec(word) : 0;
}

static uint64_t hash_of_client(const guard_redis_memory_t *memory, uint64_t id)
{
    return guard_key_hash(&memory->secret, &id, sizeof(id));
}

static uint64_t hash_of_guess(const guard_redis_memory_t *memory, uint64_t id,
                              uint32_t proven_tag)
{
    uint64_t word[2] = {id, proven_tag};

    return guard_key_hash(&memory->secret, word, sizeof(word));
}

static unsigned proof_set_of(const guard_redis_memory_t *memory, uint64_t id)
{
    return (unsigned)hash_of_client(memory, id) & (GUARD_REDIS_PROOF_SETS - 1);
}

/* Both only grow, so the sum is the same only if both are. */
static uint64_t doubts_of(const guard_redis_memory_t *memory,
                          const guard_redis_proofs_t *set)
{
    return atomic_load(&set->doubts) + atomic_load(&memory->doubts);
}

apr_status_t guard_redis_memory_init(guard_redis_memory_t *memory)
{
    return guard_secret_draw(&memory->secret);
}

guard_redis_mark_t guard_redis_memory_mark(const guard_redis_memory_t *memory,
                                           uint64_t id, uint64_t now_usec)
{
    guard_redis_mark_t mark = {
        .asked_usec = now_usec,
        .doubts = doubts_of(memory, &memory->proofs[proof_set_of(memory, id)]),
        .forgets = atomic_load(&memory->forgets)};

    return mark;
}

static int is_proof(const _Atomic uint64_t entry[2], uint64_t hash,
                    uint64_t *asked)
{
    *asked = load(&entry[1]);
    return *asked && (load(&entry[0]) ^ *asked) == hash;
}

guard_redis_proof_e guard_redis_memory_find(const guard_redis_memory_t *memory,
                                            uint64_t id, uint32_t proven_tag,
                                            uint64_t since_usec,
                                            uint64_t now_usec)
{
    const guard_redis_proofs_t *set = &memory->proofs[proof_set_of(memory, id)];
    uint64_t hash = hash_of_guess(memory, id, proven_tag), asked;
    guard_redis_proof_e found = GUARD_REDIS_UNKNOWN;

    for (int i = 0; i < GUARD_REDIS_PROOFS_MAX; i++) {
        if (!is_proof(set->entry[i], hash, &asked)) {
            continue;
        }
        if (since_usec && asked_usec(asked) >= since_usec &&
            age_usec(asked, now_usec) <= GUARD_REDIS_FRESH_USEC &&
            has_count(asked, doubts_of(memory, set))) {
            return GUARD_REDIS_FRESH;
        }
        if (age_usec(asked, now_usec) <= apr_time_from_sec(GUARD_PROVEN_SEC)) {
            found = GUARD_REDIS_KNOWN;
        }
    }
    return found;
}

void guard_redis_memory_prove(guard_redis_memory_t *memory, uint64_t id,
                              uint32_t proven_tag,
                              const guard_redis_mark_t *mark)
{
    guard_redis_proofs_t *set = &memory->proofs[proof_set_of(memory, id)];
    uint64_t hash = hash_of_guess(memory, id, proven_tag), asked;
    uint64_t word = asked_word(mark->asked_usec, mark->doubts);
    uint64_t oldest_usec = UINT64_MAX;
    _Atomic uint64_t *entry = set->entry[0];

    for (int i = 0; i < GUARD_REDIS_PROOFS_MAX; i++) {
        if (is_proof(set->entry[i], hash, &asked)) {
            entry = set->entry[i];
            break;
        }
        if (asked_usec(asked) < oldest_usec) {
            oldest_usec = asked_usec(asked);
            entry = set->entry[i];
        }
    }
    store(&entry[0], hash ^ word);
    store(&entry[1], word);
}

void guard_redis_memory_disprove(guard_redis_memory_t *memory, uint64_t id,
                                 uint32_t proven_tag)
{
    guard_redis_proofs_t *set = &memory->proofs[proof_set_of(memory, id)];
    uint64_t hash = hash_of_guess(memory, id, proven_tag), asked;

    /* First, for somebody may be about to write it down again. */
    atomic_fetch_add(&set->doubts, 1);
    for (int i = 0; i < GUARD_REDIS_PROOFS_MAX; i++) {
        if (is_proof(set->entry[i], hash, &asked)) {
            store(&set->entry[i][1], 0);
        }
    }
}

void guard_redis_memory_doubt(guard_redis_memory_t *memory, uint64_t id)
{
    atomic_fetch_add(&memory->proofs[proof_set_of(memory, id)].doubts, 1);
}

void guard_redis_memory_doubt_all(guard_redis_memory_t *memory)
{
    atomic_fetch_add(&memory->doubts, 1);
}

/* What a lockout's first word must be. Times in different words could make up
 * for each other in a plain xor. */
static uint64_t seal(uint64_t hash, const uint64_t word[4])
{
    for (int i = 1; i < 4; i++) {
        hash = (hash ^ word[i]) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    return hash;
}

static int is_lockout(const _Atomic uint64_t entry[4], uint64_t hash,
                      uint64_t word[4])
{
    for (int i = 0; i < 4; i++) {
        word[i] = load(&entry[i]);
    }
    return word[2] && word[0] == seal(hash, word);
}

static guard_redis_lockouts_t *lockouts_of(guard_redis_memory_t *memory,
                                           uint64_t hash)
{
    return &memory->lockouts[hash & (GUARD_REDIS_LOCKOUT_SETS - 1)];
}

void guard_redis_memory_lock(guard_redis_memory_t *memory, uint64_t id,
                             const guard_redis_mark_t *mark,
                             const guard_redis_lockout_t *lockout)
{
    uint64_t hash = hash_of_client(memory, id), word[4], other[4];
    guard_redis_lockouts_t *set = lockouts_of(memory, hash);
    uint64_t oldest_usec = UINT64_MAX;
    _Atomic uint64_t *entry = set->entry[0];

    word[1] = lockout->until_usec;
    word[2] = asked_word(mark->asked_usec, mark->forgets);
    word[3] = (uint64_t)lockout->level << 32 | (uint64_t)lockout->limit << 16 |
              lockout->failures;
    word[0] = seal(hash, word);
    for (int i = 0; i < GUARD_REDIS_LOCKOUTS_MAX; i++) {
        if (is_lockout(set->entry[i], hash, other)) {
            entry = set->entry[i];
            break;
        }
        if (asked_usec(other[2]) < oldest_usec) {
            oldest_usec = asked_usec(other[2]);
            entry = set->entry[i];
        }
    }
    for (int i = 0; i < 4; i++) {
        store(&entry[i], word[i]);
    }
}

int guard_redis_memory_find_lockout(const guard_redis_memory_t *memory,
                                    uint64_t id, uint64_t now_usec,
                                    guard_redis_lockout_t *lockout)
{
    uint64_t hash = hash_of_client(memory, id), word[4];
    const guard_redis_lockouts_t *set =
        &memory->lockouts[hash & (GUARD_REDIS_LOCKOUT_SETS - 1)];

    for (int i = 0; i < GUARD_REDIS_LOCKOUTS_MAX; i++) {
        if (!is_lockout(set->entry[i], hash, word) || now_usec >= word[1] ||
            age_usec(word[2], now_usec) > GUARD_REDIS_KNOWN_USEC ||
            !has_count(word[2], atomic_load(&memory->forgets))) {
            continue;
        }
        lockout->until_usec = word[1];
        lockout->failures = (uint16_t)word[3];
        lockout->limit = (uint16_t)(word[3] >> 16);
        lockout->level = (uint8_t)(word[3] >> 32);
        return 1;
    }
    return 0;
}

void guard_redis_memory_forget_lockouts(guard_redis_memory_t *memory)
{
    atomic_fetch_add(&memory->forgets, 1);
}
