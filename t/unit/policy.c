/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * policy.c: how guesses are reserved and settled: every row of both tables of
 * the counting rules, and windows, lockouts and levels. script.h tells how a
 * story is read.
 */
#include "script.h"

static const script_row_t reserve_rows[] = {
    {"an unknown client's guess takes a place",
     "blank=1 a1?free a1< places=1 failures=0 phase=calm blank=0"},
    {"a locked client's guess is refused, known or not",
     "limit=2 a1! b1! phase=locked a1?locked b1?locked c1?locked"},
    {"a locked client's proven guess is refused too",
     "limit=2 a1= b1! c1! a1?locked"},
    {"a refusal while locked does not prolong the lockout",
     "limit=1 a1! left=900 +300 a1?locked b1?locked left=600"},
    {"the limit was lowered to the failures: over",
     "a1! b1! c1! limit=3 d1?over a1?over"},
    {"over beats proven", "p1= a1! b1! limit=2 p1?over"},
    {"over, then the lockout begins",
     "a1! b1! c1! limit=2 over phase=locked failures=3 left=900 a1?locked"},
    {"a lowered limit with failures left over admits as many",
     "a1! limit=3 b1< c1< d1?full"},
    {"a proven guess takes no place", "a1= a1?proven a1< places=0"},
    {"a proven guess is admitted when no place is left",
     "limit=3 a1= b1< c1< d1< e1?full a1?proven"},
    {"another guess of the same user is not proven", "a1= a2?free"},
    {"a guess stays proven for almost 10 minutes", "a1= +598.9 a1?proven"},
    {"a guess is not proven after 10 minutes", "a1= +600 a1?free"},
    {"proven again, the 10 minutes begin anew",
     "a1= +500 a1= +500 a1?proven +100 a1?free"},
    {"rounding never stretches 10 minutes", "+0.9 a1= +600 a1?free"},
    {"7 busy refusals: the proven guess does not queue",
     "p1= busy busy busy busy busy busy busy p1?proven"},
    {"8 busy refusals: the proven guess takes a place as others do",
     "p1= busy busy busy busy busy busy busy busy p1?free p1< places=1"},
    {"8 busy refusals: the proven guess queues as others do",
     "limit=2 p1= a1< b1< busy busy busy busy busy busy busy busy p1?full"},
    {"the proven guess queues till the window closes",
     "p1= busy busy busy busy busy busy busy busy +300 p1= +299 p1?free "
     "+1 p1?proven"},
    {"a proven guess that queued and was right gives its place back",
     "limit=1 p1= busy busy busy busy busy busy busy busy p1= places=0 "
     "a1?free"},
    {"8 busy refusals and no place: nothing shows of what is remembered",
     "limit=4 a1! b1! +6 c1! b1?rejected c1?repeated d1< d1?checking "
     "busy busy busy busy busy busy busy busy "
     "b1?full c1?full d1?full e1?full"},
    {"8 busy refusals and a place: it does",
     "limit=5 a1! b1! +6 c1! d1< busy busy busy busy busy busy busy busy "
     "b1?rejected c1?repeated d1?checking e1?free"},
    {"a guess being verified is waited for", "a1< a1?checking"},
    {"a guess being verified is waited for when no place is left",
     "limit=1 a1< a1?checking b1?full"},
    {"waiting in vain shares the place", "a1< a1& a1& places=1"},
    {"a rejected guess repeats at once", "a1! a1?repeated"},
    {"a rejected guess repeats for almost 5 s", "a1! +4.9 a1?repeated"},
    {"rounding never shortens the 5 s", "+0.9 a1! +4.6 a1?repeated"},
    {"rounding stretches the 5 s by less than 1 s", "+0.1 a1! +6 a1?rejected"},
    {"a repeat costs nothing",
     "a1! failures=1 a1?repeated failures=1 places=0"},
    {"a guess rejected longer ago is verified again without a place",
     "a1! +6 a1?rejected a1< places=0 failures=1"},
    {"a rejected guess is verified again when no place is left",
     "limit=2 a1! +6 b1< c1?full a1?rejected"},
    {"a rejected guess being verified again is waited for",
     "a1! +6 a1< a1?checking"},
    {"a rejected guess is new in the next window", "a1! +600 a1?free"},
    {"failures and places together make the limit",
     "limit=4 a1! b1! c1< d1?free d1< e1?full"},
    {"places alone make the limit", "limit=3 a1< b1< c1< d1?full"},
    {"no slot left", "limit=100 a1< b1< c1< d1< e1< f1< g1?full"},
    {"a rejected slot being verified again is not given away",
     "limit=100 a1! +6 a1< b1< c1< d1< e1< f1< g1?full a1?checking"},
    {"Digest: the same answer neither joins nor repeats",
     "A1< A1?free A2?free A1x A1?free"},
    {"Digest: the next answer under the nonce is proven", "A1= A2?proven"},
    {"Digest: another user's nonce proves nothing", "A1= B1?free"},
};

