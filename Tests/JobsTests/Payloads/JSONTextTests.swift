import Foundation
import Testing

@testable import Jobs

struct JSONTextTests {
    @Test func `a text of any characters and any length is read as it was`() throws {
        let characters: [Character] = [
            "a", " ", "\"", "\\", "\n", "\u{1}", "\u{1F}", "\u{7F}", "é", "\u{80}", "🐘", "~", "!", "#", "[",
        ]
        for length in 0..<40 {
            for _ in 0..<50 {
                let isPlain = Bool.random()
                let text = String((0..<length).map { _ in isPlain ? "x" : characters.randomElement() ?? "a" })
                try self.check(text)
                // One odd character at any place among plain ones.
                guard let odd = characters.randomElement(), length > 0 else { continue }
                var plain = Array(repeating: Character("y"), count: length)
                plain[Int.random(in: 0..<length)] = odd
                try self.check(String(plain))
            }
        }
    }

    private func check(_ text: String) throws {
        var bytes: [UInt8] = []
        bytes.appendJSON(#"[{"text":"#, text)
        bytes += "}]".utf8
        let read = try JSONSerialization.jsonObject(with: Data(bytes)) as? [[String: String]]
        #expect(read == [["text": text]])
    }
}
