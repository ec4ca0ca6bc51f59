/* See prompt.h. */
#define _GNU_SOURCE
#include "prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

#define LINE_CHARACTERS 80
#define KEY_BYTES_MAX 256

static const char *const words[] = {"the", "replica", "answers", "when", "its", "queue", "is", "short", "and", "a", "gateway", "routes",
                                    "each", "call", "to", "one", "that", "holds", "prefix", "warm", "\\\"quoted\\\"", "between", "commas,", "stops."};
#define WORDS (sizeof words / sizeof *words)

/* Text as people write it: words, line ends, now and then a quote, and different from the first word on. */
static size_t write_prompt(char *out, size_t bytes, unsigned seed) {
    size_t length = (size_t)sprintf(out, "Question %u:", seed), line = 0;
    unsigned state = seed * 2654435761U + 1;
    while (length + 32 < bytes) {
        state = state * 1664525U + 1013904223U;
        const char *word = words[(state >> 16) % WORDS];
        size_t size = strlen(word);
        line += size + 1;
        const char *gap = line > LINE_CHARACTERS ? "\\n" : " ";
        if (line > LINE_CHARACTERS) line = 0;
        length += (size_t)sprintf(out + length, "%s%s", gap, word);
    }
    return length;
}

Text *build_bodies(int count, size_t bytes, const char *model, int is_stream) {
    static const char system_text[] = "You are a careful assistant of a public service. Answer in the language of the question, say what you do not know, and keep to three sentences.";
    Text *bodies = calloc((size_t)count, sizeof *bodies);
    char *prompt = malloc(bytes + 64);
    if (!bodies || !prompt) fail("malloc");
    size_t frame = sizeof system_text + strlen(model) + 170;
    for (int position = 0; position < count; position++) {
        size_t length = write_prompt(prompt, bytes > frame ? bytes - frame : 0, (unsigned)position);
        int written = asprintf(&bodies[position].bytes,
            "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"%s\"},{\"role\":\"user\",\"content\":\"%.*s\"}],\"temperature\":0.7,\"top_p\":0.95,\"max_tokens\":256%s}",
            model, system_text, (int)length, prompt, is_stream ? ",\"stream\":true" : "");
        if (written < 0) fail("asprintf");
        bodies[position].length = (size_t)written;
    }
    free(prompt);
    return bodies;
}

Text *build_heads(const char *path, int *count) {
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    Text *heads = NULL;
    char key[KEY_BYTES_MAX];
    for (*count = 0; fgets(key, sizeof key, file); ++*count) {
        key[strcspn(key, "\n")] = 0;
        heads = realloc(heads, ((size_t)*count + 1) * sizeof *heads);
        if (!heads) fail("realloc");
        int written = asprintf(&heads[*count].bytes, "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: ", key);
        if (written < 0) fail("asprintf");
        heads[*count].length = (size_t)written;
    }
    fclose(file);
    return heads;
}
