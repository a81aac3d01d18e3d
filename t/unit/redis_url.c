/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_url.c: the words of `AuthGuardStore redis ...`, the good and the bad
 * ones; which word a complaint names, and that none ever shows a password; and
 * what is asked of files that hold one.
 */
#include "guard_store_redis_tls.h"
#include "guard_store_redis_url.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS 1000LL

static apr_pool_t *pool;
static char dir[64];

static guard_redis_options_t options;
static const char *culprit;

/* Words with blanks between them; @ alone stands for the directory. */
static const char *read_words(const char *text)
{
    const char *word[16] = {NULL};
    char *last, *rest = apr_pstrdup(pool, text);
    unsigned count = 0;

    for (char *at = apr_strtok(rest, " ", &last); at;
         at = apr_strtok(NULL, " ", &last)) {
        char *sign = strstr(at, "=@");

        word[count++] = sign ? apr_psprintf(pool, "%.*s=%s%s", (int)(sign - at),
                                            at, dir, sign + 2)
                             : at;
    }
    options = (guard_redis_options_t){.connections = 4711};
    return guard_redis_options_read(&options, word, &culprit, pool);
}

static void urls(void)
{
    static const struct {
        const char *words, *path, *host;
        unsigned port;
        int is_tls;
        const char *user;
        unsigned database;
        const char *label;
    } row[] = {
        {"redis://localhost", NULL, "localhost", 6379, 0, NULL, 0,
         "redis://localhost:6379/0"},
        {"REDIS://Cache-1.example.org:6380/15", NULL, "Cache-1.example.org",
         6380, 0, NULL, 15, "redis://Cache-1.example.org:6380/15"},
        {"redis://192.0.2.7/", NULL, "192.0.2.7", 6379, 0, NULL, 0,
         "redis://192.0.2.7:6379/0"},
        {"redis://[::1]", NULL, "::1", 6379, 0, NULL, 0,
         "redis://[::1]:6379/0"},
        {"redis://[2001:db8::7]:1/65535", NULL, "2001:db8::7", 1, 0, NULL,
         65535, "redis://[2001:db8::7]:1/65535"},
        {"redis://guard@h:65535 password=@/password", NULL, "h", 65535, 0,
         "guard", 0, "redis://guard@h:65535/0"},
        {"redis://a%40b%20c@h password=@/password", NULL, "h", 6379, 0, "a@b c",
         0, "redis://a@b%20c@h:6379/0"},
        {"unix:/run/redis/redis.sock", "/run/redis/redis.sock", NULL, 0, 0,
         NULL, 0, "unix:/run/redis/redis.sock?db=0"},
        {"unix:///run/r", "/run/r", NULL, 0, 0, NULL, 0, "unix:/run/r?db=0"},
        {"redis+unix:///r?db=3", "/r", NULL, 0, 0, NULL, 3, "unix:/r?db=3"},
        {"unix:/r?db=2&user=guard password=@/password", "/r", NULL, 0, 0,
         "guard", 2, "unix:/r?db=2&user=guard"},
        {"unix:/a%20b?user=x%25 password=@/password", "/a b", NULL, 0, 0, "x%",
         0, "unix:/a%20b?db=0&user=x%25"},
#if GUARD_REDIS_TLS
        {"rediss://h", NULL, "h", 6379, 1, NULL, 0, "rediss://h:6379/0"},
        {"rediss://h ca=@/password cert=@/open key=@/password", NULL, "h", 6379,
         1, NULL, 0, "rediss://h:6379/0"},
#endif
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        const guard_redis_target_t *target = &options.target;

        is_str(read_words(row[i].words), NULL, row[i].words);
        is_str(target->path, row[i].path, "  path");
        is_str(target->host, row[i].host, "  host");
        is(target->port, row[i].port, "  port");
        is(target->is_tls, row[i].is_tls, "  TLS");
        is_str(target->user, row[i].user, "  user");
        is(target->database, row[i].database, "  database");
        is_str(target->label, row[i].label, "  as people see it");
        is_str(target->password, row[i].user ? "hunter2 and more" : NULL,
               "  password");
    }
}

