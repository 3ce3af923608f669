// Counts messages in a stream of bytes that comes in pieces.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protocol { AMQP = 1, POSTGRESQL };

// Where a stream is; all zero before the first byte.
struct framing {
    bool is_from_client;
    bool has_started;
    uint8_t head[8];
    size_t head_length;  // of the head that is known
    size_t rest;         // bytes of the message that are still to come
};

// 0 if there is no protocol of that name.
enum protocol protocol_named(const char *name);

// How many messages that count begin with these bytes: frames of AMQP 0-9-1 but heartbeats; of PostgreSQL's protocol
// 3.0 what a client sends and then waits for an answer to (Sync, Flush and Query), so nothing from the server.
uint64_t count_messages(struct framing *framing, enum protocol protocol, const uint8_t *bytes, size_t length);
