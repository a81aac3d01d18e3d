/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * conf_args.c: the words of the directives, the good and the bad ones, and
 * how a message shows them. Whole messages are held in t/directives.t.
 */
#include "guard_conf_args.h"
#include "guard_store_shm.h"
#include "tap.h"

#include <apr_general.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS 1000LL
#define S (1000 * MS)
#define UNTOUCHED 4711

static void spans_of_time(void)
{
    static const struct {
        const char *word;
        long long usec; /* UNTOUCHED: refused */
    } row[] = {
        {"0", 0},
        {"1", 1 * S},
        {"007", 7 * S},
        {"500ms", 500 * MS},
        {"10s", 10 * S},
        {"5m", 300 * S},
        {"5min", 300 * S},
        {"5MIN", 300 * S},
        {"2h", 7200 * S},
        {"2H", 7200 * S},
        {"7d", 7 * 86400 * S},
        {"9223372036854ms", 9223372036854 * MS},
        {"9223372036854775ms", 9223372036854775 * MS},
        {"9223372036854776ms", INT64_MAX},
        {"106751991d", 106751991LL * 86400 * S},
        {"106751992d", INT64_MAX},
        {"18446744073709551615", INT64_MAX},
        {"18446744073709551616", INT64_MAX},
        {"18446744073709551617s", INT64_MAX},
        {"99999999999999999999999999999999999999d", INT64_MAX},
        {"", UNTOUCHED},
        {"s", UNTOUCHED},
        {"-1", UNTOUCHED},
        {"+1", UNTOUCHED},
        {" 1", UNTOUCHED},
        {"1 ", UNTOUCHED},
        {"1 s", UNTOUCHED},
        {"1.5h", UNTOUCHED},
        {"1,5h", UNTOUCHED},
        {"0x10", UNTOUCHED},
        {"1e3", UNTOUCHED},
        {"1mi", UNTOUCHED},
        {"1mins", UNTOUCHED},
        {"1sec", UNTOUCHED},
        {"1w", UNTOUCHED},
        {"1h30min", UNTOUCHED},
        {"1s\n", UNTOUCHED},
        {"1\xb5s", UNTOUCHED},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        apr_interval_time_t usec = UNTOUCHED;
        const char *remedy = guard_args_duration(&usec, row[i].word);

        is(usec, row[i].usec, row[i].word);
        ok(!remedy == (row[i].usec != UNTOUCHED), "  and what is said");
    }
}

static void limits(void)
{
    static const struct {
        const char *word[5];
        unsigned limit;
        long long window, lockout, max;
    } row[] = {
        {{"5/10min"}, 5, 600 * S, 900 * S, 3600 * S},
        {{"1/1"}, 1, 1 * S, 900 * S, 3600 * S},
        {{"1/1000ms"}, 1, 1 * S, 900 * S, 3600 * S},
        {{"1000/7d"}, 1000, 7 * 86400 * S, 900 * S, 3600 * S},
        {{"5/10min", "lockout=1"}, 5, 600 * S, 1 * S, 3600 * S},
        {{"5/10min", "lockout=1h"}, 5, 600 * S, 3600 * S, 3600 * S},
        {{"5/10min", "lockout=2h"}, 5, 600 * S, 7200 * S, 7200 * S},
        {{"5/10min", "max=15min"}, 5, 600 * S, 900 * S, 900 * S},
        {{"5/10min", "LOCKOUT=30D", "Max=30d"},
         5,
         600 * S,
         30 * 86400 * S,
         30 * 86400 * S},
        {{"5/10min", "max=2h", "lockout=1h"}, 5, 600 * S, 3600 * S, 7200 * S},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_limit_t limit = {0};
        const char *culprit;

        is_str(
            guard_args_limit(&limit, row[i].word, GUARD_PLACE_SERVER, &culprit),
            NULL, row[i].word[0]);
        is(limit.state, GUARD_LIMIT_SET, "  is set");
        is(limit.policy.limit, row[i].limit, "  failures");
        is(limit.policy.window_usec, row[i].window, "  window");
        is(limit.policy.lockout_usec, row[i].lockout, "  lockout");
        is(limit.policy.lockout_max_usec, row[i].max, "  max");
    }
}

