/* See samples.h. */
#include "samples.h"

#include <stdio.h>

/* The exponent of two chooses the octave, the nine bits below it the step. */
static int find_bucket(int64_t ns) {
    if (ns < STEPS) return (int)(ns < 0 ? 0 : ns);
    int octave = 63 - __builtin_clzll((unsigned long long)ns) - 9;
    int bucket = (octave + 1) * STEPS + (int)((ns >> octave) - STEPS);
    return bucket < OCTAVES * STEPS ? bucket : OCTAVES * STEPS - 1;
}

static double find_middle_us(int bucket) {
    if (bucket < STEPS) return bucket / 1e3;
    int octave = bucket / STEPS - 1;
    return ((double)(STEPS + bucket % STEPS) + 0.5) * (double)(1ULL << octave) / 1e3;
}

void add_sample(Samples *samples, int64_t ns) {
    samples->counts[find_bucket(ns)]++;
    samples->count++;
    if (ns > samples->largest_ns) samples->largest_ns = ns;
}

static double find_quantile_us(const Samples *samples, double quantile) {
    unsigned long rank = (unsigned long)(quantile * (double)samples->count), seen = 0;
    for (int bucket = 0; bucket < OCTAVES * STEPS; bucket++) {
        seen += samples->counts[bucket];
        if (seen > rank) return find_middle_us(bucket);
    }
    return (double)samples->largest_ns / 1e3;
}

void print_samples(const char *name, const Samples *samples) {
    if (!samples->count) {
        printf("\"%s\":null", name);
        return;
    }
    printf("\"%s\":{\"n\":%lu,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}", name, samples->count,
           find_quantile_us(samples, 0.5), find_quantile_us(samples, 0.9), find_quantile_us(samples, 0.99), (double)samples->largest_ns / 1e3);
}
