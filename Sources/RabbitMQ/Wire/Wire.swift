import CRabbitMQ

/// One connection of librabbitmq: this class alone owns and frees it, and the socket with it.
///
/// Opened on a thread of its own, then used on the loop only. Nothing here waits: frames are read as far as they
/// have arrived, and are sent only while `isWritable`. The memory of a frame is valid until `releaseBuffers`.
final class Wire {
    /// What a look at the socket brought.
    enum Reading {
        case frame(amqp_frame_t)
        case nothing
        case failed(CInt)
    }

    let state: amqp_connection_state_t
    let descriptor: CInt
    /// The largest frame that both sides have agreed on, in bytes.
    let frameMax: Int
    /// Seconds between heartbeats as agreed; 0 for none.
    let heartbeat: Int
    /// How many bytes a writable socket takes for certain.
    let sendShare: Int
    private var pool = amqp_pool_t()

    /// Takes over a connection that has logged in.
    init(state: amqp_connection_state_t, sendShare: Int) {
        self.state = state
        self.descriptor = amqp_get_sockfd(state)
        self.frameMax = Int(amqp_get_frame_max(state))
        self.heartbeat = Int(amqp_get_heartbeat(state))
        self.sendShare = sendShare
        init_amqp_pool(&self.pool, 4096)
    }

    deinit {
        empty_amqp_pool(&self.pool)
        amqp_destroy_connection(self.state)
    }

    /// What the broker said about itself at login.
    var brokerProperties: FieldTable {
        FieldReader.table(amqp_get_server_properties(self.state).pointee, depth: 0)
    }

    /// Whether the library has set frames aside while it sent.
    var hasFrames: Bool { amqp_frames_enqueued(self.state) != 0 }

    var isWritable: Bool { crabbitmq_is_writable(self.descriptor) != 0 }

    func cork(_ isOn: Bool) { crabbitmq_cork(self.descriptor, isOn ? 1 : 0) }

    /// The next frame that has arrived; sends a heartbeat when one is due and notices the peer's silence.
    func nextFrame() -> Reading {
        var frame = amqp_frame_t()
        var noTime = timeval()
        let status = amqp_simple_wait_frame_noblock(self.state, &frame, &noTime)
        if status == AMQP_STATUS_OK.rawValue { return .frame(frame) }
        return status == AMQP_STATUS_TIMEOUT.rawValue ? .nothing : .failed(status)
    }

    /// Lets the library use the memory of the frames read so far again.
    func releaseBuffers() { amqp_maybe_release_buffers(self.state) }

    /// Sends one method; `fill` lays out what it points to in the memory that it is given.
    func send<Method>(
        _ id: amqp_method_number_t,
        on channel: amqp_channel_t = Wire.channel,
        _ method: Method,
        _ fill: (inout Method, inout FieldWriter) -> Void = { _, _ in },
    ) -> CInt {
        var method = method
        self.withWriter { writer in fill(&method, &writer) }
        defer { recycle_amqp_pool(&self.pool) }
        return withUnsafeMutablePointer(to: &method) { amqp_send_method(self.state, channel, id, $0) }
    }

    /// Sends the header frame of a message.
    func sendHeader(_ properties: MessageProperties, extra: FieldTable.Entry?, bodySize: Int) -> CInt {
        var encoded = amqp_basic_properties_t()
        self.withWriter { writer in encoded = writer.properties(properties, extra: extra) }
        defer { recycle_amqp_pool(&self.pool) }
        return withUnsafeMutablePointer(to: &encoded) { pointer in
            var frame = amqp_frame_t()
            frame.frame_type = UInt8(AMQP_FRAME_HEADER)
            frame.channel = Wire.channel
            frame.payload.properties.class_id = UInt16(AMQP_BASIC_CLASS)
            frame.payload.properties.body_size = UInt64(bodySize)
            frame.payload.properties.decoded = UnsafeMutableRawPointer(pointer)
            return amqp_send_frame(self.state, &frame)
        }
    }

    /// Sends one piece of a body.
    func sendBody(_ piece: ArraySlice<UInt8>) -> CInt {
        piece.withUnsafeBytes { bytes in
            var frame = amqp_frame_t()
            frame.frame_type = UInt8(AMQP_FRAME_BODY)
            frame.channel = Wire.channel
            // The library only reads what it sends.
            frame.payload.body_fragment.bytes = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            frame.payload.body_fragment.len = bytes.count
            return amqp_send_frame(self.state, &frame)
        }
    }

    /// The one channel that a connection uses.
    static let channel: amqp_channel_t = 1

    private func withWriter(_ body: (inout FieldWriter) -> Void) {
        withUnsafeMutablePointer(to: &self.pool) { pool in
            var writer = FieldWriter(pool: pool)
            body(&writer)
        }
    }
}
