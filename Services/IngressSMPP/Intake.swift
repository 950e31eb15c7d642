import Bus
import NIOCore
import ServiceKit
import Synchronization

/// The one producer of this process, and the way back from its acknowledgements to the sessions that wait for them.
///
/// A token is session number and ticket; acknowledgements come in batches and cross to each event loop once per batch.
final class Intake: Sendable {
    /// What a session hears of what it published.
    struct Settled: Sendable {
        var ticket: UInt32
        /// `nil`: kept. Else: not kept, and never will be.
        var error: BusError?
    }

    struct Listener: Sendable {
        var eventLoop: any EventLoop
        var settled: @Sendable ([Settled]) -> Void
    }

    private struct Listeners {
        var next: UInt32 = 1
        var byNumber: [UInt32: Listener] = [:]
    }

    private let producer: Producer
    private let listeners: SharedListeners

    private final class SharedListeners: Sendable {
        let state = Mutex(Listeners())
    }

    init(_ configuration: BusConfiguration) throws {
        let listeners = SharedListeners()
        self.listeners = listeners
        producer = try Producer(configuration) { deliveries in Intake.dispatch(deliveries, listeners) }
    }

    /// - Returns: the session's number, for `publish` and `leave`.
    func join(_ listener: Listener) -> UInt32 {
        listeners.state.withLock { state in
            while state.byNumber[state.next] != nil || state.next == 0 { state.next &+= 1 }
            let number = state.next
            state.byNumber[number] = listener
            state.next &+= 1
            return number
        }
    }

    func leave(_ number: UInt32) { listeners.state.withLock { _ = $0.byNumber.removeValue(forKey: number) } }

    /// Queues a record; the listener hears of it under `ticket`.
    /// - Throws: `.queueFull`: the client is to be refused.
    func publish(_ record: OutgoingRecord, session: UInt32, ticket: UInt32) throws(BusError) {
        try producer.send(record, token: UInt(session) << 32 | UInt(ticket))
    }

    /// For records that nobody waits for.
    func publish(_ record: OutgoingRecord) throws(BusError) { try producer.send(record, token: 0) }

    func close() { producer.close() }

    private static func dispatch(_ deliveries: [Delivery], _ listeners: SharedListeners) {
        var bySession: [UInt32: [Settled]] = [:]
        for delivery in deliveries where delivery.token != 0 {
            bySession[UInt32(truncatingIfNeeded: delivery.token >> 32), default: []].append(
                Settled(ticket: UInt32(truncatingIfNeeded: delivery.token), error: delivery.error))
        }
        guard !bySession.isEmpty else { return }
        var byLoop: [ObjectIdentifier: (loop: any EventLoop, work: [(Listener, [Settled])])] = [:]
        listeners.state.withLock { state in
            for (number, settled) in bySession {
                guard let listener = state.byNumber[number] else { continue }
                byLoop[ObjectIdentifier(listener.eventLoop), default: (listener.eventLoop, [])].work.append((listener, settled))
            }
        }
        for (loop, work) in byLoop.values {
            loop.execute { for (listener, settled) in work { listener.settled(settled) } }
        }
    }
}
