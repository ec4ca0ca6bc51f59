/* The load: calls over kept connections, each answer read to its end and judged.
 *
 * load --target PORT... --key-file PATH --connections N --seconds S [--warm-seconds S] [--body-bytes N] [--stream 1]
 *      [--rate N] [--calls N] [--deadline-ms N] [--model NAME]
 *
 * Closed loop: each connection calls again as soon as it has its answer. With --rate the loop is open: calls are due at that
 * many a second (exponential gaps, a fixed seed), each on a free connection or a new one; latency counts from when a call was
 * due. --calls ends the run after that many. Several targets are taken in turn, and one that refuses is passed over. At the end
 * open calls are waited for; then one line of JSON tells what happened. Latencies are those of calls begun after the warm time; of
 * those, `in_time` counts the good ones that took no longer than the deadline.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "http.h"
#include "prompt.h"
#include "samples.h"

#define READY_MAX 512
#define TARGETS_MAX 4
#define CODES_MAX 32
#define CODE_BYTES 48
#define STATUS_MAX 600
#define BODIES_MAX 256
#define BODIES_BYTES_MAX (32UL << 20)
#define DRAIN_NS (30 * INT64_C(1000000000))
#define REFUSED_NS INT64_C(50000000)

typedef enum { CLOSED, IDLE, CALLING } State;

typedef struct Caller {
    int descriptor, target, is_writable_wanted, is_used;
    State state;
    Buffer in;
    Answer answer;
    Text head, body;
    char length_line[40];
    size_t sent;
    int64_t due_ns, first_ns, last_ns;
    struct Caller *behind; /* in the list of free callers */
} Caller;

static int ports[TARGETS_MAX], target_count, next_target;
static int64_t refused_until_ns[TARGETS_MAX];
static int poller, is_stream, is_ending;
static long caller_count = 1, calls_max, begun, ended, unsent, open_now, open_most;
static double seconds = 1, warm_seconds, calls_per_s;
static size_t body_bytes = 1024;
static const char *key_path, *model = "bench-model";
static Text *heads, *bodies;
static int head_count, body_count, turn;
static Caller *callers, *free_callers;
static Samples latency, first_byte, gap;
static int64_t deadline_ns = INT64_C(1000000000);
static unsigned long good, good_warm, in_time, not_done, lost, lost_unanswered, refused, broken, reopened, answer_bytes;
static unsigned long statuses[STATUS_MAX], code_counts[CODES_MAX];
static char codes[CODES_MAX][CODE_BYTES];
static int64_t window_ns, window_end_ns;

static void begin_call(Caller *one, int64_t due_ns);

static void set_free(Caller *one) {
    one->behind = free_callers;
    free_callers = one;
}

static void hang_up(Caller *one) {
    if (one->state != CLOSED) close(one->descriptor);
    one->state = CLOSED;
    one->in.length = 0;
}

static void count_code(const Answer *answer) {
    char code[CODE_BYTES];
    copy_error_code(answer, code, sizeof code);
    for (int position = 0; position < CODES_MAX; position++) {
        if (!codes[position][0]) strcpy(codes[position], code);
        if (!strcmp(codes[position], code)) {
            code_counts[position]++;
            return;
        }
    }
}

/* A call is over, well or not; in the closed loop the next begins. */
static void end_call(Caller *one) {
    ended++;
    open_now--;
    if (calls_per_s > 0) set_free(one);
    else if (!is_ending) begin_call(one, read_clock_ns());
}

static void lose_call(Caller *one) {
    /* A kept connection that closes just as it is used again is what clients repeat a call for; it is told apart. */
    if (one->is_used && one->answer.part == HEAD && !one->in.length) lost_unanswered++;
    else lost++;
    hang_up(one);
    end_call(one);
}

static void judge_answer(Caller *one) {
    int64_t now_ns = read_clock_ns();
    const Answer *answer = &one->answer;
    int status = answer->status;
    statuses[status > 0 && status < STATUS_MAX ? status : 0]++;
    answer_bytes += answer->body_bytes;
    if (status != 200) count_code(answer);
    else if (is_stream && !is_stream_done(answer)) not_done++;
    else {
        good++;
        if (one->due_ns >= window_ns) {
            good_warm += now_ns <= window_end_ns;
            in_time += now_ns - one->due_ns <= deadline_ns;
            add_sample(&latency, now_ns - one->due_ns);
        }
    }
    one->state = IDLE;
    one->is_used = 1;
    if (answer->is_closing) hang_up(one);
    end_call(one);
}

static void watch_socket(Caller *one, int is_new, int is_writable_wanted) {
    if (!is_new && one->is_writable_wanted == is_writable_wanted) return;
    struct epoll_event event = {.events = EPOLLIN | (is_writable_wanted ? EPOLLOUT : 0), .data.ptr = one};
    epoll_ctl(poller, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, one->descriptor, &event);
    one->is_writable_wanted = is_writable_wanted;
}

