/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * replay.c: a target's corpus again, as a test: every input that once showed
 * something new, and every one that once broke something, is tried. With
 * arguments, these files instead: to look at a crash without libFuzzer.
 */
#include "fuzz.h"
#include "tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* The input's memory has its very length, for ASan. */
static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0;

    if (file && !fseek(file, 0, SEEK_END)) {
        size = (size_t)ftell(file);
        rewind(file);
        data = malloc(size ? size : 1);
    }
    if (data && fread(data, 1, size, file) == size) {
        printf("# %s\n", path); /* if it ends here, this was it */
        fflush(stdout);
        LLVMFuzzerTestOneInput(data, size);
        ok(1, "%s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    } else {
        ok(0, "fixture: read %s", path);
    }
    free(data);
    if (file) {
        fclose(file);
    }
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_corpus(void)
{
    char path[1024];
    struct dirent **entry;
    int count;

    snprintf(path, sizeof path, "%s/%s", FUZZ_CORPUS, fuzz_target);
    count = scandir(path, &entry, is_visible, alphasort);
    ok(count > 0, "there is a corpus");
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", FUZZ_CORPUS, fuzz_target,
                 entry[i]->d_name);
        replay(path);
        free(entry[i]);
    }
    if (count >= 0) {
        free(entry);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    if (argc < 2) {
        replay_corpus();
    }
    return tap_done();
}
