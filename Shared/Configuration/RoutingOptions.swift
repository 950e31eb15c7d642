public import Routing

/// What a connector says of routing. Sources: EMG-REFERENCE 3.3, 3.6 and 5; docs/routing.md.
public struct RoutingOptions: Sendable, Equatable {
    /// ALLOWROUTE: clients may name the ROUTE of a message.
    public var allowsRoute = false
    /// ROUTEUSER (ours): the account that gets what ROUTE leads from a provider to a client connector.
    public var routeUser: String?
    /// SATPOOL_CREATE
    public var satPoolCreate: String?
    /// SATPOOL_LOOKUP
    public var satPoolLookup: String?
    /// ROUTESAT
    public var routeSAT: String?
    /// NORMALIZE (ours), REMOVEPREFIX, REQUIREPREFIX
    public var numbers = NumberRules()
    /// BLACKLIST and WHITELIST: files of addresses.
    public var blacklistFile: String?
    public var whitelistFile: String?
}

extension ConnectorKeywords {
    static let routingKeywords = [
        "ROUTE", "ROUTEDLR", "REDIRECT", "ALLOWROUTE", "ROUTEUSER", "SATPOOL_CREATE", "SATPOOL_LOOKUP", "ROUTESAT", "NORMALIZE",
        "REMOVEPREFIX", "REQUIREPREFIX", "BLACKLIST", "WHITELIST",
    ]
}

extension ConnectorConfiguration {
    /// Whether this version speaks the connector's protocol.
    public var isSpoken: Bool { Self.speaks(protocolName, direction) }
}

extension OptionReader {
    mutating func routingOptions() -> RoutingOptions {
        var options = RoutingOptions()
        options.allowsRoute = flag("ALLOWROUTE") ?? false
        options.routeUser = text("ROUTEUSER")
        options.satPoolCreate = text("SATPOOL_CREATE")
        options.satPoolLookup = text("SATPOOL_LOOKUP")
        options.routeSAT = text("ROUTESAT")
        options.blacklistFile = text("BLACKLIST")
        options.whitelistFile = text("WHITELIST")
        options.numbers.required = prefixes("REQUIREPREFIX").first
        options.numbers.removed = prefixes("REMOVEPREFIX")
        if let value = text("NORMALIZE") {
            for item in value.split(whereSeparator: { $0 == "," || $0 == " " }) {
                let ends = item.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
                guard ends.count == 2, Self.isPrefix(ends[0]), ends.allSatisfy({ $0.isEmpty || Self.isPrefix($0) }) else {
                    fault("NORMALIZE", "NORMALIZE is a list of old:new prefixes such as 00:,0:46 and not \(item)")
                    continue
                }
                options.numbers.replacements.append(.init(from: ends[0], to: ends[1]))
            }
        }
        return options
    }

    private mutating func prefixes(_ key: String) -> [String] {
        guard let value = text(key) else { return [] }
        let found = value.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
        for prefix in found where !Self.isPrefix(prefix) { fault(key, "\(key) takes digits, with or without a +, and not \(prefix)") }
        if key == "REQUIREPREFIX", found.count > 1 { fault(key, "REQUIREPREFIX takes one prefix") }
        return found
    }

    private static func isPrefix(_ text: String) -> Bool {
        let digits = text.hasPrefix("+") ? text.dropFirst() : text[...]
        return text.utf8.count <= 20 && !text.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) }
    }
}
