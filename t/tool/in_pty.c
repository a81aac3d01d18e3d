/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * in_pty.c: for tests only, run a command on a terminal of a given width.
 *
 *     in_pty COLUMNS COMMAND [ARGUMENT ...]
 *
 * Owns the terminal; copies what the command writes there to standard output,
 * and ends with the command's status. Invariant: what the command writes is
 * read to its end before its status is asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define STATUS_BROKEN 125 /* of this program, not of the command */

static void fail(const char *what)
{
    perror(what);
    exit(STATUS_BROKEN);
}

static void become(int terminal, char **command)
{
    setsid();
    if (ioctl(terminal, TIOCSCTTY, 0) < 0) {
        fail("terminal");
    }
    for (int i = 0; i <= STDERR_FILENO; i++) {
        if (dup2(terminal, i) < 0) {
            fail("terminal");
        }
    }
    close(terminal);
    execvp(command[0], command);
    fail(command[0]);
}

/* EIO: the command has closed its end. */
static void copy(int from)
{
    char bytes[4096];
    ssize_t count;

    while ((count = read(from, bytes, sizeof(bytes))) > 0 ||
           (count < 0 && errno == EINTR)) {
        if (count > 0 && fwrite(bytes, 1, (size_t)count, stdout) == 0) {
            fail("standard output");
        }
    }
}

int main(int argc, char **argv)
{
    struct winsize size = {.ws_row = 24};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    int terminal = -1;
    int status;
    pid_t pid;

    if (argc < 3) {
        fprintf(stderr, "in_pty COLUMNS COMMAND [ARGUMENT ...]\n");
        return STATUS_BROKEN;
    }
    size.ws_col = (unsigned short)atoi(argv[1]);
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0) {
        terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    }
    if (terminal < 0 || ioctl(terminal, TIOCSWINSZ, &size) < 0) {
        fail("terminal");
    }
    pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        close(master);
        become(terminal, argv + 2);
    }
    close(terminal); /* the command has it alone: its end can be seen */
    copy(master);
    if (fflush(stdout) || waitpid(pid, &status, 0) != pid) {
        fail("the end");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_BROKEN;
}
