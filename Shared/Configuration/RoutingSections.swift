public import Routing

/// The sections of a configuration that routing is made of.
public struct RoutingSections: Sendable, Equatable {
    public var groups: [ConnectorGroup] = []
    public var pools: [SourcePool] = []
}

extension ConfigurationFile {
    /// Reads CONNECTORGROUP and SATPOOL sections, and says what is wrong with them and with DOMAIN sections.
    public func routingSections() -> (sections: RoutingSections, diagnostics: [ConfigurationDiagnostic]) {
        var result = RoutingSections()
        var diagnostics: [ConfigurationDiagnostic] = []
        for section in sections {
            switch section.kind {
            case .connectorGroup:
                let (group, faults) = Self.group(section)
                if let group { result.groups.append(group) }
                diagnostics += faults
                if sections.contains(where: { $0.kind == .connector && $0.name == section.name }) {
                    diagnostics.append(
                        ConfigurationDiagnostic(
                            .error, line: section.line,
                            "CONNECTORGROUP \(section.name): a connector has the same name, and routes name both"))
                }
            case .sourceAddressPool:
                let (pool, faults) = Self.pool(section)
                if let pool { result.pools.append(pool) }
                diagnostics += faults
            case .domain:
                diagnostics.append(
                    ConfigurationDiagnostic(
                        .warning, line: section.line,
                        "DOMAIN \(section.name) is kept and has no effect: e-mail is not supported yet"))
            case .connector, .database, .plugin: break
            }
        }
        diagnostics += circles(result.groups)
        return (result, diagnostics)
    }

