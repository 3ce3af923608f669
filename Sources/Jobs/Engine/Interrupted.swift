/// The job was stopped through no fault of its own: the worker ends, or PostgreSQL stayed away until it did.
struct Interrupted: Error {}

/// A statement of a job's transaction did not find what it needed: the row has changed since the job looked.
struct WriteConflict: Error {}
