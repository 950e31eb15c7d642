import CLibPQ
public import Pricing

public import struct Foundation.Date

/// The answer to one statement.
///
/// `@unchecked Sendable`: libpq never changes a result after it was returned to us, and says so ("PGresult
/// objects are normally read-only after creation, and so can be passed around freely between threads",
/// PostgreSQL 15, 34.20); we call no function that modifies one, and it is cleared once, in `deinit`.
public final class Rows: @unchecked Sendable, RandomAccessCollection {
    private let result: OpaquePointer
    private let columnsByName: [String: Int32]
    /// Rows that the statement returned.
    public let count: Int
    /// Rows that the statement touched (or returned, for a SELECT).
    public let affected: Int

    /// Takes ownership: "free the storage with PQclear" (34.3.1) happens in `deinit`.
    init(taking result: OpaquePointer) {
        self.result = result
        count = Int(PQntuples(result))
        affected = Int(String(cString: PQcmdTuples(result))) ?? 0
        var columns: [String: Int32] = [:]
        for index in 0..<PQnfields(result) {
            if let name = PQfname(result, index).map({ String(cString: $0) }), columns[name] == nil { columns[name] = index }
        }
        columnsByName = columns
    }

    deinit {
        PQclear(result)
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }
    public subscript(position: Int) -> Row {
        precondition(position >= 0 && position < count, "row \(position) of \(count)")
        return Row(rows: self, index: Int32(position))
    }

    /// The bytes of a field, valid during `body`; nil for NULL.
    func withField<R>(
        _ column: Column, _ row: Int32, _ body: (UnsafeBufferPointer<UInt8>?) throws(DatabaseError) -> R
    ) throws(DatabaseError) -> R {
        let index: Int32
        switch column {
        case .index(let number):
            guard number >= 0, number < Int(PQnfields(result)) else {
                throw DatabaseError(kind: .usage, message: "the answer has no column \(number)")
            }
            index = Int32(number)
        case .name(let name):
            guard let number = columnsByName[name] else {
                throw DatabaseError(kind: .usage, message: "the answer has no column \(name)")
            }
            index = number
        }
        guard PQgetisnull(result, row, index) == 0, let value = PQgetvalue(result, row, index) else { return try body(nil) }
        let length = Int(PQgetlength(result, row, index))
        return try value.withMemoryRebound(to: UInt8.self, capacity: length) { pointer throws(DatabaseError) in
            try body(UnsafeBufferPointer(start: pointer, count: length))
        }
    }
}

/// A column by its name or by its place, counted from 0.
public enum Column: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, CustomStringConvertible {
    case name(String)
    case index(Int)

    public init(stringLiteral value: String) { self = .name(value) }
    public init(integerLiteral value: Int) { self = .index(value) }

    public var description: String {
        switch self {
        case .name(let name): name
        case .index(let index): "number \(index)"
        }
    }
}

/// One row. Reading a NULL with a function that is not `optional…`, a value that is not of the type, or a
/// column that is not there throws a `DatabaseError`; nothing traps.
public struct Row: Sendable {
    let rows: Rows
    let index: Int32

    public func isNull(_ column: Column) throws(DatabaseError) -> Bool {
        try rows.withField(column, index) { (bytes) throws(DatabaseError) in bytes == nil }
    }

    public func optionalInt(_ column: Column) throws(DatabaseError) -> Int64? {
        try read(column, "an integer") { FieldText.integer($0) }
    }
    public func int(_ column: Column) throws(DatabaseError) -> Int64 { try required(column, optionalInt(column)) }

    public func optionalText(_ column: Column) throws(DatabaseError) -> String? {
        try read(column, "text") { String(decoding: $0, as: UTF8.self) }
    }
    public func text(_ column: Column) throws(DatabaseError) -> String { try required(column, optionalText(column)) }

    public func optionalMoney(_ column: Column) throws(DatabaseError) -> Money? {
        try read(column, "an amount") { try? Money(parsingASCII: $0) }
    }
    public func money(_ column: Column) throws(DatabaseError) -> Money { try required(column, optionalMoney(column)) }

    public func optionalBool(_ column: Column) throws(DatabaseError) -> Bool? {
        try read(column, "true or false") { FieldText.bool($0) }
    }
    public func bool(_ column: Column) throws(DatabaseError) -> Bool { try required(column, optionalBool(column)) }

    public func optionalBytes(_ column: Column) throws(DatabaseError) -> [UInt8]? {
        try read(column, "bytes") { FieldText.bytes($0) }
    }
    public func bytes(_ column: Column) throws(DatabaseError) -> [UInt8] { try required(column, optionalBytes(column)) }

    /// A `timestamptz`, or a `timestamp` or `date` meant in UTC, as milliseconds since 1970.
    public func optionalMilliseconds(_ column: Column) throws(DatabaseError) -> Int64? {
        try read(column, "a time") { FieldText.microseconds($0).map { ($0 >= 0 ? $0 : $0 - 999) / 1_000 } }
    }
    public func milliseconds(_ column: Column) throws(DatabaseError) -> Int64 {
        try required(column, optionalMilliseconds(column))
    }

    /// The same as a `Date`.
    public func optionalTimestamp(_ column: Column) throws(DatabaseError) -> Date? {
        try read(column, "a time") { FieldText.microseconds($0).map { Date(timeIntervalSince1970: Double($0) / 1e6) } }
    }
    public func timestamp(_ column: Column) throws(DatabaseError) -> Date { try required(column, optionalTimestamp(column)) }

    private func read<T>(
        _ column: Column, _ expected: String, _ parse: (UnsafeBufferPointer<UInt8>) -> T?
    ) throws(DatabaseError) -> T? {
        try rows.withField(column, index) { (bytes) throws(DatabaseError) in
            guard let bytes else { return nil }
            guard let value = parse(bytes) else {
                throw DatabaseError(kind: .decoding, message: "column \(column) holds something other than \(expected)")
            }
            return value
        }
    }

    private func required<T>(_ column: Column, _ value: T?) throws(DatabaseError) -> T {
        guard let value else { throw DatabaseError(kind: .decoding, message: "column \(column) is NULL") }
        return value
    }
}
