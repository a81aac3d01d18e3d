/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_live.c: a wire and a real server: on a unix socket and on TCP, with a
 * password, an ACL user and a database; pipelines, large replies, and
 * subscriptions; and what a server does to a connection: kill it, pause, be
 * full.
 */
#include "redis_fake.h"
#include "redis_server.h"

static redisContext *server;
static guard_redis_address_t loopback;

static guard_redis_cause_e reach(guard_redis_wire_t *wire)
{
    return guard_redis_wire_connect(wire, &loopback, 1, fake_later());
}

static void must_be_well(redisReply *reply)
{
    fake_must(reply->type != REDIS_REPLY_ERROR, reply->str);
    freeReplyObject(reply);
}

#define tell_server(words) must_be_well(redis_server_say(server, words))

/* @return 1 if it takes connections by TCP, too: Redis 7 does when told */
static int open_port(void)
{
    fake_t free_port = fake_listen(1);
    struct sockaddr_in addr;
    redisReply *reply;
    int is_open;

    memcpy(&addr, &free_port.address.addr, sizeof(addr));
    loopback = free_port.address;
    close(free_port.listener);
    reply =
        redis_server_say(server, "CONFIG SET port %d", ntohs(addr.sin_port));
    is_open = reply->type != REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return is_open;
}

static void asking(const guard_redis_target_t *target, const char *name)
{
    guard_redis_wire_t *wire = fake_wire(target);

    is(guard_redis_wire_is_open(wire), 0, name);
    is(reach(wire), GUARD_REDIS_FINE, "  connected");
    is(guard_redis_wire_is_fresh(wire), 1, "  fresh");
    is(fake_ask(wire, "PING", fake_later()), GUARD_REDIS_FINE, "  asked");
    is_str(fake_heard, "+PONG", "  answered");
    is(guard_redis_wire_is_fresh(wire), 0, "  no longer fresh");
    is(reach(wire), GUARD_REDIS_FINE, "  it stays connected");
    is(guard_redis_wire_is_fresh(wire), 0, "  on the same connection");
    fake_ask(wire, "EVALSHA 0123456789012345678901234567890123456789 0",
             fake_later());
    ok(!strncmp(fake_heard, "-NOSCRIPT ", 10), "  an error is an answer");
    is(fake_ask(wire, "ECHO still-there", fake_later()), GUARD_REDIS_FINE,
       "  after which it goes on");
    is_str(fake_heard, "still-there", "  as before");
}

static void many_at_once(const guard_redis_target_t *target)
{
    enum { COMMANDS = 1500 };
    static guard_redis_command_t command[COMMANDS];
    guard_redis_wire_t *wire = fake_wire(target);

    for (unsigned i = 0; i < COMMANDS; i++) {
        command[i] =
            fake_command(apr_psprintf(fake_pool, "SET key-%u %u", i, i))
                ->command;
    }
    reach(wire);
    *fake_heard = '\0';
    is(guard_redis_wire_ask(wire, command, COMMANDS, fake_later(), fake_note,
                            NULL),
       GUARD_REDIS_FINE, "1500 commands at once");
    fake_ask(wire, "DBSIZE", fake_later());
    is_str(fake_heard, "1500", "  all done");
    fake_ask(wire, "SCAN 0 COUNT 1000", fake_later());
    is_str(fake_heard, "[2]", "  and a page of them");
    is(fake_ask(wire, "MGET key-1 key-2 none", fake_later()), GUARD_REDIS_FINE,
       "  some");
    is(fake_ask(wire, "KEYS *", fake_later()), GUARD_REDIS_REPLY,
       "  but never all: there is no room");
    reach(wire);
    fake_ask(wire, "FLUSHDB", fake_later());
}

static void databases(const guard_redis_target_t *plain)
{
    guard_redis_target_t target = *plain;
    guard_redis_wire_t *wire;

    target.database = 5;
    wire = fake_wire(&target);
    reach(wire);
    is(guard_redis_wire_is_fresh(wire), 1, "SELECT is no question");
    fake_ask(wire, "SET in-five 1", fake_later());
    tell_server("SELECT 5");
    is(redis_server_number(server, "EXISTS in-five"), 1, "a database");
    tell_server("FLUSHDB");
    tell_server("SELECT 0");
    target.database = 4711;
    wire = fake_wire(&target);
    is(reach(wire), GUARD_REDIS_REPLY, "a database that there is not");
    is_str(guard_redis_wire_trouble(wire), "ERR DB index is out of range",
           "  trouble");
}

