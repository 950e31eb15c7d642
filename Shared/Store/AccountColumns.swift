public import Configuration
public import Database
import Foundation
import Pricing

/// The columns of `emguser` as a person may write them: by name and in text.
///
/// Balances are not simply set: what changes them is booked, so that the ledger goes on to explain them.
public enum AccountColumns {
    enum Kind: Sendable {
        case text
        case integer(ClosedRange<Int64>)
        case flag
        /// 0 or 1 in a smallint.
        case zeroOne
        case time
        case limit
        case word([String])
        case password
        /// Kept as it is, for EMG's old ways: replaced at the next login.
        case oldPassword
        case md5
        /// Changed by a booking.
        case balance
        case creditsWhole
        case creditsMillionths
        /// Written by the server, or meaningless here; an import takes it.
        case server(isTime: Bool)
    }

    static let kinds: [String: Kind] = {
        var kinds: [String: Kind] = [
            "password": .password, "md5password": .md5, "creditssend": .creditsWhole, "creditssenddec": .creditsMillionths,
            "creditsreceive": .integer(Int64.min...Int64.max), "charge_balance": .balance, "charge_balance_postpaid_limit": .limit,
            "maxsessions": .integer(0...1_000_000), "throughput": .integer(0...1_000_000), "lastlogin": .server(isTime: true),
            "lastfailedlogin": .server(isTime: true), "lastip": .server(isTime: false), "lastipstr": .server(isTime: false),
            "lockeduntil": .time, "allowpostpaid": .zeroOne, "failedlogins": .integer(0...Int64(Int32.max)),
            "created": .server(isTime: true),
            "charge_on": .word(["accept", "send", "delivery"]), "dlr_per_part": .flag,
            "logbody": .word(["plain", "none", "encrypted"]), "currency": .text,
        ]
        for name in [
            "usergroup", "fullname", "company", "phone", "route", "routedlr", "routing", "routesat", "foresourceaddr", "satpoolcreate",
            "charges", "extra1", "extra2", "extra3", "extra4", "extra5", "extra6", "extra7", "extra8", "extra9",
        ] {
            kinds[name] = .text
        }
        return kinds
    }()

    /// Every column that `account set --set` takes.
    public static var settable: [String] {
        kinds.filter { if case .server = $0.value { false } else { true } }.map(\.key).sorted()
    }

    /// EMG's other names for the same (reference 0.3, item 4).
    static let aliases = ["charges_balance": "charge_balance", "forcesourceaddr": "foresourceaddr"]

    /// Sets columns of an account, in one transaction with the bookings that its balances need.
    /// - Parameters:
    ///   - values: by column; nil or empty clears it.
    ///   - files: what stands in the files that `routing` and `charges` are set to; of one that is not given the rows stay as they are.
    /// - Throws: `StoreError` that names the column.
    public static func set(
        _ connection: Connection, username: String, values: [String: String?], files: [AccountFile] = [], by who: String
    ) throws {
        try connection.transaction {
            guard let account = try AccountStore.find(connection, username: username) else {
                throw StoreError.notFound("account \(username)")
            }
            for (name, text) in values.sorted(by: { $0.key < $1.key }) {
                let column = aliases[name] ?? name
                guard let kind = kinds[column] else {
                    throw StoreError.invalid(
                        "emguser has no column \(name) that can be set; these can: \(settable.joined(separator: ", "))")
                }
                if case .server = kind { throw StoreError.invalid("\(column) is written by the gateway itself") }
                let text = text.flatMap { $0.isEmpty ? nil : $0 }
                try checkTarget(connection, column, text)
                try write(connection, account, column, kind, text, who)
                guard let fileKind = AccountFile.Kind(rawValue: column) else { continue }
                let reference = AccountFile.Reference(account: username, kind: fileKind, path: text ?? "")
                let file = files.first { $0.reference == reference }
                if text == nil || file != nil { try AccountFileStore.replace(connection, reference, with: file) }
            }
            try Audit.write(
                connection, who: who, action: "account set", detail: "\(username): \(values.keys.sorted().joined(separator: ", "))")
        }
    }

