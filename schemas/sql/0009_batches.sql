-- Many jobs in one call, jobs that stand for something (while one of a unique key is unfinished, whoever asks for another
-- gets that one), and ids in the order of time.

ALTER TABLE job_ledger ADD COLUMN unique_key text;

CREATE UNIQUE INDEX job_ledger_unique_key ON job_ledger (unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('running', 'waiting');

-- As before, but that a dead job stands for nothing any more: when it is replayed, another may.
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
        unique_key = CASE WHEN to_state <> 'dead' THEN unique_key END,
        error_code = with_code,
        error = with_error,
        finished_at = CASE WHEN to_state IN ('succeeded', 'dead') THEN now() END
    WHERE job_id = settled_id AND state = 'running' AND holder = by_holder AND starts = by_start;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the claim of job % is lost', settled_id USING ERRCODE = 'GW001';
    END IF;
END $$;

-- A UUID of version 7 (RFC 9562): milliseconds since 1970, then chance. Ids that are made one after the other lie side by
-- side in the index of the ledger, so that however large it is, the few pages are at hand that a new job needs.
CREATE FUNCTION new_job_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_byte(id, 6, 112 | (get_byte(id, 6) & 15)), 'hex')::uuid
    FROM (SELECT overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1)) AS made (id)
$$;

-- As before, with an id in the order of time where none is given.
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
    job_id := coalesce(job_id, new_job_id());
    INSERT INTO outbox (available_at, destination, routing_key, message_id, type, content_type, headers, body)
    VALUES (coalesce(run_at, now()), 'jobs', kind, job_id::text, kind, 'application/json', headers,
        convert_to(payload::text, 'UTF8'));
    NOTIFY gpudev_outbox;
    RETURN job_id;
END $$;

CREATE OR REPLACE FUNCTION enqueue_job(
    kind text, payload jsonb, job_id uuid DEFAULT NULL, run_at timestamptz DEFAULT now()
) RETURNS uuid LANGUAGE sql AS $$ SELECT enqueue_job(kind, payload, job_id, run_at, NULL) $$;

-- Enqueues the jobs of an array of objects: all of them, or none where one is at fault; the error names its place, from 1.
-- The members of an object are kind and payload, and what may be left out: job_id, run_at, unique_key, traceparent. There
-- is a row for each job, in the order of the array: its id, and whether it is new. A job that is not new has been enqueued
-- under its id before, or another unfinished one holds its unique key, whose id is given then.
CREATE FUNCTION enqueue_jobs(jobs jsonb) RETURNS TABLE (job_id uuid, is_new boolean) LANGUAGE plpgsql AS $$
DECLARE
    item record;
    asked_by text := 'sql:' || session_user;
    ids uuid[] := '{}';
    news boolean[] := '{}';
    kinds text[] := '{}';
    times timestamptz[] := '{}';
    traces text[] := '{}';
    payloads text[] := '{}';
    of_kind text;
    of_key text;
    known uuid;
    reason text;
