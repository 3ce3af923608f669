import AWS
import Jobs
import Testing

@testable import Reservations

@Suite struct `The listing of a disk` {
    @Test func `lies where the names of disk and user and its job say`() throws {
        let disk = HeldDisk(user: "alice@example.com", name: "home", release: nil)
        let job = try #require(JobID("0b6e7ab0-1f0e-4b53-8f5d-b0d2b1f0a6b1"))
        #expect(
            ContentsStore.object(in: "contents", of: disk, by: job).description
                == "s3://contents/alice%40example.com/home/0b6e7ab0-1f0e-4b53-8f5d-b0d2b1f0a6b1-contents.txt"
        )
    }
}
