/* Runs one program on a file of input and prints its result and its time in nanoseconds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint32_t run(const uint8_t *input, uint32_t length);

int main(int argc, char **argv) {
    static uint8_t input[1 << 20];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) return 2;
    size_t length = fread(input, 1, sizeof input, file);
    fclose(file);
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    uint32_t result = run(input, (uint32_t)length);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long long nanoseconds = (b.tv_sec - a.tv_sec) * 1000000000LL + (b.tv_nsec - a.tv_nsec);
    printf("%u %lld\n", result, nanoseconds);
    return 0;
}
