/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_clock.c: reboots and set clocks neither free nor prolong a lockout.
 *
 * The world (clock since boot, wall clock, boot id) is the test's own, so
 * years pass in no time.
 */
#include "caller.h"
#include "shm.h"

#include <time.h>

#define SIZE GUARD_SHM_CLIENTS_MIN
#define DAY 86400L
#define YEAR (366 * DAY)

static long boot_sec, wall_sec; /* what the clocks show */
static const char *boot_name;

static uint64_t boot_clock(void)
{
    return (uint64_t)boot_sec * APR_USEC_PER_SEC;
}

static apr_time_t wall_clock(void) { return apr_time_from_sec(wall_sec); }

static void boot_id(char id[40]) { apr_cpystrn(id, boot_name, 40); }

static caller_t serve(uint32_t clients)
{
    caller_t c = {.now_usec = boot_clock(), .scope = "clock"};

    shm_close();
    c.store = shm_serve(clients, NULL);
    return c;
}

/* Both clocks go on. */
static void pass(caller_t *c, long seconds)
{
    boot_sec += seconds;
    wall_sec += seconds;
    c->now_usec = boot_clock();
}

static void reboot(const char *name, long down_sec)
{
    shm_close();
    boot_name = name;
    boot_sec = 20;
    wall_sec += down_sec;
}

static long left(caller_t *c, const guard_claim_t *claim)
{
    return (long)(caller_peek(c, claim, 1)->remaining_usec / APR_USEC_PER_SEC);
}

/* A table with one client, locked out for 900 s. */
static caller_t begin(guard_claim_t *claim, unsigned limit)
{
    caller_t c;

    shm_close();
    shm_sweep();
    boot_name = "boot one";
    boot_sec = 5 * DAY;
    wall_sec = 50 * YEAR;
    c = serve(SIZE);
    *claim = caller_ip(&c, "192.0.2.1", limit);
    caller_fail(&c, claim, 1);
    return c;
}

/* One line is one story: the lockout begins, time passes, the server stops,
 * something happens to the clocks, it starts again. */
static const struct {
    const char *rule;
    long up;     /* seconds until the server stops */
    long set_up; /* then the wall clock is set by this, still up */
    long more;   /* seconds from there to the stop */
    int boots;   /* reboots */
    long down;   /* seconds that the wall clock says it took, each */
    long left;   /* seconds of 900 afterwards */
} story[] = {
    {"a stop", 0, 0, 0, 0, 100, 800},
    {"a stop later", 300, 0, 0, 0, 100, 500},
    {"a long stop", 300, 0, 0, 0, 600, 0},
    {"wall clock set ahead while up", 0, YEAR, 100, 0, 0, 800},
    {"wall clock set back while up", 0, -YEAR, 100, 0, 0, 800},
    {"wall clock set ahead during a stop", 100, YEAR, 0, 0, 0, 800},
    {"wall clock set back during a stop", 100, -YEAR, 0, 0, 0, 800},
    {"a reboot", 100, 0, 0, 1, 200, 600},
    {"two reboots", 100, 0, 0, 2, 200, 400},
    {"a reboot that lasts longer than the lockout", 0, 0, 0, 1, 900, 0},
    {"a reboot, the wall clock behind", 100, 0, 0, 1, -DAY, 800},
    {"a reboot, the wall clock years behind", 0, 0, 0, 1, -49 * YEAR, 900},
    {"two reboots, the wall clock back and right again", 0, -YEAR, 10, 2, 100,
     690},
    {"wall clock set ahead while up, then a reboot", 0, YEAR, 100, 1, 200, 600},
    {"a reboot, the wall clock ten years ahead", 100, 0, 0, 1, 10 * YEAR, 0},
    {"two reboots, the wall clock ten years back and ahead", 0, -10 * YEAR, 10,
     2, 100, 690},
    {"wall clock set back while up, then a reboot", 0, -YEAR, 100, 1, 200, 600},
};

