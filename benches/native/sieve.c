#include <stdint.h>
#include <stdlib.h>
#include <string.h>

uint32_t run(const uint8_t *input, uint32_t length) {
    (void)input;
    (void)length;
    uint32_t n = 4000000, sum = 0;
    uint8_t *f = calloc(n, 1);
    for (uint32_t i = 2; i < n; i++)
        if (!f[i]) {
            sum = sum * 31 + i;
            for (uint32_t j = i + i; j < n; j += i) f[j] = 1;
        }
    free(f);
    return sum;
}
