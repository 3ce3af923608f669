package import FoundationEssentials

/// Keys that requests are signed with.
///
/// Printing them shows no secret.
package struct AWSCredentials: Sendable, Hashable {
    package let accessKeyID: String
    package let secretAccessKey: String
    package let sessionToken: String?
    /// nil for keys that do not expire.
    package let expiration: Date?

    /// Credentials from their parts.
    package init(
        accessKeyID: String,
        secretAccessKey: String,
        sessionToken: String? = nil,
        expiration: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

extension AWSCredentials: CustomStringConvertible, CustomReflectable {
    package var description: String { "AWSCredentials(\(self.accessKeyID.prefix(4))…)" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}
