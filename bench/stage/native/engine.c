/* The mock engine: answers as llama.cpp does, at once and far cheaper than any gateway.
 *
 * engine --unix PATH... --tcp COUNT [--pace-us N] [--slots N --service-us N] [--model NAME]
 *
 * Listens on COUNT free TCP ports and on each PATH, and prints {"ports":[...]}. A POST is answered with a JSON completion
 * or, if its body says "stream":true, with 68 events: a role, 64 tokens, a finish, the usage, [DONE]. Without pace each
 * event is one write as soon as the last went out; with pace they come that far apart. With slots, that many calls are
 * served at a time, each for the service time, and the others wait: the capacity is slots / service time.
 * GET /counts tells what was served, GET /set?pace_us=N sets the pace of streams that begin from then on; any other GET is a
 * probe and answered with 200.
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

#include "http.h"

#define EVENTS 68
#define TOKENS 64
#define LISTENERS_MAX 16
#define READY_MAX 512
#define EVENT_BYTES_MAX 1024
#define ENDS_BYTES 4096

typedef enum { READING, WAITING, SERVED, WRITING, STREAMING } State;

typedef struct Connection {
    int descriptor;
    State state;
    int is_tcp, is_writable_wanted, is_stream;
    Buffer in;
    const char *out; /* what is left of an answer or an event */
    size_t out_length;
    int event;
    int64_t due_ns;
    struct Connection *before, *behind; /* in the queue that `queue` names */
    struct Queue *queue;
} Connection;

/* First in, first out, and sorted by due time, since all in it wait equally long. */
typedef struct Queue {
    Connection *first, *last;
} Queue;

static int poller;
static int64_t pace_ns, service_ns;
static long slots, served_now;
static Queue waiting, being_served, paced;
static char *events[EVENTS];
static size_t event_lengths[EVENTS];
static char *json_answer, *stream_head, *probe_answer;
static size_t json_length, stream_head_length, probe_length;
static unsigned long json_count, stream_count, stream_open_count, connection_count;

static void enqueue(Queue *queue, Connection *one) {
    one->queue = queue;
    one->behind = NULL;
    one->before = queue->last;
    if (queue->last) queue->last->behind = one;
    else queue->first = one;
    queue->last = one;
}

static void leave_queue(Connection *one) {
    Queue *queue = one->queue;
    if (!queue) return;
    if (one->before) one->before->behind = one->behind;
    else queue->first = one->behind;
    if (one->behind) one->behind->before = one->before;
    else queue->last = one->before;
    one->queue = NULL;
}

static char *format_chunk(const char *data, size_t *length) {
    char *text = NULL;
    int body = snprintf(NULL, 0, "data: %s\n\n", data);
    *length = (size_t)asprintf(&text, "%x\r\ndata: %s\n\n\r\n", (unsigned)body, data);
    return text;
}

/* The fields and their order are those of llama.cpp with timings_per_token. */
static void build_event(int position, const char *model) {
    char data[EVENT_BYTES_MAX], delta[128], timings[300] = "", usage[160] = "";
    const char *finish = position == TOKENS + 1 ? "\"stop\"" : "null";
    if (position == 0) snprintf(delta, sizeof delta, "{\"role\":\"assistant\",\"content\":null}");
    else if (position <= TOKENS) snprintf(delta, sizeof delta, "{\"content\":\" tok%02d\"}", position);
    else snprintf(delta, sizeof delta, "{}");
    if (position > 0)
        snprintf(timings, sizeof timings,
                 ",\"timings\":{\"cache_n\":36,\"prompt_n\":220,\"prompt_ms\":118.306,\"prompt_per_token_ms\":0.537,\"prompt_per_second\":1859.584,"
                 "\"predicted_n\":%d,\"predicted_ms\":%d.417,\"predicted_per_token_ms\":9.983,\"predicted_per_second\":100.167}",
                 position < TOKENS ? position : TOKENS, position * 10);
    char choices[256];
    snprintf(choices, sizeof choices, "{\"finish_reason\":%s,\"index\":0,\"delta\":%s}", finish, delta);
    if (position == TOKENS + 2) {
        choices[0] = 0;
        snprintf(usage, sizeof usage, ",\"usage\":{\"completion_tokens\":64,\"prompt_tokens\":256,\"total_tokens\":320,\"prompt_tokens_details\":{\"cached_tokens\":36}}");
    }
    snprintf(data, sizeof data,
             "{\"choices\":[%s],\"created\":1764100000,\"id\":\"chatcmpl-Zx8mQ2rT5vYb1nKc\",\"model\":\"%s\",\"system_fingerprint\":\"b7100-5f2c1a9e\","
             "\"object\":\"chat.completion.chunk\"%s%s}",
             choices, model, usage, timings);
    events[position] = format_chunk(data, &event_lengths[position]);
}

