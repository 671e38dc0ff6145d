#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t word(const uint8_t *input, uint32_t index) {
    uint32_t x;
    memcpy(&x, input + 4 * index, 4);
    return x;
}

uint32_t run(const uint8_t *input, uint32_t length) {
    (void)length;
    uint32_t n = 200;
    uint32_t *m = calloc(n * n, 4);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            uint32_t s = 0;
            for (uint32_t k = 0; k < n; k++)
                s += word(input, (i * n + k) & 8191) * word(input, (k * n + j) & 8191);
            m[i * n + j] = s;
        }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n * n; i++) sum = sum * 31 + m[i];
    free(m);
    return sum;
}
