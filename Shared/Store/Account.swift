import Configuration
import Database
public import Pricing

/// A row of `emguser`, without its secrets.
public struct Account: Sendable, Equatable {
    public var id: Int64
    public var username: String
    /// Milliseconds since 1970.
    public var created: Int64?
    /// Credits: integer part and millionths. They count while `chargeBalance` is nil.
    public var creditsSend: Int64
    public var creditsSendMicros: Int64
    /// NULL means that credits count.
    public var chargeBalance: Money?
    /// How far a postpaid account may go below zero, such as -100; nil = without limit.
    public var postpaidLimit: Money?
    public var allowPostpaid: Bool
    /// Sessions at a time; 0 = no limit.
    public var maxSessions: Int
    /// Messages a second; 0 = no limit.
    public var throughputPerSecond: Int
    public var lastLogin: Int64?
    public var lastFailedLogin: Int64?
    public var lastIP: String?
    /// Milliseconds since 1970; logins are refused until then.
    public var lockedUntil: Int64?
    public var usergroup: String?
    public var fullName: String?
    public var company: String?
    public var phone: String?
    public var route: String?
    public var routeDLR: String?
    public var forcedSource: String?
    public var currency: String
    /// When a charge is final (`charge_on`).
    public var chargePolicy: ChargePolicy
    /// A report for each part instead of one for the message (`dlr_per_part`).
    public var reportsByPart: Bool

    init(_ row: Row) throws(DatabaseError) {
        id = try row.int("userid")
        username = try row.text("username")
        created = try row.optionalMilliseconds("created")
        creditsSend = try row.int("creditssend")
        creditsSendMicros = try row.int("creditssenddec")
        chargeBalance = try row.optionalMoney("charge_balance")
        postpaidLimit = try row.optionalMoney("charge_balance_postpaid_limit")
        allowPostpaid = try row.int("allowpostpaid") == 1
        maxSessions = Int(try row.int("maxsessions"))
        throughputPerSecond = Int(try row.int("throughput"))
        lastLogin = try row.optionalMilliseconds("lastlogin")
        lastFailedLogin = try row.optionalMilliseconds("lastfailedlogin")
        lastIP = try row.optionalText("lastipstr")
        lockedUntil = try row.optionalMilliseconds("lockeduntil")
        usergroup = try row.optionalText("usergroup")
        fullName = try row.optionalText("fullname")
        company = try row.optionalText("company")
        phone = try row.optionalText("phone")
        route = try row.optionalText("route")
        routeDLR = try row.optionalText("routedlr")
        forcedSource = try row.optionalText("foresourceaddr")
        currency = try row.text("currency")
        chargePolicy = ChargePolicy(word: try row.text("charge_on")) ?? .send
        reportsByPart = try row.bool("dlr_per_part")
    }

    /// Whether logins are refused at the moment.
    public func isLocked(atMilliseconds now: Int64) -> Bool { lockedUntil.map { $0 > now } ?? false }
}

/// Everything that a login is decided on: read in one statement, never cached, so that a change acts on the next
/// login.
public struct LoginRecord: Sendable {
    public let account: Account
    public let access: [AccessRow]
    let password: String?
    /// Its password is that of a users' file, not the account's own.
    private(set) var isOfFile = false
    let md5Password: String?
    let scryptPassword: String?

    /// True when the password is kept in one of EMG's old ways.
    public var needsUpgrade: Bool { scryptPassword == nil && !isOfFile }

    init(account: Account, access: [AccessRow], password: String?, md5Password: String?, scryptPassword: String?) {
        self.account = account
        self.access = access
        self.password = password
        self.md5Password = md5Password
        self.scryptPassword = scryptPassword
    }

    /// The account with the password of a users' file; without access rows of its own it may come from anywhere.
    init(ofFile record: LoginRecord, password: Secret, connector: String) {
        account = record.account
        let anywhere = AccessRow(id: 0, ipaddress: nil, ipmask: nil, ipstr: "0.0.0.0/0", ipwidth: 0, connector: connector)
        access = record.access.isEmpty ? [anywhere] : record.access
        self.password = password.revealed
        isOfFile = true
        md5Password = nil
        scryptPassword = nil
    }
}

/// How a login ends.
public enum LoginDecision: Sendable, Equatable {
    case accepted(Account)
    case unknownUser
    case wrongPassword
    /// Until then, in milliseconds since 1970.
    case locked(until: Int64)
    /// No access row fits the address and the connector.
    case notAllowedFromHere

    /// Decides from what is stored. Pure, but slow: about 50 ms of CPU where the password is hashed and `memory` does not know it, so
    /// it belongs on a thread that may be held that long.
    ///
    /// A lock comes first: as long as it holds nobody can try passwords. Then the password: who does not know it learns nothing more
    /// of the account. An unknown user costs the same time.
    public static func decide(
        _ record: LoginRecord?, password: String, ip: IPAddress, connector: String, nowMilliseconds: Int64, memory: PasswordMemory? = nil
    ) -> LoginDecision {
        guard password.utf8.count <= PasswordHash.maximumPasswordOctets else { return record == nil ? .unknownUser : .wrongPassword }
        guard let record else {
            _ = PasswordHash.verify(password, scrypt: decoy)
            return .unknownUser
        }
        if record.account.isLocked(atMilliseconds: nowMilliseconds) { return .locked(until: record.account.lockedUntil ?? 0) }
        guard fits(record, password, memory) else { return .wrongPassword }
        guard AccessRules.allows(record.access, ip: ip, connector: connector) else { return .notAllowedFromHere }
        return .accepted(record.account)
    }

    /// `password_scrypt`, where set, replaces `md5password`, which replaces `password`. An empty password never fits.
    private static func fits(_ record: LoginRecord, _ password: String, _ memory: PasswordMemory?) -> Bool {
        guard !password.isEmpty else { return false }
        if let stored = record.scryptPassword {
            return memory?.fits(password, stored) ?? PasswordHash.verify(password, scrypt: stored)
        }
        if let stored = record.md5Password, !stored.isEmpty { return PasswordHash.verify(password, md5: stored) }
        if let stored = record.password, !stored.isEmpty { return PasswordHash.verify(password, plain: stored) }
        return false
    }

    /// A hash that no password is known for.
    private static let decoy =
        "scrypt$16384$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
}
