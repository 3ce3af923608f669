-- What the worker keeps for itself: one row a job, one row a failed try, and the messages that must go out.

CREATE TABLE job_ledger (
    job_id        uuid PRIMARY KEY,
    kind          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'waiting', 'succeeded', 'dead', 'cancelled')),
    attempts      integer NOT NULL DEFAULT 0,   -- tries of the handler that ended in success, retry or death
    starts        integer NOT NULL DEFAULT 0,   -- starts since the last fate; too many of them are a poison job
    snoozes       integer NOT NULL DEFAULT 0,
    turns         integer NOT NULL DEFAULT 0,   -- how often it was put off, by a message that carries this number
    replays       integer NOT NULL DEFAULT 0,
    deaths        integer NOT NULL DEFAULT 0,
    worker        text,                         -- who started it last
    started_at    timestamptz,                  -- of a start that has no fate yet
    previous_start timestamptz,                 -- of the start before it, if that was left without a fate
    holder        bigint,                       -- the advisory lock that this worker holds while it lives
    claimed_until timestamptz,
    exclusive_key text,                         -- what no two running jobs may touch, such as disk:alice/home
    error_code    text,
    error         text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    waiting_since timestamptz,                  -- the first snooze; a snooze may not go on for ever
    finished_at   timestamptz
);

CREATE UNIQUE INDEX job_ledger_exclusive_key ON job_ledger (exclusive_key) WHERE state = 'running';
CREATE INDEX job_ledger_unfinished ON job_ledger (created_at) WHERE state IN ('running', 'waiting', 'dead');
-- Rows arrive nearly in the order of their times, so this stays a few pages however many jobs there are.
CREATE INDEX job_ledger_created_at ON job_ledger USING brin (created_at);

CREATE TABLE job_attempts (
    job_id      uuid NOT NULL REFERENCES job_ledger ON DELETE CASCADE,
    attempt     integer NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    fate        text NOT NULL CHECK (fate IN ('retry', 'dead')),
    code        text NOT NULL DEFAULT '',
    error       text NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, attempt)
);

CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    available_at   timestamptz NOT NULL DEFAULT now(),
    destination    text NOT NULL CHECK (destination IN ('jobs', 'events', 'dead')),  -- the exchange, without prefix
    routing_key    text NOT NULL,
    message_id     text,
    type           text,
    content_type   text,
    correlation_id text,
    headers        jsonb,                       -- array of [name, AMQP type letter, value]
    properties     jsonb,                       -- the other properties, where there are any
    body           bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX outbox_due ON outbox (available_at, id);
-- The table is always nearly empty and always churning: clean up after few dead rows, whatever its size was.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE job_schedules (
    name        text PRIMARY KEY,
    kind        text NOT NULL,
    payload     jsonb NOT NULL DEFAULT '{}',
    every       interval NOT NULL CHECK (every >= interval '1 second'),
    next_run_at timestamptz NOT NULL DEFAULT now(),
    is_enabled  boolean NOT NULL DEFAULT true,
    last_job_id uuid,
    last_run_at timestamptz
);

-- Moves a running job to its fate, on condition that this very start still holds it. A worker that was overtaken
-- gets SQLSTATE GW001, which undoes all else in its transaction.
CREATE FUNCTION settle_job(
    settled_id uuid, by_holder bigint, by_start integer,
    to_state text, uses_attempt boolean, with_code text, with_error text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_ledger SET
        state = to_state,
        attempts = attempts + uses_attempt::integer,
        starts = CASE to_state WHEN 'succeeded' THEN starts ELSE 0 END,
        snoozes = snoozes + (to_state = 'waiting' AND NOT uses_attempt)::integer,
        turns = turns + (to_state = 'waiting')::integer,
        waiting_since = CASE WHEN to_state = 'waiting' AND NOT uses_attempt THEN coalesce(waiting_since, now()) END,
        deaths = deaths + (to_state = 'dead')::integer,
        holder = NULL,
        started_at = NULL,
        previous_start = NULL,
        claimed_until = NULL,
        error_code = with_code,
        error = with_error,
        finished_at = CASE WHEN to_state IN ('succeeded', 'dead') THEN now() END
    WHERE job_id = settled_id AND state = 'running' AND holder = by_holder AND starts = by_start;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the claim of job % is lost', settled_id USING ERRCODE = 'GW001';
    END IF;
END $$;

-- For producers that already talk to PostgreSQL: the job is enqueued if and only if their transaction commits.
CREATE FUNCTION enqueue_job(
    kind text, payload jsonb, job_id uuid DEFAULT gen_random_uuid(), run_at timestamptz DEFAULT now()
) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    IF kind IS NULL OR kind !~ '^[a-z0-9-]+(\.[a-z0-9-]+)+$' THEN
        RAISE EXCEPTION 'kind % is not a name such as disk.create', coalesce(quote_literal(kind), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(payload) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'the payload of % must be a JSON object', kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    job_id := coalesce(job_id, gen_random_uuid());
    INSERT INTO outbox (available_at, destination, routing_key, message_id, type, content_type, headers, body)
    VALUES (coalesce(run_at, now()), 'jobs', kind, job_id::text, kind, 'application/json',
        jsonb_build_array(jsonb_build_array('x-requested-by', 'S', 'sql:' || session_user)),
        convert_to(payload::text, 'UTF8'));
    NOTIFY gpudev_outbox;
    RETURN job_id;
END $$;

-- Enqueues every schedule whose time has come, once for all replicas: the rows that another one is at are skipped.
-- Periods that were missed while nobody ran are not made up for.
CREATE FUNCTION enqueue_due_schedules() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    due job_schedules;
    enqueued integer := 0;
BEGIN
    FOR due IN SELECT * FROM job_schedules WHERE is_enabled AND next_run_at <= now() FOR UPDATE SKIP LOCKED LOOP
        UPDATE job_schedules SET
            last_job_id = enqueue_job(due.kind, due.payload),
            last_run_at = now(),
            next_run_at = CASE WHEN due.next_run_at + due.every > now() THEN due.next_run_at ELSE now() END + due.every
        WHERE name = due.name;
        enqueued := enqueued + 1;
    END LOOP;
    RETURN enqueued;
END $$;
