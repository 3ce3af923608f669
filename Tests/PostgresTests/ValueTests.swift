import Foundation
import Postgres
import Testing

@Suite struct ValueTests {
    @Test func `PostgreSQL reads bound values as what they are, and they come back the same`() async throws {
        try await withConnection { connection in
            func same<T: PostgresBindable & PostgresReadable & Equatable>(
                _ value: T,
                _ type: StaticString,
                _ literal: StaticString
            ) async throws {
                let statement: SQL = """
                    SELECT \(value)::\(constant: type) AS value, \(value)::\(constant: type) IS NOT DISTINCT FROM
                        \(constant: literal)::\(constant: type) AS is_same
                    """
                let row = try await connection.run(statement).rows[0]
                #expect(try row.read("is_same", as: Bool.self), "\(literal)")
                #expect(try row.read("value", as: T.self) == value, "\(literal)")
            }
            try await same("it's \"quoted\" \\ ü 🐘", "text", "U&'it''s \"quoted\" \\\\ \\00fc \\+01F418'")
            try await same("", "text", "''")
            try await same(Int.max, "bigint", "9223372036854775807")
            try await same(Int64.min, "bigint", "'-9223372036854775808'")
            try await same(true, "boolean", "true")
            try await same(false, "boolean", "false")
            try await same(0.1, "double precision", "0.1")
            try await same(-Double.infinity, "double precision", "'-Infinity'")
            try await same(Double.leastNonzeroMagnitude, "double precision", "'5e-324'")
            let uuid = try #require(UUID(uuidString: "0B9F2A34-7D9C-4E6B-8C55-3C1D7A0E4F11"))
            try await same(uuid, "uuid", "'0b9f2a34-7d9c-4e6b-8c55-3c1d7a0e4f11'")
            try await same([0, 1, 254, 255] as [UInt8], "bytea", "'\\x0001feff'")
            try await same([] as [UInt8], "bytea", "''")
            try await same(
                ["a", "b c", "\"", "\\", "", "NULL"],
                "text[]",
                "ARRAY['a','b c','\"',E'\\\\','','NULL']"
            )
            try await same([] as [String], "text[]", "'{}'")
            try await same([1, -2, 3], "bigint[]", "ARRAY[1,-2,3]")
            try await same([uuid], "uuid[]", "ARRAY['0b9f2a34-7d9c-4e6b-8c55-3c1d7a0e4f11']")
        }
    }

    @Test func `a UUID is read and written as Foundation does`() {
        for _ in 0..<2_000 {
            let uuid = UUID()
            #expect(uuid.text == uuid.uuidString.lowercased())
            #expect(UUID(text: uuid.uuidString) == uuid)
            #expect(UUID(text: uuid.text) == uuid)
            var characters = Array(uuid.text)
            let place = Int.random(in: 0..<36)
            let other: Character = "0aF-g/: x\u{E9}".randomElement() ?? "-"
            characters[place] = other
            let isUUID = [8, 13, 18, 23].contains(place) ? other == "-" : other.isHexDigit
            #expect((UUID(text: String(characters)) != nil) == isUUID, "\(String(characters))")
            #expect(UUID(text: uuid.text.dropLast()) == nil)
            #expect(UUID(text: uuid.text + "0") == nil)
        }
    }

    @Test(arguments: [
        (0, "1970-01-01 00:00:00+00"), (1_767_323_045.678901, "2026-01-02 03:04:05.678901+00"),
        (-1, "1969-12-31 23:59:59+00"), (951_782_400, "2000-02-29 00:00:00+00"),
        (-62_135_596_800, "0001-01-01 00:00:00+00"), (253_402_300_799, "9999-12-31 23:59:59+00"),
    ])
    func `dates are timestamps in UTC to the microsecond`(seconds: Double, text: String) async throws {
        try await withConnection { connection in
            let date = Date(timeIntervalSince1970: seconds)
            let statement: SQL = """
                SELECT \(date)::timestamptz AS value, \(date)::timestamptz::text AS text,
                    extract(epoch FROM \(date)::timestamptz)::float8 AS epoch
                """
            let row = try await connection.run(statement).rows[0]
            #expect(try row.read("text") == text)
            #expect(try row.read("epoch") == seconds)
            let back = try row.read("value", as: Date.self).timeIntervalSince1970
            #expect(abs(back - seconds) < 0.000_000_5)
        }
    }

