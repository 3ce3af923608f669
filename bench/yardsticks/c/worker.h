// What the parts of the worker share.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

enum { SESSIONS = 16, WINDOW = 256, LONGEST_WAIT = 30000 /* ms */ };

// A job from its delivery to its acknowledgement.
struct job {
    char id[37], user[256], disk[256], size[16];
    char body[1536];    // of its event
    int64_t outbox_id;  // of its event's row
    bool is_new;        // whether the ledger had not had it before
    bool is_done;       // whether its message may be acknowledged
};

// worker.c

// Prints a line to the standard error and ends the program.
noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A variable of the environment that must be set.
const char *setting(const char *name);

// Milliseconds on a clock that only goes forward.
int64_t now(void);

// To be called whenever something was answered: a program with jobs and no progress ends itself.
void note_progress(void);

// job.c

// Reads user, disk and size out of a message, and writes the body of the event.
void read_job(struct job *job, const char *json);

// postgres.c

// The connection that deletes rows of the outbox, and those of the jobs, with 1 or 2 round trips for each job.
void open_outbox(void);
void open_sessions(int round_trips);

// The descriptors of all SESSIONS + 1 connections, and what is to be called when one can be read.
int session_descriptor(int index);
void read_session(int index);

// Starts a job's transaction; false if no connection is free.
bool start_job(struct job *job);

// Notes a row of the outbox whose event is confirmed; they are deleted a few hundred at a time.
void note_deletable(int64_t outbox_id);
void delete_confirmed(void);

// Reads at most WINDOW events that an earlier process has left in the outbox, and deletes them once they are noted.
int read_leftovers(struct job *jobs);
void delete_leftovers(void);

// rabbitmq.c

void connect_broker(void);
int broker_descriptor(void);
void consume(void);

// Takes what has arrived, after waiting for the first of it.
void read_frames(int milliseconds);

// Starts jobs that were delivered, as long as `start` can, in the order of their delivery.
void start_jobs(bool (*start)(struct job *job));

// Whether jobs are here whose messages are not acknowledged.
bool has_jobs(void);

// Publishes a job's event; once it is confirmed the job is done and its outbox row noted.
void publish(struct job *job);
bool has_unconfirmed(void);

// Acknowledges the jobs that are done and have none before them that is not.
void acknowledge(void);

// Sends what was published and acknowledged.
void send_out(void);
