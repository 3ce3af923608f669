/// Whom to trust, and who we are.
///
/// Certificate and host name are always verified.
package struct TLSOptions: Sendable {
    /// Where the certificates of the authorities come from.
    package enum Authorities: Sendable {
        case system
        /// The path of a file in PEM.
        case file(String)
        /// Certificates in PEM.
        case pem([UInt8])
    }

    /// What to show to a server that asks for a certificate.
    package struct Identity: Sendable {
        /// In PEM, with intermediate certificates after it.
        package var certificate: [UInt8]
        /// In PEM, not encrypted.
        package var privateKey: [UInt8]

        /// An identity from PEM.
        package init(certificate: [UInt8], privateKey: [UInt8]) {
            self.certificate = certificate
            self.privateKey = privateKey
        }
    }

    package var authorities = Authorities.system
    package var identity: Identity?
    /// The name that the server's certificate must have, where it is another than that of the URL.
    package var serverName: String?

    /// The system's authorities and no identity.
    package init() {}
}
