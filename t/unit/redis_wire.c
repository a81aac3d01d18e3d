/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_wire.c: servers that misbehave. Each gives the cause and the trouble
 * that it should, none holds the caller longer than 50 ms beyond the deadline,
 * and the wire is closed afterwards. And what is long, in either direction.
 */
#include "redis_fake.h"

#include <fcntl.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- servers ---- */

static void stay_silent(int fd, const char *text)
{
    (void)text;
    while (fake_hear(fd)) {
    }
}

static void answer(int fd, const char *text)
{
    while (fake_hear(fd)) {
        fake_say(fd, text);
    }
}

static void answer_once(int fd, const char *text)
{
    if (fake_hear(fd)) {
        fake_say(fd, text);
    }
}

static void speak_first(int fd, const char *text)
{
    fake_say(fd, text);
    stay_silent(fd, text);
}

static void drip(int fd, const char *text)
{
    char byte[2] = {0};

    if (!fake_hear(fd)) {
        return;
    }
    for (unsigned i = 0; i < 400; i++) {
        byte[0] = text[i < strlen(text) ? i : strlen(text) - 1];
        fake_say(fd, byte);
        fake_pause(15);
    }
}

static void flood(int fd, const char *text)
{
    for (unsigned i = 0; i < 100000 && fcntl(fd, F_GETFD) >= 0; i++) {
        if (write(fd, text, strlen(text)) <= 0) {
            return;
        }
    }
}

static void never_read(int fd, const char *text)
{
    (void)fd, (void)text;
    fake_pause(5000);
}

static const guard_redis_target_t target; /* at the address given */

/* ---- what comes of it ---- */

static const struct {
    const char *name;
    fake_act_fn *act;
    const char *text;
    guard_redis_cause_e cause;
    const char *trouble; /* a part of it; NULL: none */
} ROW[] = {
    {"an answer", answer, "+OK\r\n", GUARD_REDIS_FINE, NULL},
    {"an error is an answer", answer, "-ERR no\r\n", GUARD_REDIS_FINE, NULL},
    {"nothing", stay_silent, "", GUARD_REDIS_TIMEOUT,
     "timeout while waiting for a reply"},
    {"half a reply, then silence", answer, "$5\r\nab", GUARD_REDIS_TIMEOUT,
     "timeout"},
    {"half an array, then silence", answer, "*3\r\n:1\r\n", GUARD_REDIS_TIMEOUT,
     "timeout"},
    {"2 GB announced", answer, "$2147483647\r\n", GUARD_REDIS_TIMEOUT,
     "timeout"},
    {"a byte every 15 ms", drip, "$1000\r\nx", GUARD_REDIS_TIMEOUT, "timeout"},
    {"a byte of a number every 15 ms", drip, ":1", GUARD_REDIS_TIMEOUT,
     "timeout"},
    {"half a reply, then closed", answer_once, "$5\r\nab",
     GUARD_REDIS_CONNECTION, "the server closed the connection"},
    {"no reply, then closed", answer_once, "", GUARD_REDIS_CONNECTION,
     "the server closed the connection"},
    {"a reply too many", answer, "+OK\r\n+OK\r\n", GUARD_REDIS_REPLY,
     "nobody asked for"},
    {"a reply and a half", answer, "+OK\r\n+", GUARD_REDIS_REPLY,
     "nobody asked for"},
    {"another protocol", answer, "HTTP/1.1 400 Bad Request\r\n\r\n",
     GUARD_REDIS_REPLY, "Protocol error"},
    {"binary", answer, "\x01\x02\xff\xfe\r\n", GUARD_REDIS_REPLY,
     "Protocol error"},
    {"a billion values", answer, "*1000000000\r\n", GUARD_REDIS_REPLY,
     "more values"},
    {"a negative length", answer, "$-7\r\n", GUARD_REDIS_REPLY, "out of range"},
    {"a negative count", answer, "*-7\r\n", GUARD_REDIS_REPLY, "out of range"},
    {"deep nesting", answer, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
     GUARD_REDIS_REPLY, "too deep"},
    {"a number that is none", answer, ":0x10\r\n", GUARD_REDIS_REPLY,
     "integer"},
    {"a string of another length", answer, "$1\r\nabc\r\n", GUARD_REDIS_REPLY,
     "longer than it said"},
    {"a flood of one reply", flood, "$2147483647\r\nxxxxxxxxxxxxxxxxxxxxxxx",
     GUARD_REDIS_REPLY, ""},
    {"a flood of replies", flood, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
     GUARD_REDIS_REPLY, ""},
};

static void rows(void)
{
    for (size_t i = 0; i < COUNT(ROW); i++) {
        fake_t fake = fake_start(ROW[i].act, ROW[i].text);

        fake_must_come_to(fake_wire(&target), &fake.address, ROW[i].cause,
                          ROW[i].trouble, ROW[i].name);
        fake_stop(&fake);
    }
}

