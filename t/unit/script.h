/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * script.h: one client's story in a line, for tables of counting rules.
 *
 * A story is steps with a blank between them. A guess is two characters, user
 * and password: "a1", "a2" and "b1" are two users' guesses. A capital is
 * Digest: "A1" and "A2" are two answers under one nonce.
 *
 *     a1<      a1 is reserved; it must be admitted
 *     a1x      an attempt at a1 ends: wrong      a1v  right    a1~  abandoned
 *     a1!      reserved and wrong                a1=  reserved and right
 *     a1&      reserved by one that waited in vain for another's verdict
 *     a1?free  the reserve table has that row for a1 now
 *     +5       seconds pass, fractions too
 *     busy  unlock  void  over                   what the policy calls so
 *     observed                                   the record counts for no one
 *     limit=5  window=600  lock=900  max=3600    the limit in force is changed
 *     kind=ip                                    or net, user, login, overflow
 *     failures=2  level=1  places=1  left=900    so it must be (left: seconds
 *     phase=locked  blank=1  evictable=1         of the lockout or window;
 *     since=10                                   since it was locked out)
 *
 * After each step the record must be without fault.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "guard_policy.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCRIPT_OPEN_MAX 600

typedef struct script_t {
    guard_record_t record;
    guard_policy_t policy;
    uint64_t now_usec;
    unsigned open_count;
    struct {
        uint32_t tag;
        guard_hold_t hold;
    } open[SCRIPT_OPEN_MAX]; /* attempts, oldest first */
    char why[120];           /* the first step that went wrong */
} script_t;

/** A rule and the story that shows it. */
typedef struct script_row_t {
    const char *rule;
    const char *steps;
} script_row_t;

static const char *const script_row_name[] = {"?",        "locked",   "over",
                                              "repeated", "checking", "full",
                                              "proven",   "rejected", "free"};

static inline guard_guess_t script_guess(const char *name)
{
    guard_guess_t guess;
    unsigned user = (unsigned char)name[0] | 0x20u;

    guess.user = user * 7919u;
    guess.tag = (unsigned char)name[0] * 65537u + (unsigned char)name[1];
    guess.proven_tag = user == (unsigned char)name[0] ? guess.tag : user;
    return guess;
}

/** Note what went wrong. @return 0 */
static inline int script_fail(script_t *s, const char *step, const char *found)
{
    snprintf(s->why, sizeof s->why, "%s: %s", step, found);
    return 0;
}

static inline guard_row_e script_judge(script_t *s, const guard_guess_t *guess)
{
    guard_policy_refresh(&s->record, s->now_usec);
    return guard_policy_judge(&s->record, &s->policy, guess, s->now_usec);
}

static inline int script_begin(script_t *s, const guard_guess_t *guess,
                               guard_row_e row)
{
    if (s->open_count == SCRIPT_OPEN_MAX) {
        return 0;
    }
    s->open[s->open_count].tag = guess->tag;
    s->open[s->open_count++].hold =
        guard_policy_take(&s->record, &s->policy, row, guess, s->now_usec);
    return 1;
}

static inline int script_end(script_t *s, const guard_guess_t *guess,
                             guard_outcome_e outcome)
{
    unsigned i = 0;
    guard_hold_t hold;

    while (i < s->open_count && s->open[i].tag != guess->tag) {
        i++;
    }
    if (i == s->open_count) {
        return 0;
    }
    hold = s->open[i].hold;
    s->open_count--;
    memmove(&s->open[i], &s->open[i + 1],
            (s->open_count - i) * sizeof s->open[0]);
    guard_policy_settle(&s->record, &s->policy, hold, guess, outcome,
                        s->now_usec);
    return 1;
}

/** Reserve, as a store would: only a row that admits will do. */
static inline int script_reserve(script_t *s, const char *step,
                                 const guard_guess_t *guess)
{
    guard_row_e row = script_judge(s, guess);

    if (row < GUARD_ROW_PROVEN) {
        return script_fail(s, step, script_row_name[row]);
    }
    return script_begin(s, guess, row) ? 1 : script_fail(s, step, "too many");
}

static inline int script_join(script_t *s, const char *step,
                              const guard_guess_t *guess)
{
    guard_row_e row = script_judge(s, guess);

    if (row != GUARD_ROW_CHECKING) {
        return script_fail(s, step, script_row_name[row]);
    }
    return script_begin(s, guess, row) ? 1 : script_fail(s, step, "too many");
}

static inline int script_finish(script_t *s, const char *step,
                                const guard_guess_t *guess,
                                guard_outcome_e outcome)
{
    return script_end(s, guess, outcome) ? 1 : script_fail(s, step, "not open");
}

static inline int script_expect_row(script_t *s, const char *step,
                                    const guard_guess_t *guess)
{
    const char *found = script_row_name[script_judge(s, guess)];

    return strcmp(step + 3, found) ? script_fail(s, step, found) : 1;
}

/* A step about one guess. */
static inline int script_guess_step(script_t *s, const char *step)
{
    guard_guess_t guess = script_guess(step);

    switch (step[2]) {
    case '<':
        return script_reserve(s, step, &guess);
    case '&':
        return script_join(s, step, &guess);
    case '!':
        return script_reserve(s, step, &guess) &&
               script_finish(s, step, &guess, GUARD_WRONG);
    case '=':
        return script_reserve(s, step, &guess) &&
               script_finish(s, step, &guess, GUARD_RIGHT);
    case 'x':
        return script_finish(s, step, &guess, GUARD_WRONG);
    case 'v':
        return script_finish(s, step, &guess, GUARD_RIGHT);
    case '~':
        return script_finish(s, step, &guess, GUARD_ABANDONED);
    case '?':
        return script_expect_row(s, step, &guess);
    default:
        return script_fail(s, step, "no such step");
    }
}

