package import Bus
package import NIOCore
package import ServiceKit
package import Store
import Synchronization

/// The one producer of this process, and the way back from its acknowledgements to the sessions that wait for them.
///
/// A token is session number and ticket; acknowledgements come in batches and cross to each event loop once per batch.
package final class Intake: Sendable {
    /// What a session hears of what it published.
    package struct Settled: Sendable {
        package var ticket: UInt32
        /// `nil`: kept. Else: not kept, and never will be.
        package var failure: Failure?
    }

    package enum Failure: Sendable {
        /// Nobody could be asked, or the broker did not keep it: the client may come again.
        case notKept
        /// The default charge is more than the account has.
        case balanceTooLow
    }

    package struct Listener: Sendable {
        package var eventLoop: any EventLoop
        package var settled: @Sendable ([Settled]) -> Void

        package init(eventLoop: any EventLoop, settled: @escaping @Sendable ([Settled]) -> Void) {
            self.eventLoop = eventLoop
            self.settled = settled
        }
    }

    private struct Listeners {
        var next: UInt32 = 1
        var byNumber: [UInt32: Listener] = [:]
    }

    private let producer: Producer
    private let listeners: SharedListeners
    private let reserver: ChargeReserver

    private final class SharedListeners: Sendable {
        let state = Mutex(Listeners())
    }

    package init(_ environment: ServiceEnvironment) throws {
        let listeners = SharedListeners()
        self.listeners = listeners
        let producer = try Producer(environment.bus) { deliveries in
            Intake.dispatch(
                deliveries.lazy.filter { $0.token != 0 }.map { ($0.token, $0.error == nil ? nil : Failure.notKept) }, listeners)
        }
        self.producer = producer
        reserver = ChargeReserver(environment, name: "default-charges") { settled in
            Intake.reserved(settled, producer, listeners)
        }
    }

    /// What was reserved goes on to the broker; the rest is refused.
    /// - Returns: what did not get there, whose reservation is to be given back.
    private static func reserved(
        _ settled: [ChargeReserver.Settled], _ producer: Producer, _ listeners: SharedListeners
    ) -> [Int64] {
        var failures: [(UInt, Failure?)] = []
        var unsent: [Int64] = []
        for item in settled {
            switch item.answer {
            case .reserved, .notNeeded:
                do throws(BusError) {
                    try producer.send(item.request.record, token: item.request.token)
                } catch {
                    unsent.append(item.request.reservation.msgid)
                    failures.append((item.request.token, .notKept))
                }
            case .balanceTooLow: failures.append((item.request.token, .balanceTooLow))
            case .unknownAccount, nil: failures.append((item.request.token, .notKept))
            }
        }
        dispatch(failures, listeners)
        return unsent
    }

    /// - Returns: the session's number, for `publish` and `leave`.
    package func join(_ listener: Listener) -> UInt32 {
        listeners.state.withLock { state in
            while state.byNumber[state.next] != nil || state.next == 0 { state.next &+= 1 }
            let number = state.next
            state.byNumber[number] = listener
            state.next &+= 1
            return number
        }
    }

    package func leave(_ number: UInt32) { listeners.state.withLock { _ = $0.byNumber.removeValue(forKey: number) } }

    /// Queues a record; the listener hears of it under `ticket`.
    /// - Throws: `.queueFull`: the client is to be refused.
    /// - Parameter reservation: what is to be taken from the account first, where a default charge is set.
    package func publish(
        _ record: OutgoingRecord, session: UInt32, ticket: UInt32, reservation: ReservationStore.Request? = nil
    ) throws(BusError) {
        let token = UInt(session) << 32 | UInt(ticket)
        // The broker's acknowledgement then finds nobody who waits for it.
        if Sabotage.answerEarly.isOn { Intake.dispatch(CollectionOfOne((token, nil)), listeners) }
        guard let reservation else { return try producer.send(record, token: token) }
        try reserver.add(ChargeReserver.Request(reservation: reservation, record: record, token: token))
    }

    /// For records that nobody waits for.
    package func publish(_ record: OutgoingRecord) throws(BusError) { try producer.send(record, token: 0) }

    package func close() {
        reserver.close()
        producer.close()
    }

    private static func dispatch(_ tokens: some Sequence<(UInt, Failure?)>, _ listeners: SharedListeners) {
        var bySession: [UInt32: [Settled]] = [:]
        for (token, failure) in tokens {
            bySession[UInt32(truncatingIfNeeded: token >> 32), default: []].append(
                Settled(ticket: UInt32(truncatingIfNeeded: token), failure: failure))
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
