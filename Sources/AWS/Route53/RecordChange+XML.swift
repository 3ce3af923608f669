extension RecordChange {
    /// The body of ChangeResourceRecordSets.
    static func batchXML(_ changes: [RecordChange], comment: String?) -> String {
        let comment = comment.map { "<Comment>\($0.xmlEscaped)</Comment>" } ?? ""
        let changes = changes.map(\.xml).joined()
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">\
            <ChangeBatch>\(comment)<Changes>\(changes)</Changes></ChangeBatch>\
            </ChangeResourceRecordSetsRequest>
            """
    }

    private var xml: String {
        let set = self.recordSet
        let identifier = set.setIdentifier.map { "<SetIdentifier>\($0.xmlEscaped)</SetIdentifier>" } ?? ""
        let timeToLive = set.timeToLive.map { "<TTL>\($0)</TTL>" } ?? ""
        let values = set.values.map { "<ResourceRecord><Value>\($0.xmlEscaped)</Value></ResourceRecord>" }
        return """
            <Change><Action>\(self.action)</Action><ResourceRecordSet>\
            <Name>\(set.name.xmlEscaped)</Name><Type>\(set.type.rawValue.xmlEscaped)</Type>\(identifier)\(timeToLive)\
            <ResourceRecords>\(values.joined())</ResourceRecords></ResourceRecordSet></Change>
            """
    }
}

extension String {
    /// Text that may stand in an element.
    var xmlEscaped: String {
        // By scalars: with a combining mark after it a bracket is another character.
        self.unicodeScalars.reduce(into: "") { escaped, scalar in
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\r": escaped += "&#13;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }
}
