import Bus
import Configuration
import Database
import Ingress
import Logging
import Message
import NIOCore
import ServiceKit
import Store
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
    /// A delivery that was passed on so often is parked: its client comes and goes.
    private static let maxHops: UInt32 = 4
    /// Statuses that mean "not now" (SMPP 3.4, 5.1.3): ESME_RMSGQFUL, ESME_RTHROTTLED, ESME_RX_T_APPN, ESME_RSYSERR.
    private static let temporary: Set<UInt32> = [0x14, 0x58, 0x64, 0x08]

    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    private let connector: String
    private let parked: ParkedDeliveries
    private let receivers: ReceiverLookup
    private let intake: Intake
    private let logger: Logger
    private var stages: [DeliveryPlace: WindowedStage] = [:]
    private var board: DeliveryBoard<UInt32>
    private var sessions: [UInt32: DeliverySession] = [:]
    /// Parked rows that were delivered and could not be removed: the database is away.
    private var unremoved: [Int64] = []
    /// Accounts that may have rows in `parked_delivery`, with the number of rows that are out for delivery.
    private var drains: [String: Int] = [:]
    private var draining: Set<String> = []
    /// Sessions whose answers are on their way into the log of the queue, in that order: a place in a window is free again only when
    /// the answer is recorded, so that a crash repeats at most a window (promise 3).
    private var recording: [DeliveryPlace: [UInt32]] = [:]

    init(
        _ configuration: ConnectorConfiguration, eventLoop: any EventLoop, database: Database, receivers: ReceiverLookup, intake: Intake,
        logger: Logger
    ) {
        connector = configuration.name
        self.eventLoop = eventLoop
        parked = ParkedDeliveries(database: database, connector: configuration.name, lifeSeconds: configuration.incoming.parkSeconds)
        board = DeliveryBoard(window: configuration.incoming.deliveryWindow)
        self.receivers = receivers
        self.intake = intake
        self.logger = logger
    }

    func attach(_ stage: WindowedStage, at place: DeliveryPlace) { stages[place] = stage }

    /// What it handed out and was not answered is void by now.
    func detach(_ place: DeliveryPlace) {
        stages[place] = nil
        recording[place] = nil
    }

    // MARK: From the queue

    /// Called on the stage's thread.
    nonisolated func receive(_ claimed: [ClaimedRecord], at place: DeliveryPlace) {
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
            self.assumeIsolated { $0.add(messages, undecodable: undecodable, at: place) }
        }
    }

    private func add(_ messages: [(Claim, ShortMessage)], undecodable: [Claim], at place: DeliveryPlace) {
        stages[place]?.complete(undecodable.map { Completion(claim: $0, outputs: [], weight: 0) })
        var accounts: Set<String> = []
        for (claim, message) in messages {
            board.add(.queue(claim, place), message)
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
        var completions: [DeliveryPlace: [Completion]] = [:]
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
            case .queue(let claim, let place):
                recording[place, default: []].append(number)
                completions[place, default: []].append(Completion(claim: claim, outputs: [event]))
            case .parked(let id):
                board.release(number)
                removed.append(id)
                try? intake.publish(event)
            }
        }
        complete(completions)
        finishParked(removed, account: session.account)
        park(again, mayForward: false)
        pump(session.account)
    }

    /// Called on the stage's thread.
    nonisolated func recorded(_ count: Int, at place: DeliveryPlace) {
        eventLoop.execute { self.assumeIsolated { $0.release(count, place) } }
    }

    /// Called on the stage's thread, which may wait. A loop that has ended has nothing under way.
    nonisolated func hasBegunLeaving(_ place: DeliveryPlace) -> Bool {
        (try? eventLoop.submit { self.assumeIsolated { $0.board.hasBegunLeaving(place) } }.wait()) ?? false
    }

    private func complete(_ completions: [DeliveryPlace: [Completion]]) {
        for (place, completions) in completions { stages[place]?.complete(completions) }
    }

    private func release(_ count: Int, _ place: DeliveryPlace) {
        let numbers = Array((recording[place] ?? []).prefix(count))
        recording[place]?.removeFirst(numbers.count)
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

    private func parkHomeless() { park(board.takeHomeless(), mayForward: true) }

    private func park(_ deliveries: [DeliveryBoard<UInt32>.Delivery], mayForward: Bool) {
        guard !deliveries.isEmpty else { return }
        // Bounded: the stages hand out no more than their limits before these are completed.
        Task { await self.write(deliveries, mayForward: mayForward) }
    }

    /// Passes deliveries to the instance, or connector, where their client is bound; what has no such place goes to the database.
    private func write(_ deliveries: [DeliveryBoard<UInt32>.Delivery], mayForward: Bool) async {
        var elsewhere: [String: SessionStore.Receiver] = [:]
        do {
            if mayForward { elsewhere = try await receivers.find(Set(deliveries.map(\.message.account))) }
            let parking = deliveries.filter { !isForwarded($0, elsewhere) }
            if !parking.isEmpty { try await parked.park(parking.map(\.message)) }
            IngressMetrics.parked.add(parking.count)
        } catch {
            logger.warning("deliveries not parked, they wait", metadata: ["count": "\(deliveries.count)", "error": "\(error)"])
            for delivery in deliveries { board.add(delivery.source, delivery.message) }
            return  // `tick` tries again
        }
        var completions: [DeliveryPlace: [Completion]] = [:]
        for delivery in deliveries {
            switch delivery.source {
            case .queue(let claim, let place):
                var outputs: [OutgoingRecord] = []
                if isForwarded(delivery, elsewhere), let receiver = elsewhere[delivery.message.account] {
                    outputs = [forwarding(delivery.message, to: receiver)]
                    IngressMetrics.forwarded.add()
                }
                completions[place, default: []].append(Completion(claim: claim, outputs: outputs, weight: 0))
            case .parked: drains[delivery.message.account, default: 1] -= 1
            }
        }
        complete(completions)
    }

    /// Parked rows stay rows: any instance drains them.
    private func isForwarded(_ delivery: DeliveryBoard<UInt32>.Delivery, _ elsewhere: [String: SessionStore.Receiver]) -> Bool {
        guard case .queue = delivery.source, delivery.message.hops < ClientDelivery.maxHops else { return false }
        return elsewhere[delivery.message.account] != nil
    }

    /// In the transaction that ends the delivery here.
    private func forwarding(_ message: ShortMessage, to receiver: SessionStore.Receiver) -> OutgoingRecord {
        var message = message
        message.hops += 1
        return OutgoingRecord(
            topic: Topics.mailbox(receiver.connector, receiver.instance), key: message.account, value: encode(message))
    }

    private func finishParked(_ ids: [Int64], account: String) {
        guard !ids.isEmpty else { return }
        drains[account, default: ids.count] -= ids.count
        Task {
            do {
                try await parked.remove(ids)
            } catch {
                // `tick` tries again. Should we die before, the rows come again when their claim ends: the client sees them twice
                // rather than never.
                logger.warning("parked rows not removed yet", metadata: ["count": "\(ids.count)", "error": "\(error)"])
                unremoved += ids
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
        if !unremoved.isEmpty {
            let ids = unremoved
            unremoved.removeAll()
            do { try await parked.remove(ids) } catch { unremoved += ids }
        }
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
