-- Whoever was there at two deaths is a suspect, and a worker runs one of them at a time: a job that kills its worker
-- is found out alone, and those that only ran beside it come through.
CREATE UNIQUE INDEX job_ledger_suspect ON job_ledger (holder) WHERE state = 'running' AND starts > 2;
