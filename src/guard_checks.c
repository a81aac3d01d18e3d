/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_checks.c owns the semaphore behind AuthGuardChecks. It knows nothing
 * of guesses, clients or configuration.
 *
 * Three semaphores make a set: the places that are free, how many there are in
 * all, and whether a server lives that goes by them. Invariant: the first two
 * change in one semop(2) when the number of places changes, and taking and
 * giving touch the first alone, with SEM_UNDO; the third is 1 while the parent
 * process that opened the set lives, and the kernel takes it back (SEM_UNDO).
 */
#include "guard_checks.h"

#include <apr.h>
#include <apr_strings.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FREE, TOTAL, SERVERS, SET_SIZE };

/* The caller of semctl(2) has to declare it. */
union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

/* Another program's set may have the key by chance, or by malice: only one
 * that this user has made, and that looks like ours, is ours. */
int guard_checks_is_ours(int id)
{
    struct semid_ds info;
    union semun argument = {.buf = &info};

    return semctl(id, 0, IPC_STAT, argument) == 0 &&
           info.sem_perm.cuid == geteuid() && info.sem_nsems == SET_SIZE;
}

/*
 * The key is made of the directory and the name in it, and not of the file,
 * which may be another by the next start: of another size, or because the old
 * one was set aside. What a killed server left would be found by nobody then.
 */
static apr_status_t find_key(key_t *key, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char dir[APR_PATH_MAX] = ".";
    struct stat info;
    uint64_t mixed;

    if (strlen(path) >= sizeof(dir)) {
        return ENAMETOOLONG;
    }
    if (slash) {
        apr_cpystrn(dir, path, (apr_size_t)(slash - path) + 1);
    }
    if (stat(*dir ? dir : "/", &info)) {
        return errno;
    }
    mixed = (uint64_t)info.st_dev << 32 ^ (uint64_t)info.st_ino;
    for (; *name; name++) {
        mixed = (mixed ^ (unsigned char)*name) * 0x100000001B3u;
    }
    *key = (key_t)(mixed * 0x9E3779B97F4A7C15u >> 33);
    *key = *key == IPC_PRIVATE ? 1 : *key;
    return APR_SUCCESS;
}

static apr_status_t change(int id, struct sembuf *change, size_t count)
{
    int rv;

    do {
        rv = semop(id, change, count);
    } while (rv < 0 && errno == EINTR);
    return rv < 0 ? errno : APR_SUCCESS;
}

/* Go by this set, unless a living server does: its file was taken away, and
 * another one has come to the same path. @return 1 if so, else 0 */
static int claim(int id)
{
    struct sembuf both[] = {{SERVERS, 0, IPC_NOWAIT},
                            {SERVERS, 1, IPC_NOWAIT | SEM_UNDO}};

    return change(id, both, 2) == APR_SUCCESS;
}

apr_status_t guard_checks_open(int *id, const char *path, uid_t uid, gid_t gid)
{
    struct semid_ds info;
    union semun argument = {.buf = &info};
    key_t key = IPC_PRIVATE;
    apr_status_t rv = find_key(&key, path);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *id = semget(key, SET_SIZE, IPC_CREAT | 0600);
    if (*id < 0 || !guard_checks_is_ours(*id) || !claim(*id)) {
        *id = semget(IPC_PRIVATE, SET_SIZE, IPC_CREAT | 0600);
        if (*id >= 0) {
            claim(*id);
        }
    }
    if (*id < 0 || semctl(*id, 0, IPC_STAT, argument)) {
        return errno;
    }
    info.sem_perm.uid = uid;
    info.sem_perm.gid = gid;
    return semctl(*id, 0, IPC_SET, argument) ? errno : APR_SUCCESS;
}

apr_status_t guard_checks_resize(int id, unsigned places)
{
    int total = semctl(id, TOTAL, GETVAL);
    apr_status_t rv = total < 0 ? errno : APR_SUCCESS;

    while (rv == APR_SUCCESS && total != (int)places) {
        short step = total < (int)places ? (short)((int)places - total) : -1;
        struct sembuf both[] = {{FREE, step, IPC_NOWAIT},
                                {TOTAL, step, IPC_NOWAIT}};

        rv = change(id, both, 2);
        total += step;
    }
    return rv;
}

apr_status_t guard_checks_take(int id)
{
    struct sembuf take = {FREE, -1, IPC_NOWAIT | SEM_UNDO};

    return change(id, &take, 1);
}

void guard_checks_give(int id)
{
    struct sembuf give = {FREE, 1, SEM_UNDO};

    change(id, &give, 1);
}

void guard_checks_remove(int id) { semctl(id, 0, IPC_RMID); }
