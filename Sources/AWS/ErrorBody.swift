import FoundationEssentials
import HTTP
import XML

/// The body of an answer with a bad status, in any of the shapes that the services use, or in none.
struct ErrorBody {
    private(set) var code: String?
    private(set) var message: String?
    private(set) var messages: [String] = []
    private(set) var requestID: String?

    init(_ response: HTTPResponse) {
        if let type = response.headers["x-amzn-ErrorType"] {
            self.init(type: type, json: response.body)
        } else {
            self.init(xml: response.body)
        }
    }

    /// The error type ends at a colon, which a URL follows, and begins after a `#`, which a namespace precedes.
    private init(type: String, json: [UInt8]) {
        let word = type.prefix { $0 != ":" }
        self.code = word.split(separator: "#").last.map { String($0) }
        self.message = (try? JSONDecoder().decode(JSONMessage.self, from: Data(json)))?.message
            .map(Self.withoutSecrets)
    }

    private init(xml body: [UInt8]) {
        guard let root = try? XMLNode(document: body), root.name.lowercased() != "html" else { return }
        self.requestID = root["RequestID"] ?? root["RequestId"]
        if root.name == "InvalidChangeBatch" {
            self.code = root.name
            self.messages = root.list("Messages").map(\.text)
            self.message = self.messages.first
        } else if let error = root.errorElement {
            self.code = error["Code"].flatMap { $0.isEmpty ? nil : $0.trimmingXMLSpace }
            self.message = error["Message"].map(Self.withoutSecrets)
            self.messages = self.code == "InvalidChangeBatch" ? [self.message].compactMap { $0 } : []
        }
    }

    /// Drops what only `sts:DecodeAuthorizationMessage` can read, and cuts what is too long for a log.
    private static func withoutSecrets(_ message: String) -> String {
        let marker = Array("Encoded authorization failure message".utf8)
        let bytes = Array(message.utf8)
        let start = bytes.indices.first { bytes[$0...].starts(with: marker) } ?? bytes.endIndex
        return String(decoding: bytes[..<min(start, 2048)], as: UTF8.self).trimmingXMLSpace
    }
}

private struct JSONMessage: Decodable {
    let message: String?
}

extension XMLNode {
    /// EC2: `Response/Errors/Error`; form services and Route 53: `ErrorResponse/Error`; S3: `Error` itself.
    fileprivate var errorElement: XMLNode? {
        if self.name == "Error" { return self }
        return self.child("Error") ?? self.list("Errors").first
    }
}
