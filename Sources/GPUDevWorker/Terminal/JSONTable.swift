import FoundationEssentials

/// An array of JSON objects as rows of text.
struct JSONTable {
    let rows: [[String: String]]

    init(_ json: String) throws {
        let objects = try JSONDecoder().decode([[String: Value]].self, from: Data(json.utf8))
        self.rows = objects.map { object in object.compactMapValues(\.text) }
    }

    private struct Value: Decodable {
        let text: String?

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self.text = text
            } else if let number = try? value.decode(Int.self) {
                self.text = String(number)
            } else if let truth = try? value.decode(Bool.self) {
                self.text = String(truth)
            } else {
                self.text = nil
            }
        }
    }
}
