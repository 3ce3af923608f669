import Testing

@testable import Postgres

@Suite struct SummaryTests {
    @Test(arguments: [
        ("INSERT INTO outbox (id) VALUES ($1)", "INSERT outbox"),
        ("INSERT INTO job_ledger AS l\n    (job_id) VALUES ($1)", "INSERT job_ledger"),
        ("UPDATE disks SET in_use = true", "UPDATE disks"),
        ("DELETE FROM domain_mappings WHERE true", "DELETE domain_mappings"),
        ("select a, b\nfrom  reservations", "SELECT reservations"),
        ("SELECT state, extract(epoch FROM now()) FROM job_ledger WHERE job_id = $1", "SELECT job_ledger"),
        ("SELECT settle_job($1::uuid)", "SELECT settle_job"),
        ("SELECT 1", "SELECT"),
        ("  BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN"),
        ("WITH due AS (SELECT 1) SELECT * FROM due", "WITH"),
        ("LISTEN \"gpudev_outbox\"", "LISTEN gpudev_outbox"),
        ("", ""),
    ])
    func `a statement is called by what it does to what`(text: String, summary: String) {
        #expect(SQL(unparsed: text).summary == summary)
    }

    @Test func `a group is called by what it does, each once`() {
        let group = StatementGroup([
            "INSERT INTO outbox DEFAULT VALUES", "SELECT 1", "INSERT INTO outbox DEFAULT VALUES",
        ])
        #expect(group.summary == "INSERT outbox; SELECT")
    }
}