static void signing_in(const guard_redis_target_t *plain)
{
    guard_redis_target_t target = *plain;
    guard_redis_wire_t *wire = fake_wire(&target);

    tell_server("ACL SETUSER guard on >right ~authguard:* +ping");
    tell_server("CONFIG SET requirepass let-me-in");
    is(reach(wire), GUARD_REDIS_FINE, "without a password: connected");
    fake_ask(wire, "PING", fake_later());
    ok(!strncmp(fake_heard, "-NOAUTH ", 8), "  and told so: %s", fake_heard);
    guard_redis_wire_close(wire);
    target.password = "let-me-in";
    is(reach(wire), GUARD_REDIS_FINE, "the server's password");
    fake_ask(wire, "PING", fake_later());
    is_str(fake_heard, "+PONG", "  works");
    guard_redis_wire_close(wire);
    target.password = "let-me-out";
    is(reach(wire), GUARD_REDIS_REPLY, "another");
    ok(!strncmp(guard_redis_wire_trouble(wire), "WRONGPASS", 9),
       "  trouble: %s", guard_redis_wire_trouble(wire));
    target.user = "guard";
    is(reach(wire), GUARD_REDIS_REPLY, "a user, with another's password");
    target.password = "right";
    is(reach(wire), GUARD_REDIS_FINE, "a user, with his own");
    fake_ask(wire, "PING", fake_later());
    is_str(fake_heard, "+PONG", "  may do what he may");
    fake_ask(wire, "GET other", fake_later());
    ok(!strncmp(fake_heard, "-NOPERM ", 8), "  and no more");
    is(guard_redis_wire_listen(wire, "authguard:events", fake_later()),
       GUARD_REDIS_REPLY, "  nor listen");
    ok(!strncmp(guard_redis_wire_trouble(wire), "NOPERM", 6), "  trouble: %s",
       guard_redis_wire_trouble(wire));
    target.database = 1;
    is(reach(wire), GUARD_REDIS_REPLY, "  nor choose a database");
    freeReplyObject(redis_server_say(server, "CONFIG SET requirepass %s", ""));
}

static void closed_by_the_server(const guard_redis_target_t *target)
{
    guard_redis_wire_t *wire = fake_wire(target);
    guard_redis_wire_t *paused = fake_wire(target);

    reach(wire);
    fake_ask(wire, "PING", fake_later());
    tell_server("CLIENT KILL TYPE normal");
    is(reach(wire), GUARD_REDIS_FINE, "after CLIENT KILL: connected");
    is(guard_redis_wire_is_fresh(wire), 1, "  anew");
    fake_ask(wire, "PING", fake_later()); /* the server has seen it, too */
    tell_server("CLIENT KILL TYPE normal");
    is(fake_ask(wire, "PING", fake_later()), GUARD_REDIS_CONNECTION,
       "killed unseen");
    is(guard_redis_wire_is_open(wire), 0, "  it is closed");

    reach(paused);
    tell_server("CLIENT PAUSE 300");
    is(fake_ask(paused, "SET a b", fake_soon()), GUARD_REDIS_TIMEOUT,
       "a server that pauses");
    is(guard_redis_wire_is_open(paused), 0,
       "  its late answer answers nothing else");
    tell_server("CLIENT UNPAUSE");
    reach(paused);
    fake_ask(paused, "PING", fake_later());
    is_str(fake_heard, "+PONG", "  and then goes on");
}

