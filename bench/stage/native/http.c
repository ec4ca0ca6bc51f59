/* See http.h. */
#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536
#define BACKLOG 16384

void fail(const char *what) {
    perror(what);
    exit(1);
}

int64_t read_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit)) fail("setrlimit");
}

void reserve(Buffer *buffer, size_t room) {
    if (buffer->capacity - buffer->length >= room) return;
    size_t capacity = buffer->capacity ? buffer->capacity : 1024;
    while (capacity - buffer->length < room) capacity *= 2;
    buffer->bytes = realloc(buffer->bytes, capacity);
    if (!buffer->bytes) fail("realloc");
    buffer->capacity = capacity;
}

void consume(Buffer *buffer, size_t length) {
    buffer->length -= length;
    if (buffer->length) memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}

/* One area serves every connection, so that an idle one of 10,000 holds no 64 KiB of its own. */
static char area[READ_BYTES];

ssize_t read_some(int descriptor, Buffer *buffer) {
    ssize_t count = recv(descriptor, area, sizeof area, 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? -1 : 0;
    reserve(buffer, (size_t)count);
    memcpy(buffer->bytes + buffer->length, area, (size_t)count);
    buffer->length += (size_t)count;
    return count;
}

Head parse_head(const char *bytes, size_t length) {
    Head head = {0};
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return head;
    head.head_length = (size_t)(end - bytes) + 4;
    if (!strncmp(bytes, "HTTP/1.", 7)) head.status = atoi(bytes + 9);
    for (const char *line = memchr(bytes, '\n', head.head_length); line && line < end; line = memchr(line, '\n', (size_t)(end + 4 - line))) {
        line++;
        if ((*line | 32) == 'c' && !strncasecmp(line, "content-length:", 15)) head.body_length = strtoul(line + 15, NULL, 10);
        if ((*line | 32) == 'c' && !strncasecmp(line, "connection: close", 17)) head.is_closing = 1;
        if ((*line | 32) == 't' && !strncasecmp(line, "transfer-encoding:", 18)) head.is_chunked = 1;
    }
    return head;
}

static int listen_at(int descriptor, struct sockaddr *address, socklen_t length) {
    if (bind(descriptor, address, length)) fail("bind");
    if (listen(descriptor, BACKLOG)) fail("listen");
    return descriptor;
}

int listen_tcp(const char *host, int port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    return listen_at(descriptor, (struct sockaddr *)&address, sizeof address);
}

int listen_unix(const char *path) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) fail("the path of the unix socket is too long");
    strcpy(address.sun_path, path);
    unlink(path);
    return listen_at(descriptor, (struct sockaddr *)&address, sizeof address);
}

int find_port(int descriptor) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length)) fail("getsockname");
    return ntohs(address.sin_port);
}

int dial_tcp(const char *host, int port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    set_no_delay(descriptor);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

void set_no_delay(int descriptor) {
    int yes = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}