static void a_lockout_lasts_what_it_lasts(void)
{
    static const char *const name[] = {"boot two", "boot three"};

    for (size_t i = 0; i < COUNT(story); i++) {
        guard_claim_t claim, other;
        caller_t c = begin(&claim, 1);

        pass(&c, story[i].up);
        other = caller_ip(&c, "192.0.2.2", 5);
        caller_fail(&c, &other, 1);
        wall_sec += story[i].set_up;
        pass(&c, story[i].more);
        if (story[i].more) {
            caller_fail(&c, &other, 1);
        }
        for (int boot = 0; boot < story[i].boots; boot++) {
            reboot(name[boot], story[i].down);
            c = serve(SIZE);
        }
        if (!story[i].boots) {
            pass(&c, story[i].down);
            c = serve(SIZE);
        }
        is(left(&c, &claim), story[i].left, story[i].rule);
        shm_is_sound(c.store, c.now_usec, "then");
    }
}

static void a_lockout_goes_on_to_its_end(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 1);

    reboot("boot two", 100);
    c = serve(SIZE);
    pass(&c, 799);
    is(left(&c, &claim), 1, "after a reboot it goes on");
    pass(&c, 1);
    is(caller_attempt(&c, &claim, 1, "a:1", GUARD_WRONG), GUARD_ADMIT,
       "to its end");
    is(c.report.standing[0].level, 2, "and its level is remembered");
    is(left(&c, &claim), 1800, "the next one is as long as it should be");
}

static uint64_t table_clock(const caller_t *c)
{
    return guard_shm_clock_read(guard_store_shm_table(c->store), c->now_usec);
}

static void years_down(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 1);
    uint64_t before = table_clock(&c);

    reboot("boot two", 30 * YEAR);
    c = serve(SIZE);
    is((long long)(table_clock(&c) - before), GUARD_LOCKOUT_USEC_MAX,
       "what comes after the longest lockout is of no interest");
    is(left(&c, &claim), 0, "years later a lockout is over");
    caller_fail(&c, &claim, 1);
    is(left(&c, &claim), 900, "and a new one is a first one");
    reboot("boot three", 30 * YEAR);
    c = serve(SIZE);
    shm_is_sound(c.store, c.now_usec, "as often as that happens");
}

static void a_window_goes_on_too(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 5);

    reboot("boot two", 100);
    c = serve(SIZE);
    is(caller_peek(&c, &claim, 1)->failures, 1, "failures outlast a reboot");
    pass(&c, 499);
    is(caller_peek(&c, &claim, 1)->failures, 1, "to the end of the window");
    pass(&c, 1);
    is(caller_peek(&c, &claim, 1)->failures, 0, "and no longer");
}

static void reboot_and_another_size(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 1);

    reboot("boot two", 100);
    c = serve(16 * SIZE);
    is(left(&c, &claim), 800, "a reboot with another size configured");
    pass(&c, 100);
    c = serve(16 * SIZE);
    is(left(&c, &claim), 700, "and a start after that");
}

static void another_size_then_a_reboot(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 1);

    pass(&c, 100);
    serve(16 * SIZE);
    reboot("boot two", 100);
    c = serve(16 * SIZE);
    is(left(&c, &claim), 700, "another size, then a reboot");
    serve(SIZE);
    reboot("boot three", -DAY);
    c = serve(SIZE);
    is(left(&c, &claim), 700, "and one with the wall clock behind");
}

static void a_tool_after_a_reboot(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 1);

    reboot("boot two", 100);
    if (shm_try(&c.store, GUARD_SHM_TOOL, 0, NULL) != APR_SUCCESS) {
        ok(0, "a tool opens the table without a server");
        return;
    }
    c.now_usec = boot_clock();
    is(left(&c, &claim), 800, "a tool without a server sees the same");
    pass(&c, 100);
    c = serve(SIZE);
    is(left(&c, &claim), 700, "and so does the server after it");
}

/* The file was carried to a machine that has been up for longer, or for as
 * long, than the one it comes from: its clock means nothing there. */
static void on_another_machine(void)
{
    static const long uptime[] = {20, 5 * DAY, 500 * DAY};

    for (size_t i = 0; i < COUNT(uptime); i++) {
        guard_claim_t claim;
        caller_t c = begin(&claim, 1);

        pass(&c, 100);
        reboot("another machine", 200);
        boot_sec = uptime[i];
        c = serve(SIZE);
        is(left(&c, &claim), 600, "on a machine that is up for longer or less");
        pass(&c, 600);
        is(left(&c, &claim), 0, "  it ends when it should");
        is(caller_fail(&c, &claim, 2), 1, "  and the limit holds");
    }
}

