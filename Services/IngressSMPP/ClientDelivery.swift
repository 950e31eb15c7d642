import Bus
import Database
import Logging
import Message
import NIOCore
import ServiceKit
import SwiftProtobuf

/// One delivery on its way to a session.
struct DeliveryItem: Sendable {
    /// Names it towards the board.
    var order: Int
    var message: ShortMessage
}

/// How a session's delivery ended.
struct DeliveryAnswer: Sendable {
    var order: Int
    /// The client's `command_status`; `nil`: no answer in time.
    var status: UInt32?
}

/// The way to a session that can take deliveries.
struct DeliverySession: Sendable {
    var number: UInt32
    var account: String
    var deliver: @Sendable ([DeliveryItem]) -> Void
}

/// Brings reports and messages from one connector's queue to the sessions of their accounts; parks what has none.
///
/// An actor on an event loop of its own choice: everything reaches it in batches.
actor ClientDelivery {
    /// Unanswered deliveries per session.
    static let window = 50
    /// Statuses that mean "not now" (SMPP 3.4, 5.1.3): ESME_RMSGQFUL, ESME_RTHROTTLED, ESME_RX_T_APPN, ESME_RSYSERR.
    private static let temporary: Set<UInt32> = [0x14, 0x58, 0x64, 0x08]

    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    private let connector: String
    private let parked: ParkedDeliveries
    private let intake: Intake
    private let logger: Logger
    private var stage: WindowedStage?
    private var board = DeliveryBoard<UInt32>(window: ClientDelivery.window)
    private var sessions: [UInt32: DeliverySession] = [:]
    /// Accounts that may have rows in `parked_delivery`, with the number of rows that are out for delivery.
    private var drains: [String: Int] = [:]
    private var draining: Set<String> = []
    /// Sessions whose answers are on their way into the log of the queue, in that order: a place in a window is free again only when
    /// the answer is recorded, so that a crash repeats at most a window (promise 3).
    private var recording: [UInt32] = []

    init(connector: String, eventLoop: any EventLoop, database: Database, intake: Intake, logger: Logger) {
        self.connector = connector
        self.eventLoop = eventLoop
        self.parked = ParkedDeliveries(database: database, connector: connector)
        self.intake = intake
        self.logger = logger
    }

    func attach(_ stage: WindowedStage) { self.stage = stage }

    // MARK: From the queue

    /// Called on the stage's thread.
    nonisolated func receive(_ claimed: [ClaimedRecord]) {
        var good: [(Claim, ShortMessage)] = []
        var bad: [Claim] = []
        good.reserveCapacity(claimed.count)
        for item in claimed {
            if let message = try? ShortMessage(serializedBytes: item.record.value) {
                good.append((item.claim, message))
            } else {
                // It cannot be delivered by anybody; the record itself stays in the topic for whoever wants to look.
                logger.error("queue record is no message", metadata: ["position": "\(item.record.position)"])
                bad.append(item.claim)
            }
        }
        let (messages, undecodable) = (good, bad)
        eventLoop.execute {
            self.assumeIsolated { $0.add(messages, undecodable: undecodable) }
        }
    }

    private func add(_ messages: [(Claim, ShortMessage)], undecodable: [Claim]) {
        stage?.complete(undecodable.map { Completion(claim: $0, outputs: [], weight: 0) })
        var accounts: Set<String> = []
        for (claim, message) in messages {
            board.add(.queue(claim), message)
            accounts.insert(message.account)
        }
        for account in accounts { pump(account) }
        parkHomeless()
    }

    // MARK: From the sessions (their event loops)

    nonisolated func bound(_ session: DeliverySession) {
        eventLoop.execute { self.assumeIsolated { $0.add(session) } }
    }

    nonisolated func ended(_ number: UInt32) {
        eventLoop.execute { self.assumeIsolated { $0.remove(number) } }
    }

    nonisolated func answered(_ number: UInt32, _ answers: [DeliveryAnswer]) {
        eventLoop.execute { self.assumeIsolated { $0.settle(number, answers) } }
    }

    private func add(_ session: DeliverySession) {
        sessions[session.number] = session
        board.sessionBound(session.number, account: session.account)
        pump(session.account)
        drains[session.account] = drains[session.account] ?? 0
        drain(session.account)
    }

    private func remove(_ number: UInt32) {
        guard let session = sessions.removeValue(forKey: number) else { return }
        board.sessionEnded(number)
        pump(session.account)
        parkHomeless()
    }

    private func settle(_ number: UInt32, _ answers: [DeliveryAnswer]) {
        guard let session = sessions[number] else { return }
        let now = wallClockMilliseconds()
        var completions: [Completion] = []
        var removed: [Int64] = []
        var again: [DeliveryBoard<UInt32>.Delivery] = []
        for answer in answers {
            guard let delivery = board.settled(number, order: answer.order) else { continue }
            guard let status = answer.status, !ClientDelivery.temporary.contains(status) else {
                board.release(number)
                again.append(delivery)
                continue
            }
            let event = ending(delivery.message, status: status, now: now)
            switch delivery.source {
            case .queue(let claim):
                recording.append(number)
                completions.append(Completion(claim: claim, outputs: [event]))
            case .parked(let id):
                board.release(number)
                removed.append(id)
                try? intake.publish(event)
            }
        }
        stage?.complete(completions)
        finishParked(removed, account: session.account)
        park(again)
        pump(session.account)
    }

    /// Called on the stage's thread.
    nonisolated func recorded(_ count: Int) {
        eventLoop.execute { self.assumeIsolated { $0.release(count) } }
    }

    private func release(_ count: Int) {
        let numbers = recording.prefix(count)
        recording.removeFirst(numbers.count)
        var accounts: Set<String> = []
        for number in numbers {
            board.release(number)
            if let account = sessions[number]?.account { accounts.insert(account) }
        }
        for account in accounts { pump(account) }
    }

    /// The last line in the log of a report (or message) that a client was given.
    private func ending(_ message: ShortMessage, status: UInt32, now: Int64) -> OutgoingRecord {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = status == 0 ? .delivered : .failed
        event.connector = connector
        event.reason = status
        if status != 0 { event.reasonText = "the client refused it" }
        return OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))
    }

    private func pump(_ account: String) {
        var batches: [UInt32: [DeliveryItem]] = [:]
        for (number, delivery) in board.take(account) {
            batches[number, default: []].append(DeliveryItem(order: delivery.order, message: delivery.message))
        }
        for (number, items) in batches { sessions[number]?.deliver(items) }
    }

    // MARK: Parking

    private func parkHomeless() { park(board.takeHomeless()) }

    private func park(_ deliveries: [DeliveryBoard<UInt32>.Delivery]) {
        guard !deliveries.isEmpty else { return }
        // Bounded: the stage hands out no more than its limit before these are completed.
        Task { await self.write(deliveries) }
    }

    private func write(_ deliveries: [DeliveryBoard<UInt32>.Delivery]) async {
        do {
            try await parked.park(deliveries.map(\.message))
        } catch {
            logger.warning("deliveries not parked, they wait", metadata: ["count": "\(deliveries.count)", "error": "\(error)"])
            for delivery in deliveries { board.add(delivery.source, delivery.message) }
            return  // `tick` tries again
        }
        var completions: [Completion] = []
        for delivery in deliveries {
            switch delivery.source {
            case .queue(let claim): completions.append(Completion(claim: claim, outputs: [], weight: 0))
            case .parked: drains[delivery.message.account, default: 1] -= 1
            }
        }
        stage?.complete(completions)
    }

    private func finishParked(_ ids: [Int64], account: String) {
        guard !ids.isEmpty else { return }
        drains[account, default: ids.count] -= ids.count
        Task {
            do {
                try await parked.remove(ids)
            } catch {
                // The rows come again when their claim ends: the client sees them twice rather than never.
                logger.warning("parked rows not removed", metadata: ["count": "\(ids.count)", "error": "\(error)"])
            }
            if drains[account, default: 0] <= 0 { drain(account) }
        }
    }

    /// Brings parked rows of an account that has a session, one batch at a time.
    private func drain(_ account: String) {
        guard board.hasSession(account), draining.insert(account).inserted else { return }
        Task {
            defer { draining.remove(account) }
            guard let rows = try? await parked.drain(account: account), !rows.isEmpty else { return }
            guard board.hasSession(account) else {
                try? await parked.release(rows.map(\.id))
                return
            }
            drains[account, default: 0] += rows.count
            for row in rows { board.add(.parked(row.id), row.message) }
            pump(account)
        }
    }

    /// Once a second or so: what could not be parked, what was put off by its client, what has expired.
    func tick(_ count: Int) async {
        parkHomeless()
        if count % 5 == 0 {
            for account in Set(sessions.values.map(\.account)) where drains[account, default: 0] <= 0 { drain(account) }
        }
        guard count % 60 == 0, let expired = try? await parked.expire() else { return }
        let now = wallClockMilliseconds()
        for message in expired {
            var event = Event()
            event.msgid = message.msgid
            event.at = now
            event.status = .expired
            event.connector = connector
            event.reasonText = "the client did not fetch it in time"
            try? intake.publish(OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event)))
        }
    }
}
