-- What was asked of the ledger by time read all of it: once pruned space is used again, rows no longer lie in the order of
-- their times, and a BRIN index finds nearly every page worth reading.
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_ledger_times ON job_ledger (created_at);
DROP INDEX CONCURRENTLY IF EXISTS job_ledger_created_at;
-- A fiftieth of the table, not a fifth, may be dead or new before it is cleaned up and counted.
ALTER TABLE job_ledger SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
