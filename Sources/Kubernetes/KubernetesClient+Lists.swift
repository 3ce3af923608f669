import FoundationEssentials
import HTTP

extension KubernetesClient {
    /// One object, or nil if the server says that there is none of that name.
    func object<Object: Decodable & Sendable>(
        _ type: Object.Type,
        _ request: APIRequest,
        kind: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Object? {
        do throws(KubernetesError) {
            return try await self.send(request, deadline: deadline) { body in
                try Self.read(Object.self, kind, body)
            }
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// All objects that a list holds, in pages of 500.
    ///
    /// The pages are of one moment. If the server forgets that moment in between, the whole list is asked for again,
    /// at once and undivided, as client-go's pager does.
    func list<Item: Decodable & Sendable>(
        _ type: Item.Type,
        _ request: APIRequest,
        kind: String,
        deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> [Item] {
        var items: [Item] = []
        var seen: Set<String> = []
        var token: String?
        while true {
            let page: Page<Item>
            do throws(KubernetesError) {
                page = try await self.page(request, kind, ["limit": "500", "continue": token], deadline)
            } catch {
                guard error.code == .expired, token != nil else { throw error }
                return try await self.page(request, kind, [:], deadline).items ?? []
            }
            items += page.items ?? []
            guard let next = page.metadata.continue, !next.isEmpty else { return items }
            guard seen.insert(next).inserted else {
                throw KubernetesError(
                    code: .malformedResponse,
                    operation: request.operation,
                    message: "the token of a page came twice"
                )
            }
            token = next
        }
    }

    private func page<Item: Decodable & Sendable>(
        _ request: APIRequest,
        _ kind: String,
        _ position: KeyValuePairs<String, String?>,
        _ deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) -> Page<Item> {
        var request = request
        for (name, value) in position {
            if let value { request.query.append((name, value)) }
        }
        if position.isEmpty { request.maximumResponseBytes *= 4 }
        return try await self.send(request, deadline: deadline) { body in
            try Self.read(Page<Item>.self, kind, body)
        }
    }

    /// What some server on the way answers must not be read as an empty list.
    static func read<Object: Decodable>(_ type: Object.Type, _ kind: String, _ body: [UInt8]) throws -> Object
    {
        let data = Data(body)
        let decoder = JSONDecoder()
        guard try decoder.decode(Kind.self, from: data).kind == kind else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "it is no \(kind)"))
        }
        return try decoder.decode(Object.self, from: data)
    }
}

private struct Kind: Decodable {
    let kind: String
}

private struct Page<Item: Decodable & Sendable>: Decodable, Sendable {
    struct Metadata: Decodable, Sendable {
        let `continue`: String?
    }

    let metadata: Metadata
    /// Null where Go had no list.
    let items: [Item]?
}
