/// A payload that may ask for a dry run, in which a job only tells what it would do.
package protocol DryRunPayload: JobPayload {
    var isDryRun: Bool { get }
}

extension Job where Payload: DryRunPayload {
    /// Whether nothing may be destroyed: by the payload's wish, or since the whole worker runs dry.
    package var isDryRun: Bool { self.context.isDryRun || self.payload.isDryRun }
}
