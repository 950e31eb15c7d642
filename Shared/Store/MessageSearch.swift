public import Database

/// Messages in the log by what people know of them.
public struct MessageSearch: Sendable {
    public var account: String?
    /// Sender or recipient; with a `*` at its end, how it begins.
    public var number: String?
    public var statuses: [Int64] = []
    /// Half open, in milliseconds since 1970, by the time of acceptance.
    public var from: Int64
    public var until: Int64
    /// Delivery reports too, which have rows of their own.
    public var includesReports = false
    /// At most so many, the newest first.
    public var limit: Int

    public init(from: Int64, until: Int64, limit: Int) {
        self.from = from
        self.until = until
        self.limit = limit
    }

    /// Reads the partitions of the time asked for from their end, so a narrow time is fast whatever the log's size.
    public func run(_ connection: Connection) throws(DatabaseError) -> [LoggedMessage] {
        let pattern = number.map { number in
            let isPrefix = number.hasSuffix("*")
            let text = isPrefix ? String(number.dropLast()) : number
            let escaped = text.reduce(into: "") { result, character in
                if "%_\\".contains(character) { result.append("\\") }
                result.append(character)
            }
            return escaped + (isPrefix ? "%" : "")
        }
        var found: [LoggedMessage] = []
        for row in try connection.query(
            """
            SELECT \(LoggedMessage.columns) FROM routelog
            WHERE msgid >= signalbox_msgid_floor(to_timestamp($1::bigint / 1000.0))
                AND msgid < signalbox_msgid_floor(to_timestamp($2::bigint / 1000.0))
                AND ($3::text IS NULL OR username = $3) AND ($4::text IS NULL OR sourceaddr LIKE $4 OR destaddr LIKE $4)
                AND (cardinality($5::int[]) = 0 OR status = ANY($5::int[])) AND ($6::boolean OR msgtype IS DISTINCT FROM 5)
            ORDER BY msgid DESC LIMIT $7
            """,
            [
                .int(from), .int(until), .optional(account), .optional(pattern), .intArray(statuses.map { $0 }), .bool(includesReports),
                .int(limit),
            ])
        {
            found.append(try LoggedMessage(row))
        }
        return found
    }
}
