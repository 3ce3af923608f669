-- The three roles of docs/operations.md, with what each may do. The role that owns the tables runs this in their database
-- and schema: before the first replica starts, and after each migration.
--
--     psql --single-transaction --variable ON_ERROR_STOP=1 --file docs/database-roles.sql "$DATABASE_URL_OF_THE_OWNER"
--
-- They cannot log in; a login is a member of one: GRANT gpudev_producer TO api.
DO $$
DECLARE
    role text;
    target text;
    verbs text;
    form regprocedure;
    place text := quote_ident(current_schema());
BEGIN
    FOREACH role IN ARRAY ARRAY['gpudev_worker', 'gpudev_producer', 'gpudev_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %s FROM %I', place, role);
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', place, role);
    END LOOP;

    -- The worker: these tables and these verbs.
    FOR target, verbs IN VALUES
        ('reservations', 'SELECT, UPDATE'),
        ('disks', 'SELECT, INSERT, UPDATE, DELETE'),
        ('gpu_types', 'SELECT, UPDATE'),
        ('domain_mappings', 'SELECT, INSERT, UPDATE, DELETE'),
        ('alb_target_groups', 'SELECT, INSERT, UPDATE, DELETE'),
        ('snapshot_deletions', 'SELECT, INSERT, UPDATE, DELETE'),
        ('job_ledger', 'SELECT, INSERT, UPDATE, DELETE'),
        ('job_attempts', 'SELECT, INSERT'),
        ('job_schedules', 'SELECT, INSERT, UPDATE, DELETE'),
        ('outbox', 'SELECT, INSERT, UPDATE, DELETE'),
        ('workers', 'SELECT, INSERT, UPDATE, DELETE'),
        ('schema_migrations', 'SELECT')
    LOOP
        IF to_regclass(target) IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %I TO gpudev_worker', verbs, target);
        END IF;
    END LOOP;
    -- A table that a later migration adds is needed before this file is run again; that takes back what is too much.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gpudev_worker', place);

    -- A producer: enqueue_job and enqueue_jobs, and no table. A form that an older version left is as good as any.
    FOR form IN
        SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proname IN ('enqueue_job', 'enqueue_jobs') AND n.nspname = current_schema()
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO gpudev_producer, gpudev_worker', form);
    END LOOP;

    -- A reader: what the commands show, and what KEDA counts. Payloads are users' data.
    FOREACH target IN ARRAY ARRAY['job_ledger', 'job_attempts', 'job_schedules', 'outbox', 'workers', 'schema_migrations'] LOOP
        IF to_regclass(target) IS NOT NULL THEN
            EXECUTE format('GRANT SELECT ON %I TO gpudev_reader', target);
        END IF;
    END LOOP;
END $$;