static const script_row_t settle_rows[] = {
    {"wrong: the place becomes a failure",
     "a1< places=1 a1x places=0 failures=1 phase=window"},
    {"wrong at the limit: lockout",
     "limit=3 a1! b1! phase=window c1! phase=locked failures=3 left=900"},
    {"limit 1: the first failure locks", "limit=1 a1! phase=locked"},
    {"wrong again: one failure", "a1! +6 a1! failures=1 +6 a1! failures=1"},
    {"wrong again: the 5 s begin anew", "a1! +6 a1! +4 a1?repeated"},
    {"wrong for two holders of one place: one failure",
     "a1< a1& a1x failures=1 places=0 a1x failures=1 phase=window"},
    {"wrong for the first holder: the second holds no place",
     "limit=2 a1< a1& a1x b1?free b1< c1?full"},
    {"many guesses: each distinct one is a failure",
     "limit=10 a1! a2! a3! b1! b2! b3! c1! failures=7"},
    {"right: the place is given back, nothing is counted",
     "limit=1 a1= places=0 failures=0 b1?free"},
    {"right for two holders: proven once, no place left",
     "limit=1 a1< a1& a1v a1?proven b1?free a1v a1?proven places=0"},
    {"right does not end another's verification",
     "a1< b1< a1v places=1 b1?checking"},
    {"right once, wrong now: a failure, and no longer proven",
     "a1= a1! failures=1 a1?rejected"},
    {"right once, wrong now for two at once: one failure",
     "a1= a1< a1< a1x a1x failures=1"},
    {"abandoned: the place is given back, nothing is counted",
     "limit=1 a1< b1?full a1~ places=0 failures=0 a1?free b1?free"},
    {"abandoned by one of two holders: the place stays",
     "limit=1 a1< a1& a1~ places=1 b1?full a1~ places=0 b1?free"},
    {"abandoned when verified again: the failure stays",
     "a1! +6 a1< a1~ failures=1 places=0 a1?rejected"},
    {"abandoned by a proven one: nothing happens",
     "limit=1 a1= a1< a1~ places=0 failures=0 a1?proven"},
    {"a proven one's abandoned check frees no other's place",
     "limit=1 a1= b1< a1< a1~ places=1 c1?full"},
    {"never settled: the place stays for one window's length",
     "limit=1 a1< +599.9 b1?full"},
    {"never settled: then the place is dropped",
     "limit=1 a1< +601 b1?free places=0 blank=1"},
    {"never settled, verified again: dropped too",
     "window=20 a1! +6 a1< +40 blank=1"},
    {"settled wrong after its place was dropped: still a failure",
     "a1< +601 a1x failures=1 phase=window"},
    {"settled right after its place was dropped: proven",
     "a1< +601 a1v failures=0 places=0 a1?proven"},
    {"abandoned after its place was dropped: nothing", "a1< +601 a1~ blank=1"},
    {"locked: wrong only frees the place",
     "limit=3 a1! b1! c1< limit=2 over left=900 +10 c1x failures=2 places=0 "
     "left=890 level=1"},
    {"locked: right forgives nothing and frees the place",
     "limit=3 a1! a2! a3< limit=2 over a3v failures=2 places=0 left=900 "
     "phase=locked"},
    {"locked: abandoned frees the place",
     "limit=3 a1! b1! c1< limit=2 over c1~ failures=2 places=0 left=900"},
    {"settled after the lockout it was reserved before: counts",
     "lock=10 limit=3 a1! b1! c1< limit=2 over +11 places=1 c1x failures=1"},
    {"a failed check that began in the old window counts in the new one",
     "window=20 a1! +10 b1< +11 phase=calm places=1 b1x failures=1"},
    {"verified again over the window's end: it takes a place of the new one",
     "window=20 limit=2 a1! +15 a1< places=0 +6 phase=calm places=1 a1x "
     "failures=1"},
    {"Digest: each wrong answer is a failure", "A1! A2! A3! failures=3"},
    {"Digest: right twice under a nonce, both places are given back",
     "A1< A2< A1v places=1 A2v places=0 A3?proven"},
    {"Digest: right under a nonce, wrong now: a failure",
     "A1= A2< A2x failures=1"},
};

