// Messages by librabbitmq: deliveries on one channel, events with confirms on another.
//
// What goes out is gathered, and sent with one call; librabbitmq makes several for each message.

#include "frames.h"
#include "worker.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { JOBS = 1, EVENTS = 2 };

// Those not confirmed may lie this far apart: jobs may end before as many that came earlier, and after as many.
enum { SPAN = 2 * WINDOW };

static amqp_connection_state_t broker;
static const char *exchange;
static struct frames out;

// By delivery tag modulo WINDOW, which is the prefetch. All up to `acknowledged` are, all up to `started` were handed
// out, all up to `delivered` are here.
static struct job jobs[WINDOW];
static uint64_t acknowledged, started, delivered;

// The jobs whose events are not confirmed, by their sequence numbers modulo SPAN.
static struct job *unconfirmed[SPAN];
static uint64_t confirmed, published;

static void check(const char *what) {
    if (amqp_get_rpc_reply(broker).reply_type != AMQP_RESPONSE_NORMAL) fail("RabbitMQ: %s failed", what);
}

static void log_in(const struct amqp_connection_info *info) {
    const char *host = *info->vhost ? info->vhost : "/";
    amqp_rpc_reply_t reply = amqp_login(
        broker, host, 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, info->user, info->password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("RabbitMQ refuses the login");
}

void connect_broker(void) {
    static char url[1024];
    struct amqp_connection_info info;
    struct timeval limit = {LONGEST_WAIT / 1000, 0};
    snprintf(url, sizeof url, "%s", setting("AMQP_URL"));
    if (amqp_parse_url(url, &info) || info.ssl) fail("AMQP_URL must be an amqp:// URL");
    exchange = setting("EVENTS_EXCHANGE");
    broker = amqp_new_connection();
    amqp_set_handshake_timeout(broker, &limit);
    amqp_set_rpc_timeout(broker, &limit);
    amqp_socket_t *connection = amqp_tcp_socket_new(broker);
    if (amqp_socket_open_noblock(connection, info.host, info.port, &limit)) fail("RabbitMQ cannot be reached");
    log_in(&info);
    setsockopt(broker_descriptor(), IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    amqp_channel_open(broker, JOBS);
    amqp_channel_open(broker, EVENTS);
    amqp_confirm_select(broker, EVENTS);
    check("opening the channels");
}

int broker_descriptor(void) { return amqp_get_sockfd(broker); }

void consume(void) {
    amqp_bytes_t queue = amqp_cstring_bytes(setting("JOBS_QUEUE"));
    amqp_basic_qos(broker, JOBS, 0, WINDOW, 0);
    amqp_basic_consume(broker, JOBS, queue, amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check("consuming");
}

static void confirm(uint64_t number) {
    struct job *job = unconfirmed[number % SPAN];
    if (!job) return;
    unconfirmed[number % SPAN] = NULL;
    job->is_done = true;
    note_deletable(job->outbox_id);
    note_progress();
}

static void take_confirm(const amqp_basic_ack_t *ack) {
    if (ack->multiple)
        for (uint64_t number = confirmed + 1; number < ack->delivery_tag; number++) confirm(number);
    confirm(ack->delivery_tag);
    while (confirmed < published && !unconfirmed[(confirmed + 1) % SPAN]) confirmed++;
}

static struct job *arriving(void) { return &jobs[(delivered + 1) % WINDOW]; }

static void take_method(const amqp_method_t *method) {
    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD: arriving()->is_done = false; break;
    case AMQP_BASIC_ACK_METHOD: take_confirm(method->decoded); break;
    default: fail("RabbitMQ sent %s, which was not expected", amqp_method_name(method->id));
    }
}

static void take_header(const amqp_basic_properties_t *properties) {
    struct job *job = arriving();
    amqp_bytes_t id = properties->message_id;
    if (!(properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) || id.len != sizeof job->id - 1) fail("a job has no id");
    memcpy(job->id, id.bytes, id.len);
}

// A job is small, so its body is one frame.
static void take_body(amqp_bytes_t body) {
    char json[1024];
    if (body.len >= sizeof json) fail("a job is too large");
    memcpy(json, body.bytes, body.len);
    json[body.len] = 0;
    read_job(arriving(), json);
    delivered++;
}

static void take_frame(const amqp_frame_t *frame) {
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD: take_method(&frame->payload.method); break;
    case AMQP_FRAME_HEADER: take_header(frame->payload.properties.decoded); break;
    case AMQP_FRAME_BODY: take_body(frame->payload.body_fragment); break;
    }
}

void read_frames(int milliseconds) {
    struct timeval wait = {0, milliseconds * 1000};
    do {
        amqp_frame_t frame;
        int status = amqp_simple_wait_frame_noblock(broker, &frame, &wait);
        if (status == AMQP_STATUS_TIMEOUT) break;
        if (status != AMQP_STATUS_OK) fail("RabbitMQ: %s", amqp_error_string2(status));
        take_frame(&frame);
        wait.tv_usec = 0;
    } while (amqp_data_in_buffer(broker) || amqp_frames_enqueued(broker));
    amqp_maybe_release_buffers(broker);
}

void start_jobs(bool (*start)(struct job *job)) {
    while (started < delivered && start(&jobs[(started + 1) % WINDOW])) started++;
}

bool has_jobs(void) { return acknowledged < delivered; }

void publish(struct job *job) {
    char message_id[64];
    snprintf(message_id, sizeof message_id, "%s.completed", job->id);
    const struct event event = {exchange, "disk.create.completed", message_id, job->id, job->body, strlen(job->body)};
    add_publish(&out, EVENTS, &event);
    unconfirmed[++published % SPAN] = job;
}

bool has_unconfirmed(void) { return confirmed < published; }

void acknowledge(void) {
    uint64_t last = acknowledged;
    while (last < started && jobs[(last + 1) % WINDOW].is_done) last++;
    if (last > acknowledged) add_ack_up_to(&out, JOBS, last);
    acknowledged = last;
}

void send_out(void) {
    if (out.length && !send_frames(&out, broker_descriptor(), LONGEST_WAIT)) fail("RabbitMQ takes nothing");
}
