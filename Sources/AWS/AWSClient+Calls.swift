import HTTP
import XML

extension AWSClient {
    /// Calls a form operation whose answer does not matter.
    func form(
        _ operation: AWSOperation,
        _ parameters: FormParameters,
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) {
        try await self.form(operation, parameters, deadline: deadline) { _ in }
    }

    /// Calls a form operation; `decode` gets the element that holds the results.
    func form<Output: Sendable>(
        _ operation: AWSOperation,
        _ parameters: FormParameters,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable (XMLNode) throws(MalformedAnswer) -> Output
    ) async throws(AWSError) -> Output {
        let request = AWSRequest(form: operation, parameters)
        return try await self.xml(request, deadline: deadline) { root throws(MalformedAnswer) in
            try decode(root.child("\(operation.name)Result") ?? root)
        }
    }

    /// Sends a request whose answer is XML; `decode` gets the root, which must be the answer to this operation.
    ///
    /// What some server on the way answers must not be read as an empty list.
    func xml<Output: Sendable>(
        _ request: AWSRequest,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable (XMLNode) throws(MalformedAnswer) -> Output
    ) async throws(AWSError) -> Output {
        try await self.send(request, deadline: deadline) { response throws(MalformedAnswer) in
            let root = try XMLNode(answer: response.body)
            let expected = "\(request.operation.name)Response"
            guard root.name == expected else {
                throw MalformedAnswer("the answer is \(root.name.prefix(40)) and not \(expected)")
            }
            return try decode(root)
        }
    }

    /// What `body` gives, or nil if it fails with one of these words of AWS, which say that the thing is not there.
    func unlessAbsent<Output>(
        _ words: Set<String>,
        _ body: () async throws(AWSError) -> Output?
    ) async throws(AWSError) -> Output? {
        do throws(AWSError) {
            return try await body()
        } catch {
            guard let word = error.awsCode, words.contains(word) else { throw error }
            return nil
        }
    }

    /// All pages of a list.
    ///
    /// An empty page with a token is legal; a missing or empty token ends; a token that comes again is an error.
    func pages<Item: Sendable>(
        _ operation: AWSOperation,
        _ parameters: FormParameters,
        list: String,
        by token: PageToken,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable (XMLNode) throws(MalformedAnswer) -> Item
    ) async throws(AWSError) -> [Item] {
        var parameters = parameters
        var items: [Item] = []
        var seen: Set<String> = []
        while true {
            let page = try await self.form(operation, parameters, deadline: deadline) {
                node throws(MalformedAnswer) in
                guard let elements = node.child(list)?.children else {
                    throw MalformedAnswer("\(node.name) has no \(list)")
                }
                return (items: try elements.map(decode), next: node[token.response]?.trimmingXMLSpace ?? "")
            }
            items += page.items
            guard !page.next.isEmpty else { return items }
            guard seen.insert(page.next).inserted else { throw AWSError.repeatedPage(operation) }
            parameters.set(token.request, page.next)
        }
    }
}

/// What a service calls the token of the next page, in a request and in its answer.
struct PageToken {
    let request: String
    let response: String

    static let ec2 = PageToken(request: "NextToken", response: "nextToken")
    static let elbv2 = PageToken(request: "Marker", response: "NextMarker")
    static let autoScaling = PageToken(request: "NextToken", response: "NextToken")
}

extension AWSError {
    /// AWS gave the token of a page that it gave before; following it would never end.
    static func repeatedPage(_ operation: AWSOperation) -> AWSError {
        AWSError(
            code: .malformedResponse,
            operation: operation.label,
            message: "the token of a page came twice"
        )
    }
}
