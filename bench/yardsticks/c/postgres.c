// The transactions of jobs over connections in pipeline mode (PostgreSQL's manual, chapter 34.5), one job at a time on
// each, and the deletion of rows of the outbox over one more.

#include "worker.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DELETABLE = 4096, DELETED_AT_ONCE = 256, DELETE_EVERY = 100 /* ms */ };

// A connection and the job that it is at. The last one, which deletes, never has a job.
struct session {
    PGconn *connection;
    struct job *job;
    bool is_busy;
    bool is_claiming;  // the first of two round trips is under way
};

static struct session sessions[SESSIONS + 1], *const cleaner = &sessions[SESSIONS];
static int round_trips;
static int64_t deletable[MOST_DELETABLE], last_deletion;
static int deletable_count;

static void complain(const struct session *session) { fail("PostgreSQL: %s", PQerrorMessage(session->connection)); }

static void prepare(struct session *session, const char *name, const char *text) {
    PGresult *result = PQprepare(session->connection, name, text, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) complain(session);
    PQclear(result);
}

static void connect_session(struct session *session) {
    session->connection = PQconnectdb(setting("DATABASE_URL"));
    if (PQstatus(session->connection) != CONNECTION_OK) complain(session);
}

static void start_pipeline(struct session *session) {
    if (PQsetnonblocking(session->connection, 1) || !PQenterPipelineMode(session->connection)) complain(session);
}

static void open_session(struct session *session) {
    char ledger[2048];
    snprintf(ledger, sizeof ledger, "%s%s", setting("LEDGER_SQL"), round_trips == 2 ? " ON CONFLICT DO NOTHING" : "");
    connect_session(session);
    prepare(session, "begin", "BEGIN");
    prepare(session, "ledger", ledger);
    prepare(session, "disk", setting("DISK_SQL"));
    prepare(session, "outbox", setting("OUTBOX_SQL"));
    prepare(session, "commit", "COMMIT");
    prepare(session, "rollback", "ROLLBACK");
    start_pipeline(session);
}

// What PostgreSQL forgets of deletions in a crash goes out again under its id, so they need not wait for the disk.
void open_outbox(void) {
    connect_session(cleaner);
    PQclear(PQexec(cleaner->connection, "SET synchronous_commit = off"));
    prepare(cleaner, "delete", "DELETE FROM outbox WHERE id = ANY($1::bigint[])");
}

void open_sessions(int trips) {
    round_trips = trips;
    start_pipeline(cleaner);
    for (int index = 0; index < SESSIONS; index++) open_session(&sessions[index]);
}

int session_descriptor(int index) { return PQsocket(sessions[index].connection); }

static void flush(struct session *session) {
    int left;
    session->is_busy = true;
    while ((left = PQflush(session->connection)) == 1) {
        struct pollfd writable = {.fd = PQsocket(session->connection), .events = POLLOUT};
        if (poll(&writable, 1, LONGEST_WAIT) == 0) fail("PostgreSQL takes nothing");
    }
    if (left < 0) complain(session);
}

static void sync_and_flush(struct session *session) {
    if (!PQpipelineSync(session->connection)) complain(session);
    flush(session);
}

static void queue(struct session *session, const char *statement, int count, const char *const *values) {
    if (!PQsendQueryPrepared(session->connection, statement, count, values, NULL, NULL, 0)) complain(session);
}

static void queue_rows(struct session *session) {
    const struct job *job = session->job;
    const char *disk[] = {job->id, job->user, job->disk, job->size}, *event[] = {job->id, job->body};
    const int lengths[] = {0, (int)strlen(job->body)}, formats[] = {0, 1};
    queue(session, "disk", 4, disk);
    if (!PQsendQueryPrepared(session->connection, "outbox", 2, event, lengths, formats, 0)) complain(session);
}

// The first of two round trips.
static void claim(struct session *session) {
    const char *id[] = {session->job->id};
    session->is_claiming = true;
    queue(session, "begin", 0, NULL);
    queue(session, "ledger", 1, id);
    PQsendFlushRequest(session->connection);
    flush(session);
}

// The second, when the first has told whether the ledger's row is new.
static void go_on(struct session *session, bool is_new) {
    session->is_claiming = false;
    session->job->is_new = is_new;
    if (is_new) queue_rows(session);
    queue(session, is_new ? "commit" : "rollback", 0, NULL);
    sync_and_flush(session);
}

