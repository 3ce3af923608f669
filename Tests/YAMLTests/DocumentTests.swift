import Fuzzing
import Testing
import YAML

@Suite struct DocumentTests {
    private func read(_ text: String) throws -> YAMLValue { try YAMLValue(document: Array(text.utf8)) }

    @Test func `mappings, sequences and scalars are read in both styles`() throws {
        let block = """
            # kubectl writes this one
            clusters:
            - cluster: {server: "https://a:6443", insecure: false}
              name: 'one'
            empty:
            text: |
              two
              lines
            """
        #expect(
            try self.read(block)
                == .mapping([
                    "clusters": .sequence([
                        .mapping([
                            "cluster": .mapping([
                                "server": .string("https://a:6443"), "insecure": .bool(false),
                            ]),
                            "name": .string("one"),
                        ])
                    ]),
                    "empty": .null, "text": .string("two\nlines"),
                ])
        )
    }

    @Test func `JSON is YAML`() throws {
        let value = try self.read(#"{"a": [1, -2.5, true, null, "x\u00fcy"]}"#)
        #expect(
            value == .mapping(["a": .sequence([.int(1), .double(-2.5), .bool(true), .null, .string("xüy")])])
        )
    }

    /// YAML 1.2.2, section 10.3.2.
    @Test(arguments: [
        ("12", YAMLValue.int(12)), ("-7", .int(-7)), ("1e3", .double(1000)), ("'12'", .string("12")),
        ("\"true\"", .string("true")), ("~", .null), ("TRUE", .bool(true)), ("yes", .string("yes")),
        ("1.2.3", .string("1.2.3")), ("1-2", .string("1-2")), ("nan", .string("nan")), ("e", .string("e")),
        ("99999999999999999999", .double(1e20)), ("1e999", .string("1e999")), ("", .null),
    ])
    func `only what has no quotes is more than text`(text: String, value: YAMLValue) throws {
        #expect(try self.read(text) == value)
    }

    @Test func `an alias stands for what it names`() throws {
        #expect(
            try self.read("a: &x [1]\nb: *x\n")
                == .mapping(["a": .sequence([.int(1)]), "b": .sequence([.int(1)])])
        )
    }

    @Test(arguments: [
        "a: [", "a: b: c", "\t- x", "*nobody", "{a: 1", "\"open", "? [a]\n: b", "a: \u{0}", "&x [*x]",
        String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
    ])
    func `what cannot be read is refused`(text: String) {
        #expect(throws: YAMLError.self) { try self.read(text) }
    }

    @Test func `aliases of aliases do not fill the memory`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            text +=
                "a\(level): &a\(level) ["
                + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
            text += "]\n"
        }
        #expect(throws: YAMLError.self) { try self.read(text) }
    }

    @Test func `what is not UTF-8 is refused`() {
        #expect(throws: YAMLError.self) { try YAMLValue(document: Array("a: ".utf8) + [0xFF, 0xFE]) }
    }

    @Test func `the first of several documents is taken`() throws {
        #expect(try self.read("---\na: 1\n---\nb: 2\n") == .mapping(["a": .int(1)]))
    }
}

@Suite struct DocumentFuzzTests {
    @Test func `a document is read or refused`() throws {
        let samples = [
            "apiVersion: v1\nclusters:\n- cluster: {server: 'https://a'}\n  name: &n one\ncontexts:\n- name: *n\n",
            "a: |\n  text\nb: >-\n  more\n? key\n: !!str 12\n---\nc: \"\\u00fc\"\n",
        ]
        let words = [
            "- ", ": ", "&a ", "*a", "[", "]", "{", "}", "|", ">", "'", "\"", "---\n", "!!binary ", "<<: ",
            "%YAML 1.2\n",
        ]
        try Fuzzer("YAML documents", samples: samples.map { Array($0.utf8) }, words: words).run { bytes in
            do throws(YAMLError) { _ = try YAMLValue(document: bytes) } catch { _ = error.description }
        }
    }
}
