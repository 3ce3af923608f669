-- Every snapshot that the worker deletes, written down before it goes: what may go in an hour is counted here, and a
-- person can read who deleted what.

CREATE TABLE snapshot_deletions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    snapshot_id text NOT NULL,
    user_id     text,                           -- of the disk, as far as the snapshot's tags tell
    disk_name   text,
    cause       text NOT NULL CHECK (cause IN ('superfluous', 'purged', 'safety-copy')),
    job_id      uuid NOT NULL
);

CREATE INDEX snapshot_deletions_claimed_at ON snapshot_deletions (claimed_at);

-- Null if as many as may go in an hour have gone within the last one. A snapshot that was claimed within the hour and
-- is still there is the same deletion, tried again.
CREATE FUNCTION claim_snapshot_deletion(
    doomed text, of_user text, of_disk text, for_cause text, by_job uuid, per_hour integer
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    claim bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('snapshot_deletions'));
    SELECT id INTO claim FROM snapshot_deletions
        WHERE snapshot_id = doomed AND claimed_at > now() - interval '1 hour' LIMIT 1;
    IF claim IS NOT NULL THEN
        RETURN claim;
    END IF;
    IF (SELECT count(*) FROM snapshot_deletions WHERE claimed_at > now() - interval '1 hour') >= per_hour THEN
        RETURN NULL;
    END IF;
    INSERT INTO snapshot_deletions (snapshot_id, user_id, disk_name, cause, job_id)
        VALUES (doomed, of_user, of_disk, for_cause, by_job) RETURNING id INTO claim;
    RETURN claim;
END $$;
