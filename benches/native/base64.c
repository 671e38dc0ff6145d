#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *encode(const uint8_t *v, uint32_t length, uint32_t *size) {
    static const char table[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t n = length / 3;
    uint8_t *text = malloc(n * 4 + 1);
    uint32_t at = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = k * 3;
        uint32_t x = (uint32_t)v[i] << 16 | (uint32_t)v[i + 1] << 8 | v[i + 2];
        text[at++] = (uint8_t)table[x >> 18];
        text[at++] = (uint8_t)table[x >> 12 & 63];
        text[at++] = (uint8_t)table[x >> 6 & 63];
        text[at++] = (uint8_t)table[x & 63];
    }
    *size = at;
    return text;
}

uint32_t run(const uint8_t *input, uint32_t length) {
    uint32_t sum = 1;
    for (int round = 0; round < 40; round++) {
        uint32_t size;
        uint8_t *e = encode(input, length, &size);
        for (uint32_t i = 0; i < size; i++) sum = sum * 31 + e[i];
        free(e);
    }
    return sum;
}
