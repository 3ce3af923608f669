import Jobs
import Platform

/// `schemas/asyncapi.yaml`: every kind, its event and the dead queues (AsyncAPI 3.0).
struct AsyncAPIDocument {
    let kinds: [DeclaredKind]

    var text: String {
        let events = self.kinds.map { self.channel(ofEventOf: $0) }
        return Self.head + self.kinds.map { self.channel(of: $0) }.joined() + "\n" + events.joined()
            + Self.otherChannels + "operations:\n"
            + self.kinds.map { Self.operation("receive", "receive", $0, "") }.joined()
            + self.kinds.map { Self.operation("report", "send", $0, ".completed") }.joined()
            + Self.otherOperations + "components:\n  messages:\n"
            + self.kinds.map { self.message(of: $0) }.joined()
            + "\n" + self.kinds.map { self.message(ofEventOf: $0) }.joined() + Self.otherComponents
    }

    private func channel(of declared: DeclaredKind) -> String {
        let (kind, family) = (declared.kind, declared.kind.family)
        let queue = Topology(families: .platform).queue(of: declared.kind) ?? ""
        return """
              \(kind):
                address: \(kind)
                description: Exchange gpudev.jobs, to queue \(queue) (bound \(family).#).
                messages: { job: { $ref: '#/components/messages/\(Self.name(of: kind))' } }
                bindings: { $ref: '#/components/channelBindings/jobs' }

            """
    }

    private func channel(ofEventOf declared: DeclaredKind) -> String {
        """
          \(declared.kind).completed:
            address: \(declared.kind).completed
            messages: { event: { $ref: '#/components/messages/\(Self.name(of: declared.kind))Completed' } }
            bindings: { $ref: '#/components/channelBindings/events' }

        """
    }

    private static func operation(
        _ verb: String,
        _ action: String,
        _ declared: DeclaredKind,
        _ suffix: String
    ) -> String {
        let name = verb + self.name(of: declared.kind) + (suffix.isEmpty ? "" : "Completed")
        return "  \(name): { action: \(action), channel: { $ref: '#/channels/\(declared.kind)\(suffix)' }, "
            + "bindings: { $ref: '#/components/operationBindings/durable' } }\n"
    }

    private func message(of declared: DeclaredKind) -> String {
        """
            \(Self.name(of: declared.kind)):
              name: \(declared.kind)
              summary: \(declared.title)
              contentType: application/json
              headers: { $ref: '#/components/schemas/JobHeaders' }
              correlationId: { $ref: '#/components/correlationIds/job' }
              payload: { $ref: jobs/\(declared.kind).json }
              traits: [{ $ref: '#/components/messageTraits/job' }]

        """
    }

    private func message(ofEventOf declared: DeclaredKind) -> String {
        """
            \(Self.name(of: declared.kind))Completed:
              name: \(declared.kind).completed
              contentType: application/cloudevents+json
              headers: { $ref: '#/components/schemas/EventHeaders' }
              payload:
                allOf:
                  - $ref: events/envelope.json
                  - { properties: { type: { const: \(declared.kind).completed }, data: { $ref: events/\(declared.kind).json } } }
              traits: [{ $ref: '#/components/messageTraits/event' }]

        """
    }

    /// `disk.create-snapshot` as `DiskCreateSnapshot`.
    private static func name(of kind: JobKind) -> String {
        kind.name.split { ".-".contains($0) }.map { word in
            word == "dns" ? "DNS" : word.prefix(1).uppercased() + word.dropFirst()
        }.joined()
    }
}

extension AsyncAPIDocument {
    private static let head = """
        asyncapi: 3.0.0
        info:
          title: gpudev-worker
          version: 1.0.0
          description: |
            Jobs that gpudev-worker takes from RabbitMQ, the events that it publishes when they have ended, and what lies in
            the dead queues. All names in RabbitMQ start with `gpudev`, which an installation may change (TOPOLOGY_PREFIX).
          license:
            name: Apache-2.0
            url: https://www.apache.org/licenses/LICENSE-2.0
        defaultContentType: application/json

        servers:
          rabbitmq:
            host: localhost:5672
            protocol: amqp
            protocolVersion: 0.9.1
            description: RabbitMQ 3.10 or newer.

        channels:

        """

    /// The channels that are not of one kind.
    private static let otherChannels = """
          failed:
            address: '{kind}.failed'
            description: For each death of a job of any kind; bind #.failed to hear of all.
            parameters:
              kind: { description: The kind of the job that died. }
            messages: { event: { $ref: '#/components/messages/JobFailed' } }
            bindings: { $ref: '#/components/channelBindings/events' }

          gpudev.disks.dead:
            address: gpudev.disks.dead
            description: Dead jobs of the disk family (exchange gpudev.dead, bound disk.#).
            messages: { letter: { $ref: '#/components/messages/DeadLetter' } }
            bindings: { $ref: '#/components/channelBindings/deadQueue' }
          gpudev.reservations.dead:
            address: gpudev.reservations.dead
            description: Dead jobs of the reservation family (exchange gpudev.dead, bound reservation.#).
            messages: { letter: { $ref: '#/components/messages/DeadLetter' } }
            bindings: { $ref: '#/components/channelBindings/deadQueue' }
          gpudev.capacity.dead:
            address: gpudev.capacity.dead
            description: Dead jobs of the capacity family (exchange gpudev.dead, bound capacity.#).
            messages: { letter: { $ref: '#/components/messages/DeadLetter' } }
            bindings: { $ref: '#/components/channelBindings/deadQueue' }
          gpudev.events.log:
            address: gpudev.events.log
            description: A stream of all events of the last week, at most 1 GiB (exchange gpudev.events, bound #).
            messages:
              completed: { $ref: '#/components/messages/AnyEvent' }
            bindings:
              amqp: { is: queue, queue: { name: gpudev.events.log, durable: true, exclusive: false, autoDelete: false } }


        """

