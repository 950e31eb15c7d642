public import Database

/// What an account sees of its own messages.
extension MessageStore {
    /// Messages by id and account: another account's are not found.
    /// - Parameter wanted: pairs of id and account.
    public static func ofAccounts(
        _ connection: Connection, _ wanted: [(msgid: Int64, account: String)]
    ) throws(DatabaseError) -> [LoggedMessage] {
        let wantedIDs: [Int64?] = wanted.map(\.msgid)
        var found: [LoggedMessage] = []
        for row in try connection.query(
            """
            SELECT \(LoggedMessage.columns) FROM (SELECT DISTINCT * FROM unnest($1::bigint[], $2::text[])) AS w(id, account)
            CROSS JOIN LATERAL (SELECT * FROM routelog WHERE msgid = w.id AND username = w.account AND msgtype = 1 OFFSET 0) AS r
            """, [.intArray(wantedIDs), .textArray(wanted.map(\.account))])
        {
            found.append(try LoggedMessage(row))
        }
        return found
    }

    /// Reads the index of accounts and ids backwards, and no more rows than it returns (and one of each day's partition).
    static let listStatement = """
        SELECT \(LoggedMessage.columns) FROM routelog
        WHERE username = $1 AND msgtype = 1 AND msgid >= $2 AND msgid < $3 ORDER BY msgid DESC LIMIT $4::int
        """

    /// An account's messages, newest first. The next page goes on before the last id of this one.
    /// - Parameters:
    ///   - ids: between these two, the upper one left out.
    ///   - limit: how many at most.
    public static func list(
        _ connection: Connection, account: String, from first: Int64, before last: Int64, limit: Int
    ) throws(DatabaseError) -> [LoggedMessage] {
        var found: [LoggedMessage] = []
        for row in try connection.query(listStatement, [.text(account), .int(first), .int(last), .int(limit)]) {
            found.append(try LoggedMessage(row))
        }
        return found
    }
}
