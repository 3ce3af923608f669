-- Who asked for a job: whom the producer named in x-requested-by, and the producer's account that RabbitMQ has validated.
ALTER TABLE job_ledger ADD COLUMN requested_by text, ADD COLUMN broker_user text;

-- A producer in SQL needs the right to call enqueue_job and no right on any table: with INSERT on outbox it could forge
-- events, dead letters and names. So every form of the function runs as its owner, finds the tables in the schema where
-- they are and nowhere else, and nobody may call it who was not given the right. Those who could write to the outbox
-- until now keep it. A step that replaces one of these functions must say all this again.
DO $$
DECLARE
    form regprocedure;
    writer name;
BEGIN
    FOR form IN
        SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proname = 'enqueue_job' AND n.nspname = current_schema()
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', form, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', form);
        FOR writer IN
            SELECT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
            WHERE c.oid = 'outbox'::regclass AND a.privilege_type = 'INSERT'
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', form, writer);
        END LOOP;
    END LOOP;
END $$;
