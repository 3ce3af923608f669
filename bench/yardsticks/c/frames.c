#include "frames.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { METHOD = 1, HEADER = 2, BODY = 3, END = 0xCE, BASIC = 60, PUBLISH = 40, ACK = 80 };

// The properties of an event, by their bits in the header frame (AMQP 0-9-1, chapter 4.2.6.1).
enum { CONTENT_TYPE = 0x8000, DELIVERY_MODE = 0x1000, CORRELATION_ID = 0x0400, MESSAGE_ID = 0x0080, TYPE = 0x0020 };
enum { PERSISTENT = 2, MANDATORY = 1, MULTIPLE = 1 };

static const char content_type[] = "application/cloudevents+json";

static void add(struct frames *frames, const void *bytes, size_t length) {
    if (frames->length + length > frames->capacity) {
        frames->capacity = 2 * (frames->length + length);
        frames->bytes = realloc(frames->bytes, frames->capacity);
        if (!frames->bytes) abort();
    }
    memcpy(frames->bytes + frames->length, bytes, length);
    frames->length += length;
}

// An integer of so many bytes, the most significant first.
static void add_integer(struct frames *frames, uint64_t value, int size) {
    uint8_t bytes[8];
    for (int index = 0; index < size; index++) bytes[index] = (uint8_t)(value >> 8 * (size - 1 - index));
    add(frames, bytes, (size_t)size);
}

static void add_short_string(struct frames *frames, const char *text) {
    size_t length = strlen(text);
    add_integer(frames, length, 1);
    add(frames, text, length);
}

// The start of a frame; returns where its length goes, which is not known yet.
static size_t begin(struct frames *frames, int type, uint16_t channel) {
    add_integer(frames, (uint64_t)type, 1);
    add_integer(frames, channel, 2);
    add_integer(frames, 0, 4);
    return frames->length;
}

static void end(struct frames *frames, size_t start) {
    size_t length = frames->length - start;
    for (size_t index = 1; index <= 4; index++, length >>= 8) frames->bytes[start - index] = (uint8_t)length;
    add_integer(frames, END, 1);
}

static void add_header(struct frames *frames, uint16_t channel, const struct event *event) {
    size_t start = begin(frames, HEADER, channel);
    add_integer(frames, BASIC, 2);
    add_integer(frames, 0, 2);
    add_integer(frames, event->body_length, 8);
    add_integer(frames, CONTENT_TYPE | DELIVERY_MODE | CORRELATION_ID | MESSAGE_ID | TYPE, 2);
    add_short_string(frames, content_type);
    add_integer(frames, PERSISTENT, 1);
    add_short_string(frames, event->correlation_id);
    add_short_string(frames, event->message_id);
    add_short_string(frames, event->type);
    end(frames, start);
}

void add_publish(struct frames *frames, uint16_t channel, const struct event *event) {
    size_t start = begin(frames, METHOD, channel);
    add_integer(frames, BASIC, 2);
    add_integer(frames, PUBLISH, 2);
    add_integer(frames, 0, 2);
    add_short_string(frames, event->exchange);
    add_short_string(frames, event->type);
    add_integer(frames, MANDATORY, 1);
    end(frames, start);
    add_header(frames, channel, event);
    start = begin(frames, BODY, channel);
    add(frames, event->body, event->body_length);
    end(frames, start);
}

void add_ack_up_to(struct frames *frames, uint16_t channel, uint64_t tag) {
    size_t start = begin(frames, METHOD, channel);
    add_integer(frames, BASIC, 2);
    add_integer(frames, ACK, 2);
    add_integer(frames, tag, 8);
    add_integer(frames, MULTIPLE, 1);
    end(frames, start);
}

bool send_frames(struct frames *frames, int socket, int milliseconds) {
    size_t sent = 0;
    while (sent < frames->length) {
        ssize_t count = send(socket, frames->bytes + sent, frames->length - sent, MSG_NOSIGNAL);
        if (count >= 0) {
            sent += (size_t)count;
            continue;
        }
        struct pollfd writable = {.fd = socket, .events = POLLOUT};
        if (errno != EAGAIN && errno != EINTR) return false;
        if (errno == EAGAIN && poll(&writable, 1, milliseconds) == 0) return false;
    }
    frames->length = 0;
    return true;
}
