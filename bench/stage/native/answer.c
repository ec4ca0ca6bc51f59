/* See answer.h. */
#define _GNU_SOURCE
#include "answer.h"

#include <stdlib.h>
#include <string.h>

static void keep_tail(Answer *answer, const char *bytes, size_t length) {
    answer->body_bytes += length;
    if (length >= TAIL_BYTES) {
        memcpy(answer->tail, bytes + length - TAIL_BYTES, TAIL_BYTES);
        answer->tail_length = TAIL_BYTES;
        return;
    }
    size_t kept = answer->tail_length + length > TAIL_BYTES ? TAIL_BYTES - length : answer->tail_length;
    memmove(answer->tail, answer->tail + answer->tail_length - kept, kept);
    memcpy(answer->tail + kept, bytes, length);
    answer->tail_length = kept + length;
}

static size_t begin(Answer *answer, const char *bytes, size_t length) {
    Head head = parse_head(bytes, length);
    if (!head.head_length) return 0;
    answer->status = head.status;
    answer->is_closing = head.is_closing;
    answer->left = head.body_length;
    answer->part = head.is_chunked ? CHUNK_SIZE : head.body_length ? FIXED : WHOLE;
    return head.head_length;
}

static size_t read_data(Answer *answer, const char *bytes, size_t length, Part next) {
    size_t taken = length < answer->left ? length : answer->left;
    keep_tail(answer, bytes, taken);
    answer->left -= taken;
    if (!answer->left) answer->part = next;
    return taken;
}

static size_t read_size(Answer *answer, const char *bytes, size_t length) {
    const char *end = memchr(bytes, '\n', length);
    if (!end) return 0;
    char *behind;
    answer->left = strtoul(bytes, &behind, 16);
    answer->part = behind == bytes ? BROKEN : answer->left ? CHUNK_DATA : TRAILER;
    return (size_t)(end - bytes) + 1;
}

static size_t skip_line_end(Answer *answer, size_t length, Part next) {
    if (length < 2) return 0;
    answer->part = next;
    return 2;
}

void read_answer(Answer *answer, Buffer *in) {
    size_t used = 0, step = 1;
    while (step && used < in->length && answer->part != WHOLE && answer->part != BROKEN) {
        const char *bytes = in->bytes + used;
        size_t length = in->length - used;
        switch (answer->part) {
        case HEAD: step = begin(answer, bytes, length); break;
        case FIXED: step = read_data(answer, bytes, length, WHOLE); break;
        case CHUNK_SIZE: step = read_size(answer, bytes, length); break;
        case CHUNK_DATA: step = read_data(answer, bytes, length, CHUNK_END); break;
        case CHUNK_END: step = skip_line_end(answer, length, CHUNK_SIZE); break;
        /* No gateway of the benches sends trailers. */
        case TRAILER: step = skip_line_end(answer, length, WHOLE); break;
        default: step = 0;
        }
        used += step;
    }
    consume(in, used);
}

int is_stream_done(const Answer *answer) {
    return memmem(answer->tail, answer->tail_length, "data: [DONE]", 12) != NULL;
}

void copy_error_code(const Answer *answer, char *code, size_t room) {
    strncpy(code, "none", room);
    const char *found = memmem(answer->tail, answer->tail_length, "\"code\":\"", 8);
    if (!found) return;
    found += 8;
    const char *end = memchr(found, '"', answer->tail_length - (size_t)(found - answer->tail));
    size_t length = end ? (size_t)(end - found) : 0;
    if (!length || length >= room) return;
    memcpy(code, found, length);
    code[length] = 0;
}
