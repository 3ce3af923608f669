-- The workers that are there: each one writes down every few seconds that it has been seen. A lock that can be had shows
-- only that a session has ended; its worker may be about to open another one while its jobs go on.
CREATE TABLE workers (
    lock       bigint PRIMARY KEY,              -- the advisory lock that the worker holds while it lives
    name       text NOT NULL,
    version    text NOT NULL,
    queues     text[] NOT NULL,
    slots      integer NOT NULL,                -- how many jobs it runs at once
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- A few rows that are written all the time, each in place.
ALTER TABLE workers SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Whether the worker that holds this lock is dead: the lock is free, and it has not been seen for twelve seconds. A worker
-- that has not been able to write for seven seconds stops what it does by itself. After a restart of PostgreSQL all have
-- twelve seconds to be seen again. A worker that ends in order deletes its row, and one of a release before this table
-- has none: for these a free lock alone is death.
CREATE FUNCTION is_dead_worker(holder bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN EXISTS (
        SELECT FROM workers
        WHERE lock = holder AND greatest(seen_at, pg_postmaster_start_time()) > now() - interval '12 seconds')
    THEN false ELSE pg_try_advisory_xact_lock_shared(holder) END
$$;

-- When a job may start again that was left without a fate so many times in a row. From the second time on the pauses
-- grow, so that a minute of crashes for an outside reason is no proof against a job.
CREATE FUNCTION earliest_restart(starts integer, last_start timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN starts < 2 OR last_start IS NULL THEN '-infinity'
        ELSE last_start + least(300, 10 * 2 ^ least(starts - 2, 10)) * interval '1 second' END
$$;

-- As before, but that a snooze takes back only the start that it ends: starts that were left without a fate are counted
-- until an attempt ends.
CREATE OR REPLACE FUNCTION settle_job(
    settled_id uuid, by_holder bigint, by_start integer,
    to_state text, uses_attempt boolean, with_code text, with_error text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_ledger SET
        state = to_state,
        attempts = attempts + uses_attempt::integer,
        starts = CASE WHEN to_state = 'succeeded' THEN starts
            WHEN to_state = 'waiting' AND NOT uses_attempt THEN greatest(starts - 1, 0) ELSE 0 END,
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

-- Holds a claim for longer, on condition that this very start still has it.
CREATE FUNCTION renew_claim(renewed_id uuid, by_holder bigint, by_start integer, until_when timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_ledger SET claimed_until = until_when
    WHERE job_id = renewed_id AND state = 'running' AND holder = by_holder AND starts = by_start;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the claim of job % is lost', renewed_id USING ERRCODE = 'GW001';
    END IF;
END $$;