static void what_follows(void)
{
    is_str(read_words("redis://h"), NULL, "no options");
    is(options.timeout_usec, 50 * MS, "  timeout");
    is(options.failure, GUARD_FAILURE_LOCAL, "  failure");
    is_str(options.prefix, "authguard", "  prefix");
    is(options.connections, 0, "  connections");
    is(options.has_secret, 0, "  no secret");
    is_str(read_words("redis://h timeout=5s FAILURE=Open prefix=a:b.c-d_e "
                      "connections=64 secret=@/secret"),
           NULL, "all of them");
    is(options.timeout_usec, 5000 * MS, "  timeout");
    is(options.failure, GUARD_FAILURE_OPEN, "  failure");
    is_str(options.prefix, "a:b.c-d_e", "  prefix");
    is(options.connections, 64, "  connections");
    is(options.has_secret, 1, "  secret");
    is_str(read_words("redis://h timeout=5ms failure=closed connections=1"),
           NULL, "the least");
    is(options.timeout_usec, 5 * MS, "  timeout");
    is(options.failure, GUARD_FAILURE_CLOSED, "  failure");
    is(options.connections, 1, "  connections");
}

/* A complaint holds this, and names this word: "" for none. */
static const struct {
    const char *words, *culprit, *remedy;
} BAD[] = {
    {"", "", "a server's URL must follow"},
    {"localhost", "localhost", "redis://HOST"},
    {"http://localhost", "http://localhost", "redis://HOST"},
    {"redis:localhost", "redis:localhost", "redis://HOST"},
    {"redis://", "redis://", "the host must"},
    {"redis:///0", "redis:///0", "the host must"},
    {"redis://a,b", "redis://a,b", "the host must"},
    {"redis://::1", "redis://::1", "the host must"},
    {"redis://[::1", "redis://[::1", "the host must"},
    {"redis://[localhost]", "redis://[localhost]", "the host must"},
    {"redis://[fe80::1%25eth0]", "redis://[fe80::1%25eth0]", "the host must"},
    {"redis://[::1]6379", "redis://[::1]6379", "the port must"},
    {"redis://h:0", "redis://h:0", "the port must"},
    {"redis://h:65536", "redis://h:65536", "the port must"},
    {"redis://h:4294967297", "redis://h:4294967297", "the port must"},
    {"redis://h:99999999999999999999", "redis://h:99999999999999999999",
     "the port must"},
    {"redis://h:", "redis://h:", "the port must"},
    {"redis://h:6x", "redis://h:6x", "the port must"},
    {"redis://h/x", "redis://h/x", "the database must"},
    {"redis://h/-1", "redis://h/-1", "the database must"},
    {"redis://h/65536", "redis://h/65536", "the database must"},
    {"redis://h/0/1", "redis://h/0/1", "the database must"},
    {"redis://h?db=1", "redis://h?...", "the database must"},
    {"redis://h#1", "redis://h#1", "the database must"},
    {"redis://@h", "redis://...@h", "the user must"},
    {"redis://a%4@h", "redis://...@h", "the user must"},
    {"redis://a%@h", "redis://...@h", "the user must"},
    {"redis://a%0a@h", "redis://...@h", "the user must"},
    {"redis://a%00@h", "redis://...@h", "the user must"},
    {"redis://guard@h", "redis://...@h", "a user needs a password"},
    {"redis://hunter2:hunter2@h", "redis://...@h", "password=FILE"},
    {"redis://:hunter2@h", "redis://...@h", "password=FILE"},
    {"redis://:hunter2/x@h/0", "redis://...@h/0", "password=FILE"},
    {"redis://:hunter2#?@h/0", "redis://...@h/0", "password=FILE"},
    {"reddis://a:hunter2@h", "reddis://...@h", "redis://HOST"},
    {"redis:a:hunter2@h", "...@h", "redis://HOST"},
    {"unix:r", "unix:r", "an absolute path"},
    {"unix:", "unix:", "an absolute path"},
    {"redis+unix:/r", "redis+unix:/r", "redis://HOST"},
    {"redis+unix://h/r", "redis+unix://h/r", "an absolute path"},
    {"unix:/r?", "unix:/r?...", "what may follow"},
    {"unix:/r?db=x", "unix:/r?...", "the database must"},
    {"unix:/r?db=1&", "unix:/r?...", "what may follow"},
    {"unix:/r?password=hunter2", "unix:/r?...", "password=FILE"},
    {"unix:/r?user=a:hunter2", "unix:/r?...", "password=FILE"},
    {"unix:/a%0ab", "unix:/a%0ab", "a socket's path"},
    {"redis://h timeout=4ms", "timeout=4ms", "5ms to 5s"},
    {"redis://h timeout=5001ms", "timeout=5001ms", "5ms to 5s"},
    {"redis://h timeout=x", "timeout=x", "a time"},
    {"redis://h failure=", "failure=", "local, open or closed"},
    {"redis://h failure=none", "failure=none", "local, open or closed"},
    {"redis://h prefix=", "prefix=", "a prefix"},
    {"redis://h prefix=a{b}", "prefix=a{b}", "a prefix"},
    {"redis://h connections=0", "connections=0", "1 to 64"},
    {"redis://h connections=65", "connections=65", "1 to 64"},
    {"redis://h connections=-1", "connections=-1", "1 to 64"},
    {"redis://h prefix=a prefix=a", "prefix=a", "given already"},
    {"redis://h passwd=hunter2", "passwd=...", "the options are"},
    {"redis://h other", "other", "the options are"},
    {"redis://h password=hunter2", "password=...", "absolute path"},
    {"redis://h password=", "password=...", "absolute path"},
    {"redis://h secret=hunter2", "secret=...", "absolute path"},
    {"redis://h password=@/none", "password=@/none", "No such file"},
    {"redis://h password=@/open", "password=@/open", "chmod o-rwx"},
    {"redis://h password=@/empty", "password=@/empty", "first line"},
    {"redis://h password=@/blank", "password=@/blank", "first line"},
    {"redis://h password=@/long", "password=@/long", "512"},
    {"redis://h password=@/", "password=@/", "plain file"},
    {"redis://h password=@/pipe", "password=@/pipe", "plain file"},
    {"redis://h secret=@/short", "secret=@/short", "at least 16"},
    {"redis://h secret=@/huge", "secret=@/huge", "4096"},
    {"redis://h secret=@/open", "secret=@/open", "chmod o-rwx"},
    {"redis://h secret=@/none", "secret=@/none", "No such file"},
    {"redis://h ca=@/open", "ca=@/open", "rediss://"},
    {"redis://h key=@/secret", "key=@/secret", "rediss://"},
#if GUARD_REDIS_TLS
    {"rediss://h ca=ca.pem", "ca=ca.pem", "absolute path"},
    {"rediss://h ca=@/none", "ca=@/none", "No such file"},
    {"rediss://h cert=@/open", "cert=@/open", "go together"},
    {"rediss://h key=@/secret", "key=@/secret", "go together"},
    {"rediss://h cert=@/open key=@/open", "key=@/open", "chmod o-rwx"},
#else
    {"rediss://h", "rediss://h", "no TLS"},
#endif
};

