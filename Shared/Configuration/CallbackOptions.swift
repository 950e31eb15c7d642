public import HTTPProvider

/// Where and how a provider calls us: with reports, and with messages from phones. docs/http-providers.md describes each keyword.
public struct CallbackOptions: Sendable, Equatable {
    /// A path of the listener, and how calls of it are read.
    public struct Place<Rules: Sendable & Equatable>: Sendable, Equatable {
        public var path: String
        public var rules: Rules
        /// The body of our answer.
        public var answer: String
    }

    /// CALLBACK_LISTEN
    public var listen: Endpoint
    /// CALLBACK_SSL_KEYFILE and its kin; nil = in the clear.
    public var tls: IncomingOptions.TLS?
    /// CALLBACK_TOKEN; nil = none is asked for.
    public var token: Secret?
    /// CALLBACK_ACCESS: networks, as written; empty = all.
    public var access: [String]
    /// CALLBACK_PATH, CALLBACK_ANSWER and the places of what a report says.
    public var reports: Place<CallbackRules>?
    /// MO_PATH, MO_ANSWER and the places of what a message says.
    public var messages: Place<MessageCallRules>?

    static let keywords = sharedKeywords + reportKeywords + messageKeywords

    private static let sharedKeywords = [
        "CALLBACK_LISTEN", "CALLBACK_TOKEN", "CALLBACK_ACCESS", "CALLBACK_SSL_KEYFILE", "CALLBACK_SSL_CERTFILE", "CALLBACK_SSL_CAFILE",
    ]
    static let reportKeywords = [
        "CALLBACK_PATH", "CALLBACK_LIST", "CALLBACK_ID", "CALLBACK_MSGID", "CALLBACK_STATUS", "CALLBACK_STATUSMAP", "CALLBACK_ERROR",
        "CALLBACK_TEXT", "CALLBACK_ANSWER",
    ]
    static let messageKeywords = [
        "MO_PATH", "MO_LIST", "MO_ID", "MO_SOURCEADDR", "MO_DESTADDR", "MO_DEFAULT_DESTADDR", "MO_MESSAGE", "MO_UDH", "MO_BINARYIF",
        "MO_UCS2IF", "MO_CHARSET", "MO_DEFAULT_CHARSET", "MO_ANSWER",
    ]
}

extension OptionReader {
    mutating func callbackOptions() -> CallbackOptions? {
        guard let listen = text("CALLBACK_LISTEN") else {
            for key in CallbackOptions.keywords where section.last(key) != nil {
                fault(key, "\(key) needs CALLBACK_LISTEN: where the provider's calls come in")
            }
            return nil
        }
        guard let endpoint = Endpoint(listen, defaultPort: nil) else {
            fault("CALLBACK_LISTEN", "CALLBACK_LISTEN is host:port, not \(listen)")
            return nil
        }
        let tls = callbackTLS()
        let access = networks("CALLBACK_ACCESS")
        let takesMessages = CallbackOptions.messageKeywords.contains { section.last($0) != nil }
        let takesReports = !takesMessages || CallbackOptions.reportKeywords.contains { section.last($0) != nil }
        let reports = takesReports ? reportCalls() : nil
        let messages = takesMessages ? messageCalls() : nil
        if let reports, let messages, reports.path == messages.path {
            fault("MO_PATH", "MO_PATH and CALLBACK_PATH are both \(messages.path)")
        }
        guard reports != nil || messages != nil else { return nil }
        return CallbackOptions(
            listen: endpoint, tls: tls, token: text("CALLBACK_TOKEN").map { Secret($0) }, access: access, reports: reports,
            messages: messages)
    }

    private mutating func callbackTLS() -> IncomingOptions.TLS? {
        let (certificates, authorities) = (text("CALLBACK_SSL_CERTFILE"), text("CALLBACK_SSL_CAFILE"))
        guard let key = text("CALLBACK_SSL_KEYFILE") else {
            for name in ["CALLBACK_SSL_CERTFILE", "CALLBACK_SSL_CAFILE"] where section.last(name) != nil {
                fault(name, "\(name) needs CALLBACK_SSL_KEYFILE: a PEM file with the private key and the certificate")
            }
            return nil
        }
        return IncomingOptions.TLS(
            keyFile: key, certificateFile: certificates ?? key, clientAuthorityFile: authorities,
            clientCertificate: authorities == nil ? .none : .required)
    }

