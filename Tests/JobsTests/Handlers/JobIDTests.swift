import Jobs
import Testing

struct JobIDTests {
    @Test func `a job's successor is the same each time, another for each purpose and for each job`() {
        let (job, other) = (JobID(), JobID())
        #expect(job.derived(for: "release") == job.derived(for: "release"))
        #expect(job.derived(for: "release") != job.derived(for: "capture"))
        #expect(job.derived(for: "release") != other.derived(for: "release"))
        #expect(JobID(job.derived(for: "release").description) == job.derived(for: "release"))
    }
}
