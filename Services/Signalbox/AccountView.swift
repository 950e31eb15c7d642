import Foundation
import Pricing
import Store

/// An account as the commands print it; keys are EMG's column names.
struct AccountView: Encodable {
    struct Access: Encodable {
        var accessid: Int64
        var network: String
        var connector: String

        init(_ row: AccessRow) {
            accessid = row.id
            connector = row.connector
            if let text = row.ipstr, !text.isEmpty {
                network = text.contains("/") ? text : text + (row.ipwidth.map { "/\($0)" } ?? "")
            } else {
                // EMG's integers, readable.
                let integers = "\(row.ipaddress.map(String.init) ?? "-")/\(row.ipmask.map(String.init) ?? "-")"
                network = IPNetwork(integers: integers)?.description ?? integers
            }
        }
    }

    var userid: Int64
    var username: String
    var charge_balance: Money?
    var charge_balance_postpaid_limit: Money?
    var allowpostpaid: Bool
    var creditssend: Int64
    var creditssenddec: Int64
    var currency: String
    var maxsessions: Int
    var throughput: Int
    var locked: Bool
    var lastlogin_ms: Int64?
    var lastfailedlogin_ms: Int64?
    var lastipstr: String?
    var usergroup: String?
    var fullname: String?
    var company: String?
    var phone: String?
    var route: String?
    var routedlr: String?
    var foresourceaddr: String?
    var charge_on: String
    var dlr_per_part: Bool
    var access: [Access]?

    init(_ account: Account, access: [AccessRow]?) {
        userid = account.id
        username = account.username
        charge_balance = account.chargeBalance
        charge_balance_postpaid_limit = account.postpaidLimit
        allowpostpaid = account.allowPostpaid
        creditssend = account.creditsSend
        creditssenddec = account.creditsSendMicros
        currency = account.currency
        maxsessions = account.maxSessions
        throughput = account.throughputPerSecond
        locked = Self.isLocked(account)
        lastlogin_ms = account.lastLogin
        lastfailedlogin_ms = account.lastFailedLogin
        lastipstr = account.lastIP
        usergroup = account.usergroup
        fullname = account.fullName
        company = account.company
        phone = account.phone
        route = account.route
        routedlr = account.routeDLR
        foresourceaddr = account.forcedSource
        charge_on = account.chargePolicy.word
        dlr_per_part = account.reportsByPart
        self.access = access?.map(Access.init)
    }

    static func isLocked(_ account: Account) -> Bool {
        account.isLocked(atMilliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
    }

    static func balance(_ account: Account) -> String {
        if let balance = account.chargeBalance { return "\(balance) \(account.currency)" }
        let credits = Money(micros: account.creditsSend.multipliedReportingOverflow(by: 1_000_000).partialValue)
        let all = (try? credits.adding(Money(micros: account.creditsSendMicros))) ?? credits
        return "\(all) credits"
    }

    var text: String {
        var lines: [(String, String?)] = [
            ("account", "\(username) (userid \(userid))\(locked ? ", locked" : "")"),
            (
                "balance",
                charge_balance.map { "\($0) \(currency)" } ?? "\(creditssend).\(String(creditssenddec + 1_000_000).dropFirst()) credits"
            ),
            ("payment", allowpostpaid ? "postpaid" + (charge_balance_postpaid_limit.map { ", down to \($0)" } ?? ", no limit") : "prepaid"),
            ("paid", "on \(charge_on)"), ("reports", dlr_per_part ? "one for each part" : "one for each message"),
            ("sessions", maxsessions == 0 ? "any number" : "at most \(maxsessions)"),
            ("throughput", throughput == 0 ? "no limit" : "\(throughput) messages a second"),
            ("last login", lastlogin_ms.map { timeText($0) + (lastipstr.map { " from \($0)" } ?? "") }),
            ("last failed login", lastfailedlogin_ms.map { timeText($0) }),
            ("group", usergroup), ("full name", fullname), ("company", company), ("phone", phone), ("route", route),
            ("reports to", routedlr), ("forced source", foresourceaddr),
        ]
        for row in access ?? [] { lines.append(("access \(row.accessid)", "\(row.network) through \(row.connector)")) }
        if access?.isEmpty == true { lines.append(("access", "none: it cannot log in (see `signalbox access add`)")) }
        return lines.compactMap { label, value in
            value.map { label + String(repeating: " ", count: max(1, 19 - label.count)) + $0 }
        }.joined(separator: "\n")
    }
}

/// What `account show` prints: the above, and every further column of `emguser` that holds something.
struct WholeAccountView: Encodable {
    private static let shown: Set<String> = [
        "userid", "username", "charge_balance", "charge_balance_postpaid_limit", "allowpostpaid", "creditssend", "creditssenddec",
        "currency",
        "maxsessions", "throughput", "lastlogin", "lastfailedlogin", "lastip", "lastipstr", "usergroup", "fullname", "company", "phone",
        "route", "routedlr", "foresourceaddr", "charge_on", "dlr_per_part",
    ]
    /// Columns that mean nothing while they are so.
    private static let silent = ["creditsreceive": "0", "failedlogins": "0", "logbody": "plain"]

    var account: AccountView
    var further: [(name: String, value: String)]

    init(_ account: AccountView, columns: [(name: String, value: String)]) {
        self.account = account
        further = columns.filter { !Self.shown.contains($0.name) && Self.silent[$0.name] != $0.value }
    }

    private struct Column: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        try account.encode(to: encoder)
        var container = encoder.container(keyedBy: Column.self)
        for column in further { try container.encode(column.value, forKey: Column(column.name)) }
    }

    var text: String {
        ([account.text] + further.map { $0.name + String(repeating: " ", count: max(1, 19 - $0.name.count)) + $0.value })
            .joined(separator: "\n")
    }
}
