import Logging
import NIOCore
import NIOPosix
import Testing

@testable import LocalBroker

/// What all connections together may have under way.
@Suite struct RequestBudgetTests {
    private static func waiter(_ loop: any EventLoop, _ budget: RequestBudget) -> RequestBudget.Waiter {
        let handler = ConnectionHandler(
            id: 1, loopIndex: 0, maxRequestBytes: 1 << 20, budget: budget, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            submit: { _ in }, closed: { _ in })
        return RequestBudget.Waiter(loop: loop, handler: NIOLoopBound(handler, eventLoop: loop))
    }

    @Test func `who finds no room is woken when an answer makes some`() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try await loop.submit {
            let budget = RequestBudget(inflight: 100, partial: 100)
            #expect(budget.hasRoom(orWake: Self.waiter(loop, budget)))
            budget.take(150)
            #expect(!budget.hasRoom(orWake: Self.waiter(loop, budget)))
            #expect(budget.give(20).isEmpty)
            #expect(budget.give(40).count == 1)
            #expect(budget.give(10).isEmpty)
        }.get()
    }

    @Test func `while something is under way few are woken, and at its end all`() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try await loop.submit {
            let budget = RequestBudget(inflight: 100, partial: 100)
            budget.take(150)
            for _ in 0..<5 { #expect(!budget.hasRoom(orWake: Self.waiter(loop, budget))) }
            #expect(budget.give(100).count == 1)
            #expect(budget.give(50).count == 4)
        }.get()
    }

    @Test func `requests that never arrive whole take half of the room at most, and are refused beyond their limit`() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        try await loop.submit {
            let budget = RequestBudget(inflight: 100, partial: 1000)
            #expect(budget.changePartial(by: 900))
            #expect(budget.hasRoom(orWake: Self.waiter(loop, budget)))
            budget.take(50)
            #expect(!budget.hasRoom(orWake: Self.waiter(loop, budget)))
            #expect(!budget.changePartial(by: 200))
            #expect(budget.changePartial(by: -1100))
            #expect(budget.hasRoom(orWake: Self.waiter(loop, budget)))
        }.get()
    }
}
