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

    /// The same for every publication of the same ending, so that consumers can drop repeats.
    package let id: String

    /// The CloudEvents type, which is the routing key too: `disk.create.completed`.
    package let type: String

    package let job: JobID
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
        switch ending {
        case .completed: (self.id, self.type) = ("\(job).completed", "\(kind).completed")
        case .failed(let death): (self.id, self.type) = ("\(job).failed.\(death)", "\(kind).failed")
        }
        self.job = job
        self.subject = subject
        self.time = time
        self.requester = requester
        self.trace = trace
        self.data = data
    }

    /// How each body begins.
    private static let beginning =
        #"{"specversion":"1.0","source":"\#(source)","datacontenttype":"application/json""#

    /// The body of the message.
    package func encoded() -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(640)
        body.append(utf8: Self.beginning)
        body.appendJSON(#","id":"#, self.id)
        body.appendJSON(#","type":"#, self.type)
        if let subject { body.appendJSON(#","subject":"#, subject.description) }
        body.appendJSON(#","time":"#, self.time)
        body.appendJSON(#","jobid":"#, self.job.description)
        if let name = self.requester.requestedBy { body.appendJSON(#","requestedby":"#, name) }
        if let user = self.requester.brokerUser { body.appendJSON(#","brokeruser":"#, user) }
        if let trace { body.appendJSON(#","traceparent":"#, trace.traceparent) }
        if let state = self.trace?.state { body.appendJSON(#","tracestate":"#, state) }
        body.append(utf8: #","data":"#)
        self.data.append(to: &body)
        body.append(UInt8(ascii: "}"))
        return body
    }
}
