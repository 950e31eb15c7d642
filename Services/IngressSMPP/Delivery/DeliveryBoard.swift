import Bus
import Message

/// Which stage of a connector a delivery was read by.
enum DeliveryPlace: Hashable, Sendable {
    /// The connector's queue, which all instances share.
    case queue
    /// What other instances read for clients that are bound here.
    case mailbox
    /// The mailbox of an instance that is no more.
    case orphaned(String)
}

/// What is to be delivered to clients, by account, and which sessions can take it. Pure; one lives on one event loop.
///
/// A delivery leaves the board exactly once: acknowledged, refused for good, parked, or forgotten because its claim is void.
struct DeliveryBoard<SessionID: Hashable> {
    /// Where a delivery came from, and so how it is finished.
    enum Source {
        /// - Parameter place: which of its connector's stages handed it out.
        case queue(Claim, DeliveryPlace)
        /// Row of `parked_delivery`.
        case parked(Int64)

        /// It went to another instance, which delivers it.
        var isVoid: Bool { if case .queue(let claim, _) = self { claim.isVoid } else { false } }
        /// It is about to go to another instance.
        func isLeaving(_ place: DeliveryPlace) -> Bool {
            if case .queue(let claim, place) = self { claim.isLeaving } else { false }
        }
    }

    struct Delivery {
        var source: Source
        var message: ShortMessage
        /// Rises with the order of arrival.
        var order: Int
        var attempts = 0
    }

    private struct Session {
        var room: Int
        var outstanding: [Int: Delivery] = [:]
    }

    private struct Account {
        var waiting: [Delivery] = []
        var sessions: [SessionID] = []
        /// Whose turn it is.
        var turn = 0
    }

    /// Unanswered deliveries that one session may have.
    let window: Int
    private var accounts: [String: Account] = [:]
    private var sessions: [SessionID: Session] = [:]
    private var accountOf: [SessionID: String] = [:]
    private var orders = 0

    init(window: Int) { self.window = window }

    func hasSession(_ account: String) -> Bool { !(accounts[account]?.sessions.isEmpty ?? true) }

    mutating func add(_ source: Source, _ message: ShortMessage) {
        accounts[message.account, default: Account()].waiting.append(Delivery(source: source, message: message, order: orders))
        orders += 1
    }

    mutating func sessionBound(_ id: SessionID, account: String) {
        sessions[id] = Session(room: window)
        accountOf[id] = account
        accounts[account, default: Account()].sessions.append(id)
    }

    /// What a session had not answered goes back to the front, in its old order.
    mutating func sessionEnded(_ id: SessionID) {
        guard let name = accountOf.removeValue(forKey: id), let session = sessions.removeValue(forKey: id) else { return }
        accounts[name]?.sessions.removeAll { $0 == id }
        accounts[name]?.turn = 0
        accounts[name]?.waiting.append(contentsOf: session.outstanding.values)
        accounts[name]?.waiting.sort { $0.order < $1.order }
        dropIfIdle(name)
    }

    /// The deliveries that sessions of `account` have room for, each with the session that is to take it.
    mutating func take(_ name: String) -> [(SessionID, Delivery)] {
        guard var account = accounts[name], !account.sessions.isEmpty, !account.waiting.isEmpty else { return [] }
        account.waiting.removeAll { $0.source.isVoid }
        var taken: [(SessionID, Delivery)] = []
        var full = 0
        var used = 0
        while used < account.waiting.count, full < account.sessions.count {
            let id = account.sessions[account.turn % account.sessions.count]
            account.turn = (account.turn + 1) % account.sessions.count
            guard let room = sessions[id]?.room, room > 0 else {
                full += 1
                continue
            }
            full = 0
            let delivery = account.waiting[used]
            used += 1
            sessions[id]?.room -= 1
            sessions[id]?.outstanding[delivery.order] = delivery
            taken.append((id, delivery))
        }
        account.waiting.removeFirst(used)
        accounts[name] = account
        return taken
    }

    /// Whether a session has yet to answer something that is about to go to another instance.
    func hasBegunLeaving(_ place: DeliveryPlace) -> Bool {
        sessions.values.contains { $0.outstanding.values.contains { $0.source.isLeaving(place) } }
    }

    /// A session answered, or gave up on, a delivery. Its place stays taken until `release`.
    mutating func settled(_ id: SessionID, order: Int) -> Delivery? { sessions[id]?.outstanding.removeValue(forKey: order) }

    /// The answer is recorded: the place is free again.
    mutating func release(_ id: SessionID) { sessions[id]?.room += 1 }

    /// Everything that waits for an account without a session: to be parked.
    mutating func takeHomeless() -> [Delivery] {
        var homeless: [Delivery] = []
        for (name, account) in accounts where account.sessions.isEmpty && !account.waiting.isEmpty {
            homeless += account.waiting.filter { !$0.source.isVoid }
            accounts[name]?.waiting = []
            dropIfIdle(name)
        }
        return homeless
    }

    /// Everything that waits for `account`: its client asked for a pause.
    mutating func takeWaiting(_ name: String) -> [Delivery] {
        let waiting = accounts[name]?.waiting ?? []
        accounts[name]?.waiting = []
        return waiting
    }

    private mutating func dropIfIdle(_ name: String) {
        if let account = accounts[name], account.sessions.isEmpty, account.waiting.isEmpty { accounts[name] = nil }
    }
}
