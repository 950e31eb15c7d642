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
        let parameters = try KannelRequest.parameters(exchange)
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
