#include <stdint.h>
#include <stdlib.h>
#include <string.h>

uint32_t run(const uint8_t *input, uint32_t length) {
    uint32_t h = length / 2;
    const uint8_t *a = input, *b = input + h;
    int32_t *row = malloc((h + 1) * 4);
    for (uint32_t j = 0; j <= h; j++) row[j] = (int32_t)j;
    for (uint32_t i = 0; i < h; i++) {
        int32_t corner = row[0];
        row[0] = (int32_t)i + 1;
        uint8_t c = a[i];
        for (uint32_t j = 0; j < h; j++) {
            int32_t up = row[j + 1], left = row[j];
            int32_t best = corner + (c != b[j]);
            if (up + 1 < best) best = up + 1;
            if (left + 1 < best) best = left + 1;
            row[j + 1] = best;
            corner = up;
        }
    }
    uint32_t result = (uint32_t)row[h];
    free(row);
    return result;
}
