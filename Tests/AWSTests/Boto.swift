import Foundation
import HTTPPeers
import Synchronization

/// boto3 in a process of its own, which looks at the AWS server from the other side.
final class Boto: Sendable {
    static let shared = Mutex<Boto?>(nil)

    private let process: Process
    private let input: FileHandle
    private let output: FileHandle

    init() throws {
        let (process, input, output) = try Python.start(TestAWS.peer("call.py"))
        (self.process, self.input, self.output) = (
            process, input.fileHandleForWriting, output.fileHandleForReading
        )
    }

    func call(_ order: [String: JSONValue]) throws -> JSONValue {
        try self.input.write(contentsOf: JSONEncoder().encode(order) + [UInt8(ascii: "\n")])
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let more = self.output.availableData
            guard !more.isEmpty else {
                throw Python.Failure(
                    description: "call.py failed; the interpreter (GPUDEV_TEST_PYTHON) needs boto3"
                )
            }
            line += more
        }
        return try JSONDecoder().decode(JSONValue.self, from: line)
    }
}
