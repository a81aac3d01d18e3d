/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_clock.h: the time by which a table counts.
 *
 * Private to guard_store_shm*.c and its tests.
 */
#ifndef GUARD_STORE_SHM_CLOCK_H
#define GUARD_STORE_SHM_CLOCK_H

#include "guard_store_shm_table.h"

/** 71 years in microseconds; half of what a record has bits for. */
#define GUARD_SHM_CLOCK_BITS 51

/** Where time and boot come from; tests put their own in its place. */
typedef struct guard_shm_world_t {
    uint64_t (*clock_usec)(void);  /* guard_store_clock */
    apr_time_t (*wall_usec)(void); /* apr_time_now */
    void (*boot_id)(char id[40]);  /* the kernel's, "" if it has none */
} guard_shm_world_t;

extern guard_shm_world_t guard_shm_world;

/** What never changes while somebody has the table open. */
typedef struct guard_shm_clock_t {
    char boot_id[40];
    uint64_t boot_offset_usec;
} guard_shm_clock_t;

/** Begin: it is table_usec now. Only while nobody else uses the table. */
void guard_shm_clock_start(guard_shm_table_t *table, uint64_t table_usec);

/**
 * After a reboot, go on from the last moment known, plus what the wall clock
 * says has passed since: never backwards, and never further than the longest
 * lockout, since beyond it nothing is left to remember. Only while nobody
 * else uses the table.
 */
void guard_shm_clock_resume(guard_shm_table_t *table);

/** @return table time at that CLOCK_BOOTTIME. Where somebody wrote over the
 *  offset it is some time, but always one that a record can name. */
static inline uint64_t guard_shm_clock_read(const guard_shm_table_t *table,
                                            uint64_t now_usec)
{
    uint64_t offset_usec = atomic_load_explicit(&table->head->boot_offset_usec,
                                                memory_order_relaxed);

    return (now_usec + offset_usec) &
           (((uint64_t)1 << GUARD_SHM_CLOCK_BITS) - 1);
}

/** Remember, once a second, how late it is, for the next boot to go on. */
void guard_shm_clock_beat(guard_shm_table_t *table, uint64_t table_usec);

/** @return what the head's clock goes by. */
guard_shm_clock_t guard_shm_clock_save(const guard_shm_head_t *head);

/** Put it back into a head that somebody wrote over. */
void guard_shm_clock_restore(guard_shm_table_t *table,
                             const guard_shm_clock_t *clock);

#endif
