#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int digit(int c) { return c >= '0' && c <= '9'; }
static int letter(int c) { return c >= 'a' && c <= 'z'; }

uint32_t run(const uint8_t *input, uint32_t n) {
    uint32_t sum = 0;
    for (int round = 0; round < 40; round++) {
        uint32_t i = 0;
        while (i < n) {
            int c = input[i++];
            if (letter(c)) {
                while (i < n && letter(input[i])) i++;
                sum = sum * 31 + 1;
            } else if (digit(c)) {
                uint32_t x = (uint32_t)(c - '0');
                while (i < n && digit(input[i])) x = x * 10 + (uint32_t)(input[i++] - '0');
                sum = sum * 31 + x;
            } else if (c == '"') {
                while (i < n && input[i] != '"') sum = sum * 3 ^ input[i++];
                i++;
            } else if (c > ' ') {
                sum += (uint32_t)c;
            }
        }
    }
    return sum;
}
