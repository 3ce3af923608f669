import CYAML

extension YAMLValue {
    /// Reads the first document of a stream; tags are not looked at.
    ///
    /// An alias stands for what it names, in a document that has no more than 64 levels and 100,000 values that way.
    package init(document bytes: [UInt8]) throws(YAMLError) {
        let document = try LoadedDocument(bytes)
        var reader = NodeReader(document: document)
        self =
            try document.root.map { root throws(YAMLError) in try reader.value(of: root, depth: 0) } ?? .null
    }
}

/// A document in libyaml's memory, which it owns and frees.
private final class LoadedDocument {
    private let document = UnsafeMutablePointer<yaml_document_t>.allocate(capacity: 1)

    init(_ bytes: [UInt8]) throws(YAMLError) {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            self.document.initialize(to: yaml_document_t())
            throw YAMLError("there is no room for it")
        }
        defer { yaml_parser_delete(parser) }
        let isLoaded = bytes.withUnsafeBufferPointer {
            yaml_parser_set_input_string(parser, $0.baseAddress, $0.count)
            return yaml_parser_load(parser, self.document) == 1
        }
        guard isLoaded else {
            // What could not be loaded has nothing to free.
            self.document.initialize(to: yaml_document_t())
            let problem = parser.pointee.problem.map { String(cString: $0) } ?? "unknown"
            throw YAMLError("no YAML: \(problem), line \(parser.pointee.problem_mark.line + 1)")
        }
    }

    deinit {
        yaml_document_delete(self.document)
        self.document.deallocate()
    }

    /// Nil if the stream is empty.
    var root: yaml_node_t? { yaml_document_get_root_node(self.document)?.pointee }

    func node(_ index: yaml_node_item_t) -> yaml_node_t? {
        yaml_document_get_node(self.document, index)?.pointee
    }
}

/// Turns nodes into values.
private struct NodeReader {
    let document: LoadedDocument
    private var count = 0

    init(document: LoadedDocument) { self.document = document }

    mutating func value(of node: yaml_node_t?, depth: Int) throws(YAMLError) -> YAMLValue {
        self.count += 1
        guard depth < 64, self.count <= 100_000 else {
            throw YAMLError("the document is too deep or too large")
        }
        guard let node else { return .null }
        switch node.type {
        case YAML_SCALAR_NODE:
            let text = Self.text(of: node)
            return node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? YAMLValue(plain: text) : .string(text)
        case YAML_SEQUENCE_NODE:
            let items = node.data.sequence.items
            var values: [YAMLValue] = []
            for item in UnsafeBufferPointer(start: items.start, count: items.top - items.start) {
                values.append(try self.value(of: self.document.node(item), depth: depth + 1))
            }
            return .sequence(values)
        case YAML_MAPPING_NODE:
            let pairs = node.data.mapping.pairs
            var values: [String: YAMLValue] = [:]
            for pair in UnsafeBufferPointer(start: pairs.start, count: pairs.top - pairs.start) {
                guard let key = self.document.node(pair.key), key.type == YAML_SCALAR_NODE else {
                    throw YAMLError("a key is no text, line \(node.start_mark.line + 1)")
                }
                values[Self.text(of: key)] = try self.value(
                    of: self.document.node(pair.value),
                    depth: depth + 1
                )
            }
            return .mapping(values)
        default: return .null
        }
    }

    private static func text(of node: yaml_node_t) -> String {
        String(
            decoding: UnsafeBufferPointer(start: node.data.scalar.value, count: node.data.scalar.length),
            as: UTF8.self
        )
    }
}
