import Charset
import Configuration
import Ingress
import Logging
import Message
import Pricing
import Routing
import SMPP
import ServiceKit
import Store

/// Our own interface, under `/v1` (docs/http.md; API/openapi.json is its description).
struct APIHandler: Sendable {
    /// The paths that it answers at, with their methods.
    static func methods(_ path: String) -> [String]? {
        switch path {
        case "/openapi.json", "/v1/balance": ["GET"]
        case "/v1/messages": ["GET", "POST"]
        case "/v1/messages/price": ["POST"]
        default: path.hasPrefix("/v1/messages/") && !path.dropFirst(13).contains("/") ? ["GET", "DELETE"] : nil
        }
    }

    /// - Returns: nil for a path that is not of this interface.
    static func respond(to exchange: Exchange) async -> Reply? {
        guard let methods = methods(exchange.path) else { return nil }
        do throws(Fault) {
            let method = exchange.method == "HEAD" ? "GET" : exchange.method
            guard methods.contains(method) else {
                throw Fault(.methodNotAllowed, "only \(methods.joined(separator: " and "))", allow: methods.joined(separator: ", "))
            }
            return try await handle(exchange, method)
        } catch {
            return .problem(error)
        }
    }

    private static func handle(_ exchange: Exchange, _ method: String) async throws(Fault) -> Reply {
        if exchange.path == "/openapi.json" { return .json(200, PackageResources.openapi_json) }
        let connector = exchange.connector
        let client = try await connector.shared.gatekeeper.admit(
            try exchange.credentials(), remote: exchange.remote, connector: connector.configuration)
        switch (method, exchange.path) {
        case ("POST", "/v1/messages"): return try await send(exchange, client)
        case ("POST", "/v1/messages/price"): return try price(exchange, client)
        case ("GET", "/v1/messages"): return try await list(exchange, client)
        case ("GET", "/v1/balance"): return try await balance(exchange, client)
        case ("DELETE", _): return try await cancel(exchange, client)
        default: return try await show(exchange, client)
        }
    }

    private static func requireJSON(_ exchange: Exchange) throws(Fault) {
        guard exchange.contentType == "application/json" else {
            throw Fault(
                .unsupportedType, "the body is application/json" + (exchange.contentType.isEmpty ? "" : ", and not \(exchange.contentType)")
            )
        }
    }

    /// An error of the database, as the client hears of it.
    static func asked<Value: Sendable>(
        _ exchange: Exchange, _ body: @Sendable () async throws -> Value
    ) async throws(Fault) -> Value {
        do {
            return try await body()
        } catch let fault as Fault {
            throw fault
        } catch {
            exchange.connector.logger.warning("request not answered", metadata: ["path": "\(exchange.path)", "error": "\(error)"])
            throw Fault(.unavailable, "the database does not answer", retryAfterSeconds: 2)
        }
    }

    // MARK: Sending

