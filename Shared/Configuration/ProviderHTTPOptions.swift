public import HTTPProvider

/// What only a connector has that sends to a provider over HTTP (TYPE=OUTGOING, PROTOCOL=HTTP). docs/http-providers.md describes each
/// keyword for operators.
public struct ProviderHTTPOptions: Sendable, Equatable {
    /// How a message becomes a request.
    public var request: RequestRules
    /// How an answer is read.
    public var answers: AnswerRules
    public var callback: CallbackOptions?
    /// PAYLOAD: whole, the provider splits it. UDH8 and UDH16: a request for each part. REJECT.
    public var longMessages: OutgoingOptions.LongMessages
    /// What becomes of a request that was not answered in time or whose connection was lost (ONTIMEOUT; RETRY, other than with SMPP:
    /// a request that a provider always dies of must not come for ever).
    public var onTimeout: OutgoingOptions.OnTimeout

    /// The keywords of CONNECTOR that are read here.
    static let keywords = ["SUBADDRESS", "DEFAULT_SMSCOP", "XAUTHUSERNAME", "XAUTHPASSWORD"] + ownKeywords

    /// Those that no other connector has.
    static let ownKeywords =
        [
            "HTTP_METHOD", "HTTP_HEADER", "HTTP_PARAM", "HTTP_BODY", "HTTP_CONTENTTYPE", "HTTP_TOKEN", "HTTP_TOKENHEADER", "HTTP_SUCCESS",
            "HTTP_SUCCESSIF", "HTTP_ID", "HTTP_ERROR", "HTTP_ERRORTEXT",
        ] + CallbackOptions.keywords

    static let repeated: Set<String> = ["HTTP_HEADER", "HTTP_PARAM", "HTTP_BODY", "HTTP_SUCCESSIF", "CALLBACK_ACCESS"]

    /// Keywords of outgoing connectors that speak of SMPP's sessions and PDUs.
    private static let foreign = [
        "TCPSOURCEIP", "TCPSOURCEPORT", "OUTBINDLISTEN", "ADDRTON", "ADDRNPI", "ADDRESSRANGE", "INTERFACEVERSION", "FORCE_DCS",
        "SERVICETYPE", "DISABLE_UCS2_DOWNGRADE", "ENABLE_UCS2_UPGRADE", "SMSCIDFORMAT", "SSL_SERVERNAME", "KEEPALIVE", "STATIC",
        "SYSTEMTYPE", "DLRMINMATCHLENGTH",
    ]

    static func foreignKeywords(in section: ConfigurationSection) -> [String] { foreign.filter { section.last($0) != nil } }
}

extension OptionReader {
    /// Whether the section speaks HTTP to a provider.
    var isHTTPProvider: Bool {
        section.last("PROTOCOL")?.value?.uppercased() == "HTTP" && section.last("TYPE")?.value?.uppercased() == "OUTGOING"
    }

    /// The URL as written; of an older configuration SUBADDRESS holds it, or its path.
    var providerURL: String {
        let address = section.last("ADDRESS")?.value ?? ""
        guard let sub = section.last("SUBADDRESS")?.value, !sub.isEmpty else { return address }
        if sub.contains("://") { return sub }
        let host = address.contains("://") ? address : "http://\(address)"
        return host + (sub.hasPrefix("/") ? sub : "/\(sub)")
    }

    var isHTTPS: Bool { isHTTPProvider && providerURL.lowercased().hasPrefix("https://") }

    mutating func providerHTTPOptions() -> ProviderHTTPOptions? {
        guard isHTTPProvider else {
            for key in ProviderHTTPOptions.ownKeywords where section.last(key) != nil {
                fault(key, "\(key) belongs to a connector of TYPE=OUTGOING and PROTOCOL=HTTP")
            }
            return nil
        }
        for key in ProviderHTTPOptions.foreignKeywords(in: section) { warn(key, "\(key) means nothing for a connector of PROTOCOL=HTTP") }
        if flag("SSL") == true, !isHTTPS { fault("SSL", "the address says http://, and SSL asks for https://") }
        let request = requestRules()
        let answers = answerRules(isEMG: request?.isEMG ?? true)
        let callback = callbackOptions()
        let longMessages = longHTTPMessages()
        let onTimeout = section.last("ONTIMEOUT") == nil ? .retry : word("ONTIMEOUT") ?? OutgoingOptions.OnTimeout.retry
        guard let request else { return nil }
        return ProviderHTTPOptions(request: request, answers: answers, callback: callback, longMessages: longMessages, onTimeout: onTimeout)
    }

    // MARK: Requests

