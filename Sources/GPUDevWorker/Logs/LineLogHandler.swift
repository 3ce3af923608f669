import FoundationEssentials
import Jobs
import Logging

/// One line for each event, as JSON for log collectors or as text for people.
struct LineLogHandler: LogHandler {
    enum Format {
        case json, text
    }

    let format: Format
    let sink: LogSink
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(_ format: Format, into sink: LogSink) {
        self.format = format
        self.sink = sink
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let (time, level, message) = (Date(), event.level.rawValue, event.message.description)
        let metadata = self.allMetadata(of: event)
        var line: [UInt8] = []
        line.reserveCapacity(480)
        switch self.format {
        case .json:
            line.appendJSON(#"{"time":"#, time)
            line.appendJSON(#","level":"#, level)
            line.appendJSON(#","message":"#, message)
            for (key, value) in metadata {
                line.append(UInt8(ascii: ","))
                line.appendJSONString(key)
                line.append(UInt8(ascii: ":"))
                line.appendJSONString(value.text)
            }
            line.append(utf8: "}\n")
        case .text:
            line += "\(time.rfc3339) \(level) \(message.cleaned())".utf8
            for (key, value) in metadata { line += " \(key)=\(value.text.cleaned())".utf8 }
            line.append(UInt8(ascii: "\n"))
        }
        self.sink.write(line)
    }

    /// By key; what is said of the event goes before what is said of its surroundings.
    private func allMetadata(of event: LogEvent) -> [(key: String, value: Logger.MetadataValue)] {
        let own = event.metadata ?? [:]
        var all = Array(own)
        let provided = self.metadataProvider?.get() ?? [:]
        for pair in provided where own[pair.key] == nil { all.append(pair) }
        for pair in self.metadata where own[pair.key] == nil && provided[pair.key] == nil { all.append(pair) }
        all.sort { $0.key < $1.key }
        return all
    }
}

extension Logger.MetadataValue {
    fileprivate var text: String {
        if case .string(let text) = self { text } else { "\(self)" }
    }
}
