#ifndef GPUDEV_CRABBITMQ_SHIM_H
#define GPUDEV_CRABBITMQ_SHIM_H

#include <sys/time.h>

/* Version 0.12 moved the headers. */
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

/* A variadic function, which Swift cannot call. */
static inline amqp_rpc_reply_t crabbitmq_login(amqp_connection_state_t state, const char *virtual_host,
                                               int frame_max, int heartbeat, const amqp_table_t *properties,
                                               const char *user, const char *password) {
    return amqp_login_with_properties(state, virtual_host, 1, frame_max, heartbeat, properties,
                                      AMQP_SASL_METHOD_PLAIN, user, password);
}

/* Notices a host that is gone, and fixes the size of the send buffer, so that a socket that polls writable has room
   for the share of it that is returned: at that moment at least a third of the buffer is free, and the kernel counts
   its own overhead in. No TCP_USER_TIMEOUT: it would also end the connection of a publisher whom the broker makes
   wait by not reading; heartbeats find the dead. */
static inline int crabbitmq_tune_socket(int descriptor) {
    int on = 1, idle = 10, interval = 5, probes = 3, wanted = 1 << 20, size = 0;
    socklen_t length = sizeof(size);
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted));
    if (getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, &length) != 0) return 4096;
    return size / 8 < 4096 ? 4096 : size / 8;
}

static inline int crabbitmq_is_writable(int descriptor) {
    struct pollfd query = {.fd = descriptor, .events = POLLOUT};
    return poll(&query, 1, 0) > 0 && (query.revents & POLLOUT) != 0;
}

/* While corked, small frames gather in full segments. */
static inline void crabbitmq_cork(int descriptor, int on) {
    setsockopt(descriptor, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

#endif
