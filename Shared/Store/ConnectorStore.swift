public import Configuration
public import Database
import Pricing

/// The configuration as the database holds it: connectors, general options and the other sections.
public enum ConnectorStore {
    /// All connectors in their order, as far as they are sound, and what is wrong with the others.
    public static func load(
        _ connection: Connection
    ) throws(DatabaseError) -> (connectors: [ConnectorConfiguration], diagnostics: [ConfigurationDiagnostic]) {
        var connectors: [ConnectorConfiguration] = []
        var diagnostics: [ConfigurationDiagnostic] = []
        for (section, disabled) in try sections(connection) {
            let (connector, faults) = ConnectorConfiguration.read(section, isDisabled: disabled)
            if let connector { connectors.append(connector) }
            diagnostics += faults
        }
        // The general DEFAULT_CHARGE is for every incoming connector that has none of its own.
        if let text = try general(connection, "DEFAULT_CHARGE"), let charge = try? Money(parsing: text), charge > .zero {
            for index in connectors.indices where connectors[index].direction == .incoming && connectors[index].defaultCharge == nil {
                connectors[index].defaultCharge = charge
            }
        }
        let level = try general(connection, "CONNECTOR_LOGLEVEL").flatMap { LogLevel(word: $0) }
        let logsPDUs = try general(connection, "PDULOG").map { !["0", "no", "false", "off"].contains($0.lowercased()) }
        for index in connectors.indices {
            connectors[index].trace.level = connectors[index].trace.level ?? level
            connectors[index].trace.logsPDUs = connectors[index].trace.logsPDUs ?? logsPDUs
        }
        try ConnectorControl.apply(connection, to: &connectors)
        return (connectors, diagnostics)
    }

    /// LOGLEVEL outside all sections, as our word for it (`debug`); nil where it is not set.
    public static func serviceLogLevel(_ connection: Connection) throws(DatabaseError) -> String? {
        try general(connection, "LOGLEVEL").flatMap { LogLevel(word: $0) }?.rawValue
    }

    /// A general option as it is written, the last one where there are several; nil where it is not set, empty where it has no value.
    public static func general(_ connection: Connection, _ key: String) throws(DatabaseError) -> String? {
        let rows = try connection.query("SELECT value FROM general_option WHERE key = $1 ORDER BY ordinal DESC LIMIT 1", [.text(key)])
        return try rows.first.map { row throws(DatabaseError) in try row.optionalText(0) ?? "" }
    }

    /// One connector; nil where there is none of that name or an error in its options leaves nothing to work with.
    public static func load(_ connection: Connection, name: String) throws(DatabaseError) -> ConnectorConfiguration? {
        for (section, disabled) in try sections(connection, name: name) {
            return ConnectorConfiguration.read(section, isDisabled: disabled).connector
        }
        return nil
    }

    private static func sections(
        _ connection: Connection, name: String? = nil
    ) throws(DatabaseError) -> [(section: ConfigurationSection, disabled: Bool)] {
        var found: [(section: ConfigurationSection, disabled: Bool)] = []
        for row in try connection.query(
            """
            SELECT c.name, c.disabled, o.key, o.value
            FROM connector c LEFT JOIN connector_option o ON o.connector = c.name
            WHERE $1::text IS NULL OR c.name = $1 ORDER BY c.position, c.name, o.ordinal
            """, [.optional(name)])
        {
            let name = try row.text(0)
            if found.last?.section.name != name {
                found.append((ConfigurationSection(kind: .connector, name: name, entries: []), try row.bool(1)))
            }
            if let key = try row.optionalText(2) {
                found[found.count - 1].section.entries.append(ConfigurationEntry(key: key, value: try row.optionalText(3)))
            }
        }
        return found
    }

    /// Open sessions by connector, of instances that live.
    public static func openSessions(_ connection: Connection) throws(DatabaseError) -> [String: Int64] {
        var counts: [String: Int64] = [:]
        for row in try connection.query(
            "SELECT connector, count(*) FROM live_session GROUP BY connector")
        {
            counts[try row.text(0)] = try row.int(1)
        }
        return counts
    }

    /// The whole configuration in the form of a file.
    public static func file(_ connection: Connection) throws(DatabaseError) -> ConfigurationFile {
        var file = ConfigurationFile()
        for row in try connection.query("SELECT key, value FROM general_option ORDER BY ordinal") {
            file.general.append(ConfigurationEntry(key: try row.text(0), value: try row.optionalText(1)))
        }
        for row in try connection.query(
            """
            SELECT s.kind, s.name, o.key, o.value FROM config_section s LEFT JOIN config_section_option o USING (kind, name)
            ORDER BY s.position, s.kind, s.name, o.ordinal
            """)
        {
            guard let kind = SectionKind(rawValue: try row.text(0)) else { continue }
            let name = try row.text(1)
            if file.sections.last?.kind != kind || file.sections.last?.name != name {
                file.sections.append(ConfigurationSection(kind: kind, name: name, entries: []))
            }
            if let key = try row.optionalText(2) {
                file.sections[file.sections.count - 1].entries.append(ConfigurationEntry(key: key, value: try row.optionalText(3)))
            }
        }
        file.sections += try sections(connection).map(\.section)
        return file
    }