static void bad_words(void)
{
    for (size_t i = 0; i < COUNT(BAD); i++) {
        const char *remedy = read_words(BAD[i].words);
        const char *at = strstr(BAD[i].culprit, "=@");
        const char *expected =
            at ? apr_psprintf(pool, "%.*s=%s%s", (int)(at - BAD[i].culprit),
                              BAD[i].culprit, dir, at + 2)
               : BAD[i].culprit;

        if (ok(remedy && strstr(remedy, BAD[i].remedy), "%s", BAD[i].words)) {
            is_str(culprit ? culprit : "", expected, "  the word");
        } else {
            printf("#      got: %s\n", remedy ? remedy : "NULL");
        }
        ok((!remedy || !strstr(remedy, "hunter2")) &&
               (!culprit || !strstr(culprit, "hunter2")),
           "  and no password is shown");
        is(options.connections, 4711, "  and nothing is set");
    }
}

static void a_long_path(void)
{
    char words[160] = "unix:/";

    memset(words + 6, 'x', 107);
    ok(read_words(words) != NULL, "a path of 108 bytes is too long");
    words[6 + 106] = '\0';
    is_str(read_words(words), NULL, "  one of 107 is not");
}

static void the_environment(void)
{
    setenv("AUTHGUARD_REDIS_PASSWORD", "of the environment", 1);
    is_str(read_words("redis://guard@h"), NULL, "from the environment");
    is_str(options.target.password, "of the environment", "  password");
    is_str(read_words("redis://guard@h password=@/password"), NULL,
           "from a file");
    is_str(options.target.password, "hunter2 and more", "  the file wins");
    setenv("AUTHGUARD_REDIS_PASSWORD", "", 1);
    is_str(read_words("redis://h"), NULL, "an empty one");
    is_str(options.target.password, NULL, "  is none");
    unsetenv("AUTHGUARD_REDIS_PASSWORD");
}

