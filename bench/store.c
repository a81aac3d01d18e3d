/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store.c: what the store in shared memory takes for a client, beside the
 * least that any table could take.
 *
 *     store [TURNS [OPERATIONS [CLIENTS ...]]]
 *
 * Owns the processes that use a table of each size, half full and full. The
 * goals are told, but nothing fails by them: the machine may be busy.
 *
 *     floor      one keyed hash of what names a client, and a change to both
 *                cache lines of a random one of as many records of 128 bytes
 *     verify     reserve, and settle as wrong, of a random client in the table:
 *                his id is made, too, and his guess was never made before
 *     peek       the same client's id, and a look at where he stands
 *     newcomer   as verify, of a client not seen before; in a full table
 *                another has to go
 *
 * Nanoseconds are of the processor's time, which other processes don't make
 * longer; operations a second are by the clock, of all processes together.
 * All kinds take turns. What is shown is the median, and of the nanoseconds
 * half of the range in which four of five turns lie.
 *
 * Invariant: every operation was admitted; else that is told, and the exit
 * status is 1.
 */
#include "guard_store_shm.h"
#include "store_bed.h"

#include <apr_general.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURNS_MAX 99
#define PROCESSES_MAX 2
#define OPERATIONS_MAX 10000000
#define GOAL_TIMES 2.5   /* the floor */
#define GOAL_GROWTH 1.5  /* the floor's */
#define GOAL_BYTES 128   /* a client */
#define BYTES_FROM 65536 /* clients; below, what every table has weighs more   \
                          */

/** What a process measured in a turn. */
typedef struct lap_t {
    double cpu_nsec; /* an operation */
    double per_sec;
    uint32_t refused;
} lap_t;

/** Shared with the processes of a turn. */
typedef struct track_t {
    _Atomic unsigned ready;
    lap_t lap[PROCESSES_MAX];
} track_t;

typedef struct figure_t {
    double nsec, spread_nsec, per_sec, times_floor;
} figure_t;

static unsigned turns = 11;
static uint32_t operations = 200000;
static track_t *track;
static uint32_t refused; /* operations that were not admitted */

static double clock_nsec(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void run_lap(bed_t *bed, bed_kind_e kind, unsigned number,
                    unsigned processes)
{
    lap_t *lap = &track->lap[number];
    uint64_t state = ((uint64_t)bed->next << 8) + number;
    double cpu, wall;

    bed_populate(bed);
    memset(lap, 0, sizeof(*lap));
    atomic_fetch_add(&track->ready, 1);
    while (atomic_load(&track->ready) < processes) {
        usleep(50);
    }
    cpu = clock_nsec(CLOCK_PROCESS_CPUTIME_ID);
    wall = clock_nsec(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < operations; i++) {
        lap->refused += !bed_operate(
            bed, kind, bed->next + number * operations + i, bed_draw(&state));
    }
    lap->cpu_nsec = (clock_nsec(CLOCK_PROCESS_CPUTIME_ID) - cpu) / operations;
    lap->per_sec = operations * 1e9 / (clock_nsec(CLOCK_MONOTONIC) - wall);
}

/* Have so many processes do that at once. @return their lap, taken together */
static lap_t run(bed_t *bed, bed_kind_e kind, unsigned processes)
{
    lap_t all = {0, 0, 0};

    atomic_store(&track->ready, 0);
    for (unsigned i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            bed_fail("fork");
        }
        if (!pid) {
            if (guard_store_shm_child_init(bed->store) != APR_SUCCESS) {
                _exit(1);
            }
            run_lap(bed, kind, i, processes);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < processes; i++) {
        int status;

        if (wait(&status) < 0 || status) {
            bed_fail("a process of the bench");
        }
    }
    for (unsigned i = 0; i < processes; i++) {
        all.cpu_nsec += track->lap[i].cpu_nsec / processes;
        all.per_sec += track->lap[i].per_sec;
        all.refused += track->lap[i].refused;
    }
    bed->next += processes * operations;
    return all;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *value, unsigned count)
{
    qsort(value, count, sizeof(*value), by_size);
    return count % 2 ? value[count / 2]
                     : (value[count / 2 - 1] + value[count / 2]) / 2;
}

/* All kinds in turns; the window of those who failed ends with each turn. */
static void measure(bed_t *bed, unsigned processes, bed_kind_e first,
                    bed_kind_e last, figure_t figure[BED_KINDS])
{
    double nsec[BED_KINDS][TURNS_MAX], rate[BED_KINDS][TURNS_MAX];
    double times[BED_KINDS][TURNS_MAX];

    for (unsigned turn = 0; turn < turns; turn++) {
        for (bed_kind_e kind = BED_FLOOR; kind <= last; kind++) {
            lap_t lap;

            if (kind != BED_FLOOR && kind < first) {
                continue;
            }
            lap = run(bed, kind, processes);
            nsec[kind][turn] = lap.cpu_nsec;
            rate[kind][turn] = lap.per_sec;
            times[kind][turn] = lap.cpu_nsec / nsec[BED_FLOOR][turn];
            refused += lap.refused;
        }
        if (last != BED_NEWCOMER) {
            bed->now_usec += (uint64_t)BED_WINDOW_USEC + 1;
        }
    }
    for (bed_kind_e kind = first; kind <= last; kind++) {
        figure[kind].nsec = median(nsec[kind], turns); /* sorted now */
        figure[kind].spread_nsec =
            (nsec[kind][turns - 1 - turns / 10] - nsec[kind][turns / 10]) / 2;
        figure[kind].per_sec = median(rate[kind], turns);
        figure[kind].times_floor = median(times[kind], turns);
    }
}

/* How one kind stands to the floor. */
static void show(const figure_t *figure)
{
    printf(" | %5.0f +-%3.0f %6.2f %5.2f", figure->nsec, figure->spread_nsec,
           figure->per_sec / 1e6, figure->times_floor);
}

static void show_head(void)
{
    static const char *const names[BED_KINDS] = {
        "floor", "reserve+settle", "peek", "newcomer, full table"};

    printf("%-8s %4s %5s", "room", "", "proc-");
    for (int i = 0; i < BED_KINDS; i++) {
        printf(" | %-24s", names[i]);
    }
    printf("\n%-8s %4s %5s", "for", "full", "esses");
    for (int i = 0; i < BED_KINDS; i++) {
        printf(" | %11s %6s %5s", "ns", "M/s", "times");
    }
    printf("\n");
}

/* Measure and show a table as it is filled now. Newcomers to a full one come
 * first: they change who is there, and time must not free a place for them. */
static void show_bed(bed_t *bed, int is_full, figure_t one[BED_KINDS])
{
    figure_t two[BED_KINDS];
    figure_t *figure[PROCESSES_MAX] = {one, two};

    bed_get_to_know(bed);
    for (unsigned i = 0; is_full && i < PROCESSES_MAX; i++) {
        measure(bed, i + 1, BED_NEWCOMER, BED_NEWCOMER, figure[i]);
    }
    bed_get_to_know(bed);
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        measure(bed, i + 1, BED_FLOOR, BED_PEEK, figure[i]);
        printf("%-8u %3.0f%% %5u", bed->clients,
               100.0 * bed->known_count / bed->clients, i + 1);
        for (bed_kind_e kind = BED_FLOOR; kind < BED_NEWCOMER; kind++) {
            show(&figure[i][kind]);
        }
        if (is_full) {
            show(&figure[i][BED_NEWCOMER]);
        }
        printf("\n");
        fflush(stdout);
    }
}