static void build_answers(const char *model) {
    for (int position = 0; position < TOKENS + 3; position++) build_event(position, model);
    char *done = format_chunk("[DONE]", &event_lengths[EVENTS - 1]);
    /* The last write also closes the body, as llama.cpp's server does. */
    event_lengths[EVENTS - 1] = (size_t)asprintf(&events[EVENTS - 1], "%s0\r\n\r\n", done);
    stream_head_length = (size_t)asprintf(&stream_head,
        "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\nKeep-Alive: timeout=5, max=100\r\nTransfer-Encoding: chunked\r\n\r\n");
    /* The head travels with the first event, in one write. */
    char *first = NULL;
    event_lengths[0] = (size_t)asprintf(&first, "%s%s", stream_head, events[0]);
    events[0] = first;
    char *body = NULL;
    int length = asprintf(&body,
        "{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The capital of Japan is Tokyo, which has been the seat of the government since 1868 (Meiji 1).\"}}],"
        "\"created\":1764100000,\"model\":\"%s\",\"system_fingerprint\":\"b7100-5f2c1a9e\",\"object\":\"chat.completion\","
        "\"usage\":{\"completion_tokens\":19,\"prompt_tokens\":256,\"total_tokens\":275,\"prompt_tokens_details\":{\"cached_tokens\":36}},\"id\":\"chatcmpl-Zx8mQ2rT5vYb1nKc\","
        "\"timings\":{\"cache_n\":36,\"prompt_n\":220,\"prompt_ms\":118.306,\"prompt_per_token_ms\":0.537,\"predicted_n\":19,\"predicted_ms\":189.417}}", model);
    json_length = (size_t)asprintf(&json_answer, "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", length, body);
    length = asprintf(&body, "{\"object\":\"list\",\"status\":\"ok\",\"model_path\":\"%s\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"owned_by\":\"llamacpp\"}]}", model, model);
    probe_length = (size_t)asprintf(&probe_answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, body);
}

static void start_waiting(void);

static void end_service(Connection *one) {
    if (one->state == SERVED) served_now--;
    start_waiting();
}

static void close_connection(Connection *one) {
    leave_queue(one);
    if (one->state == STREAMING) stream_open_count--;
    if (slots) end_service(one);
    close(one->descriptor);
    free(one->in.bytes);
    free(one);
    connection_count--;
}

static void want_writable(Connection *one, int is_wanted) {
    if (one->is_writable_wanted == is_wanted) return;
    struct epoll_event event = {.events = EPOLLIN | (is_wanted ? EPOLLOUT : 0), .data.ptr = one};
    epoll_ctl(poller, EPOLL_CTL_MOD, one->descriptor, &event);
    one->is_writable_wanted = is_wanted;
}

/* Writes what is left: 1 when all is out, 0 when the socket is full, -1 when the other side is gone. */
static int flush_out(Connection *one) {
    while (one->out_length) {
        ssize_t count = send(one->descriptor, one->out, one->out_length, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) {
            want_writable(one, 1);
            return 0;
        }
        if (count < 0) return -1;
        one->out += count;
        one->out_length -= (size_t)count;
    }
    want_writable(one, 0);
    return 1;
}

/* Sends events until the pace or the socket says wait; returns 1 when the stream is at its end. */
static int send_events(Connection *one) {
    for (;;) {
        int is_out = flush_out(one);
        if (is_out != 1) return is_out;
        if (one->event == EVENTS) {
            stream_open_count--;
            one->state = WRITING;
            return 1;
        }
        if (pace_ns && one->event > 0 && read_clock_ns() < one->due_ns) {
            enqueue(&paced, one);
            return 0;
        }
        one->out = events[one->event];
        one->out_length = event_lengths[one->event];
        one->event++;
        one->due_ns += pace_ns;
    }
}

static int begin_answer(Connection *one) {
    one->state = one->is_stream ? STREAMING : WRITING;
    if (one->is_stream) {
        stream_count++;
        stream_open_count++;
        one->event = 0;
        one->due_ns = read_clock_ns();
        return send_events(one);
    }
    json_count++;
    one->out = json_answer;
    one->out_length = json_length;
    return flush_out(one);
}

static int take_request(Connection *one);

/* Goes on with a connection after its answer moved; `moved` as flush_out returns. */
static void proceed(Connection *one, int moved) {
    while (moved == 1) {
        one->state = READING;
        moved = take_request(one);
    }
    if (moved < 0) close_connection(one);
}

static void start_waiting(void) {
    while (waiting.first && served_now < slots) {
        Connection *one = waiting.first;
        leave_queue(one);
        served_now++;
        one->state = SERVED;
        one->due_ns = read_clock_ns() + service_ns;
        enqueue(&being_served, one);
    }
}

static int answer_get(Connection *one, const char *head) {
    static char counts[256];
    one->state = WRITING;
    one->out = probe_answer;
    one->out_length = probe_length;
    if (!strncmp(head, "GET /set?pace_us=", 17)) pace_ns = atol(head + 17) * 1000;
    if (!strncmp(head, "GET /counts", 11)) {
        char body[128];
        int length = snprintf(body, sizeof body, "{\"json\":%lu,\"streams\":%lu,\"open_streams\":%lu,\"connections\":%lu}", json_count, stream_count, stream_open_count, connection_count);
        one->out_length = (size_t)snprintf(counts, sizeof counts, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, body);
        one->out = counts;
    }
    return flush_out(one);
}

