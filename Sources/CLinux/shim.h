#ifndef GPUDEV_CLINUX_SHIM_H
#define GPUDEV_CLINUX_SHIM_H

/* The Glibc module of Swift leaves these out. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* A macro that Swift cannot read. */
static inline int clinux_errno(void) { return errno; }

/* `epoll_data` is a union, which Swift reads poorly. */
static inline int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

static inline uint64_t clinux_epoll_token(const struct epoll_event *event) { return event->data.u64; }

/* The constants are an enum of another type than the field that holds them. */
static const uint32_t clinux_epoll_in = EPOLLIN;
static const uint32_t clinux_epoll_out = EPOLLOUT;
static const uint32_t clinux_epoll_hang_up = EPOLLRDHUP;

/* A GNU extension; asking for all of those would make this module disagree with Glibc's. */
extern int pthread_setname_np(pthread_t thread, const char *name);
static inline void clinux_name_this_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

/* Time since an arbitrary start; steps of the calendar clock do not move it. */
static inline uint64_t clinux_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