// One round trip is one implicit transaction, which ends with the Sync.
static void write_all(struct session *session) {
    const char *id[] = {session->job->id};
    session->job->is_new = true;
    queue(session, "ledger", 1, id);
    queue_rows(session);
    sync_and_flush(session);
}

static struct session *free_session(void) {
    for (int index = 0; index < SESSIONS; index++)
        if (!sessions[index].is_busy) return &sessions[index];
    return NULL;
}

bool start_job(struct job *job) {
    struct session *session = deletable_count > MOST_DELETABLE - WINDOW ? NULL : free_session();
    if (!session) return false;
    session->job = job;
    if (round_trips == 1) write_all(session);
    else claim(session);
    return true;
}

static void end_transaction(struct session *session) {
    struct job *job = session->job;
    session->job = NULL;
    session->is_busy = false;
    note_progress();
    if (!job) return;
    if (job->is_new) publish(job);
    else job->is_done = true;
}

static bool is_duplicate(const PGresult *error) {
    const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE), *table = PQresultErrorField(error, PG_DIAG_TABLE_NAME);
    return state && table && strcmp(state, "23505") == 0 && strcmp(table, "job_ledger") == 0;
}

static void take_result(struct session *session, PGresult *result) {
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC: end_transaction(session); break;
    case PGRES_TUPLES_OK: session->job->outbox_id = atoll(PQgetvalue(result, 0, 0)); break;
    case PGRES_COMMAND_OK:
        if (session->is_claiming && strncmp(PQcmdStatus(result), "INSERT", 6) == 0)
            go_on(session, strcmp(PQcmdTuples(result), "1") == 0);
        break;
    case PGRES_PIPELINE_ABORTED: break;
    default:
        if (!session->job || !is_duplicate(result)) fail("PostgreSQL: %s", PQresultErrorMessage(result));
        session->job->is_new = false;
    }
}

void read_session(int index) {
    struct session *session = &sessions[index];
    if (!PQconsumeInput(session->connection)) complain(session);
    while (session->is_busy && !PQisBusy(session->connection)) {
        PGresult *result = PQgetResult(session->connection);
        if (result) take_result(session, result);
        PQclear(result);
    }
}

void note_deletable(int64_t outbox_id) { deletable[deletable_count++] = outbox_id; }

// Takes the first ids off, as PostgreSQL reads an array.
static const char *take_deletable(void) {
    static char text[22 * DELETED_AT_ONCE + 2];
    size_t length = 0;
    int count = deletable_count < DELETED_AT_ONCE ? deletable_count : DELETED_AT_ONCE;
    for (int index = 0; index < count; index++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%c%" PRId64, index ? ',' : '{', deletable[index]);
    memcpy(text + length, "}", 2);
    deletable_count -= count;
    memmove(deletable, deletable + count, (size_t)deletable_count * sizeof *deletable);
    return text;
}

void delete_confirmed(void) {
    bool is_time = deletable_count >= DELETED_AT_ONCE || now() - last_deletion >= DELETE_EVERY;
    if (cleaner->is_busy || deletable_count == 0 || !is_time) return;
    const char *ids[] = {take_deletable()};
    queue(cleaner, "delete", 1, ids);
    sync_and_flush(cleaner);
    last_deletion = now();
}

int read_leftovers(struct job *jobs) {
    PGresult *rows = PQexecParams(cleaner->connection,
        "SELECT id::text, correlation_id, body FROM outbox ORDER BY id LIMIT 256", 0, NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus(rows) != PGRES_TUPLES_OK) complain(cleaner);
    int count = PQntuples(rows);
    for (int row = 0; row < count; row++) {
        struct job *job = &jobs[row];
        job->outbox_id = atoll(PQgetvalue(rows, row, 0));
        snprintf(job->id, sizeof job->id, "%s", PQgetvalue(rows, row, 1));
        snprintf(job->body, sizeof job->body, "%.*s", PQgetlength(rows, row, 2), PQgetvalue(rows, row, 2));
    }
    PQclear(rows);
    return count;
}

void delete_leftovers(void) {
    const char *ids[] = {take_deletable()};
    PGresult *result = PQexecPrepared(cleaner->connection, "delete", 1, ids, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) complain(cleaner);
    PQclear(result);
}
