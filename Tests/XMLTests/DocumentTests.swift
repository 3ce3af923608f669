import Fuzzing
import Testing
import XML

@Suite struct DocumentTests {
    @Test func `entities, character references, CDATA, a byte order mark and prefixes are understood`() throws
    {
        let text =
            "\u{FEFF}<?xml version=\"1.0\"?><!-- <!DOCTYPE --><a:r xmlns:a=\"x\"><v>&amp;&lt;&#13;&#xFC;</v>"
            + "<w><![CDATA[<!DOCTYPE &amp;]]></w><n> 42\n</n><e/></a:r>"
        let node = try XMLNode(document: Array(text.utf8))
        #expect(node.name == "r" && node["v"] == "&<\rü" && node["w"] == "<!DOCTYPE &amp;")
        #expect(node["n"] == " 42\n" && node["e"] == "" && node["absent"] == nil)
        #expect(node.children.map(\.name) == ["v", "w", "n", "e"])
    }

    @Test(arguments: [
        "", "no xml", "<a>", "<a></b>", "<a/><b/>", "<!DOCTYPE a><a/>",
        "<?xml version=\"1.0\"?>\n<!-- x --><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a>&unknown;</a>",
        String(repeating: "<a>", count: 100) + String(repeating: "</a>", count: 100),
    ])
    func `what is not well-formed, or too deep, or has a document type is refused`(text: String) {
        #expect(throws: XMLError.self) { try XMLNode(document: Array(text.utf8)) }
    }

    @Test(arguments: ["<a xmlns=\"", "<a xmlns:b=\"", "<a b=\"", "<a>"])
    func `what is not UTF-8 is refused`(start: String) {
        let end = start.hasSuffix(">") ? "</a>" : "\"/>"
        #expect(throws: XMLError.self) {
            try XMLNode(document: Array(start.utf8) + [0xFF] + Array(end.utf8))
        }
    }

    @Test func `a document is read or refused`() throws {
        let words = [
            "<", ">", "</", "/>", "&amp;", "&#0;", "&#x110000;", "&a;", "<!DOCTYPE a>", "<!ENTITY a 'b'>",
            "<![CDATA[", "]]>", "<?xml version='1.0' encoding='UTF-16'?>", "xmlns:a='b'", "<item>", "</item>",
        ]
        try Fuzzer("XML documents", samples: try Samples.aws(), words: words).run { bytes in
            do throws(XMLError) { _ = try XMLNode(document: bytes) } catch { _ = error.description }
        }
    }
}
