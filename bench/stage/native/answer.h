/* Reads one answer as it comes, keeping nothing of a body but its last bytes. */
#ifndef STAGE_ANSWER_H
#define STAGE_ANSWER_H

#include "http.h"

#define TAIL_BYTES 256

typedef enum { HEAD, FIXED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, WHOLE, BROKEN } Part;

typedef struct {
    Part part;
    int status, is_closing;
    size_t left;       /* of a body or a chunk */
    size_t body_bytes; /* seen so far */
    size_t tail_length;
    char tail[TAIL_BYTES];
} Answer;

/* Goes on with what was read and drops what it has used. */
void read_answer(Answer *answer, Buffer *in);
int is_stream_done(const Answer *answer);
/* Copies the error's code out of the tail, or "none". */
void copy_error_code(const Answer *answer, char *code, size_t room);

#endif
