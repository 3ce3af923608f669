import HTTP

/// One request before it is signed.
struct AWSRequest: Sendable {
    let operation: AWSOperation
    let method: HTTPMethod
    /// Segments of the path, not encoded; an empty last one makes a final slash.
    let path: [String]
    let query: [(String, String)]
    var headers: [(String, String)]
    let body: [UInt8]

    init(
        _ operation: AWSOperation,
        method: HTTPMethod,
        path: [String] = [],
        query: [(String, String)] = [],
        headers: [(String, String)] = [],
        body: [UInt8] = []
    ) {
        self.operation = operation
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// A form with its `Action` and `Version`.
    init(form operation: AWSOperation, _ parameters: FormParameters) {
        var form = FormParameters()
        form.add("Action", operation.name)
        form.add("Version", operation.service.apiVersion)
        for pair in parameters.pairs { form.add(pair.name, pair.value) }
        self.init(
            operation,
            method: .post,
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: Array(form.encoded.utf8)
        )
    }
}
