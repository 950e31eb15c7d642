/// A request as it leaves.
public struct ProviderRequest: Sendable, Equatable {
    public var method: String
    public var url: String
    public var headers: [Header]
    public var body: [UInt8]

    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: String
    }
}

/// How a message becomes a request: method, URL, headers, parameters and body as templates over it.
///
/// Without parameters and body the message's options are the parameters, under EMG's names: in the URL's query with GET, in a form
/// with the other methods.
public struct RequestRules: Sendable, Equatable {
    public struct Parameter: Sendable, Equatable {
        public var name: String
        public var value: Template

        public init(name: String, value: Template) {
            self.name = name
            self.value = value
        }
    }

    public struct HeaderRule: Sendable, Equatable {
        public var name: String
        public var value: Template
    }

    /// In capitals.
    public let method: String
    private let url: Template
    private let headers: [HeaderRule]
    private let parameters: [Parameter]
    private let body: Template?
    private let contentType: String?
    private let charset: ProviderCharset
    private let account: ProviderAccount
    private let authorization: HeaderRuleValue?
    /// The provider is to speak EMG's own interface.
    public let isEMG: Bool

    private struct HeaderRuleValue: Sendable, Equatable {
        var name: String
        var value: String
    }

    static let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    /// What an operator wrote. `read` makes rules of it.
    public struct Source: Sendable {
        public var method: String?
        public var url = ""
        /// `Name: value`
        public var headers: [String] = []
        /// `name=value`
        public var parameters: [String] = []
        public var body: String?
        public var contentType: String?
        public var charset = ProviderCharset.utf8
        public var account = ProviderAccount()
        /// HTTP basic authentication (RFC 7617).
        public var basic: (user: String, password: String)?
        /// The header that carries the account's token; nil = `Authorization: Bearer` (RFC 6750, 2.1), where there is a token that
        /// no template names.
        public var tokenHeader: String?

        public init() {}
    }

    /// - Throws: what is wrong with the first of the options that is.
    public init(_ source: Source) throws(ProviderFault) {
        let isEMG = source.parameters.isEmpty && source.body == nil
        self.isEMG = isEMG
        let method = (source.method ?? (source.body == nil ? "GET" : "POST")).uppercased()
        guard RequestRules.methods.contains(method) else {
            throw ProviderFault("the method \(method) is none of \(RequestRules.methods.joined(separator: ", "))")
        }
        self.method = method
        url = try RequestRules.url(source.url)
        headers = try RequestRules.headers(source.headers)
        var parameters: [Parameter] = []
        for text in source.parameters {
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ProviderFault("a parameter is written name=value, not \(text)")
            }
            parameters.append(
                Parameter(name: String(text[..<equals]), value: try Template(String(text[text.index(after: equals)...]), place: .form)))
        }
        self.parameters = try isEMG ? RequestRules.emgParameters(source.account) : parameters
        if source.body != nil, method == "GET" { throw ProviderFault("GET has no body") }
        contentType = source.body == nil ? nil : source.contentType ?? RequestRules.contentType(of: source.body ?? "")
        if let text = source.body {
            guard parameters.isEmpty else { throw ProviderFault("a request has parameters or a body, not both") }
            body = try Template(text, place: RequestRules.place(contentType ?? ""))
        } else {
            body = nil
        }
        charset = source.charset
        account = source.account
        authorization = try RequestRules.authorization(source, self.headers, self.parameters, self.body)
    }

    private static func url(_ text: String) throws(ProviderFault) -> Template {
        let url = try Template(text, place: .url)
        let lowered = text.lowercased()
        guard lowered.hasPrefix("http://") || lowered.hasPrefix("https://") else {
            throw ProviderFault("the address is a URL, http://… or https://…, not \(text)")
        }
        // Whom we speak to is the operator's choice, never a message's.
        let host = text.dropFirst(lowered.hasPrefix("https") ? 8 : 7).prefix { $0 != "/" && $0 != "?" }
        guard !host.isEmpty, !host.contains("$"), !host.contains("@"), !host.contains("#") else {
            throw ProviderFault("the host in \(text) is a plain name or address, without values and without a user")
        }
        guard !text.contains("#"), !text.contains(where: \.isWhitespace) else {
            throw ProviderFault("a URL has neither blanks nor a # part")
        }
        return url
    }

    private static func headers(_ texts: [String]) throws(ProviderFault) -> [HeaderRule] {
        var headers: [HeaderRule] = []
        for text in texts {
            guard let colon = text.firstIndex(of: ":"), colon != text.startIndex, text[..<colon].utf8.allSatisfy(isTokenOctet) else {
                throw ProviderFault("a header is written Name: value, not \(text)")
            }
            let name = String(text[..<colon])
            guard !["host", "content-length", "transfer-encoding", "connection"].contains(name.lowercased()) else {
                throw ProviderFault("the header \(name) is set by the gateway")
            }
            let value = text[text.index(after: colon)...].drop { $0 == " " }
            headers.append(HeaderRule(name: name, value: try Template(String(value), place: .header)))
        }
        return headers
    }

    /// RFC 9110, 5.6.2.
    private static func isTokenOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(octet)
        }
    }

    private static func authorization(
        _ source: Source, _ headers: [HeaderRule], _ parameters: [Parameter], _ body: Template?
    ) throws(ProviderFault) -> HeaderRuleValue? {
        let isUsed =
            headers.contains { $0.value.uses(.token) } || parameters.contains { $0.value.uses(.token) } || (body?.uses(.token) ?? false)
            || source.url.uppercased().contains("${TOKEN")
        if let basic = source.basic {
            if !source.account.token.isEmpty, source.tokenHeader == nil, !isUsed {
                throw ProviderFault("a connector has a user and password for basic authentication or a bearer token, not both")
            }
            if !basic.user.contains(":") {
                let credentials = Base64.encode(Array("\(basic.user):\(basic.password)".utf8))
                return HeaderRuleValue(name: "Authorization", value: "Basic \(credentials)")
            }
            throw ProviderFault("a user of basic authentication has no colon in it")
        }
        guard !source.account.token.isEmpty, source.tokenHeader != nil || !isUsed else { return nil }
        if let name = source.tokenHeader {
            guard !name.isEmpty, name.utf8.allSatisfy(isTokenOctet) else { throw ProviderFault("\(name) is no name of a header") }
            return HeaderRuleValue(name: name, value: source.account.token)
        }
        return HeaderRuleValue(name: "Authorization", value: "Bearer \(source.account.token)")
    }

    private static func contentType(of body: String) -> String {
        switch body.first(where: { !$0.isWhitespace }) {
        case "{", "[": "application/json"
        case "<": "application/xml"
        default: "text/plain"
        }
    }

    private static func place(_ contentType: String) -> Escape {
        let type = contentType.lowercased()
        if type.contains("json") { return .json }
        if type.contains("xml") { return .xml }
        return type.contains("form-urlencoded") ? .form : .raw
    }

    /// The options of EMG's /bin/send. Source: EMG-REFERENCE 2.3 and 3.6.
    private static func emgParameters(_ account: ProviderAccount) throws(ProviderFault) -> [Parameter] {
        var names = ["SOURCEADDR", "DESTADDR", "MESSAGE", "UDH"]
        if !account.username.isEmpty { names = ["USERNAME", "PASSWORD"] + names }
        var parameters: [Parameter] = []
        for name in names { parameters.append(Parameter(name: name, value: try Template("${\(name)}", place: .form))) }
        return parameters
    }
}

