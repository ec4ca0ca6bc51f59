/* Samples in buckets of 0.2 % width, so that any number of them takes the same memory. */
#ifndef STAGE_SAMPLES_H
#define STAGE_SAMPLES_H

#include <stdint.h>

#define STEPS 512
#define OCTAVES 40

typedef struct {
    unsigned long counts[OCTAVES * STEPS], count;
    int64_t largest_ns;
} Samples;

void add_sample(Samples *samples, int64_t ns);
/* Prints "name":{"n":..,"p50_us":..,"p90_us":..,"p99_us":..,"max_us":..} */
void print_samples(const char *name, const Samples *samples);

#endif
