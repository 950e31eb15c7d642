import Configuration
import Message
import ServiceKit
import Store

/// Kannel's `/cgi-bin/sendsms`. Source: Kannel's user's guide, "Using the HTTP interface to send SMS messages".
struct KannelHandler: Sendable {
    /// - Returns: nil for a path that is not of this interface.
    static func respond(to exchange: Exchange) async -> Reply? {
        guard exchange.path == "/cgi-bin/sendsms" else { return nil }
        do throws(Fault) {
            guard ["GET", "POST"].contains(exchange.method) else {
                throw Fault(.methodNotAllowed, "only GET and POST", allow: "GET, POST")
            }
            return try await handle(exchange)
        } catch {
            return refusal(error)
        }
    }

    private static func handle(_ exchange: Exchange) async throws(Fault) -> Reply {
        let parameters = try exchange.parameters()
        let connector = exchange.connector
        var credentials = try exchange.credentials()
        if let username = parameters.text(anyOf: "username", "user") {
            credentials = .password(username: username, password: parameters.text(anyOf: "password", "pass") ?? "")
        }
        let client: Client
        do throws(Fault) {
            client = try await connector.shared.gatekeeper.admit(
                credentials, remote: exchange.remote, connector: connector.configuration)
        } catch {
            // Kannel's own words, which scripts look for; status 403 as there.
            guard error.kind == .unauthorized || error.kind == .forbidden else { throw error }
            throw Fault(.forbidden, "Authorization failed for sendsms")
        }
        let drafts = try KannelRequest.drafts(parameters, charset: connector.options.charset, now: wallClockMilliseconds())
        let sender = Sender(connector: connector, client: client, remote: exchange.remote.description)
        try sender.admit(drafts.count)
        let results = await sender.send(drafts.map { .success($0) }, ids: sender.ids(drafts.count))
        guard results.contains(where: { $0.msgid != nil }) else {
            if case .refused(let fault)? = results.first { throw fault }
            throw Fault(.internalError, "nothing was sent")
        }
        // As Kannel: one line, whatever the number of receivers; those that failed are named.
        let failed = zip(drafts, results).filter { $0.1.msgid == nil }.map(\.0.destination)
        let text = "0: Accepted for delivery" + (failed.isEmpty ? "" : ". Failed for: \(failed.joined(separator: " "))")
        var reply = Reply(202, "text/html", Array(text.utf8))
        reply.headers["X-Signalbox-Message-Ids"] = results.compactMap(\.msgid).map(String.init).joined(separator: ",")
        return reply
    }

    private static func refusal(_ fault: Fault) -> Reply {
        var status = fault.kind.status
        let text: String
        switch fault.kind {
        case .throttled, .queueFull, .unavailable:
            status = fault.kind == .throttled ? 429 : 503
            text = "Temporal failure, try again later."
        case .invalid:
            status = 400
            text = fault.detail
        default: text = fault.detail
        }
        var reply = Reply(status, "text/html", Array(text.utf8))
        reply.addHeaders(of: fault)
        return reply
    }
}

/// The parameters of a sendsms request as drafts, one for each receiver. Pure.
enum KannelRequest {
    private static let maxReceivers = 1_000

    static func drafts(_ parameters: Parameters, charset: HTTPServerOptions.Charset, now: Int64) throws(Fault) -> [Draft] {
        let receivers = parameters.texts("to").flatMap { $0.split(whereSeparator: { $0 == " " || $0 == "," }).map(String.init) }
        guard !receivers.isEmpty else { throw Fault(.badRequest, "Missing receiver number, rejected") }
        guard receivers.count <= maxReceivers else { throw Fault(.badRequest, "Too many receivers, rejected") }
        var draft = Draft()
        draft.source = parameters.text("from") ?? ""
        func number(_ name: String, _ range: ClosedRange<Int64>) throws(Fault) -> Int64? {
            guard let text = parameters.text(name), !text.isEmpty else { return nil }
            guard let number = Int64(text), range.contains(number) else { throw Fault(.badRequest, "\(name) is wrong, rejected") }
            return number
        }
        // In minutes, both.
        if let minutes = try number("validity", 0...525_600), minutes > 0 { draft.expiresAt = now + minutes * 60_000 }
        if let minutes = try number("deferred", 0...525_600), minutes > 0 { draft.scheduledAt = now + minutes * 60_000 }
        draft.priority = UInt32(try number("priority", 0...3) ?? 0)
        draft.messageClass = try number("mclass", 0...3).map { UInt32($0) }
        draft.udh = parameters.octets("udh") ?? []
        if let pid = try number("pid", 0...255) { draft.options.append(("PROTOCOLID", String(pid))) }
        if try number("rpi", 0...2) == 1 { draft.options.append(("REPLYPATH", "1")) }
        for name in ["binfo", "account"] {
            guard let value = parameters.text(name), !value.isEmpty else { continue }
            draft.options.append((name == "binfo" ? "BILLINGID" : "NOTE", value))
        }
        for name in ["mwi", "compress", "smsc"] where !(parameters.text(name) ?? "").isEmpty && parameters.text(name) != "0" {
            // Which connector a message goes to is the routes' matter; the other two are not sent.
            if name != "smsc" { throw Fault(.notImplemented, "\(name) is not supported") }
        }
        draft.content = try content(parameters, charset)
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

    /// `dlr-mask`: 1 delivered, 2 not delivered, 4 queued, 8 taken by the provider, 16 refused by it.
    private static func reports(_ parameters: Parameters, _ draft: inout Draft) throws(Fault) {
        let maskText = parameters.text(anyOf: "dlr-mask", "dlrmask") ?? ""
        let url = parameters.text(anyOf: "dlr-url", "dlrurl") ?? ""
        guard !maskText.isEmpty else { return }
        guard let mask = UInt32(maskText), mask <= 63 else { throw Fault(.badRequest, "dlr-mask is a number from 0 to 63, rejected") }
        let wantsSuccess = mask & (1 | 8) != 0
        let wantsFailure = mask & (2 | 16) != 0
        switch (wantsSuccess, wantsFailure) {
        case (true, true): draft.report = .final
        case (true, false): draft.report = .onSuccess
        case (false, true): draft.report = .onFailure
        case (false, false): return
        }
        var callback = ReportCallback()
        callback.mask = mask
        callback.style = "kannel"
        guard url.utf8.count <= 2_000 else { throw Fault(.badRequest, "dlr-url is too long, rejected") }
        callback.url = url
        draft.callback = callback
    }
}
