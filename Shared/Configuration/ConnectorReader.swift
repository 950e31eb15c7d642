import Pricing

extension ConnectorConfiguration {
    /// EMG's protocols.
    static let protocols = ["SMPP", "UCP", "CIMD2", "OIS", "HTTP", "SMTP", "MGP", "EBE", "DLL", "GSM"]
    /// Protocols that this version speaks.
    static let supportedProtocols: Set<String> = ["SMPP", "HTTP"]

    /// Reads a CONNECTOR section.
    /// - Returns: the connector, or nil when an error leaves nothing to work with; and all that is wrong with it.
    public static func read(
        _ section: ConfigurationSection, isDisabled: Bool = false
    ) -> (connector: ConnectorConfiguration?, diagnostics: [ConfigurationDiagnostic]) {
        var reader = OptionReader(section: section)

        let typeText = reader.required("TYPE")?.uppercased()
        let direction = typeText.flatMap { Direction(rawValue: $0) }
        if typeText != nil, direction == nil { reader.fault("TYPE", "TYPE is INCOMING or OUTGOING") }

        let protocolName = reader.required("PROTOCOL")?.uppercased()
        if let protocolName {
            if protocolName == "EMI" {
                reader.fault("PROTOCOL", "EMI is written UCP")
            } else if !protocols.contains(protocolName) {
                reader.fault("PROTOCOL", "unknown protocol \(protocolName)" + Suggestion.text(for: protocolName, among: protocols))
            } else if !supportedProtocols.contains(protocolName) {
                reader.warn("PROTOCOL", "the protocol \(protocolName) is not supported yet; the connector stays idle")
            }
        }
        let speaksReports = ["SMPP", "CIMD2", "UCP"].contains(protocolName)
        let listensForHTTP = protocolName == "HTTP" && direction == .incoming
        let usesSockets = speaksReports || protocolName == "OIS" || protocolName == "SMTP" || protocolName == "MGP" || listensForHTTP
        let addressText = reader.addressText()
        let addresses = usesSockets ? reader.addresses(defaultPort: protocolName == "SMPP" ? 2775 : listensForHTTP ? 8080 : nil) : []

        let connector = ConnectorConfiguration(
            name: section.name, direction: direction ?? .incoming, protocolName: protocolName ?? "", addresses: addresses,
            addressText: addressText ?? "", instances: reader.integer("INSTANCES", 1...10_000) ?? 1, mode: reader.mode(),
            isStatic: reader.flag("STATIC") ?? false, keepaliveSeconds: reader.integer("KEEPALIVE", 0...86_400) ?? 0,
            idleTimeoutSeconds: reader.integer("IDLETIMEOUT", 0...86_400) ?? 0, username: reader.text("USERNAME"),
            password: reader.text("PASSWORD").map { Secret($0) }, userDatabase: section.last("USERDB").map { $0.value ?? "" },
            usersFile: reader.text("USERS"), windowSize: reader.windowSize(),
            maxQueueSize: reader.integer("MAXQUEUESIZE", 1...1_000_000_000),
            throughputPerSecond: reader.integer("THROUGHPUT", 0...1_000_000).flatMap { $0 == 0 ? nil : $0 },
            route: reader.text("ROUTE"), routeDLR: reader.text("ROUTEDLR"), redirect: reader.text("REDIRECT"),
            dlrSupport: reader.flag("DLR_SUPPORT") ?? (speaksReports || section.last("CALLBACK_STATUS") != nil),
            messageLengthOctets: reader.integer("MESSAGELENGTH", 1...65_535), defaultCharge: reader.defaultCharge(),
            money: reader.moneyOptions(), log: reader.logOptions(),
            trace: reader.traceOptions(direction, protocolName), systemType: reader.text("SYSTEMTYPE") ?? "",
            routing: reader.routingOptions(), text: reader.textOptions(), smpp: reader.smppOptions(direction),
            incoming: reader.incomingOptions(direction), outgoing: reader.outgoingOptions(direction),
            providerHTTP: reader.providerHTTPOptions(), httpServer: reader.httpServerOptions(direction, protocolName),
            isDisabled: isDisabled, entries: section.entries)
        reader.checkConsistency(of: connector, hasDirection: direction != nil)
        return (reader.hasErrors ? nil : connector, reader.diagnostics)
    }
}

/// Reads options one by one and gathers what is wrong with them.
struct OptionReader {
    let section: ConfigurationSection
    private(set) var diagnostics: [ConfigurationDiagnostic] = []

    init(section: ConfigurationSection) {
        self.section = section
    }

    var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    mutating func fault(_ key: String, _ message: String) { add(.error, key, message) }
    /// Of a keyword that may come more than once: in the line of the one that is wrong.
    mutating func fault(at entry: ConfigurationEntry, _ message: String) {
        let line = entry.line > 0 ? entry.line : section.line
        diagnostics.append(ConfigurationDiagnostic(.error, line: line, "connector \(section.name): \(message)"))
    }
    mutating func warn(_ key: String, _ message: String) { add(.warning, key, message) }
    private mutating func add(_ severity: ConfigurationDiagnostic.Severity, _ key: String, _ message: String) {
        let line = section.last(key)?.line ?? section.line
        diagnostics.append(ConfigurationDiagnostic(severity, line: line, "connector \(section.name): \(message)"))
    }