static const char *reached(int is_reached)
{
    return is_reached ? "reached" : "missed";
}

/* Where the goals stand, with one process. The first size is what the others
 * have grown from. */
static void judge(uint32_t clients, const figure_t *half, const figure_t *full)
{
    static double first_nsec, first_floor_nsec;
    double times = full[BED_VERIFY].times_floor;
    double fuller = full[BED_VERIFY].nsec / half[BED_VERIFY].nsec;

    printf("    reserve+settle, full: %.2f times the floor; at most %.1f: %s\n",
           times, GOAL_TIMES, reached(times <= GOAL_TIMES));
    printf("    from half full to full: %.2f times; at most %.1f: %s\n", fuller,
           GOAL_GROWTH, reached(fuller <= GOAL_GROWTH));
    if (first_nsec > 0) {
        double growth = full[BED_VERIFY].nsec / first_nsec;
        double floor = full[BED_FLOOR].nsec / first_floor_nsec;

        printf("    from the first size to %u: %.2f times, the floor %.2f "
               "times; at most %.1f of it: %s\n",
               clients, growth, floor, GOAL_GROWTH,
               reached(growth <= GOAL_GROWTH * floor));
        return;
    }
    first_nsec = full[BED_VERIFY].nsec;
    first_floor_nsec = full[BED_FLOOR].nsec;
}

static void judge_bytes(const bed_t *bed)
{
    uint64_t size_bytes = guard_store_shm_handle(bed->store).size_bytes;
    double bytes = (double)size_bytes / bed->clients;

    printf("    %.1f bytes a client", bytes);
    if (bed->clients >= BYTES_FROM) {
        printf("; at most %d: %s", GOAL_BYTES, reached(bytes <= GOAL_BYTES));
    }
    printf("\n");
}

static void measure_size(uint32_t clients)
{
    figure_t half[BED_KINDS], full[BED_KINDS];
    bed_t bed;

    bed_open(&bed, clients);
    bed_fill(&bed, clients / 2);
    show_bed(&bed, 0, half);
    bed_fill(&bed, 2 * clients);
    show_bed(&bed, 1, full);
    judge(clients, half, full);
    judge_bytes(&bed);
    bed_close(&bed);
}

/* A number from 1 to max; else the program ends. */
static uint32_t read_number(const char *text, uint32_t max)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*end || number < 1 || number > max) {
        fprintf(stderr, "store: '%s': a number from 1 to %u is wanted\n", text,
                max);
        exit(2);
    }
    return (uint32_t)number;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1024, 65536, 1048576};

    apr_initialize();
    track = bed_shared(sizeof(*track));
    if (argc > 1) {
        turns = read_number(argv[1], TURNS_MAX);
    }
    if (argc > 2) {
        operations = read_number(argv[2], OPERATIONS_MAX);
    }
    show_head();
    for (int i = 3; i < argc; i++) {
        measure_size(read_number(argv[i], GUARD_SHM_CLIENTS_MAX));
    }
    for (unsigned i = 0; argc < 4 && i < sizeof(sizes) / sizeof(*sizes); i++) {
        measure_size(sizes[i]);
    }
    if (refused) {
        fprintf(stderr, "store: %u operations were not admitted\n", refused);
        return 1;
    }
    return 0;
}
