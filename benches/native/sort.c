#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void sort(int32_t *b, int32_t lo, int32_t hi) {
    if (lo >= hi) return;
    int32_t p = b[(uint32_t)(lo + hi) / 2], i = lo, j = hi;
    while (i <= j) {
        while (b[i] < p) i++;
        while (p < b[j]) j--;
        if (i <= j) {
            int32_t x = b[i], y = b[j];
            b[i++] = y;
            b[j--] = x;
        }
    }
    sort(b, lo, j);
    sort(b, i, hi);
}

uint32_t run(const uint8_t *input, uint32_t length) {
    (void)input;
    (void)length;
    int32_t n = 200000;
    int32_t *b = malloc((size_t)n * 4);
    uint32_t x = 2463534242u;
    for (int32_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        b[i] = (int32_t)x;
    }
    sort(b, 0, n - 1);
    uint32_t sum = 0;
    for (int32_t i = 0; i < n; i++) sum = sum * 31 + (uint32_t)b[i];
    free(b);
    return sum;
}
