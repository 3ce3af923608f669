import Foundation
import FoundationXML

extension XMLNode {
    /// Reads a document: UTF-8, no document type (and so no entities of its own), at most 64 elements deep.
    init(document bytes: [UInt8]) throws(MalformedAnswer) {
        // The parser ends the process where a name or a namespace is no UTF-8.
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw MalformedAnswer("the document is not UTF-8")
        }
        guard !bytes.hasDocumentType else { throw MalformedAnswer("the document has a DOCTYPE") }
        let builder = XMLTreeBuilder()
        let parser = XMLParser(data: Data(bytes))
        parser.delegate = builder
        parser.shouldResolveExternalEntities = false
        let isWellFormed = parser.parse()
        if let refusal = builder.refusal { throw refusal }
        // It is satisfied with what comes before the end of the root, but notes what follows.
        guard isWellFormed, parser.parserError == nil, let root = builder.root else {
            throw MalformedAnswer("no well-formed XML, line \(parser.lineNumber) of \(bytes.count) bytes")
        }
        self = root
    }
}

/// Builds the tree as the parser calls.
private final class XMLTreeBuilder: NSObject, XMLParserDelegate {
    private(set) var root: XMLNode?
    private(set) var refusal: MalformedAnswer?
    private var open: [XMLNode] = []

    func parser(
        _ parser: XMLParser,
        didStartElement elementName: String,
        namespaceURI: String?,
        qualifiedName: String?,
        attributes: [String: String]
    ) {
        guard self.root == nil else { return self.refuse("the document goes on after its root", parser) }
        guard self.open.count < 64 else {
            return self.refuse("the document is more than 64 elements deep", parser)
        }
        let localName = elementName.split(separator: ":").last.map { String($0) } ?? elementName
        self.open.append(XMLNode(name: localName))
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        guard !self.open.isEmpty else { return }
        self.open[self.open.count - 1].text += string
    }

    func parser(_ parser: XMLParser, foundCDATA CDATABlock: Data) {
        self.parser(parser, foundCharacters: String(decoding: CDATABlock, as: UTF8.self))
    }

    func parser(
        _ parser: XMLParser,
        didEndElement elementName: String,
        namespaceURI: String?,
        qualifiedName: String?
    ) {
        guard let node = self.open.popLast() else { return }
        if self.open.isEmpty {
            self.root = node
        } else {
            self.open[self.open.count - 1].children.append(node)
        }
    }

    private func refuse(_ reason: String, _ parser: XMLParser) {
        self.refusal = MalformedAnswer(reason)
        parser.abortParsing()
    }
}

extension [UInt8] {
    /// Whether a declaration `<!…` that is no comment stands before the first element; nowhere else is one legal.
    fileprivate var hasDocumentType: Bool {
        var rest = self[...]
        while let start = rest.firstIndex(of: UInt8(ascii: "<")) {
            rest = rest[start...]
            if rest.starts(with: Array("<!--".utf8)) {
                rest = rest.after(Array("-->".utf8))
            } else if rest.starts(with: Array("<?".utf8)) {
                rest = rest.after(Array("?>".utf8))
            } else {
                return rest.starts(with: Array("<!".utf8))
            }
        }
        return false
    }
}

extension ArraySlice<UInt8> {
    /// What follows the first occurrence of `end`; nothing if there is none.
    fileprivate func after(_ end: [UInt8]) -> ArraySlice<UInt8> {
        var rest = self
        while !rest.isEmpty, !rest.starts(with: end) { rest = rest.dropFirst() }
        return rest.dropFirst(end.count)
    }
}
