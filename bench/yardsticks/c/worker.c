// The job `disk.create` in C: one thread, epoll, libpq in pipeline mode, librabbitmq.
//
//     worker 1    one round trip to PostgreSQL for a job
//     worker 2    two: BEGIN and the ledger's row first, and the rest when that row is known to be new
//
// A job is one message of JOBS_QUEUE and one transaction of LEDGER_SQL ($1 job), DISK_SQL ($1 job, $2 user, $3 name,
// $4 GiB) and OUTBOX_SQL ($1 job, $2 body of the event; returns the row's id). After the commit the event goes to
// EVENTS_EXCHANGE. When the broker has confirmed it the message is acknowledged, and its outbox row is deleted with
// others. A job that the ledger has already does nothing. At the start whatever is in the outbox is published once more:
// a death at any place loses nothing. Whatever is not expected ends the program.
//
// DATABASE_URL and AMQP_URL say where PostgreSQL and RabbitMQ are. SIGTERM ends it; what is not acknowledged comes back.

#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { TURN = 100 /* ms */, BROKER = SESSIONS + 1 };

static int64_t last_progress;
static volatile sig_atomic_t is_ending;

void fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

const char *setting(const char *name) {
    const char *value = getenv(name);
    if (!value) fail("%s is not set", name);
    return value;
}

int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void note_progress(void) { last_progress = now(); }

static void check_progress(void) {
    if (now() - last_progress > LONGEST_WAIT) fail("nothing was answered for too long");
}

// Publishes what an earlier process left in the outbox, before there are any jobs.
static void publish_leftovers(void) {
    static struct job leftovers[WINDOW];
    int count;
    while ((count = read_leftovers(leftovers)) > 0) {
        for (int index = 0; index < count; index++) publish(&leftovers[index]);
        send_out();
        for (note_progress(); has_unconfirmed(); check_progress()) read_frames(TURN);
        delete_leftovers();
    }
}

static void watch(int poller, int descriptor, int index) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = index};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event)) fail("epoll: %s", strerror(errno));
}

static int watch_all(void) {
    int poller = epoll_create1(0);
    watch(poller, broker_descriptor(), BROKER);
    for (int index = 0; index <= SESSIONS; index++) watch(poller, session_descriptor(index), index);
    return poller;
}

static void turn(int poller) {
    struct epoll_event events[SESSIONS + 2];
    int count = epoll_wait(poller, events, SESSIONS + 2, TURN);
    for (int index = 0; index < count; index++) {
        if (events[index].data.fd == BROKER) read_frames(0);
        else read_session(events[index].data.fd);
    }
    start_jobs(start_job);
    acknowledge();
    send_out();
    delete_confirmed();
    if (!has_jobs()) note_progress();
    check_progress();
}

static void end(int number) {
    (void)number;
    is_ending = 1;
}

int main(int count, char **arguments) {
    int round_trips = count == 2 ? atoi(arguments[1]) : 0;
    if (round_trips != 1 && round_trips != 2) fail("usage: worker 1|2");
    signal(SIGTERM, end);
    connect_broker();
    open_outbox();
    publish_leftovers();
    open_sessions(round_trips);
    int poller = watch_all();
    consume();
    note_progress();
    read_frames(0);
    while (!is_ending) turn(poller);
    return EXIT_SUCCESS;
}