    private mutating func path(_ key: String, _ other: String) -> String {
        let path = text(key) ?? other
        if !path.hasPrefix("/") || path.contains(where: { $0.isWhitespace || "?#".contains($0) }) {
            fault(key, "\(key) is a path such as /reports, not \(path)")
        }
        return path
    }

    private mutating func reportCalls() -> CallbackOptions.Place<CallbackRules>? {
        let path = path("CALLBACK_PATH", "/reports/\(section.name)")
        let states = text("CALLBACK_STATUSMAP").flatMap { text in
            made("CALLBACK_STATUSMAP") { () throws(ProviderFault) in try StateMap(text) }
        }
        let (list, id, messageID) = (extractor("CALLBACK_LIST"), extractor("CALLBACK_ID"), extractor("CALLBACK_MSGID"))
        let (error, words) = (extractor("CALLBACK_ERROR"), extractor("CALLBACK_TEXT"))
        guard required("CALLBACK_STATUS") != nil, let status = extractor("CALLBACK_STATUS") else { return nil }
        let rules = made(section.last("CALLBACK_LIST") == nil ? "CALLBACK_LISTEN" : "CALLBACK_LIST") { () throws(ProviderFault) in
            try CallbackRules(
                list: list, id: id, messageID: messageID, status: status, states: states ?? StateMap(), error: error, text: words)
        }
        return rules.map { CallbackOptions.Place(path: path, rules: $0, answer: text("CALLBACK_ANSWER") ?? "OK") }
    }

    private mutating func messageCalls() -> CallbackOptions.Place<MessageCallRules>? {
        let path = path("MO_PATH", "/messages/\(section.name)")
        let (list, id, destination) = (extractor("MO_LIST"), extractor("MO_ID"), extractor("MO_DESTADDR"))
        let (header, charset) = (extractor("MO_UDH"), extractor("MO_CHARSET"))
        let (binary, ucs2) = (condition("MO_BINARYIF"), condition("MO_UCS2IF"))
        let other = callCharset()
        let hasBoth = required("MO_SOURCEADDR") != nil && required("MO_MESSAGE") != nil
        guard hasBoth, let source = extractor("MO_SOURCEADDR"), let message = extractor("MO_MESSAGE") else { return nil }
        var rules = MessageCallRules.Source(source: source, message: message)
        rules.list = list
        rules.id = id
        rules.destination = destination
        rules.defaultDestination = text("MO_DEFAULT_DESTADDR")
        rules.userDataHeader = header
        rules.binary = binary
        rules.ucs2 = ucs2
        rules.charset = charset
        rules.defaultCharset = other
        let made = made(section.last("MO_LIST") == nil ? "MO_SOURCEADDR" : "MO_LIST") { () throws(ProviderFault) in
            try MessageCallRules(rules)
        }
        return made.map { CallbackOptions.Place(path: path, rules: $0, answer: text("MO_ANSWER") ?? "OK") }
    }

    private mutating func condition(_ key: String) -> Condition? {
        guard let text = text(key) else { return nil }
        return made(key) { () throws(ProviderFault) in try Condition(text) }
    }

    private mutating func callCharset() -> CallCharset {
        guard let name = text("MO_DEFAULT_CHARSET") else { return .utf8 }
        if let charset = CallCharset(name: name) { return charset }
        let names = CallCharset.allCases.map(\.rawValue).joined(separator: ", ")
        fault("MO_DEFAULT_CHARSET", "MO_DEFAULT_CHARSET is one of \(names), not \(name)")
        return .utf8
    }

    private mutating func networks(_ key: String) -> [String] {
        var networks: [String] = []
        for entry in section.all(key) {
            for word in (entry.value ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
                if OptionReader.isNetwork(word) {
                    networks.append(String(word))
                } else {
                    fault(at: entry, "\(key) lists addresses and networks such as 192.0.2.0/24, not \(word)")
                }
            }
        }
        if networks.isEmpty, section.last(key) != nil { fault(key, "\(key) needs a value") }
        return networks
    }
}