    /// What would change if `file` became the configuration.
    public static func difference(_ connection: Connection, _ file: ConfigurationFile) throws -> ConfigurationDifference {
        let current = try self.file(connection)
        return ConfigurationDifference(from: current, to: try revealed(file, from: current))
    }

    /// `file` with the passwords that it only keeps (`***`).
    private static func revealed(_ file: ConfigurationFile, from current: ConfigurationFile) throws(StoreError) -> ConfigurationFile {
        let (file, unknown) = file.revealing(from: current)
        if let first = unknown.first { throw StoreError.invalid(first.description) }
        return file
    }

    /// Makes `file` the configuration: what is not in it goes, whatever is equal stays untouched, and so does an
    /// operator's stop of a connector. One transaction; the services are notified when it ends.
    /// - Precondition: the file was checked. What has errors is refused here too, with the first of them.
    /// - Parameters:
    ///   - files: contents of the files that it names; nil leaves what was read of such files before.
    ///   - accountFiles: contents of the files that accounts name; nil likewise.
    /// - Returns: what changed.
    @discardableResult
    public static func apply(
        _ connection: Connection, _ file: ConfigurationFile, files: RoutingFileContents? = nil, accountFiles: [AccountFile]? = nil,
        by who: String
    ) throws -> ConfigurationDifference {
        for section in file.connectors {
            if let fault = ConnectorConfiguration.read(section).diagnostics.first(where: { $0.severity == .error }) {
                throw StoreError.invalid(fault.description)
            }
        }
        return try connection.transaction {
            // Two that apply at once would mix; readers are not held up.
            try connection.script("LOCK TABLE connector, config_section, general_option IN SHARE ROW EXCLUSIVE MODE")
            let current = try self.file(connection)
            let file = try revealed(file, from: current)
            let difference = ConfigurationDifference(from: current, to: file)
            if let files {
                let changed = try RoutingFileStore.write(connection, files)
                if !changed.isEmpty {
                    try Audit.write(connection, who: who, action: "config apply", detail: changed.joined(separator: "\n"))
                }
            }
            if let accountFiles {
                let changed = try AccountFileStore.write(connection, accountFiles)
                if !changed.isEmpty {
                    try Audit.write(connection, who: who, action: "config apply", detail: changed.joined(separator: "\n"))
                }
            }
            guard !difference.isEmpty else { return difference }
            for change in difference.changes { try write(connection, change, file) }
            for (position, section) in file.sections.enumerated() { try place(connection, section, position) }
            try Audit.write(
                connection, who: who, action: "config apply", detail: difference.lines.joined(separator: "\n"))
            return difference
        }
    }

    private static func write(
        _ connection: Connection, _ change: ConfigurationDifference.Change, _ file: ConfigurationFile
    ) throws {
        switch change.place {
        case .general:
            try connection.script("DELETE FROM general_option")
            let (keys, values) = columns(file.general)
            try connection.execute(
                """
                INSERT INTO general_option (ordinal, key, value)
                SELECT n, k, v FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(k, v, n)
                """, [keys, values])
        case .section(.connector, let name):
            guard let section = file.section(.connector, named: name) else {
                try connection.execute("DELETE FROM connector WHERE name = $1", [.text(name)])
                return
            }
            let connector = ConnectorConfiguration.read(section).connector
            try connection.execute(
                """
                INSERT INTO connector (name, type, protocol) VALUES ($1, $2, $3)
                ON CONFLICT (name) DO UPDATE SET type = excluded.type, protocol = excluded.protocol, updated = now()
                """,
                [.text(name), .text(connector?.direction.rawValue ?? ""), .text(connector?.protocolName ?? "")])
            try connection.execute("DELETE FROM connector_option WHERE connector = $1", [.text(name)])
            let (keys, values) = columns(section.entries)
            try connection.execute(
                """
                INSERT INTO connector_option (connector, ordinal, key, value)
                SELECT $1, n, k, v FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u(k, v, n)
                """, [.text(name), keys, values])
        case .section(let kind, let name):
            try connection.execute(
                "DELETE FROM config_section WHERE kind = $1 AND name = $2", [.text(kind.rawValue), .text(name)])
            guard let section = file.section(kind, named: name) else { return }
            try connection.execute(
                "INSERT INTO config_section (kind, name) VALUES ($1, $2)", [.text(kind.rawValue), .text(name)])
            let (keys, values) = columns(section.entries)
            try connection.execute(
                """
                INSERT INTO config_section_option (kind, name, ordinal, key, value)
                SELECT $1, $2, n, k, v FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS u(k, v, n)
                """, [.text(kind.rawValue), .text(name), keys, values])
        }
    }

    private static func place(_ connection: Connection, _ section: ConfigurationSection, _ position: Int) throws {
        if section.kind == .connector {
            try connection.execute(
                "UPDATE connector SET position = $2 WHERE name = $1 AND position <> $2::int",
                [.text(section.name), .int(position)])
        } else {
            try connection.execute(
                "UPDATE config_section SET position = $3 WHERE kind = $1 AND name = $2 AND position <> $3::int",
                [.text(section.kind.rawValue), .text(section.name), .int(position)])
        }
    }

    private static func columns(_ entries: [ConfigurationEntry]) -> (keys: SQLValue, values: SQLValue) {
        (.textArray(entries.map(\.key)), .textArray(entries.map(\.value)))
    }
}
