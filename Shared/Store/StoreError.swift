public import Database

/// A request that cannot be carried out as asked; the asker's fault, and a retry is useless.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    case notFound(String)
    case exists(String)
    case invalid(String)

    public var description: String {
        switch self {
        case .notFound(let what): "there is no \(what)"
        case .exists(let what): "there is already an \(what)"
        case .invalid(let why): why
        }
    }
}

/// Who changed what, for people to read later.
public enum Audit {
    /// Belongs into the transaction of the change.
    public static func write(_ connection: Connection, who: String, action: String, detail: String) throws(DatabaseError) {
        try connection.execute(
            "INSERT INTO audit (who, action, detail) VALUES ($1, $2, $3)", [.text(who), .text(action), .text(detail)])
    }
}