    private static let otherOperations = """
          reportFailure: { action: send, channel: { $ref: '#/channels/failed' }, bindings: { $ref: '#/components/operationBindings/durable' } }
          buryDisks: { action: send, channel: { $ref: '#/channels/gpudev.disks.dead' } }
          buryReservations: { action: send, channel: { $ref: '#/channels/gpudev.reservations.dead' } }
          buryCapacity: { action: send, channel: { $ref: '#/channels/gpudev.capacity.dead' } }


        """

    private static let otherComponents = #"""
            JobFailed:
              name: failed
              summary: A job died. A message without a usable id makes no such event.
              contentType: application/cloudevents+json
              headers: { $ref: '#/components/schemas/EventHeaders' }
              payload:
                allOf:
                  - $ref: events/envelope.json
                  - { properties: { type: { pattern: '\.failed$' }, data: { $ref: events/failed.json } } }
              traits: [{ $ref: '#/components/messageTraits/event' }]
            AnyEvent:
              name: event
              contentType: application/cloudevents+json
              headers: { $ref: '#/components/schemas/EventHeaders' }
              payload: { $ref: events/envelope.json }
              traits: [{ $ref: '#/components/messageTraits/event' }]
            DeadLetter:
              name: dead letter
              summary: A job message as it came, byte for byte, with the reason of its death in its headers.
              description: |
                Properties and headers are those of the job message; the delivery mode is 2. A letter that RabbitMQ itself put
                here (delivery limit, rejection, expiry) has x-death and none of the x-dead-* headers.
              headers: { $ref: '#/components/schemas/DeadLetterHeaders' }
              payload: { description: The body of the job message. }

          messageTraits:
            job:
              description: |
                AMQP properties: message_id = the job's id, a UUID, required; type = the kind, which is the routing key,
                or absent; user_id = the producer's account, optional; content_type application/json or absent; delivery_mode 2; correlation_id and timestamp optional.
                The body is one JSON object in UTF-8, at most 1 MiB and 64 levels deep; unknown fields are ignored. A job
                happens once for each id, however often its message is sent.
            event:
              description: |
                AMQP properties: message_id = the event's id; type = the routing key; correlation_id = the job message's, else
                the job's id; delivery_mode 2. An event may arrive more than once, always with the same id.

          correlationIds:
            job:
              description: The id of the job, in the AMQP property message_id; events carry it as jobid.
              location: $message.header#/message_id

          schemas:
            JobHeaders:
              type: object
              properties:
                traceparent:
                  type: string
                  description: The trace that the job belongs to (W3C Trace Context).
                  pattern: ^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$
                tracestate: { type: string, description: What the vendors of that trace tell each other., maxLength: 512 }
                x-requested-by: { type: string, description: "Who asks for the job, in the producer's own words; the first 255 bytes are kept." }
            EventHeaders:
              type: object
              properties:
                traceparent: { type: string, description: The trace that the job belongs to. }
                tracestate: { type: string, description: What came with the job's message. }
                x-outbox-id: { description: The number by which the worker knows its own messages; of no use to others. }
            DeadLetterHeaders:
              type: object
              properties:
                x-dead-reason:
                  type: string
                  description: Why the job is dead.
                  enum: [malformed, unknown-kind, invalid-payload, rejected, exhausted, poison]
                x-dead-code: { type: string, description: What the failing side called it; empty where there is none. }
                x-dead-error: { type: string, description: 'What went wrong, in words; at most 4 KiB of UTF-8.' }
                x-dead-attempts: { type: integer, minimum: 0, description: How often the handler tried; 0 when it never ran. }
                x-dead-at: { type: string, format: date-time, description: When it died. }
                x-original-exchange: { type: string, description: The exchange that the job was published to. }
                x-original-routing-key: { type: string, description: The routing key that it was published with. }
                x-replay-count: { type: integer, minimum: 0, description: How often it has been replayed. }

          channelBindings:
            jobs:
              amqp: { is: routingKey, exchange: { name: gpudev.jobs, type: topic, durable: true, autoDelete: false } }
            events:
              amqp: { is: routingKey, exchange: { name: gpudev.events, type: topic, durable: true, autoDelete: false } }
            deadQueue:
              amqp: { is: queue, queue: { durable: true, exclusive: false, autoDelete: false } }

          operationBindings:
            durable:
              amqp: { deliveryMode: 2, ack: true }

        """#
}
