import Bus
import Configuration
import Foundation
import Message
import ServiceKit
import Store

/// EMG's own HTTP interface: `/bin/send`, `/bin/send.json`, `/bin/send.xml` (EMG-REFERENCE 2.3).
struct EMGHandler: Sendable {
    private enum Form: String {
        case text = "/bin/send"
        case json = "/bin/send.json"
        case xml = "/bin/send.xml"
    }

    private static let states: [String: Status] = [
        "DELIVERED": .delivered, "FAILED": .failed, "EXPIRED": .expired, "DELETED": .deleted, "UNDELIVERABLE": .undeliverable,
        "REJECTED": .rejected, "BUFFERED": .buffered,
    ]

    /// - Returns: nil for a path that is not of this interface.
    static func respond(to exchange: Exchange) async -> Reply? {
        guard let form = Form(rawValue: exchange.path) else { return nil }
        do throws(Fault) {
            guard ["GET", "POST"].contains(exchange.method) else {
                throw Fault(.methodNotAllowed, "only GET and POST", allow: "GET, POST")
            }
            return try await handle(exchange, form)
        } catch {
            return refusal(error, form)
        }
    }

    private static func handle(_ exchange: Exchange, _ form: Form) async throws(Fault) -> Reply {
        let parameters = try exchange.parameters()
        let connector = exchange.connector
        let client = try await connector.shared.gatekeeper.admit(
            try credentials(exchange, parameters), remote: exchange.remote, connector: connector.configuration)
        if parameters.text("msgtype") == "5" { return try await inject(parameters, client, exchange, form) }
        if let type = parameters.text("msgtype"), !["", "1"].contains(type) {
            throw Fault(.badRequest, "MSGTYPE is 1 for a message or 5 for a delivery report, not \(type.prefix(20))")
        }
        let request = try EMGRequest(
            parameters, charset: connector.options.charset, allowsRoute: connector.configuration.routing.allowsRoute,
            now: wallClockMilliseconds())
        var sender = Sender(connector: connector, client: client, remote: exchange.remote.description)
        if let target = request.reportConnector { sender.client.account.routeDLR = target }
        try sender.admit(request.drafts.count)
        let results = await sender.send(request.drafts.map { .success($0) }, ids: sender.ids(request.drafts.count))
        var balance: String?
        if form != .text {
            let (lookups, name) = (connector.shared.lookups, client.account.username)
            let account = try await APIHandler.asked(exchange) { try await lookups.account(name) }
            balance = account?.chargeBalance.map { "\($0)" } ?? account.map { String($0.creditsSend) }
        }
        return reply(results, balance, form)
    }

    private static func credentials(_ exchange: Exchange, _ parameters: Parameters) throws(Fault) -> Credentials? {
        guard let username = parameters.text("username") else { return try exchange.credentials() }
        return .password(username: username, password: parameters.text("password") ?? "")
    }

    // MARK: Delivery reports that are injected

    /// MSGTYPE=5. Reports move money, so that only administrators may make them.
    private static func inject(
        _ parameters: Parameters, _ client: Client, _ exchange: Exchange, _ form: Form
    ) async throws(Fault) -> Reply {
        guard client.account.usergroup?.uppercased() == "ADMIN" else {
            throw Fault(.forbidden, "delivery reports are injected by accounts of the group ADMIN only")
        }
        guard let msgid = parameters.text("origid").flatMap({ Int64($0) }), msgid > 0 else {
            throw Fault(.badRequest, "ORIGID is the id of the message that the report speaks of")
        }
        let word = (parameters.text("messagestate") ?? "").uppercased()
        guard let status = states[word] else {
            throw Fault(.badRequest, "MESSAGESTATE is one of \(states.keys.sorted().joined(separator: ", "))")
        }
        let now = wallClockMilliseconds()
        var receipt = Receipt()
        receipt.msgid = msgid
        receipt.status = status
        receipt.reasonText = "injected"
        receipt.doneAt = now
        receipt.receivedAt = now
        let record = OutgoingRecord(topic: Topics.receipts, key: receiptKey("", ""), value: encode(receipt))
        let outcomes = await exchange.connector.shared.acceptance.accept([Acceptance.Item(record: record, reservation: nil)])
        guard outcomes == [.kept] else { throw Fault(.unavailable, "the report could not be kept", retryAfterSeconds: 2) }
        return reply([.accepted(msgid: msgid, parts: 1)], nil, form)
    }

    // MARK: Answers

    private static func statusText(_ fault: Fault) -> String { "\(fault.kind.title): \(fault.detail)" }

    private static func reply(_ results: [SendResult], _ balance: String?, _ form: Form) -> Reply {
        // Nothing was taken: then the answer as a whole says so, too.
        var status = 200
        var headers: Fault?
        if !results.contains(where: { $0.msgid != nil }), case .refused(let fault)? = results.first {
            status = fault.kind.status
            headers = fault
        }
        var reply: Reply
        switch form {
        case .text:
            let lines = results.map { result -> String in
                switch result {
                case .accepted(let msgid, _): String(msgid)
                case .refused(let fault): "ERROR \(statusText(fault))"
                }
            }
            reply = .text(status, lines.joined(separator: "\n") + "\n")
        case .json: reply = .json(status, json(results, balance))
        case .xml: reply = Reply(status, "application/xml; charset=utf-8", Array(xml(results, balance).utf8))
        }
        if let headers { reply.addHeaders(of: headers) }
        return reply
    }

    private static func refusal(_ fault: Fault, _ form: Form) -> Reply { reply([.refused(fault)], nil, form) }

    private static func json(_ results: [SendResult], _ balance: String?) -> [UInt8] {
        JSONWriter.object { writer in
            writer.name("results")
            writer.array(results) { writer, result in
                writer.object { writer in
                    switch result {
                    case .accepted(let msgid, _):
                        writer.member("status", 0)
                        writer.member("msgid", String(msgid))
                        writer.member("statustext", "OK")
                    case .refused(let fault):
                        writer.member("status", fault.kind.status)
                        writer.member("statustext", statusText(fault))
                    }
                }
            }
            writer.member("balance", optional: balance)
        }
    }

    private static func xml(_ results: [SendResult], _ balance: String?) -> String {
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<response><results>"
        for result in results {
            switch result {
            case .accepted(let msgid, _):
                text += "<result><status>0</status><msgid>\(msgid)</msgid><statustext>OK</statustext></result>"
            case .refused(let fault):
                text += "<result><status>\(fault.kind.status)</status><statustext>\(xmlText(statusText(fault)))</statustext></result>"
            }
        }
        text += "</results>"
        if let balance { text += "<balance>\(balance)</balance>" }
        return text + "</response>\n"
    }

    private static func xmlText(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: if scalar.value >= 0x20 || scalar == "\n" || scalar == "\t" { result.unicodeScalars.append(scalar) }
            }
        }
        return result
    }
}
