// Frames of AMQP 0-9-1 that are gathered in a buffer and written with one call of send().
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frames {
    uint8_t *bytes;
    size_t length, capacity;
};

// A persistent event. The texts end with NUL and are shorter than 256 bytes, as AMQP's short strings are.
struct event {
    const char *exchange, *type, *message_id, *correlation_id;
    const void *body;
    size_t body_length;
};

// basic.publish, mandatory, with its header and its body in one frame each.
void add_publish(struct frames *frames, uint16_t channel, const struct event *event);

// basic.ack of a delivery and of all before it on the channel.
void add_ack_up_to(struct frames *frames, uint16_t channel, uint64_t tag);

// Writes all that was gathered; false when the peer takes nothing for so many milliseconds, or has gone.
bool send_frames(struct frames *frames, int socket, int milliseconds);