static int has_stream_member(const char *text, size_t length) {
    return memmem(text, length, "\"stream\":true", 13) || memmem(text, length, "\"stream\": true", 14);
}

/* Looks at both ends only: between them stands the prompt, and to search 1 MB would cost more than to answer. */
static int is_stream_asked(const char *body, size_t length) {
    size_t end = length < ENDS_BYTES ? length : ENDS_BYTES;
    return has_stream_member(body, end) || has_stream_member(body + length - end, end);
}

/* Takes the next request from what was read, if it is there whole: 1 answered, 0 not yet, -1 gone. */
static int take_request(Connection *one) {
    Head head = parse_head(one->in.bytes, one->in.length);
    size_t whole = head.head_length + head.body_length;
    if (!head.head_length || one->in.length < whole) return 0;
    if (head.is_chunked) {
        fprintf(stderr, "engine: a chunked request is not expected\n");
        return -1;
    }
    int moved = 0;
    if (!strncmp(one->in.bytes, "POST", 4)) {
        const char *body = one->in.bytes + head.head_length;
        one->is_stream = is_stream_asked(body, head.body_length);
        consume(&one->in, whole);
        if (slots) {
            one->state = WAITING;
            enqueue(&waiting, one);
            start_waiting();
        } else moved = begin_answer(one);
    } else {
        moved = answer_get(one, one->in.bytes);
        consume(&one->in, whole);
    }
    return moved;
}

static void handle_ready(Connection *one, uint32_t ready) {
    if (ready & EPOLLOUT) {
        proceed(one, one->state == STREAMING ? send_events(one) : flush_out(one));
        return;
    }
    ssize_t count;
    while ((count = read_some(one->descriptor, &one->in)) > 0) {
    }
    if (count == 0) close_connection(one);
    else if (one->state == READING) proceed(one, take_request(one));
}

static void accept_all(int listener, int is_tcp) {
    int descriptor;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Connection *one = calloc(1, sizeof *one);
        if (!one) fail("calloc");
        one->descriptor = descriptor;
        if (is_tcp) set_no_delay(descriptor);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
        epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
        connection_count++;
    }
}

/* Moves on all that is due; returns how long to wait for the next. */
static int run_due(Queue *queue, int wait_ms) {
    int64_t now_ns = read_clock_ns();
    while (queue->first && queue->first->due_ns <= now_ns) {
        Connection *one = queue->first;
        leave_queue(one);
        if (one->state == SERVED) {
            end_service(one);
            proceed(one, begin_answer(one));
        } else proceed(one, send_events(one));
    }
    if (!queue->first) return wait_ms;
    int64_t left_ms = (queue->first->due_ns - now_ns + 999999) / 1000000;
    return wait_ms < 0 || left_ms < wait_ms ? (int)left_ms : wait_ms;
}

static int listeners[LISTENERS_MAX], listener_count, tcp_count;

static void add_listener(int descriptor) {
    if (listener_count == LISTENERS_MAX) exit(2);
    /* A listener is told apart from connections by lying in this array. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listeners[listener_count]};
    listeners[listener_count++] = descriptor;
    epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

static void read_arguments(int count, char **arguments) {
    const char *model = "bench-model";
    const char *paths[LISTENERS_MAX];
    int path_count = 0;
    for (int position = 1; position + 1 < count; position += 2) {
        const char *name = arguments[position], *value = arguments[position + 1];
        if (!strcmp(name, "--unix") && path_count < LISTENERS_MAX) paths[path_count++] = value;
        else if (!strcmp(name, "--tcp")) tcp_count = atoi(value);
        else if (!strcmp(name, "--pace-us")) pace_ns = atol(value) * 1000;
        else if (!strcmp(name, "--slots")) slots = atol(value);
        else if (!strcmp(name, "--service-us")) service_ns = atol(value) * 1000;
        else if (!strcmp(name, "--model")) model = value;
        else exit(2);
    }
    build_answers(model);
    for (int position = 0; position < tcp_count; position++) add_listener(listen_tcp("127.0.0.1", 0));
    for (int position = 0; position < path_count; position++) add_listener(listen_unix(paths[position]));
}

static void print_ports(void) {
    printf("{\"ports\":[");
    for (int position = 0; position < tcp_count; position++) printf("%s%d", position ? "," : "", find_port(listeners[position]));
    printf("]}\n");
    fflush(stdout);
}

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    raise_open_files();
    poller = epoll_create1(EPOLL_CLOEXEC);
    read_arguments(count, arguments);
    print_ports();
    struct epoll_event ready[READY_MAX];
    for (;;) {
        int wait_ms = run_due(&paced, run_due(&being_served, -1));
        int ready_count = epoll_wait(poller, ready, READY_MAX, wait_ms);
        for (int position = 0; position < ready_count; position++) {
            int *listener = ready[position].data.ptr;
            if (listener >= listeners && listener < listeners + LISTENERS_MAX) accept_all(*listener, listener - listeners < tcp_count);
            else handle_ready(ready[position].data.ptr, ready[position].events);
        }
    }
}