static void bad_limits_leave_the_result_alone_and_name_the_word(void)
{
    static const struct {
        const char *word[5];
        const char *culprit;
        guard_place_e place;
    } row[] = {
        {{NULL}, NULL, GUARD_PLACE_SERVER},
        {{"5"}, "5", GUARD_PLACE_SERVER},
        {{"0/1s"}, "0/1s", GUARD_PLACE_SERVER},
        {{"1001/1s"}, "1001/1s", GUARD_PLACE_SERVER},
        {{"65537/1s"}, "65537/1s", GUARD_PLACE_SERVER},
        {{"18446744073709551617/1s"},
         "18446744073709551617/1s",
         GUARD_PLACE_SERVER},
        {{"5/999ms"}, "5/999ms", GUARD_PLACE_SERVER},
        {{"5/604801"}, "5/604801", GUARD_PLACE_SERVER},
        {{"none", "max=1h"}, "max=1h", GUARD_PLACE_SERVER},
        {{"5/1s", "none"}, "none", GUARD_PLACE_SERVER},
        {{"5/1s", "max=1h", "lockout=x"}, "lockout=x", GUARD_PLACE_SERVER},
        {{"5/1s", "max=1h", "max=1h"}, "max=1h", GUARD_PLACE_SERVER},
        {{"5/1s", "max=5s", "lockout=6s"}, "max=5s", GUARD_PLACE_SERVER},
        {{"5/1s", "max=14min"}, "max=14min", GUARD_PLACE_SERVER},
        {{"5/1s", "lockout=2592001"}, "lockout=2592001", GUARD_PLACE_SERVER},
        {{"5/1s", "lockout=86401"}, "lockout=86401", GUARD_PLACE_HTACCESS},
        {{"5/1s", "max=86401"}, "max=86401", GUARD_PLACE_HTACCESS},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_limit_t limit = {.policy = {.limit = UNTOUCHED}};
        const char *name = row[i].word[0] ? row[i].word[0] : "nothing";
        const char *culprit = "never set";

        ok(guard_args_limit(&limit, row[i].word, row[i].place, &culprit) !=
               NULL,
           "%s is refused", name);
        is_str(culprit, row[i].culprit, "  and the word named");
        is(limit.policy.limit, UNTOUCHED, "  and nothing set");
    }
}

static void no_limit_and_a_day_in_htaccess(void)
{
    static const char *const none[] = {"None", NULL};
    static const char *const day[] = {"5/10min", "lockout=1d", NULL};
    guard_limit_t limit = {.policy = {.limit = UNTOUCHED}};
    const char *culprit;

    is_str(guard_args_limit(&limit, none, GUARD_PLACE_SERVER, &culprit), NULL,
           "none is a limit");
    is(limit.state, GUARD_LIMIT_NONE, "  that says so");
    is(limit.policy.limit, 0, "  and holds no other");
    is_str(guard_args_limit(&limit, day, GUARD_PLACE_HTACCESS, &culprit), NULL,
           "a day is allowed in .htaccess");
    is(limit.policy.lockout_max_usec, 86400 * S, "  and is its own max");
}

static void numbers_and_names(void)
{
    uint8_t bits = 99;
    uint32_t clients = UNTOUCHED;
    char name[GUARD_SCOPE_NAME_MAX + 2];

    ok(guard_args_prefix(&bits, "8", 8, 32), "the least bits");
    is(bits, 8, "  as read");
    ok(guard_args_prefix(&bits, "32", 8, 32), "the most bits");
    is(bits, 32, "  as read");
    ok(!guard_args_prefix(&bits, "7", 8, 32), "too few bits");
    ok(!guard_args_prefix(&bits, "33", 8, 32), "too many bits");
    ok(!guard_args_prefix(&bits, "264", 8, 32), "bits that would wrap");
    ok(!guard_args_prefix(&bits, "24x", 8, 32), "bits and more");
    ok(!guard_args_prefix(&bits, "", 8, 32), "no bits");
    is(bits, 32, "  and nothing was changed");

    is_str(guard_args_clients(&clients, "64"), NULL, "the smallest table");
    is(clients, GUARD_SHM_CLIENTS_MIN, "  as read");
    is_str(guard_args_clients(&clients, "16777216"), NULL, "the largest");
    is(clients, GUARD_SHM_CLIENTS_MAX, "  as read");
    ok(guard_args_clients(&clients, "63") != NULL, "too small a table");
    ok(guard_args_clients(&clients, "16777217") != NULL, "too large a table");
    ok(guard_args_clients(&clients, "4294967360") != NULL, "one that wraps");
    is(clients, GUARD_SHM_CLIENTS_MAX, "  and nothing was changed");

    memset(name, 'a', sizeof(name));
    name[GUARD_SCOPE_NAME_MAX + 1] = '\0';
    ok(guard_args_scope(name) != NULL, "a name of 65 characters");
    name[GUARD_SCOPE_NAME_MAX] = '\0';
    is_str(guard_args_scope(name), NULL, "a name of 64 characters");
    is_str(guard_args_scope("aZ09._-"), NULL, "every kind of character");
    ok(guard_args_scope("") != NULL, "no name");
    ok(guard_args_scope("host:80") != NULL, "a name as hosts have");
    ok(guard_args_scope("caf\xe9") != NULL, "a letter of another set");

    is_str(guard_args_option("File=", "file"), "", "an empty option");
    is_str(guard_args_option("file=a=b", "file"), "a=b", "only the first '='");
    is_str(guard_args_option("file", "file"), NULL, "no '='");
    is_str(guard_args_option("files=a", "file"), NULL, "a longer name");
}

