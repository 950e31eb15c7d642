/// What is known of one keyword of `server.cfg`.
struct Keyword: Sendable {
    enum Scope: Sendable, Hashable {
        case general
        case section(SectionKind)

        init(_ kind: SectionKind?) {
            self = kind.map { .section($0) } ?? .general
        }

        var place: String {
            switch self {
            case .general: "outside all sections"
            case .section(let kind): "in a \(kind.rawValue) section"
            }
        }
    }

    enum Standing: Sendable {
        /// It does what it says.
        case works
        /// Accepted because nothing depends on it here; the text says why.
        case needless(String)
        /// EMG has it and this version does not: a warning, since an operator may count on it.
        case notYet
    }

    enum Repeating: Sendable {
        case once, often
    }

    let standing: Standing
    let repeating: Repeating

    /// PASSWORD, TOKEN and their like never leave the program in clear text.
    static func isSecret(_ key: String) -> Bool { key.contains("PASSWORD") || key.hasSuffix("TOKEN") }

    /// What is to be said about an entry by its key alone.
    static func check(
        _ entry: ConfigurationEntry, in scope: Scope, earlier: [ConfigurationEntry]
    ) -> ConfigurationDiagnostic? {
        guard let keyword = table[scope]?[entry.key] else {
            let hint: String
            if let home = table.first(where: { $0.key != scope && $0.value[entry.key] != nil })?.key {
                hint = "; it belongs \(home.place)"
            } else {
                let near = Suggestion.text(for: entry.key, among: table[scope]?.keys.sorted() ?? [])
                hint = near.isEmpty ? Suggestion.text(for: entry.key, among: Set(table.values.flatMap(\.keys)).sorted()) : near
            }
            return ConfigurationDiagnostic(.error, line: entry.line, "unknown keyword \(entry.key) \(scope.place)\(hint)")
        }
        if keyword.repeating == .once, let first = earlier.first(where: { $0.key == entry.key }) {
            return ConfigurationDiagnostic(
                .warning, line: entry.line, "\(entry.key) was given in line \(first.line) already; this one counts")
        }
        switch keyword.standing {
        case .works: return nil
        case .needless(let why): return ConfigurationDiagnostic(.warning, line: entry.line, "\(entry.key) has no effect: \(why)")
        case .notYet:
            return ConfigurationDiagnostic(
                .warning, line: entry.line, "\(entry.key) is known but not supported yet\(instead[entry.key] ?? "")")
        }
    }

    /// What to do without a keyword that is not supported yet.
    private static let instead = [
        "PROFILING_THRESHOLD": ": /metrics of each service has its counters, and `message show` the times of a message",
        "PDULOGDB": ": PDULOG writes a line for each PDU into the service's log",
        "PLUGIN": ": messages pass without it", "QUOTEDSUBJECT": ": e-mail is not spoken yet",
        "DEFAULT_MSGTYPE": ": e-mail is not spoken yet",
        "DLR_TO_SAME_IP": ": a report goes to any session of its account",
    ]

