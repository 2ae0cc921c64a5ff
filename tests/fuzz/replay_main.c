/* Runs a fuzz target over corpus files without a fuzzing engine, and over every prefix of and some mutations of each:
 * replay FILE|DIR … */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact-size heap copy, so that a sanitizer sees a read one octet too far. */
static void run_copy(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    memcpy(copy, data, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    static uint8_t data[1 << 20];
    size_t n = fread(data, 1, sizeof(data), f);
    fclose(f);
    run_copy(data, n);
    size_t step = n > 256 ? n / 256 : 1;
    for (size_t i = 0; i < n; i += step)
        run_copy(data, i);
    for (size_t i = 0; i < n; i += step) {
        uint8_t was = data[i];
        static const uint8_t flips[] = {0x00, 0xff, 0x80, 0x01};
        for (size_t k = 0; k < sizeof(flips); k++) {
            data[i] = k < 2 ? flips[k] : (uint8_t)(was ^ flips[k]);
            run_copy(data, n);
        }
        data[i] = was;
    }
}

static void run_path(const char *path)
{
    struct stat st;
    if (stat(path, &st)) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char name[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        run_path(name);
    }
    if (d)
        closedir(d);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    return 0;
}