    /// A connector, or pool, that does not exist would end every message of the account.
    static func checkTarget(_ connection: Connection, _ column: String, _ name: String?) throws {
        guard let name, !name.isEmpty else { return }
        func type() throws -> String? {
            try connection.query("SELECT type FROM connector WHERE name = $1", [.text(name)]).first.map { try $0.text(0) }
        }
        func isSection(_ kind: SectionKind) throws -> Bool {
            try !connection.query("SELECT 1 FROM config_section WHERE kind = $1 AND name = $2", [.text(kind.rawValue), .text(name)]).isEmpty
        }
        switch column {
        case "route":
            switch try type() {
            case "OUTGOING": return
            case nil:
                if try isSection(.connectorGroup) { return }
                throw StoreError.invalid("route: there is no connector or connector group \(name)")
            default: throw StoreError.invalid("route: clients bind to \(name); messages of an account go to a provider's connector")
            }
        case "routedlr", "routesat":
            switch try type() {
            case "INCOMING": return
            case nil: throw StoreError.invalid("\(column): there is no connector \(name)")
            default: throw StoreError.invalid("\(column): \(name) is a provider's; it is the clients that take reports and answers")
            }
        case "satpoolcreate":
            guard try isSection(.sourceAddressPool) else { throw StoreError.invalid("satpoolcreate: there is no SATPOOL section \(name)") }
        default: return
        }
    }

    private static func write(
        _ connection: Connection, _ account: Account, _ column: String, _ kind: Kind, _ text: String?, _ who: String
    ) throws {
        switch kind {
        case .balance: return try setBalance(connection, account, text, who)
        case .creditsWhole, .creditsMillionths: return try setCredits(connection, account, column, text, who)
        case .password:
            guard let text, text.utf8.count <= PasswordHash.maximumPasswordOctets else {
                throw StoreError.invalid("a password has 1 to \(PasswordHash.maximumPasswordOctets) octets")
            }
            try connection.execute(
                "UPDATE emguser SET password_scrypt = $2, password = NULL, md5password = NULL WHERE userid = $1",
                [.int(account.id), .text(try PasswordHash.make(text))])
        case .md5:
            guard let digest = text.flatMap(md5) else { throw StoreError.invalid("md5password is 32 hexadecimal digits") }
            try connection.execute(
                "UPDATE emguser SET md5password = $2, password = NULL, password_scrypt = NULL WHERE userid = $1",
                [.int(account.id), .text(digest)])
        default:
            let value = try value(column, kind, text)
            // The column's name comes from our own table, never from outside.
            try connection.execute(
                "UPDATE emguser SET \(column) = \(isTime(kind) ? "to_timestamp($2::bigint / 1000.0)" : "$2") WHERE userid = $1",
                [.int(account.id), value])
        }
    }

    static func isTime(_ kind: Kind) -> Bool {
        switch kind {
        case .time, .server(isTime: true): true
        default: false
        }
    }

    static func md5(_ text: String) -> String? {
        text.utf8.count == 32 && text.allSatisfy { $0.isASCII && $0.isHexDigit } ? text.lowercased() : nil
    }