/* Sends what is left of head, length and body, in one write if the socket takes it. */
static void send_rest(Caller *one) {
    Text parts[3] = {one->head, {one->length_line, strlen(one->length_line)}, one->body};
    struct iovec rest[3];
    size_t skipped = one->sent, left = 0;
    int count = 0;
    for (int position = 0; position < 3; position++) {
        size_t skip = skipped < parts[position].length ? skipped : parts[position].length;
        skipped -= skip;
        if (skip == parts[position].length) continue;
        rest[count++] = (struct iovec){parts[position].bytes + skip, parts[position].length - skip};
        left += parts[position].length - skip;
    }
    struct msghdr message = {.msg_iov = rest, .msg_iovlen = (size_t)count};
    ssize_t sent = left ? sendmsg(one->descriptor, &message, MSG_NOSIGNAL) : 0;
    if (sent > 0) one->sent += (size_t)sent;
    /* A fault shows as the end of the connection, where an answer sent before it can still be read. */
    watch_socket(one, 0, sent >= 0 ? (size_t)sent < left : errno == EAGAIN);
}

static int choose_target(int64_t now_ns) {
    for (int tried = 0; tried < target_count; tried++) {
        int target = next_target++ % target_count;
        if (refused_until_ns[target] <= now_ns) return target;
    }
    return next_target % target_count;
}

static int open_connection(Caller *one) {
    one->target = choose_target(read_clock_ns());
    one->descriptor = dial_tcp("127.0.0.1", ports[one->target]);
    if (one->descriptor < 0) return 0;
    one->is_used = 0;
    watch_socket(one, 1, 1);
    return 1;
}

static void begin_call(Caller *one, int64_t due_ns) {
    if (calls_max && begun >= calls_max) return;
    begun++;
    if (++open_now > open_most) open_most = open_now;
    one->due_ns = due_ns;
    one->first_ns = 0;
    one->sent = 0;
    one->answer = (Answer){0};
    one->head = heads[turn % head_count];
    one->body = bodies[turn++ % body_count];
    snprintf(one->length_line, sizeof one->length_line, "%zu\r\n\r\n", one->body.length);
    if (one->state == CLOSED && !open_connection(one)) {
        refused++;
        ended++;
        open_now--;
        if (calls_per_s > 0) set_free(one);
        return;
    }
    int is_connected = one->state == IDLE;
    one->state = CALLING;
    if (is_connected) send_rest(one);
}

/* The other side closed, or never listened. */
static void handle_end(Caller *one) {
    if (one->state == IDLE) {
        reopened++;
        hang_up(one);
        return;
    }
    int fault = 0;
    socklen_t size = sizeof fault;
    getsockopt(one->descriptor, SOL_SOCKET, SO_ERROR, &fault, &size);
    if (!one->sent && !one->is_used && target_count > 1 && !is_ending) {
        refused_until_ns[one->target] = read_clock_ns() + REFUSED_NS;
        hang_up(one);
        if (open_connection(one)) {
            one->state = CALLING;
            return;
        }
    }
    if (one->sent || one->is_used) {
        lose_call(one);
        return;
    }
    refused++;
    hang_up(one);
    end_call(one);
}

static void note_bytes(Caller *one) {
    int64_t now_ns = read_clock_ns();
    int is_counted = one->due_ns >= window_ns;
    if (!one->first_ns) {
        one->first_ns = now_ns;
        if (is_counted) add_sample(&first_byte, now_ns - one->due_ns);
    } else if (is_stream && is_counted) add_sample(&gap, now_ns - one->last_ns);
    one->last_ns = now_ns;
}