/* All descriptors are in use, say. It is the same boot all the same. */
static void the_boot_id_cannot_be_read(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 1);

    pass(&c, 100);
    wall_sec += YEAR;
    boot_name = "";
    c = serve(SIZE);
    is(left(&c, &claim), 800, "no boot id to be read: the clock goes on");
    boot_name = "boot one";
    wall_sec -= 2 * YEAR;
    c = serve(SIZE);
    is(left(&c, &claim), 800, "  and still when there is one again");
}

/* What stands in the head of the file's clock is noise. */
static void a_damaged_clock(void)
{
    static const struct {
        const char *what;
        int64_t offset_usec, last_usec; /* 0: as it was */
        long left_min;
    } row[] = {
        {"a thousand days ahead", 1000 * apr_time_from_sec(DAY), 0, 900},
        {"six days ahead", 6 * apr_time_from_sec(DAY), 0, 900},
        {"years back", -apr_time_from_sec(YEAR), 0, 900},
        {"noise", 0x5a5a5a5a5a5a5a5a, 0, 900},
        {"near the end of 64 bits", 0, -apr_time_from_sec(300), 0},
        {"near the end of 64 bits, and so it goes on",
         -apr_time_from_sec(5 * DAY + 300), -apr_time_from_sec(300), 0},
        {"in the middle of 64 bits", 0, INT64_MAX, 0},
        {"noise throughout", 0x5a5a5a5a5a5a5a5a, 0x4b4b4b4b4b4b4b4b, 0},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_claim_t claim, other;
        caller_t c = begin(&claim, 1);
        guard_shm_head_t *head = guard_store_shm_table(c.store)->head;

        if (row[i].offset_usec) {
            atomic_store(&head->boot_offset_usec, (uint64_t)row[i].offset_usec);
        }
        if (row[i].last_usec) {
            atomic_store(&head->last_usec, (uint64_t)row[i].last_usec);
        }
        c = serve(SIZE);
        ok(left(&c, &claim) >= row[i].left_min && left(&c, &claim) <= 900,
           "the clock of the file is damaged: %s", row[i].what);
        other = caller_ip(&c, "192.0.2.2", 2);
        is(caller_fail(&c, &other, 1), 1, "  a failure");
        pass(&c, 10);
        is(caller_fail(&c, &other, 2), 1, "  and one more lock out");
        is(left(&c, &other), 900, "  for as long as it should be");
        shm_is_sound(c.store, c.now_usec, "then");
    }
}

/* No /proc: a reboot shows only in a clock that has gone back. */
static void without_a_boot_id(void)
{
    guard_claim_t claim;
    caller_t c = begin(&claim, 1);

    boot_name = "";
    shm_sweep();
    c = serve(SIZE);
    caller_fail(&c, &claim, 1);
    reboot("", 100);
    c = serve(SIZE);
    ok(left(&c, &claim) > 0 && left(&c, &claim) <= 900,
       "without a boot id a reboot neither frees nor prolongs");
    shm_is_sound(c.store, c.now_usec, "then");
}

static void the_real_clock(void)
{
    uint64_t first = guard_store_clock(), second = guard_store_clock();
    struct timespec now;
    char id[40] = "";

    clock_gettime(CLOCK_BOOTTIME, &now);
    ok(first <= second, "the store's clock goes forward");
    ok((uint64_t)now.tv_sec - second / APR_USEC_PER_SEC <= 1,
       "in microseconds since boot, suspended or not");
    guard_shm_world.boot_id(id);
    is((long long)strlen(id), 36, "the kernel names this boot");
}

int main(void)
{
    the_real_clock();
    guard_shm_world.clock_usec = boot_clock;
    guard_shm_world.wall_usec = wall_clock;
    guard_shm_world.boot_id = boot_id;
    shm_begin();
    a_lockout_lasts_what_it_lasts();
    a_lockout_goes_on_to_its_end();
    years_down();
    a_window_goes_on_too();
    reboot_and_another_size();
    another_size_then_a_reboot();
    a_tool_after_a_reboot();
    on_another_machine();
    the_boot_id_cannot_be_read();
    a_damaged_clock();
    without_a_boot_id();
    shm_close();
    return tap_done();
}