    mutating func text(_ key: String) -> String? {
        guard let entry = section.last(key) else { return nil }
        guard let value = entry.value, !value.isEmpty else {
            fault(key, "\(key) needs a value")
            return nil
        }
        return value
    }

    mutating func required(_ key: String) -> String? {
        guard section.last(key) != nil else {
            fault(key, "\(key) is missing")
            return nil
        }
        return text(key)
    }

    mutating func integer(_ key: String, _ range: ClosedRange<Int>) -> Int? {
        guard let value = text(key) else { return nil }
        guard let number = Int(value), range.contains(number) else {
            fault(key, "\(key) is a whole number from \(range.lowerBound) to \(range.upperBound), not \(value)")
            return nil
        }
        return number
    }

    /// A bare keyword means yes.
    mutating func flag(_ key: String) -> Bool? {
        guard let entry = section.last(key) else { return nil }
        guard let value = entry.value else { return true }
        switch value.lowercased() {
        case "1", "yes", "true", "on": return true
        case "0", "no", "false", "off": return false
        default:
            fault(key, "\(key) is 1 or 0, not \(value)")
            return nil
        }
    }

    mutating func money(_ key: String) -> Money? {
        guard let value = text(key) else { return nil }
        do {
            return try Money(parsing: value)
        } catch {
            fault(key, "\(key): \(error)")
            return nil
        }
    }

    mutating func mode() -> ConnectorConfiguration.Mode {
        guard let value = text("MODE") else { return .both }
        switch value.uppercased() {
        case "BOTH", "TRX", "RXTX", "TXRX", "TRANSCEIVER": return .both
        case "TX", "TRANSMIT", "TRANSMITTER": return .transmit
        case "RX", "RECEIVE", "RECEIVER": return .receive
        default:
            fault("MODE", "MODE is TX, RX or TRX, not \(value)")
            return .both
        }
    }

    mutating func windowSize() -> ConnectorConfiguration.WindowSize {
        if section.last("WINDOWSIZE")?.value?.lowercased() == "auto" { return .automatic }
        return .fixed(integer("WINDOWSIZE", 1...10_000) ?? 1)
    }

    mutating func addressText() -> String? {
        guard let first = required("ADDRESS") else { return nil }
        let all = section.all("ADDRESS").compactMap(\.value)
        return all.count > 1 ? all.joined(separator: ",") : first
    }

    mutating func addresses(defaultPort: Int?) -> [Endpoint] {
        var found: [Endpoint] = []
        for entry in section.all("ADDRESS") {
            for text in (entry.value ?? "").split(separator: ",") {
                let trimmed = String(text.trimmed)
                if let endpoint = Endpoint(trimmed, defaultPort: defaultPort) {
                    found.append(endpoint)
                } else {
                    diagnostics.append(
                        ConfigurationDiagnostic(
                            .error, line: entry.line,
                            "connector \(section.name): ADDRESS is host:port or [v6]:port, not \(trimmed)"))
                }
            }
        }
        return found
    }

    mutating func checkConsistency(of connector: ConnectorConfiguration, hasDirection: Bool) {
        if connector.keepaliveSeconds > 0, connector.idleTimeoutSeconds > 0,
            connector.keepaliveSeconds >= connector.idleTimeoutSeconds
        {
            warn("IDLETIMEOUT", "IDLETIMEOUT is not longer than KEEPALIVE: the connection closes before its first keep-alive")
        }
        guard hasDirection else { return }
        if connector.protocolName == "SMPP" {
            let meaningless = ConnectorKeywords.meaningless(for: connector.direction)
            for key in Set(section.entries.map(\.key)).intersection(meaningless).sorted() {
                warn(key, "\(key) has no effect: it is for \(connector.direction == .incoming ? "outgoing" : "incoming") connectors")
            }
        }
        switch connector.direction {
        case .incoming:
            if connector.isStatic { warn("STATIC", "STATIC means nothing for an incoming connector") }
            if connector.userDatabase == nil, connector.usersFile == nil {
                warn("USERDB", "without USERDB or USERS nobody can log in")
            }
        case .outgoing:
            if connector.userDatabase != nil { warn("USERDB", "USERDB means nothing for an outgoing connector") }
            if connector.protocolName == "SMPP", connector.username == nil { fault("USERNAME", "USERNAME is missing") }
            if connector.protocolName == "SMPP", let username = connector.username, username.utf8.count > 15 {
                fault("USERNAME", "SMPP's system_id has at most 15 octets")
            }
            // SMPP 3.4, 5.2.2 allows 8; longer ones are common in the field, so they pass with a word.
            if connector.protocolName == "SMPP", let password = connector.password, password.revealed.utf8.count > 8 {
                warn("PASSWORD", "SMPP's password has at most 8 octets; not every peer takes a longer one")
            }
            for endpoint in connector.addresses where endpoint.port == 0 { fault("ADDRESS", "port 0 cannot be connected to") }
        }
    }
}
