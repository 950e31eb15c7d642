import Foundation
public import Logging
import Synchronization

/// The level of all loggers of the process that have none of their own. It can change at any time.
enum ServiceLogLevel {
    private static let place = Atomic<Int>(Logger.Level.allCases.firstIndex(of: .info) ?? 0)
    private static let isFixed = Atomic<Bool>(false)

    static var current: Logger.Level { Logger.Level.allCases[place.load(ordering: .relaxed)] }

    /// By the environment of the process: then the configuration changes nothing.
    static func fix(_ level: Logger.Level) {
        isFixed.store(true, ordering: .relaxed)
        set(level)
    }

    /// - Parameter name: of a level; nil, or an unknown one = info.
    static func follow(_ name: String?) {
        guard !isFixed.load(ordering: .relaxed) else { return }
        set(name.flatMap { Logger.Level(rawValue: $0) } ?? .info)
    }

    private static func set(_ level: Logger.Level) {
        if let index = Logger.Level.allCases.firstIndex(of: level) { place.store(index, ordering: .relaxed) }
    }
}

extension Logger {
    /// The same logger with a level of its own, by its name; nil leaves it as it is.
    public func at(_ level: String?) -> Logger {
        guard let level = level.flatMap({ Logger.Level(rawValue: $0) }) else { return self }
        var logger = self
        logger.logLevel = level
        return logger
    }
}

/// A logger whose level is the service's, whatever it is at that moment.
func makeServiceLogger(_ label: String) -> Logger { Logger(label: label, factory: { _ in LineLogHandler() }) }

/// A logger that writes one readable line per event to standard error.
public func makeLogger(_ label: String, level: Logger.Level = .info) -> Logger {
    var logger = Logger(label: label, factory: { _ in LineLogHandler() })
    logger.logLevel = level
    return logger
}

/// `12:34:56.789 INFO  message key=value key=value`. The service's name is put before it by whoever collects the lines.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    private var ownLevel: Logger.Level?
    var logLevel: Logger.Level {
        get { ownLevel ?? ServiceLogLevel.current }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = "\(LineLogHandler.clock()) \(LineLogHandler.name(event.level)) \(event.message)"
        let merged = metadata.merging(event.metadata ?? [:]) { _, new in new }
        for (key, value) in merged.sorted(by: { $0.key < $1.key }) {
            let text = "\(value)".replacing("\n", with: " ")
            line += text.contains(" ") || text.isEmpty ? " \(key)=\"\(text)\"" : " \(key)=\(text)"
        }
        line += "\n"
        // One write per line, so that the lines of several threads do not mix. That nobody reads any more (who started us was
        // killed) is no reason to end: FileHandle would trap there.
        var text = line
        text.withUTF8 { bytes in _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }

    private static func name(_ level: Logger.Level) -> String {
        level.rawValue.uppercased().padding(toLength: 7, withPad: " ", startingAt: 0)
    }

    private static func clock() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let milliseconds = now.tv_nsec / 1_000_000
        let padding = milliseconds < 10 ? "00" : milliseconds < 100 ? "0" : ""
        return "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(padding)\(milliseconds)"
    }
}
