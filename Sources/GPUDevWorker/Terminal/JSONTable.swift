import FoundationEssentials
import Jobs

/// An array of JSON objects as rows of text that a terminal can show.
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
                self.text = text.cleaned()
            } else if let number = try? value.decode(Int.self) {
                self.text = String(number)
            } else if let truth = try? value.decode(Bool.self) {
                self.text = String(truth)
            } else if let list = try? value.decode([String].self) {
                self.text = list.joined(separator: ",")
            } else {
                self.text = nil
            }
        }
    }
}
