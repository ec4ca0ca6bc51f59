/* What the stage's three programs share: time, buffers, listening, and the little of HTTP/1.1 that a bench needs. */
#ifndef STAGE_HTTP_H
#define STAGE_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes read and not used yet. */
typedef struct {
    char *bytes;
    size_t length, capacity;
} Buffer;

/* Where a message ends, once its head is there. `head_length` 0: not yet. */
typedef struct {
    size_t head_length;
    size_t body_length;
    int is_chunked, is_closing;
    int status; /* of an answer */
} Head;

void fail(const char *what);
int64_t read_clock_ns(void);
void raise_open_files(void);
void reserve(Buffer *buffer, size_t room);
void consume(Buffer *buffer, size_t length);
/* Reads what is there: > 0 bytes, 0 at the end or a fault, -1 when nothing is there now. */
ssize_t read_some(int descriptor, Buffer *buffer);
Head parse_head(const char *bytes, size_t length);
int listen_tcp(const char *host, int port);
int listen_unix(const char *path);
int find_port(int descriptor);
int dial_tcp(const char *host, int port);
void set_no_delay(int descriptor);

#endif
