/// What is done about a message that a provider did not take.
public enum ProviderVerdict: String, Sendable, CaseIterable {
    /// The provider is overloaded: slower, and the same message again in its old place.
    case throttle
    /// Something passing: again later, by the retry scheme.
    case retry
    /// Not over this connector: the router picks the next route.
    case failOver = "failover"
    /// This message will never be taken, by nobody.
    case reject
}

/// What a refusal means, by the provider's own code or by the HTTP status (ERRORMAP of an HTTP connector).
///
/// `429=throttle 5xx=retry code:1005=reject code:NO_CREDIT=failover *=retry`. A code that is named decides before a status, a status
/// before its class, and that before `*`.
public struct VerdictMap: Sendable, Equatable {
    private var codes: [String: ProviderVerdict] = [:]
    private var statuses: [Int: ProviderVerdict] = [:]
    private var classes: [Int: ProviderVerdict] = [:]
    private var others: ProviderVerdict?

    public init() {}

    public init(_ text: String) throws(ProviderFault) {
        for pair in text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "\t" }) {
            guard let equals = pair.lastIndex(of: "="),
                let verdict = ProviderVerdict(rawValue: pair[pair.index(after: equals)...].lowercased())
            else {
                let words = ProviderVerdict.allCases.map(\.rawValue).joined(separator: ", ")
                throw ProviderFault("a list of status=verdict, where a verdict is one of \(words), has no \(pair)")
            }
            let name = pair[..<equals].lowercased()
            if name == "*" {
                others = verdict
            } else if name.hasPrefix("code:"), name.count > 5 {
                codes[String(name.dropFirst(5))] = verdict
            } else if name.count == 3, name.hasSuffix("xx"), let digit = name.first?.wholeNumberValue, (1...5).contains(digit) {
                classes[digit] = verdict
            } else if let status = Int(name), (100...599).contains(status) {
                statuses[status] = verdict
            } else {
                throw ProviderFault("\(pair[..<equals]) is no HTTP status such as 503 or 5xx, no code:… and not *")
            }
        }
    }

    /// - Parameter code: what the provider calls the error; empty where it does not.
    public func verdict(status: Int, code: String) -> ProviderVerdict {
        if !code.isEmpty, let verdict = codes[code.lowercased()] { return verdict }
        return statuses[status] ?? classes[status / 100] ?? others ?? VerdictMap.standard(status)
    }

    /// By RFC 9110, 15, and RFC 6585: what says something of the message is refused, what says something of our standing with this
    /// provider goes elsewhere, and what says something of the moment comes again.
    static func standard(_ status: Int) -> ProviderVerdict {
        switch status {
        case 429, 503: .throttle
        case 408, 425, 500, 502, 504, 505...599: .retry
        case 401, 402, 403, 404, 405, 407, 410, 501: .failOver
        // Not where we were told to ask: the operator's matter.
        case 300..<400: .failOver
        default: .reject
        }
    }
}

/// HTTP statuses that mean success: `200`, `2xx`, `200 201 202`.
public struct StatusSet: Sendable, Equatable {
    private var statuses: Set<Int> = []
    private var classes: Set<Int> = []

    public init(_ text: String) throws(ProviderFault) {
        for word in text.lowercased().split(whereSeparator: { $0 == " " || $0 == "," }) {
            if word.count == 3, word.hasSuffix("xx"), let digit = word.first?.wholeNumberValue, (1...5).contains(digit) {
                classes.insert(digit)
            } else if let status = Int(word), (100...599).contains(status) {
                statuses.insert(status)
            } else {
                throw ProviderFault("\(word) is no HTTP status such as 200 or 2xx")
            }
        }
        if statuses.isEmpty, classes.isEmpty { throw ProviderFault("no HTTP status is named") }
    }

    init(statuses: Set<Int> = [], classes: Set<Int> = []) {
        self.statuses = statuses
        self.classes = classes
    }

    public func contains(_ status: Int) -> Bool { statuses.contains(status) || classes.contains(status / 100) }
}
