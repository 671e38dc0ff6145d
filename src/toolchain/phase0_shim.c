/* The few C library functions that a freestanding X07 program calls. Linked beside the program, so
 * that the module needs no imports. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Without this the compiler may turn the loop of a function into a call of the same function. */
#if defined(__has_attribute)
#if __has_attribute(no_builtin)
#define X07_NO_BUILTIN __attribute__((no_builtin))
#endif
#endif
#ifndef X07_NO_BUILTIN
#define X07_NO_BUILTIN
#endif

X07_NO_BUILTIN void *memcpy(void *restrict target, const void *restrict source, size_t count) {
  unsigned char *to = target;
  const unsigned char *from = source;
  for (size_t i = 0; i < count; i++) {
    to[i] = from[i];
  }
  return target;
}

X07_NO_BUILTIN void *memmove(void *target, const void *source, size_t count) {
  unsigned char *to = target;
  const unsigned char *from = source;
  if ((uintptr_t)to <= (uintptr_t)from) {
    for (size_t i = 0; i < count; i++) {
      to[i] = from[i];
    }
  } else {
    for (size_t i = count; i > 0; i--) {
      to[i - 1] = from[i - 1];
    }
  }
  return target;
}

X07_NO_BUILTIN void *memset(void *target, int value, size_t count) {
  unsigned char *to = target;
  for (size_t i = 0; i < count; i++) {
    to[i] = (unsigned char)value;
  }
  return target;
}

/* Always -1, 0 or 1, so that a program can rely on the number and not only on its sign. */
X07_NO_BUILTIN int memcmp(const void *left, const void *right, size_t count) {
  const unsigned char *a = left;
  const unsigned char *b = right;
  for (size_t i = 0; i < count; i++) {
    if (a[i] != b[i]) {
      return a[i] < b[i] ? -1 : 1;
    }
  }
  return 0;
}

/* There is no environment. */
char *getenv(const char *name) {
  (void)name;
  return NULL;
}

/* Text of limited room: `length` counts what was asked for, stored or not. */
struct x07_sink {
  char *buffer;
  size_t room;
  size_t length;
};

static void x07_put(struct x07_sink *sink, char letter) {
  /* The last byte is kept for the terminator. */
  if (sink->length + 1 < sink->room) {
    sink->buffer[sink->length] = letter;
  }
  sink->length++;
}

static void x07_put_number(struct x07_sink *sink, uintptr_t value, unsigned base) {
  char digits[3 * sizeof(uintptr_t)];
  size_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (count > 0) {
    x07_put(sink, digits[--count]);
  }
}

/* Knows %%, %u, %p and %s. Any other pair stands for itself. */
int snprintf(char *restrict buffer, size_t room, const char *restrict format, ...) {
  struct x07_sink sink = {buffer, room, 0};
  va_list values;
  va_start(values, format);
  for (const char *at = format; *at != '\0'; at++) {
    if (*at != '%' || at[1] == '\0') {
      x07_put(&sink, *at);
      continue;
    }
    at++;
    switch (*at) {
    case '%':
      x07_put(&sink, '%');
      break;
    case 'u':
      x07_put_number(&sink, va_arg(values, unsigned), 10);
      break;
    case 'p':
      x07_put(&sink, '0');
      x07_put(&sink, 'x');
      x07_put_number(&sink, (uintptr_t)va_arg(values, void *), 16);
      break;
    case 's': {
      const char *text = va_arg(values, const char *);
      for (text = text != NULL ? text : "(null)"; *text != '\0'; text++) {
        x07_put(&sink, *text);
      }
      break;
    }
    default:
      x07_put(&sink, '%');
      x07_put(&sink, *at);
      break;
    }
  }
  va_end(values);
  if (room > 0) {
    buffer[sink.length < room ? sink.length : room - 1] = '\0';
  }
  return (int)sink.length;
}
