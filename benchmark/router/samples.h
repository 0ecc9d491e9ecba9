/* Times in nanoseconds. All are kept, so that percentiles are exact. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct samples {
  uint64_t *at;
  size_t count, room;
};

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sample(struct samples *s, uint64_t value) {
  if (s->count == s->room) {
    s->room = s->room ? s->room * 2 : 4096;
    s->at = realloc(s->at, s->room * sizeof *s->at);
    if (!s->at)
      abort();
  }
  s->at[s->count++] = value;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Nearest rank, as benchmark/report.py; microseconds. */
static double percentile(const struct samples *s, double part) {
  return s->count ? (double)s->at[(size_t)(part * (double)(s->count - 1) + 0.5)] / 1e3 : 0;
}

static void print_samples(const char *name, struct samples *s) {
  qsort(s->at, s->count, sizeof *s->at, by_value);
  printf("\"%s\":{\"n\":%zu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, s->count, percentile(s, 0.5),
         percentile(s, 0.9), percentile(s, 0.99), percentile(s, 1));
}
