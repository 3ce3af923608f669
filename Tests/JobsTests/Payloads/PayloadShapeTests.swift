import Testing

@testable import Jobs

@Suite struct PayloadShapeTests {
    @Test func `fields are read, absent and null ones are nothing, others are ignored`() throws {
        let order = try self.decode(#"{"name": "home", "size": 5, "extra": {"deep": [1]}}"#)
        #expect(order == Order(name: Word("home"), size: Size(5), note: nil))
        #expect(try self.decode(#"{"name": "home", "size": 5, "note": null}"#) == order)
    }

    @Test(
        arguments: [
            (#"{}"#, "name: is required; size: is required"),
            (#"{"name": "", "size": 0}"#, "name: must be text; size: must be a number from 1 to 9"),
            (#"{"name": 7, "size": "7"}"#, "name: must be text; size: must be a number from 1 to 9"),
            (
                #"{"name": "a", "size": 1.5, "note": []}"#,
                "size: must be a number from 1 to 9; note: must be text"
            ),
            (#"{"name": "a", "size": 99999999999999999999999}"#, "size: must be a number from 1 to 9"),
            (#"{"name": "a", "size": -9223372036854775809}"#, "size: must be a number from 1 to 9"),
            (#"[]"#, "payload: must be a JSON object"),
            (#""text""#, "payload: must be a JSON object"),
        ])
    func `every offending field is named with what it must be`(json: String, faults: String) {
        let thrown = #expect(throws: PayloadFaults.self) { try self.decode(json) }
        #expect(thrown?.description == faults)
    }

    @Test(arguments: ["", "{", "{} {}", "NaN", #"{"size": Infinity}"#, #"{'size': 1}"#, "nul"])
    func `what is not JSON is malformed, not a payload with faults`(json: String) {
        let thrown = #expect(throws: Malformed.self) { try self.decode(json) }
        #expect(thrown?.code == "json")
    }

    @Test func `the first of two fields with one name counts, escapes are read, and so is a byte order mark`()
        throws
    {
        let order = Order(name: Word("h\u{1F600}\n"), size: Size(5), note: nil)
        #expect(try self.decode(#"{"name": "h\ud83d\ude00\n", "s\u0069ze": 5.0, "size": 0}"#) == order)
        #expect(try self.decode("\u{FEFF}" + #"{"name": "h😀\n", "size": 50e-1, "\ud800": 1}"#) == order)
    }

    /// As floating-point numbers these would be rounded to the least and the greatest integer.
    @Test(arguments: ["-9223372036854775809", "9223372036854775808", "9223372036854775807.0", "1e19"])
    func `what is beyond the integers is no number`(number: String) throws {
        let body = try JobBody(Array("{\"n\": \(number)}".utf8))
        #expect(try #require(body["n"]).kind == .number)
        #expect(body["n"].flatMap { Int($0, in: body.bytes) } == nil)
    }

    @Test(arguments: [#""\ud800""#, #""a\udc00""#, #""\ud800\u0041""#])
    func `half of a surrogate pair is no text`(name: String) {
        let thrown = #expect(throws: PayloadFaults.self) {
            try self.decode(#"{"size": 1, "name": "# + name + "}")
        }
        #expect(thrown?.description == "name: must be text")
    }

    @Test func `two fields that go together are both there or neither`() throws {
        let shape = Order.shape.withBoth("note", "extra")
        _ = try shape.decode(try JobBody(Array(#"{"name": "a", "size": 1, "note": "b", "extra": 1}"#.utf8)))
        let thrown = #expect(throws: PayloadFaults.self) {
            try shape.decode(
                try JobBody(Array(#"{"name": "a", "size": 1, "note": "b", "extra": null}"#.utf8))
            )
        }
        #expect(thrown?.description == "extra: goes with note")
    }

    private func decode(_ json: String) throws -> Order {
        try Order.shape.decode(try JobBody(Array(json.utf8)))
    }
}

private struct Order: JobPayload, Equatable {
    let name: Word
    let size: Size
    let note: Word?

    static let shape = PayloadShape(
        Self.init,
        .required("name", "A name."),
        .required("size", "A size."),
        .optional("note", "A note.")
    )
}

private struct Word: PayloadValue, Equatable {
    static let requirement = "text"
    static let schema = ValueSchema.text(atLeast: 1)
    let text: String

    init(_ text: String) { self.text = text }
    init?(wire: String) {
        guard !wire.isEmpty else { return nil }
        self.text = wire
    }
}

private struct Size: PayloadValue, Equatable {
    static let requirement = "a number from 1 to 9"
    static let schema = ValueSchema.whole(1...9)
    let number: Int

    init(_ number: Int) { self.number = number }
    init?(wire: Int) {
        guard (1...9).contains(wire) else { return nil }
        self.number = wire
    }
}
