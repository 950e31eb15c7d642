/// A `server.cfg` as it is written: general options and sections in their order, with their lines.
public struct ConfigurationFile: Sendable, Equatable {
    public var general: [ConfigurationEntry]
    public var sections: [ConfigurationSection]

    public init(general: [ConfigurationEntry] = [], sections: [ConfigurationSection] = []) {
        self.general = general
        self.sections = sections
    }

    public var connectors: [ConfigurationSection] { sections.filter { $0.kind == .connector } }

    public func section(_ kind: SectionKind, named name: String) -> ConfigurationSection? {
        sections.first { $0.kind == kind && $0.name == name }
    }
}

/// The kinds of section that EMG knows.
public enum SectionKind: String, Sendable, CaseIterable, Codable {
    case connector = "CONNECTOR"
    case database = "DB"
    case plugin = "PLUGIN"
    case sourceAddressPool = "SATPOOL"
    case domain = "DOMAIN"
    case connectorGroup = "CONNECTORGROUP"
}

/// `KIND name <`, entries, `>`.
public struct ConfigurationSection: Sendable, Equatable {
    public let kind: SectionKind
    public let name: String
    public var entries: [ConfigurationEntry]
    /// Line of the heading, counted from 1; 0 where it came from elsewhere than a file.
    public let line: Int

    public init(kind: SectionKind, name: String, entries: [ConfigurationEntry], line: Int = 0) {
        self.kind = kind
        self.name = name
        self.entries = entries
        self.line = line
    }

    /// The last value of a key: what is written later wins.
    public func last(_ key: String) -> ConfigurationEntry? { entries.last { $0.key == key } }
    /// All values of a key that may repeat.
    public func all(_ key: String) -> [ConfigurationEntry] { entries.filter { $0.key == key } }
}

/// `KEY=value`, or a bare `KEY` (`value` nil). Prints without its secrets.
public struct ConfigurationEntry: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// In capitals.
    public let key: String
    public let value: String?
    public let line: Int

    public init(key: String, value: String?, line: Int = 0) {
        self.key = key
        self.value = value
        self.line = line
    }

    /// Lines do not make two entries different.
    public func isSame(as other: ConfigurationEntry) -> Bool { key == other.key && value == other.value }

    public var description: String { printableValue.map { "\(key)=\($0)" } ?? key }
    public var customMirror: Mirror { Mirror(self, children: ["entry": description]) }
    /// What may be shown: passwords as `***`.
    public var printableValue: String? { value.map { Keyword.isSecret(key) ? Self.hidden : $0 } }
}

/// Something to say about a configuration, and where.
public struct ConfigurationDiagnostic: Sendable, Equatable, CustomStringConvertible, Encodable {
    public enum Severity: String, Sendable, Encodable {
        case error, warning
    }

    public let severity: Severity
    /// Counted from 1; 0 where no single line is to blame.
    public let line: Int
    public let message: String

    public init(_ severity: Severity, line: Int, _ message: String) {
        self.severity = severity
        self.line = line
        self.message = message
    }

    public var description: String {
        line > 0 ? "line \(line): \(severity.rawValue): \(message)" : "\(severity.rawValue): \(message)"
    }
}

extension ConfigurationFile {
    /// The file in its own syntax, which reads back to the same entries.
    /// - Parameter hidingSecrets: prints passwords as `***`, which `revealing(from:)` turns back.
    public func rendered(hidingSecrets: Bool) -> String {
        func line(_ entry: ConfigurationEntry) -> String {
            guard let value = hidingSecrets ? entry.printableValue : entry.value else { return entry.key + "\n" }
            return entry.key + "=" + Self.quoted(value) + "\n"
        }
        var text = general.map(line).joined()
        for section in sections {
            if !text.isEmpty { text += "\n" }
            text += "\(section.kind.rawValue) \(section.name) <\n" + section.entries.map(line).joined() + ">\n"
        }
        return text
    }

    /// Quoted only where reading it back would otherwise change it.
    private static func quoted(_ value: String) -> String {
        let plain =
            value.allSatisfy { $0 != "\"" && $0 != "#" && $0 != "\\" } && value.first?.isWhitespace != true
            && value.last?.isWhitespace != true && !value.isEmpty
        guard !plain else { return value }
        return "\"" + value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
    }
}