static void numbers_of_checks(void)
{
    static const struct {
        const char *word;
        unsigned checks; /* UNTOUCHED: refused */
    } row[] = {
        {"1", 1},
        {"0010", 10},
        {"10000", GUARD_CHECKS_MAX},
        {"0", UNTOUCHED},
        {"10001", UNTOUCHED},
        {"4294967297", UNTOUCHED},
        {"18446744073709551617", UNTOUCHED},
        {"-1", UNTOUCHED},
        {"+1", UNTOUCHED},
        {"1.5", UNTOUCHED},
        {"4x", UNTOUCHED},
        {" 4", UNTOUCHED},
        {"", UNTOUCHED},
        {"unlimited", UNTOUCHED}, /* the caller's word */
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        unsigned checks = UNTOUCHED;
        const char *remedy = guard_args_checks(&checks, row[i].word);

        is(checks, row[i].checks, row[i].word);
        ok(!remedy == (row[i].checks != UNTOUCHED), "  and what is said");
    }
}

static void waits(void)
{
    static const struct {
        const char *word;
        long long usec;
    } row[] = {
        {"1ms", GUARD_WAIT_USEC_MIN},
        {"2", 2 * S},
        {"60s", GUARD_WAIT_USEC_MAX},
        {"1min", GUARD_WAIT_USEC_MAX},
        {"0", UNTOUCHED},
        {"0ms", UNTOUCHED},
        {"60001ms", UNTOUCHED},
        {"61s", UNTOUCHED},
        {"99999999999999999999d", UNTOUCHED},
        {"-1s", UNTOUCHED},
        {"1.5s", UNTOUCHED},
        {"", UNTOUCHED},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        apr_interval_time_t usec = UNTOUCHED;
        const char *remedy = guard_args_wait(&usec, row[i].word);

        is(usec, row[i].usec, row[i].word);
        ok(!remedy == (row[i].usec != UNTOUCHED), "  and what is said");
    }
}

static void messages_show_words_safely(apr_pool_t *pool)
{
    char word[GUARD_ARGS_SHOWN_MAX + 2];

    is_str(guard_args_complain(pool, "D", "a\x1b[2J\r\n\x7f\xc3\xa9%41'", "r"),
           "D: 'a%1B[2J%0D%0A%7F%C3%A9%41'': r", "control characters");
    is_str(guard_args_complain(pool, "D", "", "r"), "D: '': r", "no word");
    memset(word, '\n', sizeof(word));
    word[GUARD_ARGS_SHOWN_MAX] = '\0';
    is((long long)strlen(guard_args_complain(pool, "D", word, "r")),
       3 * GUARD_ARGS_SHOWN_MAX + 8, "64 bytes are shown in full");
    word[GUARD_ARGS_SHOWN_MAX] = 'x';
    word[GUARD_ARGS_SHOWN_MAX + 1] = '\0';
    is((long long)strlen(guard_args_complain(pool, "D", word, "r")),
       3 * GUARD_ARGS_SHOWN_MAX + 11, "the 65th becomes three dots");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    spans_of_time();
    limits();
    bad_limits_leave_the_result_alone_and_name_the_word();
    no_limit_and_a_day_in_htaccess();
    numbers_and_names();
    numbers_of_checks();
    waits();
    messages_show_words_safely(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
