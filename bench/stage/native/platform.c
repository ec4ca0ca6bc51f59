/* The stand-in platform: takes usage records as the platform's API does, and holds the gateway's snapshot polls.
 *
 * platform; prints {"ports":[PORT]}. Each record of POST /api/v1/gateway/usage is answered `created`, or `exists` if its id
 * came before. POST /api/v1/gateway/credit is answered by credit.c. POST /v1/traces is counted, as a collector would take it. GET /api/v1/gateway/snapshot is answered 204 after its wait_s. GET /counts tells what came.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "credit.h"
#include "http.h"

#define READY_MAX 64
#define ID_LENGTH 36
#define HELD_MAX 64
/* Room for 4 million records at half load; the soak makes a million. */
#define SEEN_SLOTS (1UL << 23)

typedef struct {
    int descriptor;
    Buffer in, out;
    int64_t held_until_ns; /* 0: no poll is held */
} Connection;

typedef struct {
    uint64_t high, low;
} RecordId;

static int poller;
static unsigned long records, repeated, batches, credits, exports;
static RecordId *seen;
static Connection *held[HELD_MAX];

static RecordId parse_id(const char *text) {
    uint64_t halves[2] = {0, 0};
    int digit = 0;
    for (int position = 0; position < ID_LENGTH; position++) {
        char one = text[position];
        if (one == '-') continue;
        uint64_t *half = &halves[digit++ / 16 & 1];
        *half = *half << 4 | (uint64_t)((one & 15) + (one > '9' ? 9 : 0));
    }
    return (RecordId){halves[0], halves[1]};
}

