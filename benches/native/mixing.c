#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

uint32_t run(const uint8_t *input, uint32_t length) {
    uint32_t a = 1, b = 2654435761u;
    for (int round = 0; round < 200; round++)
        for (uint32_t i = 0; i < length / 4; i++) {
            uint32_t k;
            memcpy(&k, input + 4 * i, 4);
            k *= 0xcc9e2d51u;
            a ^= rotate(k, 15) * 0x1b873593u;
            a = rotate(a, 13) * 5 + 0xe6546b64u;
            b = (b + a) ^ rotate(b, 7);
        }
    return a ^ b;
}
