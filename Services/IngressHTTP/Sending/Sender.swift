import Bus
import Configuration
import Ingress
import Message
import SMPPMessage
import ServiceKit
import Store

/// What a client is told of one of its messages.
enum SendResult: Sendable, Equatable {
    case accepted(msgid: Int64, parts: Int)
    case refused(Fault)

    var msgid: Int64? { if case .accepted(let msgid, _) = self { msgid } else { nil } }
}

/// Takes drafts in for one request of one client: limits, ids, terms of the account, the bus.
struct Sender: Sendable {
    var connector: HTTPConnector
    var client: Client
    var remote: String

    /// Whether so many messages may come now.
    /// - Throws: `Fault`: queueFull or throttled.
    func admit(_ count: Int) throws(Fault) {
        guard !connector.shared.monitor.room.isFull(account: client.account.username, connector: connector.name) else {
            HTTPMetrics.queueFull.add(count)
            throw Sender.queueFull
        }
        let gates = RateGates(account: client.gate, connector: connector.gate)
        guard !gates.areOpen else { return }
        let now = monotonicMilliseconds()
        guard gates.take(count, now: now) else {
            HTTPMetrics.throttled.add(count)
            let seconds = Int((gates.wait(now: now) + 999) / 1_000)
            throw Fault(.throttled, "more messages a second than are allowed", retryAfterSeconds: max(1, seconds))
        }
    }

    static let queueFull = Fault(.queueFull, "the queues that the messages would go to are full", retryAfterSeconds: 2)

    /// New ids, in rising order.
    func ids(_ count: Int) -> [Int64] {
        let now = wallClockMilliseconds()
        return (0..<count).map { _ in connector.shared.ids.next(now: now) }
    }

    /// Sends, and waits until the bus has them.
    /// - Parameters:
    ///   - drafts: with what is wrong with those that cannot be sent.
    ///   - ids: one for each.
    ///   - known: ids that were sent before, by an instance that died before it could say so.
    func send(_ drafts: [Result<Draft, Fault>], ids: [Int64], known: Set<Int64> = []) async -> [SendResult] {
        let now = wallClockMilliseconds()
        var results: [SendResult] = []
        var items: [Acceptance.Item] = []
        var places: [Int] = []
        for (index, (draft, msgid)) in zip(drafts, ids).enumerated() {
            do throws(Fault) {
                var message = try draft.get().message()
                results.append(.accepted(msgid: msgid, parts: Int(message.parts)))
                guard !known.contains(msgid) else { continue }
                complete(&message, msgid: msgid, now: now)
                let reservation = AccountTerms.apply(client.account, connector.configuration, to: &message)
                let record = OutgoingRecord(topic: Topics.accepted, key: message.destination.number, value: encode(message))
                items.append(Acceptance.Item(record: record, reservation: reservation))
                places.append(index)
            } catch {
                results.append(.refused(error))
            }
        }
        let outcomes = await connector.shared.acceptance.accept(items)
        var kept = 0
        for (place, outcome) in zip(places, outcomes) {
            switch outcome {
            case .kept: kept += 1
            case .queueFull: results[place] = .refused(Sender.queueFull)
            case .notKept:
                results[place] = .refused(Fault(.unavailable, "the message could not be kept", retryAfterSeconds: 2))
            case .balanceTooLow: results[place] = .refused(Fault(.balanceTooLow, "the balance does not cover the message"))
            }
        }
        HTTPMetrics.messages.add(kept)
        HTTPMetrics.refused.add(results.count { $0.msgid == nil })
        return results
    }

    private func complete(_ message: inout ShortMessage, msgid: Int64, now: Int64) {
        message.msgid = msgid
        message.inConnector = connector.name
        message.account = client.account.username
        if let forced = client.account.forcedSource, !forced.isEmpty { message.source = MessageReader.address(forced) }
        message.remoteIp = remote
        message.times.accepted = now
    }
}