BEGIN
    IF jsonb_typeof(jobs) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'the jobs must be a JSON array' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR item IN SELECT value AS job, ordinality AS place FROM jsonb_array_elements(jobs) WITH ORDINALITY LOOP
        of_kind := CASE WHEN jsonb_typeof(item.job) = 'object' THEN item.job ->> 'kind' END;
        of_key := CASE WHEN jsonb_typeof(item.job) = 'object' THEN item.job ->> 'unique_key' END;
        reason := CASE
            WHEN jsonb_typeof(item.job) <> 'object' THEN 'must be a JSON object'
            WHEN item.job - '{kind,payload,job_id,run_at,unique_key,traceparent}'::text[] <> '{}' THEN 'has a member '
                || (SELECT quote_ident(name) FROM jsonb_object_keys(
                    item.job - '{kind,payload,job_id,run_at,unique_key,traceparent}'::text[]) AS name LIMIT 1)
                || ', which is none of kind, payload, job_id, run_at, unique_key and traceparent'
            WHEN NOT coalesce(is_job_kind(of_kind), false) THEN
                'kind ' || coalesce(quote_literal(left(of_kind, 300)), 'NULL') || ' is not a name such as disk.create'
            WHEN jsonb_typeof(item.job -> 'payload') IS DISTINCT FROM 'object' THEN 'the payload must be a JSON object'
            WHEN octet_length(item.job ->> 'payload') > 1048576 THEN 'the payload is over 1 MiB'
            WHEN of_key = '' OR octet_length(of_key) > 1000 THEN 'unique_key must have 1 to 1000 bytes'
        END;
        IF reason IS NULL THEN
            BEGIN
                ids := ids || coalesce((item.job ->> 'job_id')::uuid, new_job_id());
                times := times || coalesce((item.job ->> 'run_at')::timestamptz, now());
            EXCEPTION WHEN data_exception THEN
                GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
            END;
        END IF;
        IF reason IS NULL AND NOT isfinite(times[item.place]) THEN
            reason := 'run_at must be finite';
        END IF;
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION 'job %: %', item.place, reason USING ERRCODE = 'invalid_parameter_value';
        END IF;
        kinds := kinds || of_kind;
        payloads := payloads || (item.job ->> 'payload');
        traces := traces || CASE WHEN item.job ->> 'traceparent' ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
            THEN item.job ->> 'traceparent' END;
        known := NULL;
        IF of_key IS NULL THEN
            SELECT l.job_id INTO known FROM job_ledger l WHERE l.job_id = ids[item.place];
        ELSE
            -- A holder that ends in between leaves its key to the next turn.
            LOOP
                INSERT INTO job_ledger AS l (job_id, kind, state, requested_by, unique_key)
                    VALUES (ids[item.place], of_kind, 'waiting', asked_by, of_key) ON CONFLICT DO NOTHING;
                EXIT WHEN FOUND;
                SELECT l.job_id INTO known FROM job_ledger l
                    WHERE l.job_id = ids[item.place]
                        OR l.unique_key = of_key AND l.state IN ('running', 'waiting')
                    ORDER BY l.job_id = ids[item.place] DESC LIMIT 1;
                EXIT WHEN FOUND;
            END LOOP;
        END IF;
        news := news || (known IS NULL);
        ids[item.place] := coalesce(known, ids[item.place]);
    END LOOP;

    INSERT INTO outbox (available_at, destination, routing_key, message_id, type, content_type, headers, body)
    SELECT j.run_at, 'jobs', j.kind, j.id::text, j.kind, 'application/json',
        jsonb_build_array(jsonb_build_array('x-requested-by', 'S', asked_by)) || CASE WHEN j.trace IS NULL THEN '[]'
            ELSE jsonb_build_array(jsonb_build_array('traceparent', 'S', j.trace)) END,
        convert_to(j.payload, 'UTF8')
    FROM unnest(ids, news, kinds, times, traces, payloads) WITH ORDINALITY
        AS j (id, is_new, kind, run_at, trace, payload, place)
    WHERE j.is_new ORDER BY j.place;
    IF FOUND THEN
        NOTIFY gpudev_outbox;
    END IF;
    RETURN QUERY SELECT j.id, j.is_new FROM unnest(ids, news) WITH ORDINALITY AS j (id, is_new, place) ORDER BY j.place;
END $$;

-- All of these run as their owner and find its tables; who may call enqueue_job may call enqueue_jobs.
DO $$
DECLARE
    form regprocedure;
    caller name;
BEGIN
    FOR form IN
        SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proname IN ('enqueue_job', 'enqueue_jobs') AND n.nspname = current_schema()
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', form, current_schema());
    END LOOP;
    REVOKE EXECUTE ON FUNCTION enqueue_jobs(jsonb) FROM PUBLIC;
    FOR caller IN
        SELECT DISTINCT r.rolname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
            aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE p.proname = 'enqueue_job' AND n.nspname = current_schema() AND a.privilege_type = 'EXECUTE'
            AND r.oid <> p.proowner
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION enqueue_jobs(jsonb) TO %I', caller);
    END LOOP;
END $$;