static void spoken_unasked(void)
{
    static const struct {
        const char *text, *trouble;
    } row[] = {
        {"+OK\r\n", "without being asked"},
        {"hello", "without being asked"},
        {"-ERR max number of clients reached\r\n",
         "ERR max number of clients reached"},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        fake_t fake = fake_start(speak_first, row[i].text);
        guard_redis_wire_t *wire = fake_wire(&target);
        guard_redis_cause_e cause = GUARD_REDIS_FINE;

        for (unsigned j = 0; j < 200 && cause == GUARD_REDIS_FINE; j++) {
            cause =
                guard_redis_wire_connect(wire, &fake.address, 1, fake_later());
            fake_pause(10);
        }
        is(cause, GUARD_REDIS_REPLY, "a server that speaks first");
        ok(strstr(guard_redis_wire_trouble(wire), row[i].trouble) != NULL,
           "  trouble: %s", guard_redis_wire_trouble(wire));
        is(guard_redis_wire_is_open(wire), 0, "  and it is closed");
        fake_stop(&fake);
    }
}

/* ---- time ---- */

static void too_late_to_begin(void)
{
    fake_t fake = fake_start(answer, "+OK\r\n");
    guard_redis_wire_t *wire = fake_wire(&target);

    is(guard_redis_wire_connect(wire, &fake.address, 1,
                                guard_store_clock() - 1),
       GUARD_REDIS_TIMEOUT, "a deadline that is over");
    is(guard_redis_wire_connect(wire, &fake.address, 1, fake_later()),
       GUARD_REDIS_FINE, "  and one that is not");
    is(fake_ask(wire, "PING", guard_store_clock() - 1), GUARD_REDIS_TIMEOUT,
       "  nothing is asked too late");
    is(fake_ask(wire, "PING", fake_later()), GUARD_REDIS_CONNECTION,
       "  nor on a wire that is closed");
    fake_stop(&fake);
}

/* ---- much ---- */

static void much_to_send(void)
{
    fake_t fake = fake_start(never_read, "");
    guard_redis_wire_t *wire = fake_wire(&target);
    const size_t size = 16 << 20;
    char *bytes = calloc(1, size);
    const char *argv[] = {bytes};
    guard_redis_command_t command = {.argc = 1, .argv = argv, .length = &size};
    uint64_t deadline_usec;
    long long late_usec = FAKE_LATE_USEC;

    for (unsigned i = 0; i < FAKE_TRIES && late_usec >= FAKE_LATE_USEC; i++) {
        guard_redis_wire_connect(wire, &fake.address, 1, fake_later());
        deadline_usec = fake_soon();
        is(guard_redis_wire_ask(wire, &command, 1, deadline_usec, fake_note,
                                NULL),
           GUARD_REDIS_TIMEOUT, "a server that does not read");
        late_usec = (long long)(guard_store_clock() - deadline_usec);
    }
    ok(late_usec < FAKE_LATE_USEC, "  in time: %lld ms beyond the deadline",
       late_usec / 1000);
    free(bytes);
    fake_stop(&fake);
}

/* Writes 8 kB for each command before it reads on. */
static void answer_at_length(int fd, const char *text)
{
    static char reply[8192 + 32];
    char buf[1024];
    size_t got = 0, each = strtoul(text, NULL, 10);
    int head = snprintf(reply, sizeof(reply), "$%d\r\n", 8192);

    memset(reply + head, 'y', 8192);
    strcpy(reply + head + 8192, "\r\n");
    for (;;) {
        ssize_t more = read(fd, buf, sizeof(buf));

        if (more <= 0) {
            return;
        }
        for (got += (size_t)more; got >= each; got -= each) {
            fake_say(fd, reply);
        }
    }
}

static void count_replies(void *baton, unsigned index,
                          const guard_redis_reply_t *reply)
{
    unsigned *count = baton;

    *count += index == *count && reply->length == 8192;
}

static void much_both_ways(void)
{
    enum { COMMANDS = 2000, BYTES = 8000 };
    static guard_redis_command_t command[COMMANDS];
    char word[BYTES];
    const char *argv[] = {word};
    const size_t length[] = {BYTES};
    /* *1 $8000 and the word, each with CR LF */
    fake_t fake = fake_start(answer_at_length, "8013");
    guard_redis_wire_t *wire = fake_wire(&target);
    unsigned count = 0;

    memset(word, 'x', sizeof(word));
    for (unsigned i = 0; i < COMMANDS; i++) {
        command[i] =
            (guard_redis_command_t){.argc = 1, .argv = argv, .length = length};
    }
    guard_redis_wire_connect(wire, &fake.address, 1, fake_later());
    is(guard_redis_wire_ask(wire, command, COMMANDS, fake_later(),
                            count_replies, &count),
       GUARD_REDIS_FINE, "2000 long replies to 2000 long commands");
    is(count, COMMANDS, "  in their order");
    fake_stop(&fake);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&fake_pool, NULL);
    rows();
    spoken_unasked();
    too_late_to_begin();
    much_to_send();
    much_both_ways();
    apr_pool_destroy(fake_pool);
    return tap_done();
}
