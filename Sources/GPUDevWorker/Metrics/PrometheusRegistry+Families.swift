import Prometheus

extension PrometheusRegistry {
    /// A registry with every metric that a worker tells; docs/metrics.md says more of each.
    static func ofWorker() -> PrometheusRegistry { PrometheusRegistry(Self.families) }

    private static let families = [
        MetricFamily(
            "gpudev_jobs_total",
            .counter,
            "Starts of jobs by what became of them, counted once the ledger has it."
        ),
        MetricFamily("gpudev_jobs_dead_total", .counter, "The deaths among them, by reason."),
        MetricFamily(
            "messaging_process_duration_seconds",
            .histogram([0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 240]),
            """
            How long a start ran, from its claim (from its delivery where a kind only writes rows) \
            until its outcome was committed.
            """
        ),
        MetricFamily(
            "gpudev_job_wait_seconds",
            .histogram([1, 2, 5, 15, 30, 60, 120, 300, 900, 3600]),
            """
            How long a job waited for its first start, from the timestamp of its message, which has \
            whole seconds, until a slot took it.
            """
        ),
        MetricFamily("gpudev_jobs_running", .gauge, "Starts that run now."),
        MetricFamily("gpudev_job_slots", .gauge, "How many may run at once (WORKER_CONCURRENCY)."),
        MetricFamily("gpudev_lane_slots", .gauge, "How many of them the jobs of a queue can have at most."),
        MetricFamily("gpudev_lane_slots_taken", .gauge, "How many of them the jobs of a queue have now."),
        MetricFamily("gpudev_lane_waiting", .gauge, "Deliveries of a queue that are here and wait."),
        MetricFamily(
            "gpudev_jobs_busy_total",
            .counter,
            """
            Starts put off for a second because another start holds the job, or the disk or \
            reservation that it needs alone.
            """
        ),
        MetricFamily("gpudev_duplicates_total", .counter, "Messages of jobs that had ended before, dropped."),
        MetricFamily(
            "gpudev_starts_quarantined_total",
            .counter,
            """
            Starts of a job that two starts before left without an outcome: it runs alone, as it may \
            kill its worker.
            """
        ),
        MetricFamily(
            "messaging_client_consumed_messages_total",
            .counter,
            "Messages that the queues handed out."
        ),
        MetricFamily(
            "gpudev_redeliveries_total",
            .counter,
            "Those among them that had been handed out before."
        ),
        MetricFamily(
            "messaging_client_sent_messages_total",
            .counter,
            "Messages that were published, by what the broker said."
        ),
        MetricFamily(
            "messaging_client_operation_duration_seconds",
            .histogram([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 6]),
            "From publishing a batch of messages until all of it was confirmed."
        ),
        MetricFamily(
            "gpudev_publishing_blocked",
            .gauge,
            "1 while the broker takes nothing (connection.blocked): memory or disk alarm."
        ),
        MetricFamily(
            "gpudev_queue_messages",
            .gauge,
            "Messages that are ready to be handed out; in a dead queue, its dead-letter messages."
        ),
        MetricFamily("gpudev_queue_consumers", .gauge, "Consumers of a queue, of all replicas."),
        MetricFamily(
            "gpudev_dead_oldest_seconds",
            .gauge,
            """
            How long ago the oldest job died, by the ledger, that was not replayed since; 0 where \
            the dead queue is empty.
            """
        ),
        MetricFamily(
            "gpudev_outbox_rows",
            .gauge,
            """
            Rows that are due, or will be later (retries, snoozes, delayed jobs, and for five \
            seconds what a worker has just committed).
            """
        ),
        MetricFamily(
            "gpudev_outbox_oldest_seconds",
            .gauge,
            "How long the oldest due row has been due; 0 if none is."
        ),
        MetricFamily(
            "gpudev_outbox_set_aside_rows",
            .gauge,
            "Rows that can never be sent and wait for a person."
        ),
        MetricFamily(
            "gpudev_schedules_failed",
            .gauge,
            "Schedules that disabled themselves because their jobs could not be enqueued."
        ),
        MetricFamily(
            "gpudev_ready",
            .gauge,
            """
            What /readyz is made of: each connection to RabbitMQ is up, PostgreSQL takes writes, the \
            schema is current.
            """
        ),
        MetricFamily("gpudev_connection_up", .gauge, "Whether the connection stands."),
        MetricFamily("gpudev_reconnects_total", .counter, "Connections made after the first one."),
        MetricFamily("db_client_connection_count", .gauge, "Connections to PostgreSQL in a pool."),
        MetricFamily("db_client_connection_max", .gauge, "The most that the pool may have."),
        MetricFamily(
            "db_client_connection_pending_requests",
            .gauge,
            "Callers that wait for a connection now."
        ),
        MetricFamily(
            "db_client_connection_wait_time_seconds",
            .histogram([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]),
            "How long those waited that had to, until they had one."
        ),
        MetricFamily("db_client_connection_timeouts_total", .counter, "Callers that got none in time."),
        MetricFamily(
            "gpudev_aws_calls_total",
            .counter,
            "Requests that were sent, retries included, by what AWS answered."
        ),
        MetricFamily(
            "gpudev_aws_call_duration_seconds",
            .histogram([0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]),
            "From sending a request to the end of its answer."
        ),
        MetricFamily(
            "gpudev_kubernetes_calls_total",
            .counter,
            "Requests to the API server, retries included."
        ),
        MetricFamily(
            "gpudev_reconcile_items",
            .gauge,
            "What the last disk.reconcile-all found and did that this replica ran."
        ),
        MetricFamily(
            "gpudev_disks_unclear_total",
            .counter,
            "Times that a disk was left alone, since it is unclear where its newest data is."
        ),
        MetricFamily(
            "gpudev_prune_deferred_snapshots",
            .gauge,
            "Snapshots that the last disk.prune-snapshots of this replica left to later runs."
        ),
        MetricFamily("gpudev_reconcile_last_run_timestamp_seconds", .gauge, "When that run ended."),
        MetricFamily(
            "gpudev_sweep_deferred_total",
            .counter,
            "What sweeps of reservations left to later runs, counted once for each run."
        ),
        MetricFamily(
            "gpudev_loop_lateness_seconds",
            .histogram([0.25, 0.5, 1, 2.5, 5, 10]),
            "Turns of an event loop that took longer than 100 ms, and so held everybody else up."
        ),
        MetricFamily("gpudev_build_info", .gauge, "Which program runs."),
        MetricFamily("process_cpu_seconds_total", .counter, "CPU time, of user and kernel."),
        MetricFamily("process_resident_memory_bytes", .gauge, "Memory that is resident."),
        MetricFamily("process_open_fds", .gauge, "Open descriptors."),
        MetricFamily("process_max_fds", .gauge, "The most that may be open."),
        MetricFamily("process_start_time_seconds", .gauge, "When the process began."),
    ]
}
