import Configuration
public import Routing

/// A row of `route`. Nil, or the empty prefix, matches anything. The columns are explained in docs/routing.md.
public struct RouteRow: Sendable, Equatable, Encodable {
    public var id: Int64
    public var prefix: String
    public var account: String?
    public var group: String?
    public var inConnector: String?
    public var traffic: RouteTraffic
    public var source: String?
    public var keyword: String?
    public var pattern: String?
    /// `TLV:0x1400`, `TLV:0x1400=0A0B`, or an EMG option with or without its value.
    public var option: String?
    public var schedule: String?
    /// A connector or a connector group.
    public var outConnector: String
    public var toAccount: String?
    public var priority: Int
    public var weight: Int
    public var leastCost: Bool
    public var stripDigits: Int
    public var addPrefix: String
    public var setSource: String?
    public var disabled: Bool
    public var note: String?
    /// The keyword of the configuration whose file it comes from; nil: entered by hand.
    public var origin: String?

    public init(
        id: Int64 = 0, prefix: String, account: String? = nil, inConnector: String? = nil, outConnector: String, priority: Int = 0,
        weight: Int = 1, disabled: Bool = false, note: String? = nil
    ) {
        self.id = id
        self.prefix = prefix
        self.account = account
        self.inConnector = inConnector
        traffic = .mt
        self.outConnector = outConnector
        self.priority = priority
        self.weight = weight
        leastCost = false
        stripDigits = 0
        addPrefix = ""
        self.disabled = disabled
        self.note = note
    }

    enum CodingKeys: String, CodingKey {
        case prefix, account, traffic, source, keyword, pattern, option, schedule, priority, weight, disabled, note, origin
        case id = "routeid"
        case group = "usergroup"
        case inConnector = "in_connector"
        case outConnector = "out_connector"
        case toAccount = "to_account"
        case leastCost = "least_cost"
        case stripDigits = "strip_digits"
        case addPrefix = "add_prefix"
        case setSource = "set_source"
    }

    /// Whether the two differ in nothing but their ids, notes and where they come from.
    public func says(thatOf other: RouteRow) -> Bool {
        var (one, two) = (self, other)
        (one.id, one.note, one.origin) = (0, nil, nil)
        (two.id, two.note, two.origin) = (0, nil, nil)
        return one == two
    }

    /// As the routing table takes it.
    /// - Throws: what is wrong with its regular expression, its option or its time.
    public func route() throws -> Route {
        var match = RouteMatch(
            prefix: prefix, account: account, group: group, inConnector: inConnector, traffic: traffic, source: source, keyword: keyword)
        match.pattern = try pattern.map { try BodyPattern($0) }
        match.option = try option.map { try Self.option($0) }
        match.schedule = try schedule.map { try RouteSchedule($0) }
        var route = Route(
            id: id, match: match, target: outConnector, toAccount: toAccount, priority: priority, weight: weight, leastCost: leastCost,
            translation: NumberTranslation(strip: stripDigits, add: addPrefix, source: setSource))
        route.isFromGeneralFile = origin == Self.generalFile
        return route
    }

    /// Origin of the rows of the general keyword ROUTING's file.
    private static let generalFile = "ROUTING"

    /// The account whose own routing file it comes from.
    var owner: String? {
        account.flatMap { AccountFile.Reference(account: $0, kind: .routing, path: "").origin == origin ? $0 : nil }
    }

    /// Reads an option: a TLV by its tag (`0x1400`, `TLV:0x1400`), with its value in hex or as `text:…`; or an EMG option by name.
    public static func option(_ text: String) throws(StoreError) -> RouteMatch.Option {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var name = parts[0].uppercased()
        var value = parts.count > 1 ? parts[1] : nil
        if name.hasPrefix("TLV:") { name.removeFirst(4) }
        guard name.hasPrefix("0X") else {
            guard !name.isEmpty, name.utf8.count <= 40, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) else {
                throw .invalid("an option is a TLV such as 0x1400=0A0B, or an option's name: not \(text)")
            }
            return RouteMatch.Option(name: name, value: value)
        }
        guard let tag = UInt16(name.dropFirst(2), radix: 16) else { throw .invalid("a TLV's tag lies between 0x0000 and 0xFFFF: \(text)") }
        if let plain = value, plain.hasPrefix("text:") {
            value = plain.dropFirst(5).utf8.map { hex($0) }.joined()
        } else if let digits = value {
            guard digits.utf8.count.isMultiple(of: 2), digits.utf8.count <= 512, digits.allSatisfy(\.isHexDigit) else {
                throw .invalid("a TLV's value is pairs of hexadecimal digits, or text:…: \(text)")
            }
            value = digits.uppercased()
        }
        return RouteMatch.Option(name: "TLV:0x\(hex(UInt8(tag >> 8)))\(hex(UInt8(tag & 0xFF)))", value: value)
    }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }

    /// Everything wrong with it.
    func problems(_ names: RouteNames) -> [String] {
        var problems: [String] = []
        do { try Prefix.check(prefix) } catch { problems.append("\(error)") }
        // What a wider prefix would lose: numbers have at most 15 digits, the table keeps 18.
        if prefix.utf8.count > NumberPrefix.maxDigits { problems.append("a route's prefix has at most \(NumberPrefix.maxDigits) digits") }
        do { _ = try route() } catch { problems.append("\(error)") }
        if let account, !names.accounts.contains(account) { problems.append("there is no account \(account)") }
        if let toAccount, !names.accounts.contains(toAccount) { problems.append("there is no account \(toAccount)") }
        if let inConnector, names.connectors[inConnector] == nil { problems.append("there is no connector \(inConnector)") }
        if let source, source.isEmpty || source.utf8.count > 40 || source.dropLast().contains("*") {
            problems.append("a sender has 1 to 40 characters; only its end may be *")
        }
        if let keyword, keyword.isEmpty || keyword.contains(where: { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }) {
            problems.append("a keyword is one word of letters, digits, _ and -")
        }
        if !(0...1_000_000).contains(weight) { problems.append("a weight lies between 0 and 1000000") }
        if !(-1_000_000...1_000_000).contains(priority) { problems.append("a priority lies between -1000000 and 1000000") }
        if !(0...20).contains(stripDigits) { problems.append("0 to 20 digits can be stripped") }
        if addPrefix.utf8.count > 20 || !addPrefix.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: "+") }) {
            problems.append("a prefix to add is up to 20 digits")
        }
        if let setSource, setSource.isEmpty || setSource.utf8.count > 20 { problems.append("a sender to set has 1 to 20 characters") }
        switch names.connectors[outConnector] {
        case nil where names.groups.contains(outConnector): break
        case nil: problems.append("there is no connector or connector group \(outConnector)")
        case true where traffic == .mo && toAccount == nil:
            problems.append("a message from a phone that goes out again needs to_account: who pays for it")
        case false where traffic != .mo:
            problems.append("\(outConnector) is an incoming connector: only traffic mo, from phones, can be led to clients")
        case false where toAccount == nil: problems.append("towards the clients of \(outConnector) to_account says who gets it")
        default: break
        }
        if toAccount != nil, traffic == .mt { problems.append("to_account is for traffic from phones (mo or any)") }
        if account != nil || group != nil, traffic == .mo { problems.append("messages from phones (mo) have no account and no group yet") }
        return problems
    }
}

/// The names that routes may use.
struct RouteNames {
    /// By name, whether it is outgoing.
    var connectors: [String: Bool]
    var groups: Set<String>
    /// Those that were asked for and exist.
    var accounts: Set<String>
}
