-- A job may belong to a trace (W3C Trace Context): whoever enqueues it says where it happens. What is no traceparent is
-- left out, since a trace is nothing to fail for.
CREATE FUNCTION enqueue_job(kind text, payload jsonb, job_id uuid, run_at timestamptz, traceparent text)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    headers jsonb := jsonb_build_array(jsonb_build_array('x-requested-by', 'S', 'sql:' || session_user));
BEGIN
    IF kind IS NULL OR kind !~ '^[a-z0-9-]+(\.[a-z0-9-]+)+$' THEN
        RAISE EXCEPTION 'kind % is not a name such as disk.create', coalesce(quote_literal(kind), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(payload) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'the payload of % must be a JSON object', kind USING ERRCODE = 'invalid_parameter_value';
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

-- The one that producers know already, without a trace.
CREATE OR REPLACE FUNCTION enqueue_job(
    kind text, payload jsonb, job_id uuid DEFAULT gen_random_uuid(), run_at timestamptz DEFAULT now()
) RETURNS uuid LANGUAGE sql AS $$ SELECT enqueue_job(kind, payload, job_id, run_at, NULL) $$;
