/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_password.c: a wire's password is in no trouble, whatever the server
 * says, and in no memory but the configuration's, freed or not.
 */
#include "guard_store_redis_trouble.h"
#include "guard_store_redis_url.h"
#include "redis_fake.h"

#include <fcntl.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The password, each letter one off, so that to look for it leaves no trace
 * that would be found. Longer than what copying holds in registers, which the
 * dynamic linker may put on the stack. */
static const char MASKED[] =
    "tqpdi;uif;qbttxpse;pg;uijt;uftu;jt;mpohfs;uibo;ifs;sfhjtufst";

static guard_redis_options_t options;
static char dir[64], path[80];

static void put_password(void)
{
    char password[sizeof(MASKED)];
    int fd;

    for (size_t i = 0; i < sizeof(MASKED) - 1; i++) {
        password[i] = (char)(MASKED[i] - 1);
    }
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    fake_must(fd >= 0 && write(fd, password, sizeof(MASKED) - 1) ==
                             (ssize_t)sizeof(MASKED) - 1,
              "a file for the password");
    close(fd);
    explicit_bzero(password, sizeof(password));
}

static unsigned count_in(const char *bytes, size_t size)
{
    unsigned count = 0;

    for (size_t at = 0; at + sizeof(MASKED) - 1 <= size; at++) {
        size_t i = 0;

        while (i < sizeof(MASKED) - 1 && bytes[at + i] == MASKED[i] - 1) {
            i++;
        }
        count += i == sizeof(MASKED) - 1;
    }
    return count;
}

/* @return how often the password is in this process's memory. What is read is
 * wiped at once: it is this process's memory, too. */
static unsigned count_everywhere(void)
{
    static char window[1 << 16];
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    char line[512], mode[8];
    unsigned long begin, end;
    unsigned count = 0;

    fake_must(maps && memory >= 0, "to read the own memory");
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %7s", &begin, &end, mode) != 3 ||
            mode[1] != 'w' || end - begin > (1UL << 30)) {
            continue;
        }
        for (unsigned long at = begin; at < end;
             at += sizeof(window) - sizeof(MASKED)) {
            size_t want = end - at < sizeof(window) ? end - at : sizeof(window);
            ssize_t got = pread(memory, window, want, (off_t)at);

            if (got > 0 && (at + want <= (unsigned long)window ||
                            at >= (unsigned long)window + sizeof(window))) {
                count += count_in(window, (size_t)got);
            }
            explicit_bzero(window, sizeof(window));
        }
    }
    fclose(maps);
    close(memory);
    return count;
}

static void answer_twice(int fd, const char *text)
{
    while (fake_hear(fd)) {
        fake_say(fd, text);
    }
}

static void in_memory(void)
{
    const char *words[] = {"redis://somebody@h/3",
                           apr_pstrcat(fake_pool, "password=", path, NULL),
                           NULL};
    const char *culprit;
    apr_pool_t *pool;
    guard_redis_wire_t *wire;
    fake_t fake = fake_start(answer_twice, "+OK\r\n+OK\r\n");

    is(count_everywhere(), 0, "before it is read, the password is nowhere");
    apr_pool_create(&pool, fake_pool);
    is_str(guard_redis_options_read(&options, words, &culprit, pool), NULL,
           "options with a password");
    is(count_everywhere(), 1, "  which is in one place");
    fake_must(guard_redis_wire_create(&wire, &options.target, pool) ==
                  APR_SUCCESS,
              "a wire");
    is(guard_redis_wire_connect(wire, &fake.address, 1, fake_later()),
       GUARD_REDIS_FINE, "connected");
    is(count_everywhere(), 1, "  it is sent, and still in one place");
    guard_redis_wire_close(wire);
    fake_stop(&fake);

    fake = fake_start(answer_twice, "");
    is(guard_redis_wire_connect(wire, &fake.address, 1, fake_soon()),
       GUARD_REDIS_TIMEOUT, "nobody answers to it");
    is(count_everywhere(), 1, "  still in one place");
    fake_stop(&fake);
    apr_pool_destroy(pool);
    is(count_everywhere(), 0, "with its pool it is gone");
}

/* What a server says to AUTH, and the trouble. */
static const struct {
    const char *text, *trouble;
} ROW[] = {
    {"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
     "WRONGPASS invalid username-password pair or user is disabled."},
    {"-ERR unknown command `AUTH`, with args beginning with: `somebody`, "
     "`0pen Sesame!`, \r\n",
     "ERR, with a text that is not shown: it may hold the password"},
    {"-ERR unknown command, with args beginning with: `0pen\r\n",
     "ERR, with a text that is not shown: it may hold the password"},
    {"-0pen Sesame!\r\n",
     "an error, with a text that is not shown: it may hold the password"},
    {"-ERR \x1b[2J%s 100%\r\n", "ERR %1B[2J%25s 100%25"},
    {":1\r\n", "a reply of an unexpected kind"},
    {"+0pen Sesame!\r\n", "a reply of an unexpected kind"},
    {"$13\r\n0pen Sesame!!\r\n", "a reply of an unexpected kind"},
};

static void in_troubles(void)
{
    guard_redis_target_t target = {.user = "somebody",
                                   .password = "0pen Sesame!"};

    for (size_t i = 0; i < COUNT(ROW); i++) {
        fake_t fake = fake_start(answer_twice, ROW[i].text);
        guard_redis_wire_t *wire = fake_wire(&target);

        is(guard_redis_wire_connect(wire, &fake.address, 1, fake_later()),
           GUARD_REDIS_REPLY, ROW[i].trouble);
        is_str(guard_redis_wire_trouble(wire), ROW[i].trouble, "  trouble");
        is(guard_redis_wire_is_open(wire), 0, "  and it is closed");
        fake_stop(&fake);
    }
}

static void long_troubles(void)
{
    char trouble[GUARD_REDIS_TROUBLE_MAX], text[1000];
    guard_redis_reply_t reply = {
        .kind = GUARD_REDIS_ERROR, .text = text, .length = sizeof(text)};

    memset(text, '\n', sizeof(text));
    guard_redis_trouble_quote(trouble, &reply, NULL);
    is((long long)strlen(trouble), (GUARD_REDIS_TROUBLE_MAX - 1) / 3 * 3,
       "a long trouble is cut, and not within a %XX");
    guard_redis_trouble_quote(trouble, &reply, "");
    ok(!strncmp(trouble, "%0A%0A", 6), "an empty password hides nothing");
    memcpy(text, "BUSY a", 6);
    guard_redis_trouble_quote(trouble, &reply, "a");
    ok(!strncmp(trouble, "BUSY, with", 10), "a short one does");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&fake_pool, NULL);
    unsetenv("AUTHGUARD_REDIS_PASSWORD");
    strcpy(dir, P_tmpdir "/guard-unit-XXXXXX");
    fake_must(mkdtemp(dir) != NULL, "a directory");
    snprintf(path, sizeof(path), "%s/password", dir);
    put_password();
    in_memory();
    in_troubles();
    long_troubles();
    unlink(path);
    rmdir(dir);
    apr_pool_destroy(fake_pool);
    return tap_done();
}