static const script_row_t window_rows[] = {
    {"a place opens no window", "a1< phase=calm a1v phase=calm"},
    {"the window opens with its first failure",
     "a1< +100 a1x phase=window left=600"},
    {"further failures do not move its end",
     "a1! +300 b1! left=300 +299 c1! left=1"},
    {"it closes by itself, failures and all",
     "a1! b1! +599.9 failures=2 +0.1 failures=0 phase=calm"},
    {"only what is proven or in flight outlives it",
     "a1! +600 blank=1 phase=calm"},
    {"the next failure opens another", "a1! +600 b1! failures=1 left=600"},
    {"a busy refusal opens it", "busy phase=window failures=0 left=600"},
    {"more busy refusals do not move its end", "busy +100 busy left=500"},
    {"at the limit in one window only",
     "limit=3 a1! b1! +600 c1! d1! phase=window e1! phase=locked"},
    {"the limit in force counts, not the one it opened under",
     "limit=2 a1! limit=4 b1! c1! phase=window d1! phase=locked"},
};

static const script_row_t lockout_rows[] = {
    {"it ends on the tick",
     "limit=1 a1! +899.999999 a1?locked +0.000001 a1?free phase=calm"},
    {"it ends the window", "limit=2 a1! b1! +900 failures=0 a1?free b1?free"},
    {"each one doubles the next",
     "limit=1 a1! left=900 level=1 +900 a1! left=1800 level=2 +1800 a1! "
     "left=3600 level=3"},
    {"it is told when a lockout began",
     "limit=1 a1! since=0 +10 since=10 +890 a1! +1700 since=1700"},
    {"to a two-thousandth of its length",
     "limit=1 lock=2592000 max=2592000 a1! +2000000 since=1999744"},
    {"none is longer than max",
     "limit=1 a1! +900 a1! +1800 a1! +3600 a1! left=3600 +3600 a1! left=3600"},
    {"max below lockout: max counts", "max=60 limit=1 a1! left=60"},
    {"the level outlives the lockout, and is worth keeping",
     "limit=1 a1! +900 level=1 blank=0"},
    {"max without a new lockout: the level is 0 again",
     "limit=1 a1! +900 a1! level=2 +1800 +3600 level=0 blank=1 a1! left=900"},
    {"not sooner", "limit=1 a1! +900 +3599 level=1 a1! left=1800"},
    {"a lockout in the meantime starts max anew",
     "limit=1 a1! +900 +3599 a1! level=2 +1800 +3599 level=2 +1 level=0"},
    {"a failure in the meantime does not",
     "limit=2 a1! b1! +900 +3599 a1! level=1 +1 level=0"},
    {"a locked client is never evicted", "limit=1 a1! evictable=0"},
    {"a client in flight is never evicted",
     "a1< evictable=0 a1~ evictable=1 a1! +6 a1< evictable=0"},
    {"a calm or counted one may be", "evictable=1 a1! evictable=1"},
    {"unlock: failures, lockout and level are forgotten",
     "limit=2 a1! b1! unlock phase=calm failures=0 level=0 a1?free blank=1"},
    {"unlock: busy refusals are forgotten",
     "p1= busy busy busy busy busy busy busy busy unlock p1?proven"},
    {"unlock: places are free again, a wrong guess in flight still counts",
     "limit=2 a1! b1< unlock places=0 c1?free b1x failures=1"},
    {"unlock: so does one that was verified again",
     "limit=2 a1! +6 a1< unlock places=0 a1x failures=1"},
    {"a check that outlasts its place does not give back another's",
     "limit=1 a1< +601 a1< a1~ places=1 b1?full"},
    {"a longer window takes over an open one, a shorter one does not",
     "window=1 a1! window=60 b1! +2 failures=2 window=1 c1! +2 failures=3"},
};

