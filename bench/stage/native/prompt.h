/* The requests that the load is made of, built once. */
#ifndef STAGE_PROMPT_H
#define STAGE_PROMPT_H

#include <stddef.h>

typedef struct {
    char *bytes;
    size_t length;
} Text;

/* Builds `count` different chat bodies of about `bytes` bytes. */
Text *build_bodies(int count, size_t bytes, const char *model, int is_stream);
/* Builds a head for each key (one a line in the file at `path`); a body's length is still to be put behind it. */
Text *build_heads(const char *path, int *count);

#endif
