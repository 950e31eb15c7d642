public import Database
import Pricing

/// EMG's users from a CSV dump of `emguser`, and of `emguseraccess`: all of them, or none.
///
/// Passwords come as they are, in clear text or MD5: each is replaced by a scrypt hash at its next good login. Balances and credits are
/// booked as opening entries.
public enum AccountImport {
    public struct Accounts: Sendable {
        var columns: [String]
        var rows: [(line: Int, values: [String: String])]
    }

    /// Reads a table and names what is wrong with its columns.
    private static func read(_ text: [UInt8], required: String, known: Set<String>) -> (Accounts, [LineFault]) {
        let table = CSVTable(text)
        var faults = table.faults
        let columns = table.columns.map { AccountColumns.aliases[$0] ?? $0 }
        for column in columns where !known.contains(column) {
            faults.append(LineFault(line: 1, what: "unknown column \(column)"))
        }
        if !columns.isEmpty, !columns.contains(required) { faults.append(LineFault(line: 1, what: "the column \(required) is missing")) }
        let rows = table.records.map { record in
            var values: [String: String] = [:]
            for (column, field) in zip(columns, record.fields) where !field.isEmpty && field != "\\N" && field != "NULL" {
                values[column] = field
            }
            return (line: record.line, values: values)
        }
        return (Accounts(columns: columns, rows: rows), faults)
    }

    /// - Parameters:
    ///   - users: a dump of `emguser` with its column names in the first line; `username` is required.
    ///   - access: a dump of `emguseraccess`, whose `userid` is the dump's, or with a column `username` instead; nil = none.
    /// - Returns: how many accounts and access rows were written; or all faults (`access` ones say so), and then nothing was.
    public static func run(
        _ connection: Connection, users: [UInt8], access: [UInt8]?, by who: String
    ) throws -> (accounts: Int, access: Int, faults: [LineFault]) {
        var (table, faults) = read(users, required: "username", known: Set(AccountColumns.kinds.keys).union(["userid", "username"]))
        var accessTable = Accounts(columns: [], rows: [])
        if let access {
            let (rows, wrong) = read(
                access, required: "connector",
                known: ["accessid", "id", "userid", "username", "ipaddress", "ipmask", "mask", "connector", "ipstr", "ipwidth"])
            accessTable = rows
            faults += wrong.map { LineFault(line: $0.line, what: "access: \($0.what)") }
        }
        guard faults.isEmpty else { return (0, 0, faults) }
        struct Undone: Error { var faults: [LineFault] }
        do {
            return try connection.transaction {
                var present: Set<String> = []
                for row in try connection.query("SELECT username FROM emguser") { present.insert(try row.text(0)) }
                var ids: [String: Int64] = [:]
                for (line, values) in table.rows {
                    let name = values["username"] ?? ""
                    do {
                        try AccountStore.checkName(name)
                        guard present.insert(name).inserted else { throw StoreError.exists("account \(name)") }
                        let id = try write(connection, name, values, who)
                        if let old = values["userid"] { ids[old] = id }
                        ids["name:" + name] = id
                    } catch let error as StoreError {
                        faults.append(LineFault(line: line, what: error.description))
                    }
                }
                var written = 0
                for (line, values) in accessTable.rows {
                    do {
                        guard let id = values["username"].map({ ids["name:" + $0] }) ?? values["userid"].map({ ids[$0] }) ?? nil else {
                            throw StoreError.invalid("it belongs to none of the accounts of this import")
                        }
                        try writeAccess(connection, id, values)
                        written += 1
                    } catch let error as StoreError {
                        faults.append(LineFault(line: line, what: "access: \(error)"))
                    }
                }
                guard faults.isEmpty else { throw Undone(faults: faults) }
                try Audit.write(
                    connection, who: who, action: "account import", detail: "\(table.rows.count) accounts, \(written) access rows")
                return (table.rows.count, written, [])
            }
        } catch let undone as Undone {
            return (0, 0, undone.faults)
        }
    }

    private static func write(_ connection: Connection, _ name: String, _ values: [String: String], _ who: String) throws -> Int64 {
        var columns = ["username"]
        var placeholders = ["$1"]
        var parameters: [SQLValue] = [.text(name)]
        for (column, text) in values.sorted(by: { $0.key < $1.key }) where column != "username" && column != "userid" {
            guard let kind = AccountColumns.kinds[column] else { continue }
            switch kind {
            case .balance, .creditsWhole, .creditsMillionths: continue
            case .md5:
                guard AccountColumns.md5(text) != nil else { throw StoreError.invalid("md5password is 32 hexadecimal digits") }
            default: break
            }
            parameters.append(try AccountColumns.value(column, kind, kindIsMD5(kind) ? text.lowercased() : text))
            columns.append(column)
            placeholders.append(
                AccountColumns.isTime(kind) ? "to_timestamp($\(parameters.count)::bigint / 1000.0)" : "$\(parameters.count)")
        }
        let balance = try values["charge_balance"].map { text in
            do { return try Money(parsing: text) } catch { throw StoreError.invalid("charge_balance \(text): \(error)") }
        }
        if balance != nil {
            columns.append("charge_balance")
            placeholders.append("0")
        }
        let rows = try connection.query(
            "INSERT INTO emguser (\(columns.joined(separator: ", "))) VALUES (\(placeholders.joined(separator: ", "))) RETURNING userid",
            parameters)
        if let balance, balance != .zero { try open(connection, name, balance, .charges, who) }
        guard let whole = Int64(values["creditssend"] ?? "0"), let millionths = Int64(values["creditssenddec"] ?? "0"),
            (0...999_999).contains(millionths), let credits = PayingAccount.join(whole: whole, millionths: millionths)
        else { throw StoreError.invalid("creditssend and creditssenddec are whole numbers, the latter from 0 to 999999") }
        if credits != .zero { try open(connection, name, credits, .credits, who) }
        return try rows[0].int(0)
    }

    private static func kindIsMD5(_ kind: AccountColumns.Kind) -> Bool { if case .md5 = kind { true } else { false } }

    private static func open(_ connection: Connection, _ name: String, _ amount: Money, _ mechanism: Mechanism, _ who: String) throws {
        try LedgerStore.book(
            connection, username: name, amount: amount, mechanism: mechanism, by: who, note: "imported", mayOverdraw: true)
    }

    private static func writeAccess(_ connection: Connection, _ userID: Int64, _ values: [String: String]) throws {
        func integer(_ name: String, _ range: ClosedRange<Int64>) throws -> Int64? {
            guard let text = values[name] else { return nil }
            guard let number = Int64(text), range.contains(number) else {
                throw StoreError.invalid("\(name) is a whole number from \(range.lowerBound) to \(range.upperBound), not \(text)")
            }
            return number
        }
        let address = try integer("ipaddress", 0...0xFFFF_FFFF)
        let mask = try integer("ipmask", 0...32) ?? integer("mask", 0...32)
        let width = try integer("ipwidth", 0...128)
        if let text = values["ipstr"], IPNetwork(text) == nil { throw StoreError.invalid("ipstr \(text) is no address") }
        guard values["ipstr"] != nil || (address != nil && mask != nil) else {
            throw StoreError.invalid("neither ipstr nor ipaddress and ipmask say from where")
        }
        try connection.execute(
            "INSERT INTO emguseraccess (userid, ipaddress, ipmask, connector, ipstr, ipwidth) VALUES ($1, $2, $3, $4, $5, $6)",
            [
                .int(userID), .optional(address), .optional(mask), .text(values["connector"] ?? "*"), .optional(values["ipstr"]),
                .optional(width),
            ])
    }
}
