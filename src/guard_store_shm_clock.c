/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_clock.c owns the table's clock: CLOCK_BOOTTIME plus an
 * offset in the file's head, which a reboot changes and nothing else does. It
 * knows nothing of records.
 *
 * Invariant: table time never goes backwards, and setting the wall clock
 * neither frees nor prolongs a lockout; the wall clock is asked only how long
 * a reboot took.
 */
#include "guard_store_shm_clock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t guard_store_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * APR_USEC_PER_SEC +
           (uint64_t)now.tv_nsec / 1000;
}

static apr_time_t wall_clock(void) { return apr_time_now(); }

static void kernel_boot_id(char id[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, id, 36);

    id[got > 0 ? got : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

guard_shm_world_t guard_shm_world = {guard_store_clock, wall_clock,
                                     kernel_boot_id};

void guard_shm_clock_start(guard_shm_table_t *table, uint64_t table_usec)
{
    guard_shm_head_t *head = table->head;
    uint64_t boot_usec = guard_shm_world.clock_usec();

    memset(head->boot_id, 0, sizeof(head->boot_id));
    guard_shm_world.boot_id(head->boot_id);
    atomic_store(&head->boot_offset_usec, table_usec - boot_usec);
    atomic_store(&head->last_usec, table_usec);
    atomic_store(&head->wall_base_usec,
                 (uint64_t)guard_shm_world.wall_usec() - table_usec);
}

/* Can the head's clock go on as it is? No moment of this boot is earlier than
 * the last one noted, nor later than that by more than the boot's age. Where
 * the kernel tells no boot id, this alone says whether it is the same. */
static int is_going(const guard_shm_table_t *table, const char *boot_id,
                    uint64_t last_usec)
{
    uint64_t boot_usec = guard_shm_world.clock_usec();
    uint64_t since_usec = guard_shm_clock_read(table, boot_usec) - last_usec;

    return (!*boot_id || !strcmp(boot_id, table->head->boot_id)) &&
           since_usec <= boot_usec;
}

void guard_shm_clock_resume(guard_shm_table_t *table)
{
    guard_shm_head_t *head = table->head;
    char boot_id[40] = "";
    uint64_t last_usec = atomic_load(&head->last_usec);
    int64_t passed_usec;

    guard_shm_world.boot_id(boot_id);
    head->boot_id[sizeof(head->boot_id) - 1] = '\0';
    if (last_usec >>
        GUARD_SHM_CLOCK_BITS) { /* 71 years: not a time, and slots count seconds
                                 * in 32 bits, windows' ends included */
        guard_shm_clock_start(table, guard_shm_world.clock_usec());
        return;
    }
    if (is_going(table, boot_id, last_usec)) {
        return;
    }
    passed_usec = (int64_t)((uint64_t)guard_shm_world.wall_usec() -
                            atomic_load(&head->wall_base_usec) - last_usec);
    if (passed_usec < 0) {
        passed_usec = 0;
    }
    if (passed_usec > GUARD_LOCKOUT_USEC_MAX) {
        passed_usec = GUARD_LOCKOUT_USEC_MAX;
    }
    guard_shm_clock_start(table, last_usec + (uint64_t)passed_usec);
}

void guard_shm_clock_beat(guard_shm_table_t *table, uint64_t table_usec)
{
    guard_shm_head_t *head = table->head;
    uint64_t last_usec =
        atomic_load_explicit(&head->last_usec, memory_order_relaxed);

    if ((int64_t)(table_usec - last_usec) < APR_USEC_PER_SEC) {
        return;
    }
    atomic_store(&head->wall_base_usec,
                 (uint64_t)guard_shm_world.wall_usec() - table_usec);
    atomic_store(&head->last_usec, table_usec);
}

guard_shm_clock_t guard_shm_clock_save(const guard_shm_head_t *head)
{
    guard_shm_clock_t clock;

    memcpy(clock.boot_id, head->boot_id, sizeof(clock.boot_id));
    clock.boot_offset_usec = atomic_load(&head->boot_offset_usec);
    return clock;
}

void guard_shm_clock_restore(guard_shm_table_t *table,
                             const guard_shm_clock_t *clock)
{
    guard_shm_head_t *head = table->head;
    uint64_t table_usec =
        guard_shm_world.clock_usec() + clock->boot_offset_usec;

    memcpy(head->boot_id, clock->boot_id, sizeof(head->boot_id));
    atomic_store(&head->boot_offset_usec, clock->boot_offset_usec);
    atomic_store(&head->last_usec, table_usec);
    atomic_store(&head->wall_base_usec,
                 (uint64_t)guard_shm_world.wall_usec() - table_usec);
}