    private static func send(_ exchange: Exchange, _ client: Client) async throws(Fault) -> Reply {
        try requireJSON(exchange)
        let request = try SendRequest(exchange.body, now: wallClockMilliseconds())
        let sender = Sender(connector: exchange.connector, client: client, remote: exchange.remote.description)
        try sender.admit(request.entries.count)
        guard let key = exchange.header("Idempotency-Key") else {
            let ids = sender.ids(request.entries.count)
            let results = await sender.send(request.entries.map(\.draft), ids: ids)
            return reply(to: request, results)
        }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Fault(.badRequest, "Idempotency-Key has 1 to 255 visible characters of ASCII")
        }
        return try await send(request, sender, key, exchange)
    }

    private static func send(
        _ request: SendRequest, _ sender: Sender, _ key: String, _ exchange: Exchange
    ) async throws(Fault) -> Reply {
        let username = sender.client.account.username
        let idempotency = exchange.connector.shared.idempotency
        let claim = IdempotencyStore.Claim(
            username: username, key: key, fingerprint: Idempotency.fingerprint(exchange.body), msgids: sender.ids(request.entries.count))
        let verdict = try await asked(exchange) { try await idempotency.claim(claim) }
        var ids = claim.msgids
        var known: Set<Int64> = []
        switch verdict {
        case .new: break
        case .takenOver(let before, let sent):
            if before.count == ids.count { ids = before }
            known = sent
        case .answered(let status, let body): return .json(status, body)
        case .underWay: throw Fault(.conflict, "a request with this Idempotency-Key is under way", retryAfterSeconds: 1)
        case .otherRequest: throw Fault(.invalid, "this Idempotency-Key was used for another request")
        }
        let results = await sender.send(request.entries.map(\.draft), ids: ids, known: known)
        let reply = reply(to: request, results)
        // Where nothing was kept the client may come again with the same key.
        let isKept = results.contains { $0.msgid != nil }
        let answer = IdempotencyStore.Answer(username: username, key: key, status: isKept ? reply.status : nil, answer: reply.body)
        do {
            try await idempotency.settle(answer)
        } catch {
            // The messages are sent. Who asks again finds them by their ids in the log.
            exchange.connector.logger.warning("answer not kept for its Idempotency-Key", metadata: ["error": "\(error)"])
        }
        return reply
    }

    private static func reply(to request: SendRequest, _ results: [SendResult]) -> Reply {
        if request.isBatch {
            return .json(
                202,
                JSONWriter.object { writer in
                    writer.name("messages")
                    writer.array(zip(request.entries, results)) { $0.result($1.0, $1.1) }
                })
        }
        if case .refused(let fault) = results[0] { return .problem(fault) }
        var writer = JSONWriter()
        writer.result(request.entries[0], results[0])
        return .json(202, writer.bytes)
    }

    // MARK: Asking

    private static func msgid(_ exchange: Exchange) throws(Fault) -> Int64 {
        guard let id = Int64(exchange.path.dropFirst(13)), id > 0 else { throw Fault(.notFound, "there is no such message") }
        return id
    }

    private static func show(_ exchange: Exchange, _ client: Client) async throws(Fault) -> Reply {
        let key = Lookups.MessageKey(msgid: try msgid(exchange), account: client.account.username)
        let lookups = exchange.connector.shared.lookups
        guard let message = try await asked(exchange, { try await lookups.message(key) }) else {
            throw Fault(.notFound, "there is no such message")
        }
        var writer = JSONWriter()
        writer.message(message)
        return .json(200, writer.bytes)
    }

    private static func list(_ exchange: Exchange, _ client: Client) async throws(Fault) -> Reply {
        let parameters = Parameters(exchange.query.utf8)
        if let other = parameters.names.first(where: { !["limit", "before", "since"].contains($0) }) {
            throw Fault(.badRequest, "\(other) is unknown")
        }
        func number(_ name: String, _ range: ClosedRange<Int64>) throws(Fault) -> Int64? {
            guard let text = parameters.text(name) else { return nil }
            guard let number = Int64(text), range.contains(number) else {
                throw Fault(.badRequest, "\(name) is a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        let limit = Int(try number("limit", 1...1_000) ?? 100)
        let before = try number("before", 1...Int64.max) ?? Int64.max
        var since = wallClockMilliseconds() - 86_400_000
        if let text = parameters.text("since") {
            guard let time = Timestamp.parse(text) else { throw Fault(.badRequest, "since is a time such as 2026-11-21T10:00:00Z") }
            since = time
        }
        let page = Lookups.Page(
            account: client.account.username, from: MessageIDs.floor(at: min(since, 253_402_300_799_000)), before: before, limit: limit)
        let lookups = exchange.connector.shared.lookups
        let messages = try await asked(exchange) { try await lookups.page(page) }
        return .json(
            200,
            JSONWriter.object { writer in
                writer.name("messages")
                writer.array(messages) { $0.message($1) }
                // What is older, where there may be more.
                if messages.count == limit { writer.member("next", optional: messages.last.map { String($0.msgid) }) }
            })
    }

    private static func cancel(_ exchange: Exchange, _ client: Client) async throws(Fault) -> Reply {
        let msgid = try msgid(exchange)
        let request = DeskRequest(wish: .cancel(destination: ""), msgid: msgid, account: client.account.username)
        let desk = exchange.connector.shared.desk
        let answer: DeskAnswer = await withCheckedContinuation { waiter in
            let isTaken = desk.ask(request) { waiter.resume(returning: $0) }
            if !isTaken { waiter.resume(returning: .refused(.throttled)) }
        }
        switch answer {
        case .done, .state:
            return .json(
                200,
                JSONWriter.object { writer in
                    writer.member("id", String(msgid))
                    writer.member("status", "cancelled")
                })
        case .refused(.invalidMessageID): throw Fault(.notFound, "there is no such message")
        case .refused(.cancelFailed): throw Fault(.conflict, "the message does not wait for a scheduled time any more, or never did")
        case .refused: throw Fault(.unavailable, "nobody could be asked", retryAfterSeconds: 1)
        }
    }

    private static func balance(_ exchange: Exchange, _ client: Client) async throws(Fault) -> Reply {
        let lookups = exchange.connector.shared.lookups
        let name = client.account.username
        guard let account = try await asked(exchange, { try await lookups.account(name) }) else {
            throw Fault(.unauthorized, "the account is gone")
        }
        return .json(
            200,
            JSONWriter.object { writer in
                writer.member("account", account.username)
                writer.member("balance", nullable: account.chargeBalance.map { "\($0)" })
                writer.member("currency", account.currency)
                writer.name("credits")
                writer.raw(account.chargeBalance == nil ? String(account.creditsSend) : "null")
                writer.member("postpaid", account.allowPostpaid)
            })
    }

    private static func price(_ exchange: Exchange, _ client: Client) throws(Fault) -> Reply {
        try requireJSON(exchange)
        let request = try SendRequest(exchange.body, now: wallClockMilliseconds())
        guard !request.isBatch, let entry = request.entries.first else { throw Fault(.badRequest, "a price is asked for one message") }
        let draft = try entry.draft.get()
        let message = try draft.message()
        let preview = PricePreview(
            message, account: client.account, connector: exchange.connector.name, tariffs: exchange.connector.shared.tariffs(),
            now: wallClockMilliseconds())
        return .json(
            200,
            JSONWriter.object { writer in
                writer.member("to", entry.to)
                writer.member("parts", Int(message.parts))
                writer.member("encoding", draft.encoding?.rawValue ?? "binary")
                writer.member("charge", nullable: preview.charge.map { "\($0)" })
                writer.member("charge_per_part", nullable: preview.chargePerPart.map { "\($0)" })
                writer.member("currency", client.account.currency)
                writer.member("problem", optional: preview.problem)
            })
    }
}
