/// Something that another session said on a channel with `NOTIFY`.
package struct PostgresNotification: Equatable, Sendable {
    /// The channel.
    package let channel: String
    /// What was said; empty if nothing.
    package let payload: String
    /// The server process of the session that said it.
    package let processID: Int32
}
