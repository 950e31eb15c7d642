public import Database
public import Pricing

/// DEFAULT_CHARGE: taken before a message is accepted, and given back where it is not.
public enum ReservationStore {
    public struct Request: Sendable, Equatable {
        public var msgid: Int64
        public var username: String
        public var amount: Money

        public init(msgid: Int64, username: String, amount: Money) {
            self.msgid = msgid
            self.username = username
            self.amount = amount
        }
    }

    public enum Answer: Sendable, Equatable {
        case reserved
        /// The account works with credits: nothing is reserved, and it may go on.
        case notNeeded
        case balanceTooLow
        case unknownAccount
    }

    /// Reserves for all requests in one transaction, in their order: a later one may be refused because an earlier one took the rest.
    /// - Returns: an answer for each request, in their order.
    public static func reserve(_ connection: Connection, _ requests: [Request]) throws -> [Answer] {
        guard !requests.isEmpty else { return [] }
        return try connection.transaction {
            let before = try LedgerStore.lockAccounts(connection, usernames: Set(requests.map(\.username)))
            var accounts = before
            var entries: [LedgerEntry] = []
            let answers = requests.map { request -> Answer in
                guard var account = accounts[request.username] else { return .unknownAccount }
                guard account.mechanism == .charges else { return .notNeeded }
                var book = MessageBook(msgid: request.msgid)
                guard let entry = book.reserve(request.amount, account: &account) else { return .balanceTooLow }
                accounts[request.username] = account
                entries.append(entry)
                return .reserved
            }
            try LedgerStore.write(connection, entries: entries, before: before, after: accounts)
            return answers
        }
    }

    /// Gives reservations back whose messages were not accepted. What was priced meanwhile keeps its money.
    /// - Returns: how many were given back.
    @discardableResult
    public static func release(_ connection: Connection, _ msgids: [Int64], why: String) throws -> Int {
        guard !msgids.isEmpty else { return 0 }
        return try connection.transaction {
            let names = try connection.query(
                "SELECT DISTINCT username FROM ledger WHERE msgid = ANY($1::bigint[]) AND kind = 3", [.intArray(msgids.map { $0 })])
            // The rows are locked before the books are read: what billing books meanwhile is seen.
            let before = try LedgerStore.lockAccounts(connection, usernames: Set(try names.map { try $0.text(0) }))
            var accounts = before
            var entries: [LedgerEntry] = []
            for (_, book) in try LedgerStore.books(connection, msgids: msgids) {
                var book = book
                guard let username = book.entries.first?.username, var account = accounts[username],
                    let entry = book.release(why, account: &account)
                else { continue }
                accounts[username] = account
                entries.append(entry)
            }
            try LedgerStore.write(connection, entries: entries, before: before, after: accounts)
            return entries.count
        }
    }

    /// Reservations of messages that the log does not know although it should by now: their ingress died between the reservation and
    /// the acceptance.
    /// - Parameters:
    ///   - low, high: message ids, whose upper bits are their time.
    public static func abandoned(
        _ connection: Connection, after low: Int64, upTo high: Int64, limit: Int
    ) throws(DatabaseError) -> [Int64] {
        var found: [Int64] = []
        for row in try connection.query(
            """
            SELECT l.msgid FROM ledger l WHERE l.kind = 3 AND l.msgid > $1 AND l.msgid <= $2
                AND NOT EXISTS (SELECT FROM ledger o WHERE o.msgid = l.msgid AND o.kind <> 3 OFFSET 0)
                AND NOT EXISTS (SELECT FROM routelog r WHERE r.msgid = l.msgid OFFSET 0)
            ORDER BY l.msgid LIMIT $3
            """, [.int(low), .int(high), .int(limit)])
        {
            found.append(try row.int(0))
        }
        return found
    }
}
