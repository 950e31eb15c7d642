/// What a connector says of the message log. The general keywords of the same names hold for connectors that say nothing
/// (EMG-REFERENCE 3.2; EMG has them as general keywords only).
public struct LogOptions: Sendable, Equatable {
    /// DISABLE_MESSAGEBODY: no row in `messagebody` for messages that come in or go out here; nil = the general keyword decides.
    public var disablesBody: Bool?
    /// DISABLE_MESSAGEOPTION: no rows in `messageoption`; nil = the general keyword decides.
    public var disablesOptions: Bool?

    public init(disablesBody: Bool? = nil, disablesOptions: Bool? = nil) {
        self.disablesBody = disablesBody
        self.disablesOptions = disablesOptions
    }

    static let keywords = ["DISABLE_MESSAGEBODY", "DISABLE_MESSAGEOPTION"]
    /// Days that LOGRETENTION may name.
    public static let retentionDays = 1...36_500
}

extension OptionReader {
    mutating func logOptions() -> LogOptions {
        LogOptions(disablesBody: flag("DISABLE_MESSAGEBODY"), disablesOptions: flag("DISABLE_MESSAGEOPTION"))
    }
}

extension Keyword {
    /// General keywords about the message log. LOGRETENTION is ours, EMG has none.
    static let generalLog = LogOptions.keywords + ["LOGRETENTION"]
}

extension ConfigurationFile {
    func checkLog() -> [ConfigurationDiagnostic] {
        general.compactMap { entry in
            switch entry.key {
            case "LOGRETENTION":
                guard let days = Int(entry.value ?? ""), days == 0 || LogOptions.retentionDays.contains(days) else {
                    return ConfigurationDiagnostic(
                        .error, line: entry.line,
                        "LOGRETENTION is a number of days from 1 to \(LogOptions.retentionDays.upperBound), or 0 to keep the log for ever")
                }
                return nil
            case "DISABLE_MESSAGEBODY", "DISABLE_MESSAGEOPTION":
                guard let value = entry.value else { return nil }
                guard ["1", "yes", "true", "on", "0", "no", "false", "off"].contains(value.lowercased()) else {
                    return ConfigurationDiagnostic(.error, line: entry.line, "\(entry.key) is 1 or 0, not \(value)")
                }
                return nil
            default: return nil
            }
        }
    }
}
