package import FoundationEssentials
package import Traces

/// What the worker publishes when a job has ended: CloudEvents 1.0 in structured JSON.
package struct CompletionEvent: Sendable {
    /// How the job ended; a job can die more than once, since it can be replayed.
    package enum Ending: Sendable, Equatable {
        case completed
        case failed(death: Int)
    }

    package static let contentType = "application/cloudevents+json"
    package static let source = "/gpudev-worker"

    package let job: JobID
    package let kind: JobKind
    package let ending: Ending
    package let subject: EventSubject?
    package let time: Date
    package let requester: Requester
    package let trace: TraceContext?
    package let data: any EventData

    package init(
        job: JobID,
        kind: JobKind,
        ending: Ending,
        subject: EventSubject?,
        time: Date,
        requester: Requester = .nobody,
        trace: TraceContext? = nil,
        data: any EventData,
    ) {
        self.job = job
        self.kind = kind
        self.ending = ending
        self.subject = subject
        self.time = time
        self.requester = requester
        self.trace = trace
        self.data = data
    }

    /// The same for every publication of the same ending, so that consumers can drop repeats.
    package var id: String {
        switch self.ending {
        case .completed: "\(self.job).completed"
        case .failed(let death): "\(self.job).failed.\(death)"
        }
    }

    /// The CloudEvents type, which is the routing key too: `disk.create.completed`.
    package var type: String { self.ending == .completed ? "\(self.kind).completed" : "\(self.kind).failed" }

    /// The body of the message.
    package func encoded() -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(640)
        body += #"{"specversion":"1.0","source":"\#(Self.source)","datacontenttype":"application/json""#.utf8
        body.appendJSON(",", "id", self.id)
        body.appendJSON(",", "type", self.type)
        if let subject { body.appendJSON(",", "subject", subject.description) }
        body.appendJSON(",", "time", self.time)
        body.appendJSON(",", "jobid", self.job.description)
        if let name = self.requester.requestedBy { body.appendJSON(",", "requestedby", name) }
        if let user = self.requester.brokerUser { body.appendJSON(",", "brokeruser", user) }
        if let trace { body.appendJSON(",", "traceparent", trace.traceparent) }
        if let state = self.trace?.state { body.appendJSON(",", "tracestate", state) }
        body += ",\"data\":".utf8
        self.data.append(to: &body)
        body.append(UInt8(ascii: "}"))
        return body
    }
}
