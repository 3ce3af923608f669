/// What a response says of the server's clock.
struct ClockReading: Equatable, Sendable {
    /// How far it is ahead of ours.
    let skew: Duration
    /// How far ahead the request took it to be.
    let assumed: Duration

    /// Whether signatures were dated so wrongly that AWS refuses them.
    var isOff: Bool {
        let difference = self.skew - self.assumed
        return difference >= .seconds(300) || difference <= .seconds(-300)
    }
}