static inline unsigned script_places(const guard_record_t *record)
{
    unsigned places = 0;

    for (int i = 0; i < GUARD_SLOTS; i++) {
        places += record->slot[i].state == GUARD_SLOT_CHECKING;
    }
    return places;
}

/* What NAME= compares with; -1 for a name that sets something. */
static inline long script_value(const script_t *s, const char *name)
{
    const guard_record_t *record = &s->record;

    if (!strcmp(name, "failures")) {
        return record->failures;
    }
    if (!strcmp(name, "level")) {
        return record->level;
    }
    if (!strcmp(name, "places")) {
        return script_places(record);
    }
    if (!strcmp(name, "left")) {
        return (long)((record->until_usec - s->now_usec) / APR_USEC_PER_SEC);
    }
    if (!strcmp(name, "since")) {
        return (long)((s->now_usec - guard_policy_locked_since(record)) /
                      APR_USEC_PER_SEC);
    }
    if (!strcmp(name, "blank")) {
        return guard_policy_is_blank(record);
    }
    if (!strcmp(name, "evictable")) {
        return guard_policy_is_evictable(record);
    }
    return -1;
}

static inline int script_set(script_t *s, const char *name, const char *value)
{
    long number = atol(value);

    if (!strcmp(name, "limit")) {
        s->policy.limit = (uint16_t)number;
    } else if (!strcmp(name, "window")) {
        s->policy.window_usec = apr_time_from_sec(number);
    } else if (!strcmp(name, "lock")) {
        s->policy.lockout_usec = apr_time_from_sec(number);
    } else if (!strcmp(name, "max")) {
        s->policy.lockout_max_usec = apr_time_from_sec(number);
    } else if (!strcmp(name, "kind")) {
        s->record.kind = (uint8_t)guard_kind_parse(value);
        s->record.kind |= s->record.kind ? 0 : GUARD_KIND_OVERFLOW;
    } else {
        return script_fail(s, name, "no such step");
    }
    return 1;
}

/* A step with "=": an expectation or a setting. */
static inline int script_named_step(script_t *s, const char *step,
                                    const char *equals)
{
    static const char *const phase[] = {"calm", "window", "locked"};
    char name[20], found[20];
    long value;

    snprintf(name, sizeof name, "%.*s", (int)(equals - step), step);
    if (!strcmp(name, "phase")) {
        return strcmp(equals + 1, phase[s->record.phase % 3])
                   ? script_fail(s, step, phase[s->record.phase % 3])
                   : 1;
    }
    value = script_value(s, name);
    if (value < 0) {
        return script_set(s, name, equals + 1);
    }
    snprintf(found, sizeof found, "%ld", value);
    return value == atol(equals + 1) ? 1 : script_fail(s, step, found);
}

static inline int script_word_step(script_t *s, const char *step)
{
    if (step[0] == '+') {
        s->now_usec += (uint64_t)(atof(step + 1) * APR_USEC_PER_SEC + 0.5);
    } else if (!strcmp(step, "busy")) {
        guard_policy_busy(&s->record, &s->policy, s->now_usec);
    } else if (!strcmp(step, "unlock")) {
        guard_policy_unlock(&s->record);
    } else if (!strcmp(step, "void")) {
        guard_policy_void_guesses(&s->record);
    } else if (!strcmp(step, "observed")) {
        s->record.kind |= GUARD_RECORD_OBSERVED;
    } else if (!strcmp(step, "over")) {
        guard_policy_lock(&s->record, &s->policy, s->now_usec);
    } else {
        return script_fail(s, step, "no such step");
    }
    return 1;
}

static inline int script_step(script_t *s, const char *step)
{
    const char *equals = strchr(step, '=');
    const char *fault;
    int fine;

    guard_policy_refresh(&s->record, s->now_usec);
    if (equals && equals > step + 2) {
        fine = script_named_step(s, step, equals);
    } else if (strlen(step) >= 3 && strchr("<&!=xv~?", step[2]) &&
               step[0] != '+') {
        fine = script_guess_step(s, step);
    } else {
        fine = script_word_step(s, step);
    }
    guard_policy_refresh(&s->record, s->now_usec);
    fault = guard_policy_fault(&s->record, s->now_usec);
    return fine && fault ? script_fail(s, step, fault) : fine;
}

/** An unknown `ip` client under 5/10min lockout=15min max=1h. */
static inline void script_init(script_t *s)
{
    memset(s, 0, sizeof *s);
    s->record.id = 1;
    s->record.kind = GUARD_KIND_IP;
    s->record.bits = GUARD_ADDR_BITS;
    s->policy.limit = 5;
    s->policy.window_usec = apr_time_from_sec(600);
    s->policy.lockout_usec = apr_time_from_sec(900);
    s->policy.lockout_max_usec = apr_time_from_sec(3600);
    s->now_usec = (uint64_t)apr_time_from_sec(100000);
}

/** Tell each story; one result a row. */
static inline void script_run(const script_row_t *row, size_t count)
{
    static script_t s;
    char step[40];

    for (size_t i = 0; i < count; i++) {
        const char *at = row[i].steps;
        int fine = 1, used = 0;

        script_init(&s);
        while (fine && sscanf(at, " %39s%n", step, &used) == 1) {
            fine = script_step(&s, step);
            at += used;
        }
        if (!ok(fine, "%s", row[i].rule)) {
            printf("# story: %s\n# found: %s\n", row[i].steps, s.why);
        }
    }
}

#endif