    /// TYPE and CONNECTOR=name[:weight] (EMG-REFERENCE 3.4).
    private static func group(_ section: ConfigurationSection) -> (ConnectorGroup?, [ConfigurationDiagnostic]) {
        var diagnostics: [ConfigurationDiagnostic] = []
        func fault(_ line: Int, _ text: String) {
            diagnostics.append(ConfigurationDiagnostic(.error, line: line, "CONNECTORGROUP \(section.name): \(text)"))
        }
        var kind = ConnectorGroup.Kind.failover
        if let entry = section.last("TYPE") {
            if let read = ConnectorGroup.Kind(rawValue: (entry.value ?? "").uppercased()) {
                kind = read
            } else {
                fault(entry.line, "TYPE is FAILOVER, LB or LCR")
            }
        }
        var members: [ConnectorGroup.Member] = []
        for entry in section.all("CONNECTOR") {
            let parts = (entry.value ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard (1...2).contains(parts.count), !parts[0].isEmpty, let weight = parts.count == 2 ? Int(parts[1]) : 1,
                (0...1_000_000).contains(weight)
            else {
                fault(entry.line, "CONNECTOR is a name, or name:weight with a weight from 0 to 1000000")
                continue
            }
            if members.contains(where: { $0.name == parts[0] }) { fault(entry.line, "\(parts[0]) is a member already") }
            members.append(.init(name: parts[0], weight: weight))
        }
        if members.isEmpty, diagnostics.isEmpty { fault(section.line, "it has no CONNECTOR") }
        guard diagnostics.isEmpty else { return (nil, diagnostics) }
        return (ConnectorGroup(name: section.name, kind: kind, members: members), [])
    }

    /// Groups may hold groups, but not themselves.
    private func circles(_ groups: [ConnectorGroup]) -> [ConfigurationDiagnostic] {
        let byName = Dictionary(groups.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        func depth(_ group: ConnectorGroup, _ above: Int) -> Int {
            guard above <= ConnectorGroup.maxDepth else { return above }
            return group.members.compactMap { byName[$0.name] }.map { depth($0, above + 1) }.max() ?? above
        }
        return groups.filter { depth($0, 1) > ConnectorGroup.maxDepth }.map { group in
            ConfigurationDiagnostic(
                .error, line: section(.connectorGroup, named: group.name)?.line ?? 0,
                "CONNECTORGROUP \(group.name): it holds itself, or groups in more than \(ConnectorGroup.maxDepth) layers")
        }
    }

    /// EMG-REFERENCE 3.4 and 5.6.
    private static func pool(_ section: ConfigurationSection) -> (SourcePool?, [ConfigurationDiagnostic]) {
        var diagnostics: [ConfigurationDiagnostic] = []
        func fault(_ line: Int, _ text: String) {
            diagnostics.append(ConfigurationDiagnostic(.error, line: line, "SATPOOL \(section.name): \(text)"))
        }
        func flag(_ key: String) -> Bool {
            guard let entry = section.last(key) else { return false }
            switch (entry.value ?? "1").lowercased() {
            case "1", "yes", "true", "on": return true
            case "0", "no", "false", "off": return false
            default:
                fault(entry.line, "\(key) is 1 or 0")
                return false
            }
        }
        var ranges: [SourcePool.Range] = []
        for entry in section.all("ADDRESSRANGE") {
            for text in (entry.value ?? "").split(whereSeparator: { $0 == "," || $0 == " " }) {
                if let range = SourcePool.Range(String(text)) {
                    ranges.append(range)
                } else {
                    fault(
                        entry.line, "ADDRESSRANGE is first-last in digits of equal number, such as 46700000000-46700000099, and not \(text)"
                    )
                }
            }
        }
        if ranges.isEmpty, diagnostics.isEmpty { fault(section.line, "ADDRESSRANGE is missing") }
        var pool = SourcePool(name: section.name, ranges: ranges)
        pool.isThreaded = flag("THREADED")
        pool.isRandom = flag("RANDOM")
        pool.ignoresDestination = flag("IGNORE_DESTADDR")
        pool.quotesReplies = flag("QUOTED_REPLY")
        if let entry = section.last("EXPIRE") {
            if let seconds = Int(entry.value ?? ""), (1...315_360_000).contains(seconds) {
                pool.expirySeconds = seconds
            } else {
                fault(entry.line, "EXPIRE is a number of seconds from 1 to 315360000")
            }
        }
        return (diagnostics.isEmpty ? pool : nil, diagnostics)
    }

    /// What connectors say of each other and of pools, beyond names that must exist.
    func checkRouting(_ connectors: [ConnectorConfiguration]) -> [ConfigurationDiagnostic] {
        var diagnostics: [ConfigurationDiagnostic] = []
        let pools = sections.filter { $0.kind == .sourceAddressPool }.map(\.name)
        let byName = Dictionary(connectors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for connector in connectors {
            func say(_ severity: ConfigurationDiagnostic.Severity, _ key: String, _ text: String) {
                let line = section(.connector, named: connector.name)?.last(key)?.line ?? 0
                diagnostics.append(ConfigurationDiagnostic(severity, line: line, "connector \(connector.name): \(text)"))
            }
            for (key, pool) in [("SATPOOL_CREATE", connector.routing.satPoolCreate), ("SATPOOL_LOOKUP", connector.routing.satPoolLookup)] {
                guard let pool, !pools.contains(pool) else { continue }
                say(.error, key, "\(key) names \(pool), but there is no such SATPOOL section" + Suggestion.text(for: pool, among: pools))
            }
            for (key, target) in [("ROUTE", connector.route), ("REDIRECT", connector.redirect)] where target == connector.name {
                say(.error, key, "\(key) leads back to the connector itself")
            }
            if connector.redirect != connector.name {
                var (next, hops) = (connector.redirect, 0)
                while let name = next, name != connector.name, hops < connectors.count { (next, hops) = (byName[name]?.redirect, hops + 1) }
                if next == connector.name { say(.error, "REDIRECT", "REDIRECT leads in a circle") }
            }
            if let redirect = connector.redirect.flatMap({ byName[$0] }), redirect.direction != connector.direction {
                say(.error, "REDIRECT", "REDIRECT leads to \(redirect.name), which is of the other TYPE")
            }
            if connector.direction == .incoming, let route = connector.route.flatMap({ byName[$0] }), route.direction == .incoming {
                say(.error, "ROUTE", "ROUTE leads to \(route.name), which clients bind to: messages of clients go to providers")
            }
            if connector.direction == .outgoing, connector.route != nil, connector.routing.routeUser == nil {
                say(
                    .warning, "ROUTE",
                    "without ROUTEUSER no account is named that gets, or pays for, what comes in here: it will be rejected")
            }
            if connector.direction == .incoming, connector.routeDLR != nil {
                say(
                    .warning, "ROUTEDLR",
                    "no reports come in over an incoming connector: set routedlr of the account, or ROUTEDLR of the provider")
            }
            for (key, target) in [("ROUTEDLR", connector.routeDLR), ("ROUTESAT", connector.routing.routeSAT)] {
                guard let target else { continue }
                if let found = byName[target], found.direction == .outgoing {
                    say(.error, key, "\(key) leads to \(target), which is a provider's: it takes reports and answers to clients")
                } else if key == "ROUTESAT", byName[target] == nil, section(.connector, named: target) == nil {
                    say(.error, key, "\(key) names \(target), but there is no such connector")
                }
            }
        }
        return diagnostics
    }
}