    /// Every keyword by its place. The names are EMG's: the reference's tables of general and connector options,
    /// and those that users recall beyond them.
    static let table: [Scope: [String: Keyword]] = [
        .general: make(
            works: ["ROUTELOGDB", "DBPROFILE", "NODEID", "BLACKLIST", "WHITELIST", "ROUTING", "MAXTOTALQUEUESIZE"] + generalMoney
                + generalLog + generalTrace,
            needless: [
                "BACKEND": "queues are Kafka topics", "BACKEND_DLR": "open reports are kept in PostgreSQL",
                "PERSISTFILES": "everything is persistent", "SPOOLDIR": "everything is kept in Kafka and PostgreSQL",
                "DBCONFIG": "the configuration always lives in the database", "CONNECTORLOGDB": "deprecated in EMG itself",
                "ROTATELOGS": "logs go to standard error", "ROTATELOGS_DEBUG": "logs go to standard error",
                "LOGYEAR": "times are always written in full",
                "CMREXPIRE": "the parts of a long message are kept together by what they have in common, not by a memory",
            ],
            notYet: [
                "DEFAULT_CHARGE", "DEFAULT_CHARCODE_TEXT", "DISABLE_CREDITS", "PDULOGDB",
                "PROFILING_THRESHOLD", "USERS", "USERDB", "MAXTOTALQUEUESIZE",
            ]),
        .section(.connector): make(
            works: ConnectorKeywords.working,
            notYet: [
                "SUBADDRESS", "USERS", "ACCESS", "BLACKLIST", "WHITELIST", "XAUTH", "XAUTHUSERNAME", "XAUTHPASSWORD", "SSL",
                "SSL_KEYFILE", "ROUTE", "ROUTEDLR", "ALLOWROUTE", "REDIRECT", "NODLR", "DLR_TO_SAME_IP",
                "DEFAULT_MSGTYPE", "DEFAULT_SMSCOP", "DEFAULT_CHARCODE_TEXT", "DEFAULT_CHARGE", "QUOTEDSUBJECT",
                "DISABLE_UCS2_DOWNGRADE", "ENABLE_UCS2_UPGRADE",
                "ADDRTON", "ADDRNPI", "ADDRESSRANGE", "FORCE_SOURCEADDR", "FORCE_DESTADDR", "DEFAULT_SOURCEADDR",
                "DEFAULT_SOURCEADDRTON", "DEFAULT_SOURCEADDRNPI", "REMOVEPREFIX", "REQUIREPREFIX",
                "SERVICETYPE", "INTERFACEVERSION", "LOGINSPERMIN", "MAXFAILEDCONNECTS", "MAXFAILEDSLEEP", "WAITBEFORECONNECT",
                "TCPSOURCEIP", "TCPSOURCEPORT", "LOCALIPS", "OPS_MAXOUTSTANDING", "OPS_MAXPERSESSION", "OPS_MAXEXPIRED", "FIRSTTRNNO",
                "MAXTRIES", "RETRYTIME", "RETRYSCHEME", "VP", "QUEUESIZE", "USEPRIORITY", "WAITDELAY", "WAITFOR",
                "MESSAGES_PER_REQUEST", "DLREXPIRE", "DLRMINMATCHLENGTH", "HEXID", "REVDLR", "MAPPING", "BINARYMAPPING",
                "UDHVIAOPTIONAL", "MESSAGEMODE", "LONGMESSAGE", "FORCE_DCS", "FORCE_CHARCODE", "PARSEMESSAGE", "REJECT_EMPTY",
                "SUPPRESS_EMGHEADERS", "QUOTEDREPLY", "INHERIT", "VIRTUAL", "COPY", "PROXY", "SIMULATE", "EMULATE", "HIBERNATE",
                "LIBRARY", "SATPOOL_CREATE", "SATPOOL_LOOKUP", "ROUTESAT", "MODEM", "MODEM_BPS", "INITSTRING", "GSMSTORE", "GSMNOSCA",
            ],
            often: ProviderHTTPOptions.repeated.union(["ADDRESS", "ACCESS", "REGEXP"]), notYetOften: ["URLHANDLER", "PLUGIN"]),
        .section(.database): make(
            // The section is read so that USERDB and DBPROFILE can name it; Signalbox has one database.
            works: ["HOST", "PORT", "USERNAME", "PASSWORD", "DBNAME", "TYPE", "INSTANCES", "SOCKET"]),
        .section(.plugin): make(notYet: ["LIBRARY", "CONFIG", "INSTANCES", "URL", "DBPROFILE"]),
        .section(.sourceAddressPool): make(
            works: ["ADDRESSRANGE", "THREADED", "IGNORE_DESTADDR", "RANDOM", "EXPIRE", "QUOTED_REPLY"], often: ["ADDRESSRANGE"]),
        .section(.domain): make(notYetOften: ["ADDRESS", "CONNECTOR", "ROUTE"]),
        .section(.connectorGroup): make(works: ["TYPE", "CONNECTOR"], often: ["CONNECTOR"]),
    ]

    private static func make(
        works: [String] = [], needless: [String: String] = [:], notYet: [String] = [], often: Set<String> = [],
        notYetOften: [String] = []
    ) -> [String: Keyword] {
        var table: [String: Keyword] = [:]
        for (key, why) in needless { table[key] = Keyword(standing: .needless(why), repeating: .once) }
        for key in notYet { table[key] = Keyword(standing: .notYet, repeating: .once) }
        for key in notYetOften { table[key] = Keyword(standing: .notYet, repeating: .often) }
        // Last, so that a keyword is moved from "not yet" to "works" by naming it among those that work.
        for key in works { table[key] = Keyword(standing: .works, repeating: often.contains(key) ? .often : .once) }
        return table
    }
}