    @Test func `dates of other time zones are the same moment`() async throws {
        try await withConnection { connection in
            _ = try await connection.run("SET timezone = 'Asia/Kathmandu'")
            let row = try await connection.run("SELECT '2026-01-02 05:45:00+05:45'::timestamptz AS value")
                .rows[0]
            #expect(try row.read("value") == Date(timeIntervalSince1970: 1_767_312_000))
        }
    }

    @Test func `null is bound from nil and read as nil`() async throws {
        try await withConnection { connection in
            let nothing: String? = nil
            let row = try await connection.run("SELECT \(nothing)::text AS value, \(.null)::int AS number")
                .rows[0]
            #expect(try row.readOptional("value", as: String.self) == nil)
            #expect(try row.readOptional("number", as: Int.self) == nil)
            #expect(try await failure { try row.read("value", as: String.self) }.code == .invalidValue)
        }
    }

    @Test func `text with a NUL is refused before anything is sent`() async throws {
        try await withConnection { connection in
            let error = try await failure {
                try await connection.pipeline([
                    "CREATE TEMP TABLE t (v text)", "INSERT INTO t VALUES (\("a\0b"))",
                ])
            }
            #expect(error.code == .invalidValue && error.sqlState == nil && error.message.contains("NUL"))
            #expect(
                try await connection.run("SELECT to_regclass('t') IS NULL AS it").rows[0].read(
                    "it",
                    as: Bool.self
                )
            )
        }
    }

    @Test(arguments: [
        "SELECT \("hunter-two")::int" as SQL, "SELECT \("hunter-two")::jsonb",
        "SELECT \("hunter-two")::timestamptz",
        "SELECT CAST(\("hunter-two") AS uuid)", "SELECT set_config(\("hunter-two"), '', false)",
        "INSERT INTO pg_temp.secrets VALUES (\("hunter-two"))", "SELECT pg_temp.refuse(\("hunter-two"))",
    ])
    func `bound values never appear in an error`(statement: SQL) async throws {
        try await withConnection { connection in
            try await connection.pipeline([
                "CREATE TEMP TABLE secrets (v text PRIMARY KEY)", "INSERT INTO secrets VALUES ('hunter-two')",
                """
                CREATE FUNCTION pg_temp.refuse(what text) RETURNS void LANGUAGE plpgsql
                AS $$BEGIN RAISE EXCEPTION 'not %', what; END$$
                """,
            ])
            let error = try await failure { try await connection.run(statement) }
            #expect(error.sqlState != nil)
            #expect(!error.description.contains("hunter-two") && !error.message.contains("hunter-two"))
        }
    }

    @Test func `statements are put together with their parameters numbered on`() {
        let first: SQL = "SELECT * FROM t WHERE a = \(1) AND b = \("two")"
        let sum = first + " AND c = '$9' AND d IN (\(3), \(4))" + SQL(" LIMIT 5")
        #expect(sum.text == "SELECT * FROM t WHERE a = $1 AND b = $2 AND c = '$9' AND d IN ($3, $4) LIMIT 5")
        #expect(sum.parameters.count == 4)
        let part: SQL = "x = \(1)"
        let whole: SQL = "SELECT \(2) WHERE \(part) OR \(identifier: "odd \"name\"") = \(3)"
        #expect(whole.text == "SELECT $1 WHERE x = $2 OR \"odd \"\"name\"\"\" = $3")
    }
}
