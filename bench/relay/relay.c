// Stands between workers and a service on the loopback interface: holds what passes for a while, and counts it.
//
//     relay PORT TARGET MICROSECONDS amqp|postgresql
//
// Listens on 127.0.0.1:PORT, relays to 127.0.0.1:TARGET, and holds every byte for so long in each direction. At SIGTERM it
// prints two numbers. For `amqp`: the frames of AMQP 0-9-1 to the service and from it, heartbeats left out. For
// `postgresql`: the messages Sync, Flush and Query to the service, each of which is a round trip, and 0.

#include "framing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 16, MOST_HELD = 4 << 20, MOST_PAIRS = 1024, TURN = 100000000 /* ns */, RETRY = 100000 /* ns */ };

// Bytes that came together, until their time has come.
struct piece {
    struct piece *next;
    int64_t due;
    size_t length, sent;
    uint8_t bytes[];
};

// One direction of a connection.
struct flow {
    int from, to;
    struct piece *first, **last;
    size_t held;
    bool is_paused, has_ended;
    struct framing framing;
};

// A connection of a worker and the one to the service; the flows lead up to it and down from it.
struct pair {
    struct flow flows[2];
};

static struct pair *pairs[MOST_PAIRS];
static int pair_count, poller, target;
static int64_t delay;
static enum protocol protocol;
static uint64_t counts[2];
static volatile sig_atomic_t is_ending;

static void fail(const char *what) {
    perror(what);
    exit(EXIT_FAILURE);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_on(int port) {
    struct sockaddr_in address = loopback(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) fail("listen");
    return listener;
}

static void watch(struct flow *flow, int operation) {
    struct epoll_event event = {.events = flow->is_paused ? 0 : EPOLLIN, .data.ptr = flow};
    if (epoll_ctl(poller, operation, flow->from, &event)) fail("epoll");
}

static void open_flow(struct flow *flow, int from, int to) {
    flow->from = from;
    flow->to = to;
    flow->last = &flow->first;
    fcntl(from, F_SETFL, O_NONBLOCK);
    setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    watch(flow, EPOLL_CTL_ADD);
}

static void accept_pair(int listener) {
    struct sockaddr_in address = loopback(target);
    int worker = accept(listener, NULL, NULL), service = socket(AF_INET, SOCK_STREAM, 0);
    if (worker < 0) fail("accept");
    if (pair_count == MOST_PAIRS || connect(service, (struct sockaddr *)&address, sizeof address)) {
        close(worker);
        close(service);
        return;
    }
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair) fail("calloc");
    open_flow(&pair->flows[0], worker, service);
    open_flow(&pair->flows[1], service, worker);
    pair->flows[0].framing.is_from_client = true;
    pairs[pair_count++] = pair;
}

static void hold(struct flow *flow, const uint8_t *bytes, size_t length) {
    struct piece *piece = malloc(sizeof *piece + length);
    if (!piece) fail("malloc");
    *piece = (struct piece){.due = now() + delay, .length = length};
    memcpy(piece->bytes, bytes, length);
    *flow->last = piece;
    flow->last = &piece->next;
    flow->held += length;
}

static void take_in(struct flow *flow) {
    static uint8_t bytes[PIECE];
    ssize_t length = recv(flow->from, bytes, sizeof bytes, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length > 0) {
        counts[!flow->framing.is_from_client] += count_messages(&flow->framing, protocol, bytes, (size_t)length);
        hold(flow, bytes, (size_t)length);
    }
    flow->has_ended = length <= 0;
    flow->is_paused = flow->has_ended || flow->held > MOST_HELD;
    if (flow->is_paused) watch(flow, EPOLL_CTL_MOD);
}

static void drop_first(struct flow *flow) {
    struct piece *piece = flow->first;
    flow->first = piece->next;
    flow->held -= piece->length;
    if (!flow->first) flow->last = &flow->first;
    free(piece);
}

// Sends what is due; a peer that takes nothing is tried again a little later.
static void send_due(struct flow *flow, int64_t moment) {
    while (flow->first && flow->first->due <= moment) {
        struct piece *piece = flow->first;
        ssize_t sent = send(flow->to, piece->bytes + piece->sent, piece->length - piece->sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            piece->due = moment + RETRY;
            return;
        }
        if (sent < 0) flow->has_ended = true;
        if (sent < 0 || (piece->sent += (size_t)sent) == piece->length) drop_first(flow);
    }
    if (!flow->is_paused || flow->has_ended || flow->held > MOST_HELD / 2) return;
    flow->is_paused = false;
    watch(flow, EPOLL_CTL_MOD);
}

static bool is_over(const struct pair *pair) {
    for (int index = 0; index < 2; index++)
        if (pair->flows[index].has_ended && !pair->flows[index].first) return true;
    return false;
}

static void close_pair(struct pair *pair) {
    for (int index = 0; index < 2; index++) {
        while (pair->flows[index].first) drop_first(&pair->flows[index]);
        close(pair->flows[index].from);
    }
    free(pair);
}

// Sends all that is due, ends what is over, and returns when the next is due.
static int64_t serve(int64_t moment) {
    int64_t next = moment + TURN;
    for (int index = pair_count - 1; index >= 0; index--) {
        struct pair *pair = pairs[index];
        for (int way = 0; way < 2; way++) {
            send_due(&pair->flows[way], moment);
            const struct piece *first = pair->flows[way].first;
            if (first && first->due < next) next = first->due;
        }
        if (!is_over(pair)) continue;
        close_pair(pair);
        pairs[index] = pairs[--pair_count];
    }
    return next;
}

static void turn(int listener, int64_t wait) {
    struct epoll_event events[64];
    struct timespec limit = {.tv_nsec = wait > 0 ? (long)wait : 0};
    int count = epoll_pwait2(poller, events, 64, &limit, NULL);
    for (int index = 0; index < count; index++) {
        if (events[index].data.ptr) take_in(events[index].data.ptr);
        else accept_pair(listener);
    }
}

static void end(int number) {
    (void)number;
    is_ending = 1;
}

int main(int count, char **arguments) {
    if (count != 5 || !(protocol = protocol_named(arguments[4]))) {
        fprintf(stderr, "usage: relay PORT TARGET MICROSECONDS amqp|postgresql\n");
        return EXIT_FAILURE;
    }
    signal(SIGTERM, end);
    target = atoi(arguments[2]);
    delay = atoll(arguments[3]) * 1000;
    poller = epoll_create1(0);
    int listener = listen_on(atoi(arguments[1]));
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) fail("epoll");
    while (!is_ending) turn(listener, serve(now()) - now());
    printf("%llu %llu\n", (unsigned long long)counts[0], (unsigned long long)counts[1]);
    return EXIT_SUCCESS;
}
