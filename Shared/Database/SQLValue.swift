public import Pricing

/// A parameter of a statement.
///
/// Types are left to the server, which infers them from where the parameter stands; where it cannot
/// (`unnest($1)`), the SQL says it (`unnest($1::bigint[])`). PostgreSQL's text holds no NUL: one in a text
/// is sent as U+FFFD, so that a peer's odd message cannot break the batch that carries it.
public enum SQLValue: Sendable, Equatable {
    case null
    case int(Int64)
    case text(String)
    case bool(Bool)
    /// A `bytea`, sent in binary.
    case bytes([UInt8])
    case numeric(Money)

    // A whole column of a batch, for `unnest($1::bigint[], ...)`.
    case intArray([Int64?])
    case textArray([String?])
    case moneyArray([Money?])
    case boolArray([Bool?])
    case bytesArray([[UInt8]?])
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral {
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
}

extension SQLValue {
    public static func int(_ value: Int) -> SQLValue { .int(Int64(value)) }
    public static func optional(_ value: Int64?) -> SQLValue { value.map { .int($0) } ?? .null }
    public static func optional(_ value: Int?) -> SQLValue { value.map { .int(Int64($0)) } ?? .null }
    public static func optional(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
    public static func optional(_ value: Money?) -> SQLValue { value.map { .numeric($0) } ?? .null }
    public static func optional(_ value: Bool?) -> SQLValue { value.map { .bool($0) } ?? .null }
    public static func optional(_ value: [UInt8]?) -> SQLValue { value.map { .bytes($0) } ?? .null }
}
