/// Which way a message travels.
public enum RouteTraffic: String, Sendable, Hashable, Codable, CaseIterable {
    /// From an account towards a phone.
    case mt
    /// From a phone, brought by a provider.
    case mo
    /// Both.
    case any
}

/// What a message must be for a route to count. `nil`, or the empty prefix, matches anything.
public struct RouteMatch: Sendable, Hashable {
    /// An option of the message: a TLV as `TLV:0x1400` with its value in hex, or one of EMG's option names.
    public struct Option: Sendable, Hashable {
        public var name: String
        /// `nil`: any value.
        public var value: String?

        public init(name: String, value: String?) {
            self.name = name
            self.value = value
        }
    }

    /// Leading digits of the destination.
    public var prefix: String
    public var account: String?
    /// `emguser.usergroup` of the account.
    public var group: String?
    /// The connector that it came in over.
    public var inConnector: String?
    public var traffic: RouteTraffic
    /// The sender, in whole, or its beginning followed by `*`. Case does not count, nor does a leading `+`.
    public var source: String?
    /// The first word of the text. Case does not count.
    public var keyword: String?
    /// Found anywhere in the text.
    public var pattern: BodyPattern?
    public var option: Option?
    public var schedule: RouteSchedule?

    public init(
        prefix: String = "", account: String? = nil, group: String? = nil, inConnector: String? = nil, traffic: RouteTraffic = .mt,
        source: String? = nil, keyword: String? = nil, pattern: BodyPattern? = nil, option: Option? = nil, schedule: RouteSchedule? = nil
    ) {
        self.prefix = prefix
        self.account = account
        self.group = group
        self.inConnector = inConnector
        self.traffic = traffic
        self.source = source
        self.keyword = keyword
        self.pattern = pattern
        self.option = option
        self.schedule = schedule
    }

    public static func == (left: RouteMatch, right: RouteMatch) -> Bool {
        left.prefix == right.prefix && left.account == right.account && left.group == right.group && left.inConnector == right.inConnector
            && left.traffic == right.traffic && left.source == right.source && left.keyword == right.keyword
            && left.pattern?.text == right.pattern?.text && left.option == right.option && left.schedule == right.schedule
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(prefix)
        hasher.combine(account)
        hasher.combine(group)
        hasher.combine(inConnector)
        hasher.combine(source)
        hasher.combine(keyword)
    }
}

/// A route as an operator enters it.
public struct Route: Sendable, Hashable {
    /// Negative where it comes from a routing file.
    public var id: Int64
    public var match: RouteMatch
    /// A connector or a connector group.
    public var target: String
    /// Who gets it (towards a client), or pays for it (a message from a phone that goes out again).
    public var toAccount: String?
    /// Among routes that are equally specific, the smaller number is tried first.
    public var priority: Int
    /// Among routes of the same priority, the share of the traffic; 0 = only when no other of that priority is left.
    public var weight: Int
    /// Among routes of the same priority, the cheapest is tried first, where one of them says so.
    public var leastCost: Bool
    public var translation: NumberTranslation
    /// It stands in the routing file of the configuration, which an account's own routing file replaces (EMG's `emguser.routing`).
    public var isFromGeneralFile = false

    public init(
        id: Int64, match: RouteMatch, target: String, toAccount: String? = nil, priority: Int = 0, weight: Int = 1, leastCost: Bool = false,
        translation: NumberTranslation = .init()
    ) {
        self.id = id
        self.match = match
        self.target = target
        self.toAccount = toAccount
        self.priority = priority
        self.weight = max(0, weight)
        self.leastCost = leastCost
        self.translation = translation
    }
}

/// What is known of a message when its route is sought.
public struct RouteQuery: Sendable {
    public var source: String
    public var destination: String
    /// Empty: a message from a phone.
    public var account: String
    public var inConnector: String
    public var text: String
    public var options: [RouteMatch.Option]
    /// Connectors that refused it already.
    public var tried: [String]
    /// How often it was routed before, or came in from one of our own connectors.
    public var hops: Int
    /// Decides shares: equal for messages that are to go the same way (`RouteShare`).
    public var share: UInt64
    /// Milliseconds since 1970.
    public var moment: Int64

    public init(
        source: String = "", destination: String, account: String, inConnector: String, text: String = "",
        options: [RouteMatch.Option] = [], tried: [String] = [], hops: Int = 0, share: UInt64 = 0, now: Int64 = 0
    ) {
        self.source = source
        self.destination = destination
        self.account = account
        self.inConnector = inConnector
        self.text = text
        self.options = options
        self.tried = tried
        self.hops = hops
        self.share = share
        moment = now
    }

    /// The first word of the text in small letters: what stands before the first blank or sign that is neither letter nor digit.
    static func keyword(of text: String) -> String {
        let start = text.drop { $0.isWhitespace }
        let word = start.prefix(64).prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
        return word.lowercased()
    }
}

/// What shares of traffic are drawn from: the same number on every router instance, and again when a message is routed again.
public enum RouteShare {
    /// A message by itself.
    public static func message(_ msgid: Int64) -> UInt64 { UInt64(bitPattern: msgid) }

    /// A part of a message that the sender split: all parts have the same sender, recipient and reference.
    public static func part(account: String, source: String, destination: String, reference: UInt16, isWide: Bool) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for text in [account, source, destination] {
            for byte in text.utf8 { add(byte) }
            add(0)
        }
        add(UInt8(reference >> 8))
        add(UInt8(reference & 0xFF))
        add(isWide ? 1 : 0)
        return hash
    }

    /// A number below `total`. `salt` keeps a group's draw apart from that of the route that led to it.
    static func draw(_ share: UInt64, below total: Int, salt: UInt64 = 0) -> Int {
        guard total > 1 else { return 0 }
        // Ids made in one millisecond differ only in low bits: mixed as in SplitMix64.
        var value = share &+ salt &* 0x9E37_79B9_7F4A_7C15 &+ 0x9E37_79B9_7F4A_7C15
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        value ^= value >> 31
        return Int(value % UInt64(total))
    }
}