/* lockout * 2^level, at most max, whatever the numbers. */
static void lockout_lengths(void)
{
    static const struct {
        const char *rule;
        uint8_t level;
        long lockout_sec, max_sec, length_sec;
    } row[] = {
        {"level 0", 0, 900, 3600, 900},
        {"level 1", 1, 900, 3600, 1800},
        {"level 2, just max", 2, 900, 3600, 3600},
        {"level 3, capped", 3, 900, 3600, 3600},
        {"a max that no doubling meets", 2, 1000, 3600, 3600},
        {"level 21", 21, 1, 30 * 86400, 2097152},
        {"level 22", 22, 1, 30 * 86400, 30 * 86400},
        {"level 62", 62, 900, 30 * 86400, 30 * 86400},
        {"level 63", 63, 900, 30 * 86400, 30 * 86400},
        {"level 64", 64, 900, 30 * 86400, 30 * 86400},
        {"level 255 of the longest", 255, 30 * 86400, 30 * 86400, 30 * 86400},
        {"level 255 of the shortest", 255, 1, 30 * 86400, 30 * 86400},
    };
    static script_t s;

    for (size_t i = 0; i < COUNT(row); i++) {
        script_init(&s);
        s.policy.lockout_usec = apr_time_from_sec(row[i].lockout_sec);
        s.policy.lockout_max_usec = apr_time_from_sec(row[i].max_sec);
        s.record.level = row[i].level;
        s.record.level_until_usec = s.now_usec + 1;
        guard_policy_lock(&s.record, &s.policy, s.now_usec);
        is((long long)(s.record.until_usec - s.now_usec) / APR_USEC_PER_SEC,
           row[i].length_sec, row[i].rule);
        ok(s.record.level >= row[i].level && s.record.level > 0 &&
               !guard_policy_fault(&s.record, s.now_usec),
           "  the level does not wrap, the record is sound");
    }
}

static void several_limits_together(void)
{
    static const guard_row_e row[] = {GUARD_ROW_LOCKED,   GUARD_ROW_OVER,
                                      GUARD_ROW_REPEATED, GUARD_ROW_FULL,
                                      GUARD_ROW_PROVEN,   GUARD_ROW_REJECTED,
                                      GUARD_ROW_FREE,     GUARD_ROW_CHECKING};
    static const int class[] = {0, 0, 0, 1, 2, 2, 2, 1};

    for (size_t i = 0; i < COUNT(row); i++) {
        for (size_t j = 0; j < COUNT(row); j++) {
            guard_row_e won = guard_policy_strictest(row[i], row[j]);
            int first = class[i] < class[j], second = class[j] < class[i];

            ok((won == row[i] || won == row[j]) && !(first && won != row[i]) &&
                   !(second && won != row[j]),
               "%s and %s: refusal, wait, admission", script_row_name[row[i]],
               script_row_name[row[j]]);
        }
    }
}

int main(void)
{
    script_run(reserve_rows, COUNT(reserve_rows));
    script_run(settle_rows, COUNT(settle_rows));
    script_run(window_rows, COUNT(window_rows));
    script_run(lockout_rows, COUNT(lockout_rows));
    lockout_lengths();
    several_limits_together();
    return tap_done();
}
