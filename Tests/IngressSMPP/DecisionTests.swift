import Ingress
import Message
import SMPP
import ServiceKit
import Store
import Testing

@testable import Ingress
@testable import IngressSMPP

@Suite struct QueueRoomTests {
    static let ways = [
        QueueRoom.Way(account: nil, inConnector: nil, outConnector: "a"),
        QueueRoom.Way(account: "two", inConnector: nil, outConnector: "b"),
        QueueRoom.Way(account: nil, inConnector: "in2", outConnector: "c"),
    ]

    @Test(
        arguments: [
            ("nothing is full", [], "one", "in1", false),
            ("the only way is full", ["a"], "one", "in1", true),
            ("the account has another way", ["a"], "two", "in1", false),
            ("both of its ways are full", ["a", "b"], "two", "in1", true),
            ("the connector has another way", ["a"], "one", "in2", false),
            ("another's way is full", ["b", "c"], "one", "in1", false),
            ("all are full", ["a", "b", "c"], "two", "in2", true),
        ] as [(String, [String], String, String, Bool)])
    func `a message is refused when every way it could go is full`(
        name: String, full: [String], account: String, connector: String, isFull: Bool
    ) {
        let room = QueueRoom(full: Set(full), ways: Self.ways)
        #expect(room.isFull(account: account, connector: connector) == isFull)
    }

    @Test func `a full total refuses all, and a message without a way is the router's to judge`() {
        #expect(QueueRoom(isTotalFull: true).isFull(account: "one", connector: "in1"))
        #expect(!QueueRoom(full: ["a"]).isFull(account: "one", connector: "in1"))
    }
}

@Suite struct LoginLimiterTests {
    @Test func `so many binds a minute from one address, and others are not held up`() {
        let limiter = LoginLimiter()
        #expect((0..<5).map { _ in limiter.allows("a", limit: 3, now: 1_000) } == [true, true, true, false, false])
        #expect(limiter.allows("b", limit: 3, now: 1_000))
        #expect(!limiter.allows("a", limit: 3, now: 60_999))
        #expect(limiter.allows("a", limit: 3, now: 61_000))
    }
}

@Suite struct DeskDecisionTests {
    static let now: Int64 = 1_800_000_000_000
    static let id = (now - MessageIDs.epoch - 3_600_000) << 22

    static func message(status: Status = .accepted, due: Int64? = now + 60_000, order: MessageOrder.Kind? = nil) -> OwnMessage {
        OwnMessage(
            msgid: id, status: Int64(status.rawValue), reason: 8, source: "Shop", destination: "4670", inConnector: "in1",
            acceptedAt: now - 3_600_000, endedAt: status.isFinal ? now - 1_000 : nil, due: due, reportRequest: 1, dataCoding: 0,
            order: order)
    }

    static func decide(_ wish: DeskRequest.Wish, _ message: OwnMessage?, source: String? = "Shop", id: Int64 = id) -> DeskDecision {
        DeskDecision.decide(DeskRequest(wish: wish, msgid: id, account: "one", source: source), message, now: now)
    }

    static func replace(_ text: String, schedule: String = "") -> DeskRequest.Wish {
        .replace(
            ReplaceSm(
                messageID: "1", sourceAddr: SMEAddress(ton: .unknown, npi: .unknown, value: "Shop"), scheduleDeliveryTime: schedule,
                shortMessage: Array(text.utf8)))
    }

    @Test(arguments: [
        (Status.accepted, MessageState.enroute), (.queued, .enroute), (.submitted, .enroute), (.delivered, .delivered),
        (.relayed, .accepted), (.failed, .undeliverable), (.expired, .expired), (.deleted, .deleted), (.rejected, .rejected),
        (.unknown, .unknown),
    ])
    func `a query tells the state, and when it ended if it did`(status: Status, state: MessageState) {
        guard case .answer(.state(let told, let finalDate, let error)) = Self.decide(.query, Self.message(status: status)) else {
            Issue.record("no state")
            return
        }
        #expect(told == state && error == 8 && finalDate.isEmpty == !status.isFinal)
    }

    @Test(
        arguments: [
            ("it waits for its time", message(), DeskDecision.order(.cancel, due: now + 60_000, replacement: nil)),
            ("it was cancelled before", message(order: .cancel), .answer(.done)),
            ("it was replaced before", message(order: .replace), .order(.cancel, due: now + 60_000, replacement: nil)),
            ("it was never scheduled", message(due: nil), .ask(.cancel, replacement: nil)),
            ("it fires just now", message(due: now + 1_500), .answer(.refused(.cancelFailed))),
            ("it has just fired", message(status: .queued, due: now - 1), .answer(.refused(.cancelFailed))),
            ("it fired long ago", message(due: now - 5_000), .ask(.cancel, replacement: nil)),
            ("a provider has it", message(status: .submitted, due: nil), .answer(.refused(.cancelFailed))),
            ("it is delivered", message(status: .delivered), .answer(.refused(.cancelFailed))),
        ] as [(String, OwnMessage, DeskDecision)])
    func `only what waits for its time, or for a provider, can be cancelled`(name: String, message: OwnMessage, decision: DeskDecision) {
        #expect(Self.decide(.cancel(destination: ""), message) == decision)
    }

    @Test func `a message that waits for a provider gets another text, but no time`() {
        guard case .ask(.replace, let new?) = Self.decide(Self.replace("new text"), Self.message(due: nil)) else {
            Issue.record("no replacement")
            return
        }
        #expect(new.body.text == "new text" && new.reportRequest == ReportRequest.none)
        let later = Self.decide(Self.replace("x", schedule: "000000010000000R"), Self.message(due: nil))
        #expect(later == .answer(.refused(.invalidScheduledDelivery)))
    }

