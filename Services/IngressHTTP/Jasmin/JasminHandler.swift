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
            let parameters = try JasminRequest.parameters(exchange)
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
