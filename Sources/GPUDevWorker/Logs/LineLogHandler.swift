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
        let metadata = self.metadata.merging(self.metadataProvider?.get() ?? [:]) { $1 }
            .merging(event.metadata ?? [:]) { $1 }
            .sorted { $0.key < $1.key }
        let (time, level, message) = (Date().rfc3339, event.level.rawValue, "\(event.message)")
        var line: [UInt8] = []
        line.reserveCapacity(320)
        switch self.format {
        case .json:
            line.appendJSON("{", "time", time)
            line.appendJSON(",", "level", level)
            line.appendJSON(",", "message", message)
            for (key, value) in metadata { line.appendJSON(",", key, "\(value)") }
            line += "}\n".utf8
        case .text:
            line += "\(time) \(level) \(message.cleaned())".utf8
            for (key, value) in metadata { line += " \(key)=\("\(value)".cleaned())".utf8 }
            line.append(UInt8(ascii: "\n"))
        }
        self.sink.write(line)
    }
}
