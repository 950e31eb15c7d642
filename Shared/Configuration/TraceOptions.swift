/// A level of the log by EMG's word or ours.
public enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical

    /// EMG's DEBUG2 is our trace.
    public init?(word: String) {
        switch word.uppercased() {
        case "DEBUG2": self = .trace
        case "DEBUG1": self = .debug
        case "WARN": self = .warning
        case "FATAL": self = .critical
        default: self.init(rawValue: word.lowercased())
        }
    }

    static let words = "TRACE (EMG's DEBUG2), DEBUG, INFO, NOTICE, WARNING, ERROR or CRITICAL"
}

/// What a connector says of its lines in the service's log.
public struct TraceOptions: Sendable, Equatable {
    /// LOGLEVEL: nil = the general CONNECTOR_LOGLEVEL, else as the service.
    public var level: LogLevel?
    /// PDULOG: a line for each PDU; nil = the general PDULOG, else none.
    public var logsPDUs: Bool?

    public init(level: LogLevel? = nil, logsPDUs: Bool? = nil) {
        self.level = level
        self.logsPDUs = logsPDUs
    }

    static let keywords = ["LOGLEVEL", "PDULOG", "MESSAGELENGTH"]
}

extension OptionReader {
    mutating func traceOptions(_ direction: ConnectorConfiguration.Direction?, _ protocolName: String?) -> TraceOptions {
        var options = TraceOptions(logsPDUs: flag("PDULOG"))
        if options.logsPDUs != nil, protocolName != "SMPP" { warn("PDULOG", "PDULOG has no effect: only SMPP has PDUs") }
        if section.last("MESSAGELENGTH") != nil, direction == .outgoing || protocolName != "SMPP" {
            warn("MESSAGELENGTH", "MESSAGELENGTH has no effect: it limits what clients send over SMPP (for providers see LONGMESSAGE)")
        }
        guard let word = text("LOGLEVEL") else { return options }
        options.level = LogLevel(word: word)
        if options.level == nil { fault("LOGLEVEL", "LOGLEVEL is \(LogLevel.words), not \(word)") }
        return options
    }
}

extension Keyword {
    /// General keywords about the services' logs.
    static let generalTrace = ["LOGLEVEL", "CONNECTOR_LOGLEVEL", "PDULOG"]
}

extension ConfigurationFile {
    func checkTrace() -> [ConfigurationDiagnostic] {
        general.compactMap { entry in
            switch entry.key {
            case "LOGLEVEL", "CONNECTOR_LOGLEVEL":
                guard LogLevel(word: entry.value ?? "") == nil else { return nil }
                return ConfigurationDiagnostic(
                    .error, line: entry.line, "\(entry.key) is \(LogLevel.words), not \(entry.value ?? "nothing")")
            case "PDULOG":
                guard let value = entry.value, !["1", "yes", "true", "on", "0", "no", "false", "off"].contains(value.lowercased()) else {
                    return nil
                }
                return ConfigurationDiagnostic(.error, line: entry.line, "PDULOG is 1 or 0, not \(value)")
            default: return nil
            }
        }
    }
}
