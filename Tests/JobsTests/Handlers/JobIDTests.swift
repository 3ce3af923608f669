import FoundationEssentials
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

    @Test func `a new id is a UUID of version 7 that sorts after those of earlier milliseconds`() async throws
    {
        let before = UInt64(Date().timeIntervalSince1970 * 1000)
        let job = JobID()
        try await Task.sleep(for: .milliseconds(2))
        #expect(job.description < JobID().description)
        let digits = job.description.filter { $0 != "-" }
        let milliseconds = try #require(UInt64(digits.prefix(12), radix: 16))
        #expect((before...before + 60_000).contains(milliseconds))
        #expect(Array(digits)[12] == "7" && "89ab".contains(Array(digits)[16]))
        #expect(JobID() != JobID())
    }
}
