import Message
import Testing

@testable import IngressSMPP

@Suite struct DeliveryBoardTests {
    private static func message(_ id: Int64, account: String = "one") -> ShortMessage {
        var message = ShortMessage()
        message.msgid = id
        message.account = account
        return message
    }

    private static func board(window: Int, messages: ClosedRange<Int64>, sessions: [String] = ["a"]) -> DeliveryBoard<String> {
        var board = DeliveryBoard<String>(window: window)
        for id in messages { board.add(.parked(id), message(id)) }
        for session in sessions { board.sessionBound(session, account: "one") }
        return board
    }

    @Test func `a session is given its window, and more only when a place is free again`() {
        var board = Self.board(window: 3, messages: 1...5)
        let first = board.take("one")
        #expect(first.map(\.1.message.msgid) == [1, 2, 3] && board.take("one").isEmpty)
        // Answered, but not recorded yet: the place stays taken.
        let settled = board.settled("a", order: first[0].1.order)
        #expect(settled?.message.msgid == 1 && board.take("one").isEmpty)
        board.release("a")
        #expect(board.take("one").map(\.1.message.msgid) == [4])
        #expect(board.settled("a", order: first[0].1.order) == nil, "a second answer means nothing")
    }

    @Test func `receivers of one account take turns, and one that is full is passed over`() {
        var board = Self.board(window: 2, messages: 1...6, sessions: ["a", "b"])
        let taken = board.take("one")
        #expect(taken.map(\.0) == ["a", "b", "a", "b"] && taken.map(\.1.message.msgid) == [1, 2, 3, 4])
        board.release("b")
        #expect(board.take("one").map(\.0) == ["b"])
    }

    @Test func `what a lost session had not answered goes to another one, in its old order`() {
        var board = Self.board(window: 2, messages: 1...4)
        #expect(board.take("one").count == 2)
        board.sessionEnded("a")
        #expect(!board.hasSession("one"))
        board.sessionBound("b", account: "one")
        #expect(board.take("one").map(\.1.message.msgid) == [1, 2])
    }

    @Test func `what has no session at all is given out once, to be parked`() {
        var board = Self.board(window: 2, messages: 1...3, sessions: [])
        board.add(.parked(9), Self.message(9, account: "two"))
        board.sessionBound("x", account: "two")
        #expect(board.takeHomeless().map(\.message.msgid) == [1, 2, 3])
        #expect(board.takeHomeless().isEmpty && board.take("one").isEmpty)
        #expect(board.take("two").map(\.1.message.msgid) == [9])
    }

    @Test func `deliveries leave in the order in which they came, whatever sessions come and go`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var board = DeliveryBoard<Int>(window: Int.random(in: 1...4, using: &random))
            var next: Int64 = 0
            var session = 0
            var delivered: [Int64] = []
            for _ in 0..<60 {
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    next += 1
                    board.add(.parked(next), Self.message(next))
                case 1 where board.hasSession("one"): board.sessionEnded(session)
                case 1, 2:
                    if !board.hasSession("one") {
                        session += 1
                        board.sessionBound(session, account: "one")
                    }
                default:
                    // One session answers all that it is given at once.
                    for (id, delivery) in board.take("one") {
                        guard let done = board.settled(id, order: delivery.order) else { continue }
                        board.release(id)
                        delivered.append(done.message.msgid)
                    }
                }
            }
            #expect(delivered == delivered.sorted() && Set(delivered).count == delivered.count)
        }
    }
}
