import CLibPQ

/// What went wrong between us and PostgreSQL, whose fault it was and whether another try can help.
///
/// `description` may be shown to anybody who may see the system: it holds no parameters, no SQL and no
/// password. `debugDescription` adds the server's detail and the statement.
public struct DatabaseError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// No connection could be made, or it broke; what was under way may or may not have happened.
        case connection
        /// The server refused a statement; `sqlState` says why.
        case server
        /// A value is not what the reader expected: a fault of ours.
        case decoding
        /// The library was used in a way that cannot work: a fault of ours.
        case usage
    }

    public let kind: Kind
    /// The five-character SQLSTATE (PostgreSQL 15, appendix A), nil where the server said none.
    public let sqlState: String?
    /// The constraint that was violated, where one was.
    public let constraint: String?
    private let message: String
    private let detail: String

    init(kind: Kind, sqlState: String? = nil, constraint: String? = nil, message: String, detail: String = "") {
        self.kind = kind
        self.sqlState = sqlState
        self.constraint = constraint
        self.message = message
        self.detail = detail
    }

    /// Whether the same work can succeed when it is begun anew (on a new connection where `kind` is
    /// `.connection`): lost connections, serialization failures, deadlocks, a server that stops or starts, that has no room on its disk
    /// or no memory left (class 53), that cannot read or write (class 58), that is a standby for the moment (25006), or that has heard
    /// nothing more of our transaction (25P03).
    public var isRetriable: Bool {
        if kind == .connection { return true }
        guard kind == .server, let sqlState else { return false }
        switch sqlState {
        case "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25006", "25P03": return true
        default: return ["08", "53", "58"].contains { sqlState.hasPrefix($0) }
        }
    }

    /// Whether the connection can no longer be used.
    public var isConnectionLost: Bool {
        switch sqlState {
        case "57P01", "57P02", "57P03", "57P05", "25P03": true
        default: kind == .connection || (sqlState?.hasPrefix("08") ?? false)
        }
    }

    public var isUniqueViolation: Bool { sqlState == "23505" }
    public var isForeignKeyViolation: Bool { sqlState == "23503" }
    /// The table does not exist: most likely `signalbox migrate` has not been run.
    public var isUndefinedTable: Bool { sqlState == "42P01" }
    public var isStatementTimeout: Bool { sqlState == "57014" }

    public var description: String {
        switch kind {
        case .connection: return "database connection: \(message)"
        case .decoding, .usage: return "database: \(message)"
        case .server:
            let state = sqlState ?? "?????"
            // Class 22 is about data, and PostgreSQL quotes the data in its message.
            return state.hasPrefix("22") ? "database error \(state): a value was refused" : "database error \(state): \(message)"
        }
    }

    public var debugDescription: String {
        detail.isEmpty ? "\(kind) \(sqlState ?? ""): \(message)" : "\(kind) \(sqlState ?? ""): \(message)\n\(detail)"
    }
}

extension DatabaseError {
    /// From a failed result (PostgreSQL 15, 34.3.3: PQresultErrorField).
    init(result: OpaquePointer, connection: OpaquePointer, sql: String) {
        func field(_ code: Character) -> String? {
            PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
        }
        let state = field("C")
        let lost = PQstatus(connection) == CONNECTION_BAD
        let primary = field("M") ?? String(cString: PQresultErrorMessage(result)).firstLine
        var details: [String] = []
        for (name, code) in [("detail", Character("D")), ("hint", "H"), ("context", "W"), ("table", "t"), ("column", "c")] {
            if let text = field(code) { details.append("\(name): \(text)") }
        }
        details.append("statement: \(sql.prefix(2_000))")
        self.init(
            kind: lost && state == nil ? .connection : .server, sqlState: state, constraint: field("n"),
            message: primary.isEmpty ? "the server closed the connection" : primary, detail: details.joined(separator: "\n"))
    }

    /// From the connection's last message, where there is no result.
    init(connection: OpaquePointer, sql: String = "") {
        let message = String(cString: PQerrorMessage(connection)).firstLine
        self.init(
            kind: PQstatus(connection) == CONNECTION_BAD ? .connection : .server,
            message: message.isEmpty ? "the connection failed" : message, detail: sql.isEmpty ? "" : "statement: \(sql.prefix(2_000))")
    }
}

extension String {
    var firstLine: String {
        String(split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: true).first ?? "")
    }
}