static void a_password_ends_with_its_pool(void)
{
    apr_pool_t *old = pool;
    const char *password;
    guard_redis_options_t kept;

    apr_pool_create(&pool, old);
    read_words("redis://h password=@/crlf");
    kept = options;
    password = kept.target.password;
    is_str(password, "hunter2 and more", "a line ends at CR and LF");
    apr_pool_clear(pool);
    ok(!memcmp(password, "\0\0\0\0", 4), "and the pool's end wipes it");
    apr_pool_destroy(pool);
    pool = old;
}

static void secrets(void)
{
    guard_secret_t first[2];

    read_words("redis://h secret=@/secret");
    memcpy(first, options.secret, sizeof(first));
    ok(memcmp(&first[0], &first[1], sizeof(first[0])) != 0,
       "two secrets of one file");
    read_words("redis://h secret=@/secret-lf");
    ok(!memcmp(first, options.secret, sizeof(first)),
       "what an editor puts at the end does not matter");
    read_words("redis://h secret=@/secret-2");
    ok(memcmp(&first[0], &options.secret[0], sizeof(first[0])) != 0 &&
           memcmp(&first[1], &options.secret[1], sizeof(first[1])) != 0,
       "another content, other secrets");
}

static void put(const char *name, const char *content, size_t length,
                mode_t mode)
{
    FILE *file;

    file = fopen(apr_pstrcat(pool, dir, "/", name, NULL), "wb");
    if (!file || fwrite(content, 1, length, file) != length || fclose(file) ||
        chmod(apr_pstrcat(pool, dir, "/", name, NULL), mode)) {
        perror(name);
        exit(1);
    }
}

static void end(void)
{
    static const char *const name[] = {
        "password", "crlf", "open", "empty",     "blank",    "long",
        "secret",   "pipe", "huge", "secret-lf", "secret-2", "short"};

    for (size_t i = 0; i < COUNT(name); i++) {
        unlink(apr_pstrcat(pool, dir, "/", name[i], NULL));
    }
    rmdir(dir);
}

static void begin(void)
{
    char many[5000];

    strcpy(dir, P_tmpdir "/guard-unit-XXXXXX");
    if (!mkdtemp(dir)) {
        perror("mkdtemp");
        exit(1);
    }
    memset(many, 'x', sizeof(many));
    put("password", "hunter2 and more\nno more\n", 25, 0600);
    put("crlf", "hunter2 and more\r\n", 18, 0640);
    put("open", "hunter2 and more\n", 17, 0604);
    put("empty", "", 0, 0600);
    put("blank", "\nhunter2\n", 9, 0600);
    put("long", many, 513, 0600);
    put("secret", "0123456789abcdef", 16, 0600);
    put("secret-lf", "0123456789abcdef \r\n", 19, 0600);
    put("secret-2", "0123456789abcdeg", 16, 0600);
    put("short", "0123456789abcde\n\n\n", 18, 0600);
    put("huge", many, 4097, 0600);
    if (mkfifo(apr_pstrcat(pool, dir, "/pipe", NULL), 0600)) {
        perror("mkfifo");
        exit(1);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    unsetenv("AUTHGUARD_REDIS_PASSWORD");
    begin();
    urls();
    what_follows();
    bad_words();
    a_long_path();
    the_environment();
    a_password_ends_with_its_pool();
    secrets();
    end();
    apr_pool_destroy(pool);
    return tap_done();
}