    /// The value of a plain column. Columns that may not be NULL get their zero.
    static func value(_ column: String, _ kind: Kind, _ text: String?) throws(StoreError) -> SQLValue {
        switch kind {
        case .text:
            if column == "currency" {
                guard let text, text.utf8.count == 3, text.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
                    throw .invalid("currency has three capitals, such as EUR")
                }
            }
            return .optional(text)
        case .server(isTime: false):
            if column == "lastip" {
                guard let text else { return .null }
                guard let number = Int64(text) else { throw .invalid("lastip is a whole number") }
                return .int(number)
            }
            return .optional(text)
        case .integer(let range):
            guard let text else { return .int(0) }
            guard let number = Int64(text), range.contains(number) else {
                throw .invalid("\(column) is a whole number from \(range.lowerBound) to \(range.upperBound), not \(text)")
            }
            return .int(number)
        case .zeroOne: return .int(try flag(column, text) ? 1 : 0)
        case .flag: return .bool(try flag(column, text))
        case .time, .server(isTime: true):
            guard let text, !text.hasPrefix("0000-00-00") else { return .null }
            guard let moment = time(text) else { throw .invalid("\(column) is written as 2026-12-31 23:59:59, not \(text)") }
            return .int(moment)
        case .limit:
            guard let text else { return .null }
            guard let limit = try? Money(parsing: text), limit <= .zero, limit.micros >= -Money.columnMaximum.micros else {
                throw .invalid("\(column) is zero or negative, such as -100, not \(text)")
            }
            return .numeric(limit)
        case .word(let words):
            guard let text, words.contains(text) else { throw .invalid("\(column) is one of \(words.joined(separator: ", "))") }
            return .text(text)
        case .oldPassword, .password, .md5: return .optional(text)
        case .balance, .creditsWhole, .creditsMillionths: return .null
        }
    }

    private static func flag(_ column: String, _ text: String?) throws(StoreError) -> Bool {
        switch text?.lowercased() {
        case nil, "0", "no", "false", "f": return false
        case "1", "yes", "true", "t": return true
        default: throw .invalid("\(column) is 1 or 0")
        }
    }

    /// `2026-12-31`, `2026-12-31 23:59:59` or ISO 8601, UTC; milliseconds since 1970.
    static func time(_ text: String) -> Int64? {
        var full = text.utf8.count == 10 ? text + "T00:00:00Z" : text
        if full.utf8.count == 19 {
            full = String(full.prefix(10)) + "T" + full.dropFirst(11) + "Z"
        }
        guard let date = try? Date(full, strategy: .iso8601) else { return nil }
        return Int64(date.timeIntervalSince1970 * 1_000)
    }

    // MARK: Balances

    /// NULL turns the account to credits; an amount turns it to charges, or corrects them.
    private static func setBalance(_ connection: Connection, _ account: Account, _ text: String?, _ who: String) throws {
        guard let text, text.uppercased() != "NULL" else {
            guard let balance = account.chargeBalance else { return }
            if balance != .zero {
                try LedgerStore.book(
                    connection, username: account.username, amount: try balance.negated(), mechanism: .charges, by: who,
                    note: "turned to credits")
            }
            try connection.execute("UPDATE emguser SET charge_balance = NULL WHERE userid = $1", [.int(account.id)])
            return
        }
        let wanted: Money
        do { wanted = try Money(parsing: text) } catch { throw StoreError.invalid("charge_balance: \(error)") }
        if account.chargeBalance == nil {
            try connection.execute("UPDATE emguser SET charge_balance = 0 WHERE userid = $1", [.int(account.id)])
        }
        // What other bookings do at this moment counts: the row is locked before the difference is taken.
        let now = try LedgerStore.lockAccounts(connection, usernames: [account.username])[account.username]?.charges ?? .zero
        let difference = try wanted.subtracting(now)
        if difference != .zero {
            try LedgerStore.book(
                connection, username: account.username, amount: difference, mechanism: .charges, by: who, note: "balance set to \(wanted)")
        }
    }

    private static func setCredits(
        _ connection: Connection, _ account: Account, _ column: String, _ text: String?, _ who: String
    ) throws {
        guard let number = Int64(text ?? "0"), column == "creditssend" || (0...999_999).contains(number) else {
            throw StoreError.invalid("\(column) is a whole number\(column == "creditssend" ? "" : " from 0 to 999999")")
        }
        let now = try LedgerStore.lockAccounts(connection, usernames: [account.username])[account.username]?.credits ?? .zero
        let split = PayingAccount.split(credits: now)
        let wanted =
            column == "creditssend"
            ? PayingAccount.join(whole: number, millionths: split.millionths) : PayingAccount.join(whole: split.whole, millionths: number)
        guard let wanted, let difference = try? wanted.subtracting(now) else { throw StoreError.invalid("\(column) is out of range") }
        if difference != .zero {
            try LedgerStore.book(
                connection, username: account.username, amount: difference, mechanism: .credits, by: who, note: "credits set to \(wanted)")
        }
    }
}
