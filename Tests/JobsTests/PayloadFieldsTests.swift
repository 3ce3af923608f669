import Jobs
import Testing

@Suite struct PayloadFieldsTests {
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

    private func decode(_ json: String) throws -> Order {
        try decodePayload(Order.self, from: Array(json.utf8))
    }
}

private struct Order: Decodable, Equatable {
    let name: Word
    let size: Size
    let note: Word?

    init(name: Word, size: Size, note: Word?) {
        (self.name, self.size, self.note) = (name, size, note)
    }

    init(from decoder: any Decoder) throws {
        (self.name, self.size, self.note) = try PayloadFields(decoder)
            .read(.required("name"), .required("size"), .optional("note"))
    }
}

private struct Word: PayloadValue, Equatable {
    static let requirement = "text"
    let text: String

    init(_ text: String) { self.text = text }
    init?(wire: String) {
        guard !wire.isEmpty else { return nil }
        self.text = wire
    }
}

private struct Size: PayloadValue, Equatable {
    static let requirement = "a number from 1 to 9"
    let number: Int

    init(_ number: Int) { self.number = number }
    init?(wire: Int) {
        guard (1...9).contains(wire) else { return nil }
        self.number = wire
    }
}
