import Configuration
import Message

/// The parameters of a send request as a draft. Pure.
enum JasminRequest {
    /// Of `/send` and `/rate`; Jasmin refuses others, and so catches misspelt ones.
    private static let names: Set<String> = [
        "username", "password", "to", "from", "coding", "priority", "sdt", "validity-period", "dlr", "dlr-url", "dlr-level", "dlr-method",
        "tags", "content", "hex-content", "custom_tlvs",
    ]

    /// Those of the query, and those of a form or of a JSON object. A list stays JSON.
    static func parameters(_ exchange: Exchange) throws(Fault) -> Parameters {
        guard exchange.method == "POST", exchange.contentType == "application/json", !exchange.body.isEmpty else {
            return try exchange.parameters()
        }
        var parameters = Parameters(exchange.query.utf8)
        let body: JSONValue
        do throws(JSONFault) { body = try JSONParser.parse(exchange.body) } catch { throw Fault(.badRequest, "\(error)") }
        guard case .object(let members) = body else { throw Fault(.badRequest, "the body is no JSON object") }
        for (name, value) in members {
            switch value {
            case .null: break
            case .string(let text): parameters.set(name, Array(text.utf8))
            case .integer(let number): parameters.set(name, Array(String(number).utf8))
            case .array(let items) where name == "custom_tlvs": parameters.tlvs = items
            default: throw Fault(.badRequest, "Argument [\(name.prefix(30))] has an invalid value: [\(value.kind)].")
            }
        }
        return parameters
    }

    static func draft(_ parameters: Parameters, now: Int64) throws(Fault) -> Draft {
        if let other = parameters.names.first(where: { !names.contains($0) }) {
            throw Fault(.badRequest, "Argument [\(other.prefix(30))] is unknown.")
        }
        guard let to = parameters.text("to"), !to.isEmpty else { throw Fault(.badRequest, "Mandatory argument [to] is not found.") }
        var draft = Draft()
        draft.destination = to
        draft.source = parameters.text("from") ?? ""
        draft.priority = try number(parameters, "priority", 0...3).map { UInt32($0) } ?? 0
        // In minutes.
        if let minutes = try number(parameters, "validity-period", 1...525_600) { draft.expiresAt = now + minutes * 60_000 }
        if let text = parameters.text("sdt"), !text.isEmpty { draft.scheduledAt = try time(text, now) }
        let coding = try number(parameters, "coding", 0...14) ?? 0
        draft.content = try content(parameters, coding)
        if coding != 0 { draft.dataCoding = UInt32(coding) }
        if let tags = parameters.text("tags"), !tags.isEmpty { draft.options.append(("TAGS", tags)) }
        draft.options += try JasminTLVs.options(parameters)
        try reports(parameters, &draft)
        return draft
    }

    private static func number(_ parameters: Parameters, _ name: String, _ range: ClosedRange<Int64>) throws(Fault) -> Int64? {
        guard let text = parameters.text(name), !text.isEmpty else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw Fault(.badRequest, "Argument [\(name)] has an invalid value: [\(text.prefix(30))].")
        }
        return number
    }

    /// `hex-content`, or `content` in UTF-8. Text codings of SMPP are texts, the others octets.
    private static func content(_ parameters: Parameters, _ coding: Int64) throws(Fault) -> Draft.Content {
        guard let hex = parameters.text("hex-content") else {
            guard let octets = parameters.octets("content") else {
                throw Fault(.badRequest, "content or hex-content not present.")
            }
            return .text(String(decoding: octets, as: UTF8.self))
        }
        guard parameters.octets("content") == nil else {
            throw Fault(.badRequest, "content and hex-content cannot be used both in same request.")
        }
        guard let octets = hexBytes(hex) else { throw Fault(.badRequest, "Invalid hex-content data: '\(hex.prefix(30))'") }
        switch coding {
        case 0, 1: return .text(String(decoding: octets, as: UTF8.self))
        case 3: return .text(HTTPServerOptions.Charset.latin1.decode(octets))
        case 8: return .text(HTTPServerOptions.Charset.ucs2.decode(octets))
        default: return .binary(octets)
        }
    }

    /// `sdt`: SMPP's time format (3.4 §7.1.1).
    private static func time(_ text: String, _ now: Int64) throws(Fault) -> Int64 {
        if let time = smppTime(text, now) { return time }
        throw Fault(.badRequest, "Argument [sdt] has an invalid value: [\(text.prefix(30))].")
    }

    private static func reports(_ parameters: Parameters, _ draft: inout Draft) throws(Fault) {
        // An address or a level asks for reports as well as `dlr=yes` does.
        let isWanted =
            parameters.text("dlr")?.lowercased() == "yes" || parameters.text("dlr-url") != nil || parameters.text("dlr-level") != nil
        guard isWanted else { return }
        var callback = ReportCallback()
        callback.style = "jasmin"
        callback.mask = UInt32(try number(parameters, "dlr-level", 1...3) ?? 1)
        // Level 1 is about the provider's answer, level 2 about the phone, level 3 about both.
        draft.report = callback.mask == 1 ? .onFailure : .final
        draft.submissionReport = callback.mask != 2
        callback.method = (parameters.text("dlr-method") ?? "POST").uppercased()
        guard ["GET", "POST"].contains(callback.method) else {
            throw Fault(.badRequest, "Argument [dlr-method] has an invalid value: [\(callback.method.prefix(30))].")
        }
        callback.url = parameters.text("dlr-url") ?? ""
        if !callback.url.isEmpty, callbackURL(callback.url) == nil {
            throw Fault(.badRequest, "Argument [dlr-url] has an invalid value: [\(callback.url.prefix(100))].")
        }
        draft.callback = callback
    }
}
