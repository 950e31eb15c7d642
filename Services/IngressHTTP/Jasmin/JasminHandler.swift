import Configuration
import Message
import Pricing
import ServiceKit
import Store

/// Jasmin's HTTP API: `/send`, `/rate`, `/balance`, `/ping`. Source: Jasmin's documentation, "HTTP API".
struct JasminHandler: Sendable {
    /// - Returns: nil for a path that is not of this interface.
    static func respond(to exchange: Exchange) async -> Reply? {
        guard ["/send", "/rate", "/balance", "/ping"].contains(exchange.path) else { return nil }
        if exchange.path == "/ping" { return .text(200, "Jasmin/PONG") }
        do throws(Fault) {
            guard ["GET", "POST"].contains(exchange.method) else {
                throw Fault(.methodNotAllowed, "only GET and POST", allow: "GET, POST")
            }
            let parameters = try exchange.parameters()
            var credentials = try exchange.credentials()
            if let username = parameters.text("username") {
                credentials = .password(username: username, password: parameters.text("password") ?? "")
            }
            let client: Client
            do throws(Fault) {
                client = try await exchange.connector.shared.gatekeeper.admit(
                    credentials, remote: exchange.remote, connector: exchange.connector.configuration)
            } catch {
                guard error.kind == .unauthorized || error.kind == .forbidden else { throw error }
                throw Fault(.forbidden, "Authentication failure for username:\(parameters.text("username") ?? "")")
            }
            switch exchange.path {
            case "/send": return try await send(exchange, parameters, client)
            case "/rate": return try rate(exchange, parameters, client)
            default: return try await balance(exchange, client)
            }
        } catch {
            return refusal(error, exchange.path)
        }
    }

    private static func send(_ exchange: Exchange, _ parameters: Parameters, _ client: Client) async throws(Fault) -> Reply {
        let draft = try JasminRequest.draft(parameters, now: wallClockMilliseconds())
        let sender = Sender(connector: exchange.connector, client: client, remote: exchange.remote.description)
        try sender.admit(1)
        switch await sender.send([.success(draft)], ids: sender.ids(1)).first {
        case .accepted(let msgid, _): return .text(200, "Success \"\(msgid)\"")
        case .refused(let fault): throw fault
        case nil: throw Fault(.internalError, "nothing was sent")
        }
    }

    private static func rate(_ exchange: Exchange, _ parameters: Parameters, _ client: Client) throws(Fault) -> Reply {
        let draft = try JasminRequest.draft(parameters, now: wallClockMilliseconds())
        let message = try draft.message()
        let preview = PricePreview(
            message, account: client.account, connector: exchange.connector.name, tariffs: exchange.connector.shared.tariffs(),
            now: wallClockMilliseconds())
        guard let charge = preview.chargePerPart else { throw Fault(.invalid, "Cannot find rate: \(preview.problem ?? "no price")") }
        return .json(
            200,
            JSONWriter.object { writer in
                writer.name("unit_rate")
                writer.raw("\(charge)")
                writer.member("submit_sm_count", Int(message.parts))
            })
    }

    private static func balance(_ exchange: Exchange, _ client: Client) async throws(Fault) -> Reply {
        let (lookups, name) = (exchange.connector.shared.lookups, client.account.username)
        guard let account = try await APIHandler.asked(exchange, { try await lookups.account(name) }) else {
            throw Fault(.forbidden, "the account is gone")
        }
        // What does not count for the account is "ND", not defined.
        return .json(
            200,
            JSONWriter.object { writer in
                writer.name("balance")
                writer.raw(account.chargeBalance.map { "\($0)" } ?? "\"ND\"")
                writer.name("sms_count")
                writer.raw(account.chargeBalance == nil ? String(account.creditsSend) : "\"ND\"")
            })
    }

    private static func refusal(_ fault: Fault, _ path: String) -> Reply {
        let status =
            switch fault.kind {
            case .balanceTooLow: 403
            case .invalid: 400
            default: fault.kind.status
            }
        // Texts at /send, JSON at the others, as Jasmin has it.
        var reply: Reply =
            path == "/send"
            ? .text(status, "Error \"\(fault.detail)\"")
            : .json(
                status,
                {
                    var writer = JSONWriter()
                    writer.string("Error \"\(fault.detail)\"")
                    return writer.bytes
                }())
        reply.addHeaders(of: fault)
        return reply
    }
}

/// The parameters of a send request as a draft. Pure.
enum JasminRequest {
    static func draft(_ parameters: Parameters, now: Int64) throws(Fault) -> Draft {
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
        guard parameters.text("dlr")?.lowercased() == "yes" else { return }
        draft.report = .final
        var callback = ReportCallback()
        callback.style = "jasmin"
        callback.mask = UInt32(try number(parameters, "dlr-level", 1...3) ?? 1)
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
