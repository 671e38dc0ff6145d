#include <stdint.h>
#include <stdlib.h>
#include <string.h>

uint32_t run(const uint8_t *input, uint32_t length) {
    uint32_t *counts = calloc(256, 4);
    for (int round = 0; round < 60; round++)
        for (uint32_t i = 0; i < length; i++) counts[input[i]]++;
    uint32_t sum = 0;
    for (int i = 0; i < 256; i++) sum = sum * 33 + counts[i];
    free(counts);
    return sum;
}