extension RequestRules {
    /// - Returns: the request for a message or a part of one.
    public func request(for values: MessageValues) -> ProviderRequest {
        var address = String(decoding: url.octets(values, account, charset), as: UTF8.self)
        var headers = headers.map {
            ProviderRequest.Header(name: $0.name, value: String(decoding: $0.value.octets(values, account, .utf8), as: UTF8.self))
        }
        if let authorization { headers.append(ProviderRequest.Header(name: authorization.name, value: authorization.value)) }
        var octets: [UInt8] = []
        var type: String?
        if let body {
            octets = body.octets(values, account, charset)
            type = contentType
        } else {
            let form = form(values)
            if method == "GET" || method == "DELETE" {
                let mark = address.contains("?") ? (address.hasSuffix("?") || address.hasSuffix("&") ? "" : "&") : "?"
                if !form.isEmpty { address += mark + String(decoding: form, as: UTF8.self) }
            } else {
                octets = form
                type = "application/x-www-form-urlencoded"
            }
        }
        if let type, !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
            let hasCharset = type.contains("charset") || type.contains("json")
            headers.append(ProviderRequest.Header(name: "Content-Type", value: hasCharset ? type : "\(type); charset=\(charset.name)"))
        }
        return ProviderRequest(method: method, url: address, headers: headers, body: octets)
    }

    /// What comes out empty is left out, but for the text of a message.
    private func form(_ values: MessageValues) -> [UInt8] {
        var form: [UInt8] = []
        func add(_ name: String, _ value: [UInt8]) {
            if !form.isEmpty { form.append(UInt8(ascii: "&")) }
            form += Escape.form.apply(name, .utf8) + [UInt8(ascii: "=")] + value
        }
        for parameter in parameters {
            let value = parameter.value.octets(values, account, charset)
            if value.isEmpty, parameter.value.hasValues, !parameter.value.uses(.message) { continue }
            add(parameter.name, value)
        }
        guard isEMG else { return form }
        // Only where it says something: a text is a text by itself.
        if values.isBinary || values.dataCoding != 0 { add("DCS", Array(String(values.dataCoding).utf8)) }
        if values.expiresAt > 0 { add("VP", Array(values.text(of: .validity, for: account).utf8)) }
        if values.awaitsReport { add("DLR", [UInt8(ascii: "1")]) }
        return form
    }
}

// For whoever reads an operator's lines one by one.
extension RequestRules {
    public static func fault(inHeader text: String) -> ProviderFault? { fault { () throws(ProviderFault) in _ = try headers([text]) } }

    public static func fault(inParameter text: String) -> ProviderFault? {
        fault { () throws(ProviderFault) in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ProviderFault("a parameter is written name=value, not \(text)")
            }
            _ = try Template(String(text[equals...]), place: .form)
        }
    }

    public static func fault(inBody text: String) -> ProviderFault? {
        fault { () throws(ProviderFault) in _ = try Template(text, place: .raw) }
    }

    private static func fault(_ make: () throws(ProviderFault) -> Void) -> ProviderFault? {
        do throws(ProviderFault) {
            try make()
            return nil
        } catch {
            return error
        }
    }
}

extension RequestRules: CustomReflectable {
    /// It holds passwords.
    public var customMirror: Mirror { Mirror(self, children: ["method": method]) }
}
