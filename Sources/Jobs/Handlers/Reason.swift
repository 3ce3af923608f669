/// Why an attempt did not succeed, for people and for programs.
///
/// Much of it is what AWS, a pod or a message said, so both parts are cleaned and bounded here, once.
package struct Reason: Sendable, Equatable, CustomStringConvertible {
    /// A short word from a closed set, such as `disk-in-use` or AWS's `InvalidVolume.NotFound`.
    package let code: String

    /// A sentence that says what to do, with no secrets in it.
    package let message: String

    package init(_ code: String, _ message: String) {
        self.code = code.cleaned(utf8Bytes: Self.longestCode)
        self.message = message.cleaned(utf8Bytes: Self.longestMessage)
    }

    /// In bytes; a code may also be a header, and goes with the message into one frame.
    static let longestCode = 255
    static let longestMessage = 4096

    package var description: String { "\(self.code): \(self.message)" }
}
