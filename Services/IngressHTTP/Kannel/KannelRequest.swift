import Configuration
import HTTPTypes
import Message

/// The parameters of a sendsms request as drafts, one for each receiver. Pure.
enum KannelRequest {
    private static let maxReceivers = 1_000
    private static let headerPrefix = "x-kannel-"

    /// Those of the query or a form; or, where the body is the text itself, those of the `X-Kannel-` headers.
    static func parameters(_ exchange: Exchange) throws(Fault) -> Parameters {
        let type = exchange.contentType
        guard exchange.method == "POST", !exchange.body.isEmpty, type == "text/plain" || type == "application/octet-stream" else {
            return try exchange.parameters()
        }
        var parameters = Parameters(exchange.query.utf8)
        if type == "application/octet-stream" { parameters.set("coding", Array("1".utf8)) }
        if let charset = exchange.contentTypeParameter("charset") { parameters.set("charset", Array(charset.utf8)) }
        for field in exchange.headers {
            let name = field.name.canonicalName.lowercased()
            guard name.hasPrefix(headerPrefix) else { continue }
            var value = Array(field.value.utf8)
            if name == "x-kannel-udh" {
                guard let octets = hexBytes(field.value) else { throw Fault(.badRequest, "X-Kannel-UDH is not hex, rejected") }
                value = octets
            }
            parameters.set(String(name.dropFirst(headerPrefix.count)), value)
        }
        parameters.set("text", exchange.body)
        return parameters
    }

    static func drafts(_ parameters: Parameters, charset: HTTPServerOptions.Charset, now: Int64) throws(Fault) -> [Draft] {
        let receivers = parameters.texts("to").flatMap { $0.split(whereSeparator: { $0 == " " || $0 == "," }).map(String.init) }
        guard !receivers.isEmpty else { throw Fault(.badRequest, "Missing receiver number, rejected") }
        guard receivers.count <= maxReceivers else { throw Fault(.badRequest, "Too many receivers, rejected") }
        var draft = Draft()
        draft.source = parameters.text("from") ?? ""
        func number(_ name: String, _ range: ClosedRange<Int64>, or other: String? = nil) throws(Fault) -> Int64? {
            guard let text = parameters.text(name) ?? other.flatMap({ parameters.text($0) }), !text.isEmpty else { return nil }
            guard let number = Int64(text), range.contains(number) else { throw Fault(.badRequest, "\(name) is wrong, rejected") }
            return number
        }
        // In minutes, both.
        if let minutes = try number("validity", 0...525_600), minutes > 0 { draft.expiresAt = now + minutes * 60_000 }
        if let minutes = try number("deferred", 0...525_600), minutes > 0 { draft.scheduledAt = now + minutes * 60_000 }
        draft.priority = UInt32(try number("priority", 0...3) ?? 0)
        draft.messageClass = try number("mclass", 0...3, or: "flash").map { UInt32($0) }
        draft.udh = parameters.octets("udh") ?? []
        if let pid = try number("pid", 0...255) { draft.options.append(("PROTOCOLID", String(pid))) }
        if try number("rpi", 0...2) == 1 { draft.options.append(("REPLYPATH", "1")) }
        for name in ["binfo", "account"] {
            guard let value = parameters.text(name), !value.isEmpty else { continue }
            draft.options.append((name == "binfo" ? "BILLINGID" : "NOTE", value))
        }
        // Two ways to write a message class, which mean the same: the egress takes the one that holds for its alphabet.
        _ = try number("alt-dcs", 0...2)
        for name in ["compress", "meta-data"] {
            guard let value = parameters.text(name), !value.isEmpty, value != "0" else { continue }
            throw Fault(.notImplemented, "\(name) is not supported, rejected")
        }
        draft.content = try content(parameters, charset)
        if let indicator = try number("mwi", 0...7) { draft.dataCoding = try waiting(UInt32(indicator), draft.content) }
        try reports(parameters, &draft)
        return receivers.map { receiver in
            var own = draft
            own.destination = receiver
            return own
        }
    }

    /// `coding`: 0 = GSM 03.38, 1 = eight bits, 2 = UCS-2. A text is UTF-8, or as `charset` says.
    private static func content(_ parameters: Parameters, _ charset: HTTPServerOptions.Charset) throws(Fault) -> Draft.Content {
        let octets = parameters.octets("text") ?? []
        switch parameters.text("coding") ?? "0" {
        case "1": return .binary(octets)
        case "", "0", "2":
            var charset = charset
            if let name = parameters.text("charset"), !name.isEmpty {
                guard let named = HTTPServerOptions.Charset(name: name) else {
                    throw Fault(.badRequest, "charset \(name.prefix(30)) is unknown, rejected")
                }
                charset = named
            } else if parameters.text("coding") == "2" {
                charset = .ucs2
            }
            return .text(charset.decode(octets))
        default: throw Fault(.badRequest, "coding is 0, 1 or 2, rejected")
        }
    }

    /// `mwi`: 0 voice, 1 fax, 2 e-mail, 3 other; 4 more switches the indication off. As data coding (3GPP TS 23.038 §4); the egress
    /// writes it for the alphabet that it chooses.
    private static func waiting(_ indicator: UInt32, _ content: Draft.Content) throws(Fault) -> UInt32 {
        guard case .text(let text) = content else { throw Fault(.badRequest, "mwi goes with a text, rejected") }
        // Without a text there is nothing to store: the phone only shows the sign.
        let group: UInt32 = text.isEmpty ? 0xC0 : 0xD0
        return group | (indicator & 4 == 0 ? 8 : 0) | indicator & 3
    }

    /// `dlr-mask`: 1 delivered, 2 not delivered, 4 the provider keeps it for later, 8 taken by the provider, 16 refused by it. What is
    /// asked for here may bring more reports than that; those are held back when they are to be sent (`KannelCallback.isWanted`).
    private static func reports(_ parameters: Parameters, _ draft: inout Draft) throws(Fault) {
        let maskText = parameters.text(anyOf: "dlr-mask", "dlrmask") ?? ""
        let url = parameters.text(anyOf: "dlr-url", "dlrurl") ?? ""
        guard !maskText.isEmpty else { return }
        guard let mask = UInt32(maskText), mask <= 63 else { throw Fault(.badRequest, "dlr-mask is a number from 0 to 63, rejected") }
        // A provider tells of a message in between only where it is asked for the end as well.
        switch (mask & (1 | 4) != 0, mask & (2 | 4 | 16) != 0) {
        case (true, true): draft.report = .final
        case (true, false): draft.report = .onSuccess
        case (false, true): draft.report = .onFailure
        case (false, false): guard mask & 8 != 0 else { return }
        }
        draft.intermediateReports = mask & 4 != 0
        draft.submissionReport = mask & 8 != 0
        var callback = ReportCallback()
        callback.mask = mask
        callback.style = "kannel"
        guard url.utf8.count <= 2_000 else { throw Fault(.badRequest, "dlr-url is too long, rejected") }
        callback.url = url
        draft.callback = callback
    }
}