/* Remembers an id; 0 if it was known. */
static int remember(RecordId id) {
    uint64_t slot = (id.high ^ id.low * 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL >> 20 & (SEEN_SLOTS - 1);
    while (seen[slot].high || seen[slot].low) {
        if (seen[slot].high == id.high && seen[slot].low == id.low) return 0;
        slot = (slot + 1) & (SEEN_SLOTS - 1);
    }
    seen[slot] = id;
    return 1;
}

static void put_answer(Buffer *out, const char *status, const char *body, size_t length) {
    char head[160];
    int head_length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", status, length);
    put(out, head, (size_t)head_length);
    put(out, body, length);
}

static void take_usage(Buffer *out, const char *body, size_t length) {
    static const char mark[] = "\"record_id\":\"";
    static Buffer answers;
    answers.length = 0;
    put(&answers, "{\"answers\":[", 12);
    const char *end = body + length, *found = body;
    int position = 0, created = 0, named = 0;
    while ((found = memmem(found, (size_t)(end - found), mark, sizeof mark - 1)) && found + sizeof mark - 1 + ID_LENGTH < end) {
        found += sizeof mark - 1;
        int is_new = remember(parse_id(found));
        records++;
        repeated += !is_new;
        created += is_new;
        if (!is_new) {
            char one[160];
            int one_length = snprintf(one, sizeof one, "%s{\"position\":%d,\"record_id\":\"%.36s\",\"outcome\":\"exists\",\"code\":\"\"}", named++ ? "," : "", position, found);
            put(&answers, one, (size_t)one_length);
        }
        position++;
    }
    char count[64];
    int count_length = snprintf(count, sizeof count, "],\"created_count\":%d}", created);
    put(&answers, count, (size_t)count_length);
    batches++;
    put_answer(out, "200 OK", answers.bytes, answers.length);
}

static void take_credit(Buffer *out, const char *body, size_t length) {
    static Buffer answer;
    answer.length = 0;
    answer_credit(body, length, &answer);
    credits++;
    put_answer(out, "200 OK", answer.bytes, answer.length);
}

static void take_traces(Buffer *out) {
    exports++;
    put_answer(out, "200 OK", "{}", 2);
}

static void hold_poll(Connection *one, const char *head, size_t length) {
    const char *wait = memmem(head, length, "wait_s=", 7);
    one->held_until_ns = read_clock_ns() + (int64_t)((wait ? atof(wait + 7) : 0) * 1e9);
    for (int position = 0; position < HELD_MAX; position++)
        if (!held[position]) {
            held[position] = one;
            return;
        }
    exit(2);
}

static void release_poll(Connection *one) {
    for (int position = 0; position < HELD_MAX; position++)
        if (held[position] == one) held[position] = NULL;
    one->held_until_ns = 0;
}

static void close_connection(Connection *one) {
    release_poll(one);
    close(one->descriptor);
    free(one->in.bytes);
    free(one->out.bytes);
    free(one);
}

static void take_request(Connection *one) {
    Head head = parse_head(one->in.bytes, one->in.length);
    size_t whole = head.head_length + head.body_length;
    if (!head.head_length || one->in.length < whole) return;
    const char *bytes = one->in.bytes;
    if (!strncmp(bytes, "POST /api/v1/gateway/usage", 26)) take_usage(&one->out, bytes + head.head_length, head.body_length);
    else if (!strncmp(bytes, "POST /api/v1/gateway/credit", 27)) take_credit(&one->out, bytes + head.head_length, head.body_length);
    else if (!strncmp(bytes, "POST /v1/traces", 15)) take_traces(&one->out);
    else if (!strncmp(bytes, "GET /api/v1/gateway/snapshot", 28)) hold_poll(one, bytes, head.head_length);
    else {
        char body[128];
        int length = snprintf(body, sizeof body, "{\"records\":%lu,\"repeated\":%lu,\"batches\":%lu,\"credits\":%lu,\"exports\":%lu}", records, repeated, batches, credits, exports);
        put_answer(&one->out, "200 OK", body, (size_t)length);
    }
    consume(&one->in, whole);
}

/* Returns 0 when the other side is gone. */
static int flush_out(Connection *one) {
    while (one->out.length) {
        ssize_t count = send(one->descriptor, one->out.bytes, one->out.length, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN) return 0;
        if (count < 0) break;
        consume(&one->out, (size_t)count);
    }
    struct epoll_event event = {.events = EPOLLIN | (one->out.length ? EPOLLOUT : 0), .data.ptr = one};
    epoll_ctl(poller, EPOLL_CTL_MOD, one->descriptor, &event);
    return 1;
}

static void handle_ready(Connection *one) {
    ssize_t count;
    while ((count = read_some(one->descriptor, &one->in)) > 0) {
    }
    if (!one->held_until_ns) take_request(one);
    if (count == 0 || !flush_out(one)) close_connection(one);
}

static int end_due_polls(void) {
    int wait_ms = -1;
    int64_t now_ns = read_clock_ns();
    for (int position = 0; position < HELD_MAX; position++) {
        Connection *one = held[position];
        if (!one) continue;
        int64_t left_ms = (one->held_until_ns - now_ns + 999999) / 1000000;
        if (left_ms <= 0) {
            release_poll(one);
            put(&one->out, "HTTP/1.1 204 No Content\r\n\r\n", 27);
            flush_out(one);
        } else if (wait_ms < 0 || left_ms < wait_ms) wait_ms = (int)left_ms;
    }
    return wait_ms;
}

static void accept_all(int listener) {
    int descriptor;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Connection *one = calloc(1, sizeof *one);
        if (!one) fail("calloc");
        one->descriptor = descriptor;
        set_no_delay(descriptor);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
        epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    seen = calloc(SEEN_SLOTS, sizeof *seen);
    if (!seen) fail("calloc");
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_tcp("127.0.0.1", 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    printf("{\"ports\":[%d]}\n", find_port(listener));
    fflush(stdout);
    struct epoll_event ready[READY_MAX];
    for (;;) {
        int ready_count = epoll_wait(poller, ready, READY_MAX, end_due_polls());
        for (int position = 0; position < ready_count; position++) {
            if (ready[position].data.ptr) handle_ready(ready[position].data.ptr);
            else accept_all(listener);
        }
    }
}