    private mutating func requestRules() -> RequestRules? {
        var source = RequestRules.Source()
        source.url = providerURL
        guard made("ADDRESS", { () throws(ProviderFault) in try RequestRules(source) }) != nil else { return nil }
        source.method = text("HTTP_METHOD")?.uppercased()
        if let operation = text("DEFAULT_SMSCOP")?.uppercased() {
            if ["GET", "POST"].contains(operation) {
                source.method = source.method ?? operation
            } else {
                fault("DEFAULT_SMSCOP", "DEFAULT_SMSCOP is GET or POST for HTTP, not \(operation)")
            }
        }
        source.headers = templates("HTTP_HEADER") { RequestRules.fault(inHeader: $0) }
        source.parameters = templates("HTTP_PARAM") { RequestRules.fault(inParameter: $0) }
        let lines = templates("HTTP_BODY") { RequestRules.fault(inBody: $0) }
        source.body = lines.isEmpty ? nil : lines.joined(separator: "\n")
        source.contentType = text("HTTP_CONTENTTYPE")
        if source.contentType != nil, source.body == nil { warn("HTTP_CONTENTTYPE", "HTTP_CONTENTTYPE means nothing without HTTP_BODY") }
        source.charset = httpCharset()
        source.account.connector = section.name
        source.account.username = text("USERNAME") ?? ""
        source.account.password = text("PASSWORD") ?? ""
        source.account.token = text("HTTP_TOKEN") ?? ""
        source.tokenHeader = text("HTTP_TOKENHEADER")
        if source.tokenHeader != nil, source.account.token.isEmpty { fault("HTTP_TOKENHEADER", "HTTP_TOKENHEADER needs HTTP_TOKEN") }
        if let user = text("XAUTHUSERNAME") {
            source.basic = (user, text("XAUTHPASSWORD") ?? "")
        } else if section.last("XAUTHPASSWORD") != nil {
            fault("XAUTHPASSWORD", "XAUTHPASSWORD needs XAUTHUSERNAME")
        }
        guard !hasErrors else { return nil }
        let key = ["HTTP_METHOD", "HTTP_TOKENHEADER", "HTTP_TOKEN", "HTTP_BODY", "XAUTHUSERNAME"].first { section.last($0) != nil }
        return made(key ?? "ADDRESS") { () throws(ProviderFault) in try RequestRules(source) }
    }

    /// The values of a keyword that may come more than once, each held against `fault` in its own line.
    private mutating func templates(_ key: String, _ fault: (String) -> ProviderFault?) -> [String] {
        section.all(key).map { entry in
            let value = entry.value ?? ""
            if let found = fault(value) { self.fault(at: entry, "\(key): \(found)") }
            return value
        }
    }

    private mutating func httpCharset() -> ProviderCharset {
        guard let name = section.last("DEFAULT_CHARCODE_TEXT")?.value else { return .utf8 }
        if let charset = ProviderCharset(rawValue: name.uppercased()) { return charset }
        fault("DEFAULT_CHARCODE_TEXT", "DEFAULT_CHARCODE_TEXT is UTF8 or LATIN1 for HTTP, not \(name)")
        return .utf8
    }

    private mutating func longHTTPMessages() -> OutgoingOptions.LongMessages {
        guard section.last("LONGMESSAGE") != nil else { return .payload }
        let mode: OutgoingOptions.LongMessages? = word("LONGMESSAGE")
        if mode == .sar { fault("LONGMESSAGE", "LONGMESSAGE=SAR is SMPP's; for HTTP it is PAYLOAD, UDH8, UDH16 or REJECT") }
        return mode ?? .payload
    }

    mutating func made<Value>(_ key: String, _ make: () throws(ProviderFault) -> Value) -> Value? {
        do throws(ProviderFault) {
            return try make()
        } catch {
            fault(key, "\(key): \(error)")
            return nil
        }
    }

    // MARK: Answers

    private mutating func answerRules(isEMG: Bool) -> AnswerRules {
        var rules = isEMG ? AnswerRules.emg : AnswerRules.standard
        if let text = text("HTTP_SUCCESS") {
            rules.success = made("HTTP_SUCCESS") { () throws(ProviderFault) in try StatusSet(text) } ?? rules.success
        }
        for entry in section.all("HTTP_SUCCESSIF") {
            do throws(ProviderFault) {
                rules.conditions.append(try Condition(entry.value ?? ""))
            } catch {
                fault(at: entry, "HTTP_SUCCESSIF: \(error)")
            }
        }
        rules.id = extractor("HTTP_ID")
        rules.code = extractor("HTTP_ERROR")
        rules.text = extractor("HTTP_ERRORTEXT")
        if let text = text("ERRORMAP") {
            rules.verdicts = made("ERRORMAP") { () throws(ProviderFault) in try VerdictMap(text) } ?? rules.verdicts
        }
        return rules
    }

    mutating func extractor(_ key: String) -> Extractor? {
        guard let text = text(key) else { return nil }
        return made(key) { () throws(ProviderFault) in try Extractor(text) }
    }
}