    @Test(
        arguments: [
            ("not every owner has read it", QueueOrderStore.Standing(state: .asked, isLate: false, isHeld: true), 6, false, .wait),
            ("there is no owner", .init(state: .asked, isLate: false, isHeld: true), nil, false, .wait),
            ("one holds it", .init(state: .asked, isLate: false, isHeld: true), 7, false, .grant),
            ("nobody has it", .init(state: .asked, isLate: false, isHeld: false), 8, false, .askLog),
            ("one sent it", .init(state: .asked, isLate: true, isHeld: true), 7, false, .refuse),
            ("it takes too long", .init(state: .asked, isLate: false, isHeld: true), 7, true, .refuse),
            ("an owner gave it up", .init(state: .refused, isLate: false, isHeld: true), 7, false, .refuse),
            ("it is no more", nil, 7, false, .refuse),
        ] as [(String, QueueOrderStore.Standing?, Int64?, Bool, QueueOrders.Verdict)])
    func `an order stands when nobody sends the message any more and nobody has sent it`(
        name: String, standing: QueueOrderStore.Standing?, seen: Int64?, isOverdue: Bool, verdict: QueueOrders.Verdict
    ) {
        #expect(QueueOrders.judge(standing, id: 7, seen: seen, isOverdue: isOverdue) == verdict)
    }

    @Test(
        arguments: [
            ("nothing waits", .init(), false, .refused(.cancelFailed)),
            ("all are cancelled", .init(cancelled: 2), false, .done),
            ("some went before", .init(cancelled: 1, gone: 1), false, .done),
            ("all went before", .init(gone: 2), false, .refused(.cancelFailed)),
            ("of one nobody knows", .init(cancelled: 1, undecided: 1), false, .refused(.systemError)),
            ("there may be more", .init(cancelled: 1), true, .refused(.systemError)),
        ] as [(String, AddressCancellation.Tally, Bool, DeskAnswer)])
    func `a cancellation by addresses is good when one message is cancelled and none is in doubt`(
        name: String, tally: AddressCancellation.Tally, isOverdue: Bool, answer: DeskAnswer
    ) {
        #expect(tally.answer(isOverdue: isOverdue) == answer)
    }

    @Test func `addresses that are given must be the message's`() {
        #expect(Self.decide(.cancel(destination: "4671"), Self.message()) == .answer(.refused(.cancelFailed)))
        #expect(Self.decide(.query, Self.message(), source: "Other") == .answer(.refused(.queryFailed)))
        #expect(Self.decide(Self.replace("x"), Self.message(), source: "Other") == .answer(.refused(.replaceFailed)))
        // The account's senders are forced: the row has another one than the client gave.
        #expect(Self.decide(.cancel(destination: "4670"), Self.message(), source: nil) != .answer(.refused(.cancelFailed)))
    }

    @Test func `an unknown id is wrong, unless it is so young that the log may not have it yet`() {
        #expect(Self.decide(.query, nil) == .answer(.refused(.invalidMessageID)))
        #expect(Self.decide(.query, nil, id: (Self.now - MessageIDs.epoch - 100) << 22) == .askAgain)
        #expect(Self.decide(.query, nil, id: .max) == .answer(.refused(.invalidMessageID)))
    }

    @Test func `a replacement carries the new text, and may put the time off but not forward`() {
        guard case .order(.replace, let due, let new?) = Self.decide(Self.replace("new text"), Self.message()) else {
            Issue.record("no replacement")
            return
        }
        #expect(due == Self.now + 60_000 && new.body.text == "new text" && new.parts == 1 && new.scheduledAt == 0)
        #expect(
            Self.decide(Self.replace("x", schedule: "000000000010000R"), Self.message()) == .answer(.refused(.invalidScheduledDelivery)))
        guard case .order(.replace, let later, _) = Self.decide(Self.replace("x", schedule: "000000010000000R"), Self.message()) else {
            Issue.record("no later replacement")
            return
        }
        #expect(later == Self.now + 3_600_000)
        #expect(Self.decide(Self.replace("x"), Self.message(order: .cancel)) == .answer(.refused(.replaceFailed)))
        #expect(Self.decide(Self.replace("x"), Self.message(status: .submitted)) == .answer(.refused(.replaceFailed)))
    }

    @Test func `the end of a cancelled message knows its sender`() {
        let end = DeskDecision.cancelled(Self.message(), account: "one")
        #expect(end.msgid == Self.id && end.account == "one" && end.inConnector == "in1" && end.reportRequest == .final)
        #expect(end.source.number == "Shop" && end.destination.number == "4670")
    }
}

@Suite struct WaitingRequestsTests {
    @Test func `they leave in their order, and many are too many`() {
        var waiting = WaitingRequests()
        func pdu(_ number: UInt32, octets: Int = 10) -> PDU {
            PDU(.submitSm(SubmitSm(shortMessage: Array(repeating: 1, count: octets))), sequenceNumber: number)
        }
        for number in 1...99 { waiting.append(pdu(UInt32(number))) }
        #expect(!waiting.isMany)
        waiting.append(pdu(100))
        #expect(waiting.isMany)
        for number in 1...100 {
            #expect(waiting.first?.sequenceNumber == UInt32(number))
            waiting.removeFirst()
        }
        #expect(waiting.isEmpty && waiting.first == nil && !waiting.isMany)
        for number in 1...4 { waiting.append(pdu(UInt32(number), octets: 70_000)) }
        #expect(waiting.isMany)
    }
}