static void handle_ready(Caller *one, uint32_t ready) {
    if (one->state == CLOSED) return;
    if (ready & EPOLLOUT && one->state == CALLING && !(ready & (EPOLLERR | EPOLLHUP))) send_rest(one);
    if (!(ready & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    ssize_t count = read_some(one->descriptor, &one->in);
    if (count > 0 && one->state == CALLING) {
        note_bytes(one);
        read_answer(&one->answer, &one->in);
        if (one->answer.part == WHOLE) judge_answer(one);
        else if (one->answer.part == BROKEN) {
            broken++;
            hang_up(one);
            end_call(one);
        }
    } else if (count == 0) handle_end(one);
}

static uint64_t random_state = 88172645463325252ULL;

static double draw_gap_ns(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    double uniform = ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
    return -log(uniform) / calls_per_s * 1e9;
}

/* Begins what is due in the open loop; returns when the next is. */
static double begin_due(double next_ns, int64_t now_ns) {
    if (calls_max && begun >= calls_max) return (double)INT64_MAX / 2;
    /* What fell due before the window closed while this host stood still was not sent. */
    if (now_ns > window_end_ns) now_ns = window_end_ns;
    while (next_ns <= (double)now_ns) {
        Caller *one = is_ending ? NULL : free_callers;
        if (one) {
            free_callers = one->behind;
            begin_call(one, (int64_t)next_ns);
        } else unsent++;
        next_ns += draw_gap_ns();
    }
    return next_ns;
}

static double read_own_cpu_s(void) {
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

static void print_counts(double elapsed_s) {
    printf("{\"begun\":%ld,\"ended\":%ld,\"good\":%lu,\"good_in_window\":%lu,\"in_time\":%lu,\"window_s\":%.6f,\"not_done\":%lu,\"lost\":%lu,\"lost_unanswered\":%lu,\"refused\":%lu,"
           "\"broken\":%lu,\"reopened\":%lu,\"unsent\":%ld,\"open_most\":%ld,\"answer_bytes\":%lu,\"elapsed_s\":%.6f,\"cpu_s\":%.6f,\"statuses\":{",
           begun, ended, good, good_warm, in_time, (double)(window_end_ns - window_ns) / 1e9, not_done, lost, lost_unanswered, refused, broken, reopened, unsent, open_most, answer_bytes, elapsed_s, read_own_cpu_s());
    const char *comma = "";
    for (int status = 0; status < STATUS_MAX; status++) {
        if (!statuses[status]) continue;
        printf("%s\"%d\":%lu", comma, status, statuses[status]);
        comma = ",";
    }
    printf("},\"codes\":{");
    for (int position = 0; position < CODES_MAX && codes[position][0]; position++) printf("%s\"%s\":%lu", position ? "," : "", codes[position], code_counts[position]);
    printf("},");
    print_samples("latency", &latency);
    printf(",");
    print_samples("first_byte", &first_byte);
    printf(",");
    print_samples("gap", &gap);
    printf("}\n");
}

static void read_arguments(int count, char **arguments) {
    for (int position = 1; position + 1 < count; position += 2) {
        const char *name = arguments[position], *value = arguments[position + 1];
        if (!strcmp(name, "--target") && target_count < TARGETS_MAX) ports[target_count++] = atoi(value);
        else if (!strcmp(name, "--key-file")) key_path = value;
        else if (!strcmp(name, "--connections")) caller_count = atol(value);
        else if (!strcmp(name, "--seconds")) seconds = atof(value);
        else if (!strcmp(name, "--warm-seconds")) warm_seconds = atof(value);
        else if (!strcmp(name, "--body-bytes")) body_bytes = strtoul(value, NULL, 10);
        else if (!strcmp(name, "--stream")) is_stream = atoi(value);
        else if (!strcmp(name, "--rate")) calls_per_s = atof(value);
        else if (!strcmp(name, "--calls")) calls_max = atol(value);
        else if (!strcmp(name, "--deadline-ms")) deadline_ns = atol(value) * 1000000;
        else if (!strcmp(name, "--model")) model = value;
        else exit(2);
    }
    if (!target_count || !key_path || caller_count < 1) exit(2);
}

/* An open loop waits by the microsecond, or its calls would come in bursts of a millisecond's worth. */
static int wait_for(struct epoll_event *ready, int64_t until_ns) {
    int64_t left_ns = until_ns - read_clock_ns();
    if (left_ns < 0) left_ns = 0;
    struct timespec wait = {left_ns / 1000000000, left_ns % 1000000000};
    return epoll_pwait2(poller, ready, READY_MAX, &wait, NULL);
}

static void run_load(int64_t start_ns) {
    int64_t give_up_ns = window_end_ns + DRAIN_NS;
    double next_ns = (double)start_ns;
    struct epoll_event ready[READY_MAX];
    while (!is_ending || open_now) {
        int64_t now_ns = read_clock_ns();
        if (now_ns >= window_end_ns || (calls_max && ended >= calls_max)) is_ending = 1;
        if (calls_per_s > 0) next_ns = begin_due(next_ns, now_ns);
        if (is_ending && (!open_now || now_ns >= give_up_ns)) break;
        int64_t until_ns = is_ending ? give_up_ns : window_end_ns;
        if (calls_per_s > 0 && !is_ending && (int64_t)next_ns < until_ns) until_ns = (int64_t)next_ns;
        int ready_count = wait_for(ready, until_ns);
        for (int position = 0; position < ready_count; position++) handle_ready(ready[position].data.ptr, ready[position].events);
    }
}

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    raise_open_files();
    read_arguments(count, arguments);
    heads = build_heads(key_path, &head_count);
    size_t fitting = BODIES_BYTES_MAX / (body_bytes + 1);
    body_count = fitting > BODIES_MAX ? BODIES_MAX : fitting < 1 ? 1 : (int)fitting;
    bodies = build_bodies(body_count, body_bytes, model, is_stream);
    callers = calloc((size_t)caller_count, sizeof *callers);
    if (!callers || !head_count) fail("calloc");
    poller = epoll_create1(EPOLL_CLOEXEC);
    int64_t start_ns = read_clock_ns();
    window_ns = start_ns + (int64_t)(warm_seconds * 1e9);
    window_end_ns = window_ns + (int64_t)(seconds * 1e9);
    for (long position = caller_count - 1; position >= 0; position--) {
        if (calls_per_s > 0) set_free(&callers[position]);
        else begin_call(&callers[position], start_ns);
    }
    run_load(start_ns);
    print_counts((double)(read_clock_ns() - start_ns) / 1e9);
    return 0;
}
