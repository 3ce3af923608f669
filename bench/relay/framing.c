#include "framing.h"

#include <string.h>

enum { HEARTBEAT = 8 };                                             // AMQP 0-9-1, chapter 4.2.7
enum { SSL_REQUEST = 80877103, GSS_ENCRYPTION_REQUEST = 80877104 }; // PostgreSQL's manual, chapter 55.7

enum protocol protocol_named(const char *name) {
    if (strcmp(name, "amqp") == 0) return AMQP;
    return strcmp(name, "postgresql") == 0 ? POSTGRESQL : 0;
}

static size_t integer(const uint8_t *bytes) {
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

// The protocol header of AMQP is no frame. What comes before PostgreSQL's start-up message has its form.
static bool is_before_start(const struct framing *framing, enum protocol protocol) {
    return framing->is_from_client && !framing->has_started && protocol != 0;
}

static size_t head_size(const struct framing *framing, enum protocol protocol) {
    if (is_before_start(framing, protocol)) return 8;
    return protocol == AMQP ? 7 : 5;
}

static uint64_t begin_first(struct framing *framing, enum protocol protocol) {
    size_t code = integer(framing->head + 4);
    bool is_start = protocol == AMQP || (code != SSL_REQUEST && code != GSS_ENCRYPTION_REQUEST);
    framing->has_started = is_start;
    framing->rest = protocol == AMQP ? 0 : integer(framing->head) - 8;
    return 0;
}

static uint64_t begin_message(struct framing *framing, enum protocol protocol) {
    if (is_before_start(framing, protocol)) return begin_first(framing, protocol);
    uint8_t type = framing->head[0];
    if (protocol == AMQP) {
        framing->rest = integer(framing->head + 3) + 1;
        return type != HEARTBEAT;
    }
    framing->rest = integer(framing->head + 1) - 4;
    return type == 'S' || type == 'H' || type == 'Q';
}

uint64_t count_messages(struct framing *framing, enum protocol protocol, const uint8_t *bytes, size_t length) {
    uint64_t count = 0;
    if (protocol == POSTGRESQL && !framing->is_from_client) return 0;
    while (length > 0) {
        bool is_in_head = framing->rest == 0;
        size_t wanted = is_in_head ? head_size(framing, protocol) - framing->head_length : framing->rest;
        size_t taken = wanted < length ? wanted : length;
        if (is_in_head) memcpy(framing->head + framing->head_length, bytes, taken);
        bytes += taken;
        length -= taken;
        if (!is_in_head) framing->rest -= taken;
        else if ((framing->head_length += taken) == head_size(framing, protocol)) {
            count += begin_message(framing, protocol);
            framing->head_length = 0;
        }
    }
    return count;
}
