import XML

/// One page of record sets, and where the next one starts.
struct RecordSetPage: Sendable {
    /// Where a listing starts; Route 53 gives three values for the next page.
    struct Start: Sendable, Equatable {
        var name: String?
        var type: String?
        var identifier: String?

        var query: [(String, String)] {
            var query = [("maxitems", "300")]
            if let name { query.append(("name", name)) }
            if let type { query.append(("type", type)) }
            if let identifier { query.append(("identifier", identifier)) }
            return query
        }
    }

    let sets: [RecordSet]
    let next: Start?

    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.sets = try node.list("ResourceRecordSets").map { set throws(MalformedAnswer) in
            try RecordSet(set)
        }
        guard node["IsTruncated"] == "true" else {
            self.next = nil
            return
        }
        self.next = Start(
            name: try node.text("NextRecordName"),
            type: node["NextRecordType"],
            identifier: node["NextRecordIdentifier"]
        )
    }
}

extension RecordSet {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            name: RecordSet.normalized(try node.text("Name")),
            type: RecordType(rawValue: try node.text("Type")),
            timeToLive: try node.integerIfPresent("TTL"),
            values: try node.list("ResourceRecords").map { record throws(MalformedAnswer) in
                try record.text("Value")
            },
            setIdentifier: node["SetIdentifier"],
            isAlias: node.child("AliasTarget") != nil
        )
    }
}

extension ChangeInfo {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        guard let info = node.child("ChangeInfo") else {
            throw MalformedAnswer("no ChangeInfo in \(node.name)")
        }
        let id = try info.text("Id")
        self.init(
            id: id.hasPrefix("/change/") ? String(id.dropFirst(8)) : id,
            isInSync: info["Status"] == "INSYNC"
        )
    }
}
