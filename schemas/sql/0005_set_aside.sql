-- A schedule or an outgoing message that cannot work is put out of the way with its error, and stops nobody.

ALTER TABLE outbox
    ADD COLUMN tries integer NOT NULL DEFAULT 0,    -- how often it was published in vain; its pauses grow with it
    ADD COLUMN set_aside_at timestamptz,            -- since when it waits for a person, as no try can help it
    ADD COLUMN set_aside_error text,
    ADD COLUMN waits_for text,                      -- the exclusive key that its job waits for
    ADD COLUMN waits_since timestamptz;             -- since when; the longest wait is the next to end
ALTER TABLE job_schedules ADD COLUMN last_error text;   -- why its last run was not enqueued

-- They are empty nearly always.
CREATE INDEX outbox_set_aside ON outbox (set_aside_at) WHERE set_aside_at IS NOT NULL;
CREATE INDEX outbox_failing ON outbox (available_at, id) WHERE tries >= 3;
CREATE INDEX outbox_waiting ON outbox (waits_for, waits_since, id) WHERE waits_for IS NOT NULL;

-- What is there already and could never have worked. A row that is set aside is due in a year that no program of any
-- version waits for.
UPDATE outbox SET available_at = '9999-01-01 00:00:00+00', set_aside_at = now(),
    set_aside_error = 'it was due at ' || available_at WHERE NOT isfinite(available_at);
ALTER TABLE outbox ADD CONSTRAINT outbox_finite_times CHECK (isfinite(available_at));

CREATE FUNCTION is_job_kind(kind text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT kind ~ '^[a-z0-9-]+(\.[a-z0-9-]+)+$' AND octet_length(kind) <= 240
$$;

UPDATE job_schedules SET is_enabled = false, next_run_at = CASE WHEN isfinite(next_run_at) THEN next_run_at ELSE now() END,
    last_error = concat_ws('; ',
        CASE WHEN NOT is_job_kind(kind) THEN 'kind ' || quote_literal(left(kind, 300)) || ' is not a name such as disk.create' END,
        CASE WHEN jsonb_typeof(payload) <> 'object' THEN 'the payload must be a JSON object' END,
        CASE WHEN NOT isfinite(next_run_at) THEN 'the next run was due at ' || next_run_at END,
        CASE WHEN every > interval '10 years' THEN 'a period may not be longer than ten years' END)
WHERE NOT (is_job_kind(kind) AND jsonb_typeof(payload) = 'object' AND isfinite(next_run_at) AND every <= interval '10 years');
-- A schedule that rests may be anything, so that one which cannot work can always be stopped.
ALTER TABLE job_schedules ADD CONSTRAINT job_schedules_can_run CHECK (
    NOT is_enabled
    OR is_job_kind(kind) AND jsonb_typeof(payload) = 'object' AND isfinite(next_run_at) AND every <= interval '10 years');

CREATE OR REPLACE FUNCTION enqueue_job(kind text, payload jsonb, job_id uuid, run_at timestamptz, traceparent text)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    headers jsonb := jsonb_build_array(jsonb_build_array('x-requested-by', 'S', 'sql:' || session_user));
BEGIN
    IF NOT coalesce(is_job_kind(kind), false) THEN
        RAISE EXCEPTION 'kind % is not a name such as disk.create', coalesce(quote_literal(left(kind, 300)), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(payload) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'the payload of % must be a JSON object', kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(payload::text) > 1048576 THEN
        RAISE EXCEPTION 'the payload of % is over 1 MiB', kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT isfinite(coalesce(run_at, now())) THEN
        RAISE EXCEPTION 'run_at of % must be finite', kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN
        headers := headers || jsonb_build_array(jsonb_build_array('traceparent', 'S', traceparent));
    END IF;
    job_id := coalesce(job_id, gen_random_uuid());
    INSERT INTO outbox (available_at, destination, routing_key, message_id, type, content_type, headers, body)
    VALUES (coalesce(run_at, now()), 'jobs', kind, job_id::text, kind, 'application/json', headers,
        convert_to(payload::text, 'UTF8'));
    NOTIFY gpudev_outbox;
    RETURN job_id;
END $$;

-- Enqueues every schedule whose time has come, once for all replicas: the rows that another one is at are skipped.
-- Periods that were missed while nobody ran are not made up for, and a period passes without a job while the last one is
-- not done. That one counts as lost an hour after it was enqueued, or a day after its start. A schedule whose job cannot
-- be enqueued is disabled and keeps the error. What is not the schedule's own fault (a missing right, a full disk) is
-- left for the next time.
CREATE OR REPLACE FUNCTION enqueue_due_schedules() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    due job_schedules;
    next timestamptz;
    enqueued integer := 0;
    reason text;
BEGIN
    FOR due IN SELECT * FROM job_schedules WHERE is_enabled AND next_run_at <= now() FOR UPDATE SKIP LOCKED LOOP
        BEGIN
            next := CASE WHEN due.next_run_at + due.every > now() THEN due.next_run_at ELSE now() END + due.every;
            IF due.last_job_id IS NOT NULL AND coalesce(
                (SELECT state IN ('running', 'waiting') FROM job_ledger
                    WHERE job_id = due.last_job_id AND created_at > now() - interval '1 day'),
                due.last_run_at > now() - interval '1 hour')
            THEN
                UPDATE job_schedules SET next_run_at = next WHERE name = due.name;
            ELSE
                UPDATE job_schedules SET
                    last_job_id = enqueue_job(due.kind, due.payload), last_run_at = now(), next_run_at = next,
                    last_error = NULL
                WHERE name = due.name;
                enqueued := enqueued + 1;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
            IF left(SQLSTATE, 2) IN ('08', '25', '40', '42', '53', '54', '55', '57', '58', 'XX') THEN
                RAISE WARNING 'schedule % was not enqueued: %', due.name, reason;
            ELSE
                UPDATE job_schedules SET is_enabled = false, last_error = left(reason, 2000) WHERE name = due.name;
            END IF;
        END;
    END LOOP;
    RETURN enqueued;
END $$;

-- A job that waits for a key is due when its holder lets the key go, however that happens; the longest wait ends first.
CREATE FUNCTION end_longest_wait(for_key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE outbox SET available_at = now(), waits_for = NULL WHERE id = (
        SELECT id FROM outbox WHERE waits_for = for_key ORDER BY waits_since, id LIMIT 1 FOR UPDATE SKIP LOCKED);
    IF FOUND THEN
        NOTIFY gpudev_outbox;
    END IF;
END $$;

CREATE FUNCTION job_ledger_lets_key_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM end_longest_wait(OLD.exclusive_key);
    RETURN NULL;
END $$;

CREATE TRIGGER job_ledger_lets_key_go AFTER UPDATE OF state ON job_ledger FOR EACH ROW
    WHEN (OLD.state = 'running' AND NEW.state <> 'running' AND OLD.exclusive_key IS NOT NULL)
    EXECUTE FUNCTION job_ledger_lets_key_go();