static void no_more_clients(const guard_redis_target_t *target)
{
    guard_redis_wire_t *wire = fake_wire(target);
    guard_redis_cause_e cause = GUARD_REDIS_FINE;

    tell_server("CONFIG SET maxclients 1");
    for (unsigned i = 0; i < 500 && cause == GUARD_REDIS_FINE; i++) {
        cause = reach(wire);
        fake_pause(10);
        if (cause == GUARD_REDIS_FINE) { /* nothing heard yet, or not closed */
            cause = fake_ask(wire, "PING", fake_later());
        }
    }
    is(cause, GUARD_REDIS_REPLY, "a server that is full");
    ok(strstr(guard_redis_wire_trouble(wire), "max number of clients") != NULL,
       "  trouble: %s", guard_redis_wire_trouble(wire));
    tell_server("CONFIG SET maxclients 1000");
}

/* @return replies heard, until there were so many or it was closed */
static unsigned listen_for(guard_redis_wire_t *wire, unsigned wanted,
                           guard_redis_cause_e *cause)
{
    unsigned heard = 0;

    *cause = GUARD_REDIS_FINE;
    for (unsigned i = 0; i < 2000 && heard < wanted; i++) {
        *fake_heard = '\0';
        *cause = guard_redis_wire_poll(wire, fake_note, NULL);
        for (const char *at = fake_heard; (at = strstr(at, "[3]")); at += 3) {
            heard++;
        }
        if (*cause != GUARD_REDIS_FINE) {
            break;
        }
        fake_pause(heard < wanted ? 5 : 0);
    }
    return heard;
}

static void count_words(void *baton, unsigned index,
                        const guard_redis_reply_t *reply)
{
    unsigned *words = baton;

    (void)index, (void)reply;
    ++*words;
}

static void listening(const guard_redis_target_t *target)
{
    guard_redis_wire_t *wire = fake_wire(target);
    guard_redis_cause_e cause;
    unsigned words = 0;

    is(guard_redis_wire_poll(wire, fake_note, NULL), GUARD_REDIS_CONNECTION,
       "who does not listen hears nothing");
    reach(wire);
    is(guard_redis_wire_listen(wire, "a:events", fake_later()),
       GUARD_REDIS_FINE, "listening");
    *fake_heard = '\0';
    is(guard_redis_wire_poll(wire, fake_note, NULL), GUARD_REDIS_FINE,
       "  to silence");
    is_str(fake_heard, "", "  hears nothing, and does not wait");
    is(reach(wire), GUARD_REDIS_FINE, "  it is connected");
    for (unsigned i = 0; i < 3; i++) {
        tell_server("PUBLISH a:events locked");
    }
    is(listen_for(wire, 3, &cause), 3, "three words");
    for (unsigned i = 0; i < 20000; i++) {
        redisAppendCommand(server, "PUBLISH a:events locked");
    }
    for (unsigned i = 0; i < 20000; i++) {
        void *reply;

        redisGetReply(server, &reply);
        freeReplyObject(reply);
    }
    guard_redis_wire_poll(wire, count_words, &words);
    ok(words > 0 && words < 3000, "20000 words don't keep it busy: %u", words);
    is(guard_redis_wire_is_open(wire), 1, "  nor end it");
    is(fake_ask(wire, "PING", fake_later()), GUARD_REDIS_CONNECTION,
       "who listens can't ask");
    reach(wire);
    guard_redis_wire_listen(wire, "a:events", fake_later());
    tell_server("CLIENT KILL TYPE pubsub");
    listen_for(wire, 1, &cause);
    is(cause, GUARD_REDIS_CONNECTION, "an end is heard");
    is(guard_redis_wire_is_open(wire), 0, "  and it is closed");
    is(reach(wire), GUARD_REDIS_FINE, "  and can begin anew");
}

int main(void)
{
    guard_redis_target_t local = {.path = redis_server_path};
    guard_redis_target_t remote = {.host = "127.0.0.1"};

    apr_initialize();
    apr_pool_create(&fake_pool, NULL);
    server = redis_server_start();
    if (!server) {
        return redis_server_skip();
    }
    asking(&local, "a unix socket");
    many_at_once(&local);
    if (open_port()) {
        asking(&remote, "a port");
        many_at_once(&remote);
    }
    databases(&local);
    signing_in(&local);
    closed_by_the_server(&local);
    no_more_clients(&local);
    listening(&local);
    redisFree(server);
    apr_pool_destroy(fake_pool);
    return tap_done();
}
