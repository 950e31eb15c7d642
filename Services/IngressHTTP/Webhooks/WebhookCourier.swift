import Bus
import Configuration
import Database
import HTTPClient
import Logging
import Message
import NIOCore
import ServiceKit
import Store
import SwiftProtobuf

/// Brings reports and messages from one connector's queue to the endpoints of their accounts; puts off what fails, and parks what fails
/// for too long.
///
/// An actor on an event loop of its own choice: everything reaches it in batches or from the HTTP client's event loops.
actor WebhookCourier {
    /// Records of the queue that may be here at a time.
    static let capacity = 1_000

    private struct Delivery {
        var claim: Claim
        var message: ShortMessage
        var call: WebhookCall
    }

    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    private let connector: ConnectorConfiguration
    private let database: Database
    private let client: HTTPClient
    private let webhooks: @Sendable () -> [String: Webhook]
    private let acceptance: Acceptance
    private let logger: Logger
    private let plan: RetryPlan
    private var stage: WindowedStage?
    private var board = WebhookBoard<Delivery>(capacity: WebhookCourier.capacity)
    private var parking: [(claim: Claim?, new: ParkedWebhookStore.New)] = []
    private var isParking = false
    private var completions: [Completion] = []
    private var isFlushing = false
    /// Requests that are under way.
    private var calls: [Int: Claim] = [:]
    private var lastCall = 0

    init(
        _ connector: ConnectorConfiguration, eventLoop: any EventLoop, database: Database, client: HTTPClient, acceptance: Acceptance,
        webhooks: @escaping @Sendable () -> [String: Webhook], logger: Logger
    ) {
        self.connector = connector
        self.eventLoop = eventLoop
        self.database = database
        self.client = client
        self.acceptance = acceptance
        self.webhooks = webhooks
        self.logger = logger
        plan = RetryPlan(waits: connector.httpServer.webhookRetrySeconds, maxAgeSeconds: connector.httpServer.webhookMaxAgeSeconds)
    }

    func attach(_ stage: WindowedStage?) { self.stage = stage }

    // MARK: From the queue

    /// Called on the stage's thread.
    nonisolated func receive(_ claimed: [ClaimedRecord]) {
        let read = claimed.map { ($0.claim, try? ShortMessage(serializedBytes: $0.record.value), $0.record.position) }
        eventLoop.execute { self.assumeIsolated { $0.add(read) } }
    }

    private func add(_ read: [(Claim, ShortMessage?, String)]) {
        let webhooks = webhooks()
        let now = wallClockMilliseconds()
        let monotonic = monotonicMilliseconds()
        var touched: Set<WebhookBoard<Delivery>.Endpoint> = []
        for (claim, message, position) in read {
            guard let message else {
                // Nobody could deliver it; the record itself stays in the topic for whoever wants to look.
                logger.error("queue record is no message", metadata: ["position": "\(position)"])
                complete(Completion(claim: claim, outputs: [], weight: 0))
                continue
            }
            let webhook = webhooks[message.account]
            do throws(WebhookCall.Refusal) {
                let call = try WebhookCall(message, webhook: webhook, now: now)
                let endpoint = WebhookBoard<Delivery>.Endpoint(account: message.account, origin: call.request.url.origin)
                let delivery = Delivery(claim: claim, message: message, call: call)
                let limit = webhook?.concurrency ?? connector.httpServer.webhookConcurrency
                if let until = board.add(delivery, to: endpoint, limit: limit, now: monotonic) {
                    postpone(delivery, for: until - monotonic, now: now)
                } else {
                    touched.insert(endpoint)
                }
            } catch {
                end(claim, message, error, now)
            }
        }
        for endpoint in touched { pump(endpoint) }
    }

    /// What has no way to its client.
    private func end(_ claim: Claim, _ message: ShortMessage, _ refusal: WebhookCall.Refusal, _ now: Int64) {
        switch refusal {
        case .noAddress where message.type == .deliveryReport:
            let why = "neither the message nor its account names an address for reports"
            complete(Completion(claim: claim, outputs: [ending(message, .deleted, why, now)], weight: 0))
        case .notWanted:
            complete(Completion(claim: claim, outputs: [ending(message, .deleted, "its sender asked for other reports", now)], weight: 0))
        case .noAddress: park(claim, message, url: "", why: "the account has no address for messages")
        case .badAddress(let url): park(claim, message, url: url, why: "the address cannot be read")
        }
    }

    private func pump(_ endpoint: WebhookBoard<Delivery>.Endpoint) {
        let started = monotonicMilliseconds()
        for delivery in board.take(endpoint, now: started) {
            lastCall += 1
            let number = lastCall
            calls[number] = delivery.claim
            client.send(delivery.call.request).whenComplete { result in
                self.eventLoop.execute {
                    self.assumeIsolated {
                        $0.calls[number] = nil
                        $0.answered(delivery, endpoint, result, started)
                    }
                }
            }
        }
    }

    private func answered(
        _ delivery: Delivery, _ endpoint: WebhookBoard<Delivery>.Endpoint, _ result: Result<HTTPClientResponse, any Error>,
        _ started: Int64
    ) {
        let now = wallClockMilliseconds()
        let failure: String?
        switch result {
        case .success(let response): failure = delivery.call.isTaken(response) ? nil : "the endpoint answered \(response.status)"
        case .failure(let error): failure = "\(error)"
        }
        board.finished(endpoint, succeeded: failure == nil, started: started, now: monotonicMilliseconds())
        if let failure {
            HTTPMetrics.failed.add()
            if case .failure(let error) = result, case .forbidden? = error as? HTTPClientFailure {
                // It will be no better later.
                park(delivery.claim, delivery.message, url: delivery.call.url, why: failure)
            } else {
                failed(delivery, failure, now)
            }
        } else {
            HTTPMetrics.delivered.add()
            complete(Completion(claim: delivery.claim, outputs: [ending(delivery.message, .delivered, "", now)]))
        }
        pump(endpoint)
        // The account's other servers may have waited for this one.
        for other in board.waitingEndpoints(of: endpoint.account) where other != endpoint { pump(other) }
    }

    private func age(_ message: ShortMessage, _ now: Int64) -> Int64 { now - max(message.times.accepted, message.times.routed) }

    private func failed(_ delivery: Delivery, _ why: String, _ now: Int64) {
        var message = delivery.message
        message.attempts += 1
        guard let wait = plan.wait(attempts: Int(message.attempts), age: age(message, now)) else {
            return park(delivery.claim, message, url: delivery.call.url, why: why)
        }
        again(delivery.claim, message, after: wait, why: why, now)
    }

    /// Without a try: its endpoint is left alone, or has too much to do.
    private func postpone(_ delivery: Delivery, for milliseconds: Int64, now: Int64) {
        guard !plan.isTooOld(age(delivery.message, now) + milliseconds) else {
            return park(delivery.claim, delivery.message, url: delivery.call.url, why: "the endpoint fails, or is too slow")
        }
        HTTPMetrics.postponed.add()
        again(delivery.claim, delivery.message, after: max(1_000, milliseconds), why: "the endpoint fails, or is too slow", now)
    }

    private func again(_ claim: Claim, _ message: ShortMessage, after wait: Int64, why: String, _ now: Int64) {
        let record = OutgoingRecord(topic: Topics.queue(connector.name), key: message.account, value: encode(message))
        complete(Completion(claim: claim, outputs: [DelayTier.delaying(record, until: now + wait, now: now, reason: "webhook: \(why)")]))
    }

    /// The last line in the log of a report or message for a client.
    private func ending(_ message: ShortMessage, _ status: Status, _ why: String, _ now: Int64) -> OutgoingRecord {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = status
        event.connector = connector.name
        event.reasonText = why
        return OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))
    }

    // MARK: Recording

    /// Whether an answer is awaited to something that is about to go to another instance; the rest of it is not sent from here. Called on
    /// the stage's thread, which may wait. A loop that has ended has nothing under way.
    nonisolated func hasBegunLeaving() -> Bool {
        let look = eventLoop.submit {
            self.assumeIsolated { courier in
                courier.board.drop { $0.claim.isVoid }
                courier.flush()
                return courier.calls.values.contains { $0.isLeaving }
            }
        }
        return (try? look.wait()) ?? false
    }

    /// What is done within one turn of the event loop is recorded at once.
    private func complete(_ completion: Completion) {
        completions.append(completion)
        guard !isFlushing else { return }
        isFlushing = true
        eventLoop.execute { self.assumeIsolated { $0.flush() } }
    }

    private func flush() {
        isFlushing = false
        let done = completions
        completions.removeAll(keepingCapacity: true)
        stage?.complete(done)
    }

    // MARK: Parking

    private func park(_ claim: Claim, _ message: ShortMessage, url: String, why: String) {
        parking.append(
            (claim, ParkedWebhookStore.New(username: message.account, msgid: message.msgid, url: url, reason: why, record: encode(message)))
        )
        guard !isParking else { return }
        isParking = true
        // Ends when nothing waits any more. Bounded: the stage hands out no more than its limit before these are completed.
        Task { await self.writeParked() }
    }

    private func writeParked() async {
        defer { isParking = false }
        while !parking.isEmpty {
            let batch = Array(parking.prefix(500))
            let (name, life) = (connector.name, connector.incoming.parkSeconds)
            let new = batch.map(\.new)
            do {
                try await database.run { try ParkedWebhookStore.park($0, connector: name, new, lifeSeconds: life) }
            } catch {
                logger.warning("deliveries not parked, they wait", metadata: ["count": "\(batch.count)", "error": "\(error)"])
                return  // `tick` tries again
            }
            parking.removeFirst(batch.count)
            HTTPMetrics.parked.add(batch.count)
            let now = wallClockMilliseconds()
            for (claim, new) in batch {
                guard let claim else { continue }
                var event = Event()
                event.msgid = new.msgid
                event.at = now
                event.status = .buffered
                event.connector = connector.name
                event.reasonText = "parked: \(new.reason)"
                complete(
                    Completion(
                        claim: claim, outputs: [OutgoingRecord(topic: Topics.events, key: String(new.msgid), value: encode(event))],
                        weight: 0))
            }
        }
    }

    /// Once a second or so: what is slow is put off, what an operator wants tried again is queued, what has expired is ended.
    func tick(_ count: Int) async {
        let (monotonic, now) = (monotonicMilliseconds(), wallClockMilliseconds())
        board.drop { $0.claim.isVoid }
        for (delivery, until) in board.shed(now: monotonic) { postpone(delivery, for: until - monotonic, now: now) }
        if !parking.isEmpty, !isParking {
            isParking = true
            await writeParked()
        }
        do {
            try await push()
            guard count % 60 == 0 else { return }
            for record in try await database.run({ try ParkedWebhookStore.expire($0) }) {
                guard let message = try? ShortMessage(serializedBytes: record) else { continue }
                try acceptance.publish(ending(message, .expired, "its client's endpoint did not take it in time", now))
            }
        } catch {
            logger.debug("parked deliveries not looked at", metadata: ["error": "\(error)"])
        }
    }

    /// Puts back into the queue what an operator pushes. A row goes only when its record is kept.
    private func push() async throws {
        let name = connector.name
        let rows = try await database.run { try ParkedWebhookStore.pushed($0, connector: name, limit: 500) }
        guard !rows.isEmpty else { return }
        let now = wallClockMilliseconds()
        var items: [Acceptance.Item] = []
        var ids: [Int64] = []
        for row in rows {
            guard var message = try? ShortMessage(serializedBytes: row.record) else { continue }
            message.attempts = 0
            message.times.routed = now
            items.append(
                Acceptance.Item(
                    record: OutgoingRecord(topic: Topics.queue(name), key: message.account, value: encode(message)), reservation: nil))
            ids.append(row.id)
        }
        let outcomes = await acceptance.accept(items)
        let kept = zip(ids, outcomes).filter { $0.1 == .kept }.map(\.0)
        try await database.run { try ParkedWebhookStore.remove($0, ids: kept) }
    }
}
