extension ConfigurationFile {
    /// Reads a text and checks all of it: syntax, keywords, values, and what sections say of each other.
    /// - Returns: the file, its connectors as far as they are sound, and all faults by line.
    public static func check(
        _ text: String
    ) -> (file: ConfigurationFile, connectors: [ConnectorConfiguration], diagnostics: [ConfigurationDiagnostic]) {
        var (file, diagnostics) = ConfigurationParser.parse(text)
        var connectors: [ConnectorConfiguration] = []
        for section in file.connectors {
            let (connector, faults) = ConnectorConfiguration.read(section)
            if let connector { connectors.append(connector) }
            diagnostics += faults
        }
        diagnostics += file.checkReferences() + checkAddresses(connectors, file) + file.routingSections().diagnostics
        diagnostics += file.checkRouting(connectors)
        diagnostics += file.checkMoney() + file.checkLog() + file.checkTrace()
        // Stable by line; what concerns no line comes last.
        let ordered = diagnostics.enumerated().sorted {
            ($0.element.line == 0 ? .max : $0.element.line, $0.offset) < ($1.element.line == 0 ? .max : $1.element.line, $1.offset)
        }
        return (file, connectors, ordered.map(\.element))
    }

    /// Sections that name others must name ones that exist.
    private func checkReferences() -> [ConfigurationDiagnostic] {
        var diagnostics: [ConfigurationDiagnostic] = []
        let targets = sections.filter { $0.kind == .connector || $0.kind == .connectorGroup }.map(\.name)
        let databases = sections.filter { $0.kind == .database }.map(\.name)
        let plugins = sections.filter { $0.kind == .plugin }.map(\.name)

        func require(_ entry: ConfigurationEntry, _ name: String, _ names: [String], _ what: String) {
            guard !names.contains(name) else { return }
            diagnostics.append(
                ConfigurationDiagnostic(
                    .error, line: entry.line,
                    "\(entry.key) names \(name), but there is no such \(what)" + Suggestion.text(for: name, among: names)))
        }
        for entry in general where entry.key == "DBPROFILE" && !databases.isEmpty {
            require(entry, entry.value ?? "", databases, "DB section")
        }
        for entry in general where entry.key == "MAXTOTALQUEUESIZE" && !(Int(entry.value ?? "").map { $0 > 0 } ?? false) {
            diagnostics.append(ConfigurationDiagnostic(.error, line: entry.line, "MAXTOTALQUEUESIZE is a whole number above 0"))
        }
        for section in sections {
            for entry in section.entries {
                guard let value = entry.value, !value.isEmpty else { continue }
                switch (section.kind, entry.key) {
                case (.connector, "ROUTE"), (.connector, "ROUTEDLR"), (.connector, "REDIRECT"):
                    require(entry, value, targets, "connector")
                case (.connector, "USERDB") where !databases.isEmpty: require(entry, value, databases, "DB section")
                case (.connector, "PLUGIN"): require(entry, String(value.prefix { $0 != ":" }), plugins, "PLUGIN section")
                case (.connectorGroup, "CONNECTOR"): require(entry, String(value.prefix { $0 != ":" }), targets, "connector")
                default: continue
                }
            }
        }
        return diagnostics
    }

    /// Two incoming connectors cannot listen at the same place.
    private static func checkAddresses(
        _ connectors: [ConnectorConfiguration], _ file: ConfigurationFile
    ) -> [ConfigurationDiagnostic] {
        var owners: [Endpoint: String] = [:]
        var diagnostics: [ConfigurationDiagnostic] = []
        for connector in connectors where connector.direction == .incoming {
            for endpoint in connector.addresses where endpoint.port != 0 {
                if let owner = owners[endpoint], owner != connector.name {
                    let line = file.section(.connector, named: connector.name)?.last("ADDRESS")?.line ?? 0
                    diagnostics.append(
                        ConfigurationDiagnostic(.error, line: line, "connector \(connector.name): \(owner) listens on \(endpoint) already"))
                } else {
                    owners[endpoint] = connector.name
                }
            }
        }
        var paths: [String: String] = [:]
        var listeners: [Endpoint: (name: String, tls: IncomingOptions.TLS?)] = [:]
        for connector in connectors {
            guard let callback = connector.providerHTTP?.callback else { continue }
            let line = file.section(.connector, named: connector.name)?.last("CALLBACK_LISTEN")?.line ?? 0
            func fault(_ text: String) {
                diagnostics.append(ConfigurationDiagnostic(.error, line: line, "connector \(connector.name): \(text)"))
            }
            for path in [callback.reports?.path, callback.messages?.path].compactMap({ $0 }) {
                let place = "\(callback.listen)\(path)"
                if let owner = paths[place] ?? owners[callback.listen] { fault("\(owner) listens on \(place) already") }
                paths[place] = connector.name
            }
            let first = listeners[callback.listen] ?? (connector.name, callback.tls)
            if first.tls != callback.tls { fault("\(first.name) listens on \(callback.listen) with other CALLBACK_SSL options") }
            listeners[callback.listen] = first
        }
        return diagnostics
    }
}
