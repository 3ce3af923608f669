import CExpat

extension XMLNode {
    /// Reads a document: UTF-8, no document type (and so no entities of its own), at most 64 elements deep.
    package init(document bytes: [UInt8]) throws(XMLError) {
        let reader = DocumentReader()
        try reader.read(bytes)
        guard let root = reader.root else { throw XMLError("there is no element in it") }
        self = root
    }
}

/// Builds the tree as the parser calls, on the thread of the caller.
///
/// Owns the parser and frees it; the parser's references to it end with the call that they were made for.
private final class DocumentReader {
    private(set) var root: XMLNode?
    private var open: [XMLNode] = []
    private var refusal: XMLError?
    private let parser: XML_Parser?

    private static let mostOpen = 64

    /// Whatever a declaration says, it has to be UTF-8.
    init() { self.parser = XML_ParserCreate("UTF-8") }

    deinit { XML_ParserFree(self.parser) }

    func read(_ bytes: [UInt8]) throws(XMLError) {
        guard let parser, let count = Int32(exactly: bytes.count) else {
            throw XMLError("there is no room for it")
        }
        XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
        XML_SetElementHandler(
            parser,
            { context, name, _ in DocumentReader.of(context)?.begin(name.map { String(cString: $0) } ?? "") },
            { context, _ in DocumentReader.of(context)?.end() }
        )
        XML_SetCharacterDataHandler(parser) { DocumentReader.of($0)?.add($1, Int($2)) }
        XML_SetStartDoctypeDeclHandler(parser) { context, _, _, _, _ in
            DocumentReader.of(context)?.refuse("the document has a DOCTYPE")
        }
        let status = bytes.withUnsafeBytes {
            XML_Parse(parser, $0.baseAddress?.assumingMemoryBound(to: CChar.self), count, 1)
        }
        if let refusal { throw refusal }
        guard status == XML_STATUS_OK else {
            let reason = XML_ErrorString(XML_GetErrorCode(parser)).map { String(cString: $0) } ?? "unknown"
            let line = XML_GetCurrentLineNumber(parser)
            throw XMLError("no well-formed XML: \(reason), line \(line) of \(bytes.count) bytes")
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> DocumentReader? {
        context.map { Unmanaged<DocumentReader>.fromOpaque($0).takeUnretainedValue() }
    }

    private func begin(_ name: String) {
        guard self.open.count < Self.mostOpen else {
            return self.refuse("the document is more than \(Self.mostOpen) elements deep")
        }
        self.open.append(XMLNode(name: name.split(separator: ":").last.map { String($0) } ?? name))
    }

    private func add(_ text: UnsafePointer<CChar>?, _ count: Int) {
        guard !self.open.isEmpty else { return }
        let bytes = UnsafeRawBufferPointer(start: text, count: count)
        self.open[self.open.count - 1].text += String(decoding: bytes, as: UTF8.self)
    }

    private func end() {
        guard let node = self.open.popLast() else { return }
        if self.open.isEmpty {
            self.root = node
        } else {
            self.open[self.open.count - 1].children.append(node)
        }
    }

    private func refuse(_ reason: String) {
        self.refusal = XMLError(reason)
        XML_StopParser(self.parser, XML_Bool(XML_FALSE))
    }
}
