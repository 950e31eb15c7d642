import Configuration
import Testing

@testable import Egress
@testable import EgressSMPP

struct `The pace` {
    /// How many leave within `milliseconds`, asked every millisecond.
    private static func sent(_ rate: inout SendRate, from start: Int64, milliseconds: Int64) -> Int {
        var count = 0
        for now in start..<(start + milliseconds) { while rate.take(now: now) { count += 1 } }
        return count
    }

    @Test(arguments: [(1.0, 10_000, 9...11), (5, 10_000, 49...52), (50, 4_000, 198...203), (1_000, 2_000, 1_980...2_040)])
    func `a throughput is kept evenly`(perSecond: Double, milliseconds: Int64, expected: ClosedRange<Int>) {
        var rate = SendRate(perSecond: perSecond, now: 1_000)
        #expect(expected.contains(Self.sent(&rate, from: 1_000, milliseconds: milliseconds)))
        // A pause saves nothing up: the next second holds no more than its share and a fiftieth.
        let after = Self.sent(&rate, from: 1_000_000, milliseconds: 1_000)
        #expect(Double(after) <= perSecond * 1.05 + 2)
    }

    @Test func `the wait is as long as it takes until one may leave`() {
        var rate = SendRate(perSecond: 10, now: 0)
        #expect(rate.wait(now: 0) == 0)
        let isTaken = rate.take(now: 0)
        #expect(isTaken)
        #expect(rate.wait(now: 0) == 100 && rate.wait(now: 40) == 60 && rate.wait(now: 100) == 0)
        rate.giveBack()
        #expect(rate.wait(now: 0) == 0)
    }

    @Test func `a complaint pauses, and limits to less than what was taken; many at once are one`() throws {
        var control = ThrottleControl(now: 0)
        for now in Int64(0)..<1_000 where now % 10 == 0 { control.accepted(now: now) }
        control.accepted(now: 1_000)
        for _ in 0..<20 { control.throttled(now: 1_001) }
        #expect(control.pausedUntil == 1_101)
        let limit = try #require(control.limit)
        #expect((70...90).contains(limit))
        // Still refused: a longer pause.
        control.throttled(now: 1_200)
        #expect(control.pausedUntil == 1_400)
    }

    @Test func `without complaints the limit rises and is forgotten`() throws {
        var control = ThrottleControl(now: 0)
        for now in Int64(0)...1_000 where now % 10 == 0 { control.accepted(now: now) }
        control.throttled(now: 1_001)
        let before = try #require(control.limit)
        for now in stride(from: Int64(1_250), through: 11_000, by: 250) { control.tick(now: now) }
        #expect(try #require(control.limit) > 2 * before)
        for now in stride(from: Int64(11_250), through: 62_000, by: 250) { control.tick(now: now) }
        #expect(control.limit == nil)
    }
}

struct `The window` {
    /// A provider that takes `capacity` at a time, each for `service` milliseconds, and lets the rest wait.
    private static func run(_ window: inout WindowControl, capacity: Int, service: Int64, milliseconds: Int64, from start: Int64 = 0)
        -> Int64
    {
        var underWay: [(sentAt: Int64, doneAt: Int64)] = []
        var lanes = Array(repeating: start, count: capacity)
        var now = start
        while now < start + milliseconds {
            underWay.removeAll { one in
                guard one.doneAt <= now else { return false }
                window.answered(roundTrip: now - one.sentAt, now: now)
                return true
            }
            while window.hasRoom(outstanding: underWay.count) {
                let lane = lanes.indices.min { lanes[$0] < lanes[$1] } ?? 0
                lanes[lane] = max(lanes[lane], now) + service
                underWay.append((now, lanes[lane]))
            }
            now += 1
        }
        return now
    }

    @Test func `a fixed one stays as it is`() {
        var window = WindowControl(.fixed(10), now: 0)
        _ = Self.run(&window, capacity: 100, service: 50, milliseconds: 5_000)
        #expect(window.size == 10 && window.limit == 10)
    }

    @Test(arguments: [30, 100]) func `auto grows to what the provider works on at a time, and not far beyond`(capacity: Int) {
        var window = WindowControl(.automatic, now: 0)
        _ = Self.run(&window, capacity: capacity, service: 50, milliseconds: 12_000)
        #expect(window.size > capacity * 6 / 10 && window.size < capacity * 3)
    }

    @Test func `auto shrinks when the provider gets slower`() {
        var window = WindowControl(.automatic, now: 0)
        let now = Self.run(&window, capacity: 100, service: 50, milliseconds: 8_000)
        let before = window.size
        _ = Self.run(&window, capacity: 10, service: 50, milliseconds: 12_000, from: now)
        #expect(window.size < before / 2)
    }

    @Test func `a window that is never full says nothing`() {
        var window = WindowControl(.automatic, now: 0)
        for now in Int64(0)..<5_000 {
            let hasRoom = window.hasRoom(outstanding: 1)
            #expect(hasRoom)
            window.answered(roundTrip: 5, now: now)
        }
        #expect(window.size == WindowControl.first)
    }
}

struct `Connecting` {
    @Test(
        arguments: [
            (ConnectBackoff.Ending.unreachable, [200, 400, 800, 1_600, 3_200, 6_400, 7_000, 7_000, 7_000, 7_000]),
            (.refused, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]),
        ] as [(ConnectBackoff.Ending, [Int64])])
    func `waits double, up to 7 s where nobody is there and to 30 s where we are not let in`(
        _ ending: ConnectBackoff.Ending, _ expected: [Int64]
    ) {
        var backoff = ConnectBackoff(OutgoingOptions())
        let waits = (0..<10).map { _ in backoff.ended(ending, chance: 0) }
        #expect(waits == expected)
        let longest = backoff.ended(ending, chance: 1)
        #expect(longest == expected[9] / 4 * 5)
        backoff.succeeded()
        let afterward = backoff.ended(.lost, chance: 1)
        #expect(afterward == 250)
    }

    @Test func `once it cannot be reached at all, a refusal's long wait is over`() {
        var backoff = ConnectBackoff(OutgoingOptions())
        for _ in 0..<10 { _ = backoff.ended(.refused, chance: 0) }
        let waits = (0..<2).map { _ in backoff.ended(.unreachable, chance: 0) }
        #expect(waits == [7_000, 7_000])
    }

    @Test func `addresses are tried in turn, and the one that was bound again first`() {
        var backoff = ConnectBackoff(OutgoingOptions())
        var tried: [Int] = []
        for _ in 0..<3 {
            tried.append(backoff.address(of: 2))
            _ = backoff.ended(.unreachable, chance: 0)
        }
        backoff.succeeded()
        _ = backoff.ended(.lost, chance: 0)
        #expect(tried == [0, 1, 0] && backoff.address(of: 2) == 1)
    }

    @Test func `after MAXFAILEDCONNECTS comes MAXFAILEDSLEEP`() {
        var options = OutgoingOptions()
        options.maxFailedConnects = 3
        options.maxFailedSleepSeconds = 90
        options.waitBeforeConnectSeconds = 2
        var backoff = ConnectBackoff(options)
        let waits = (0..<4).map { _ in backoff.ended(.unreachable, chance: 0) }
        #expect(waits == [2_000, 4_000, 90_000, 2_000])
    }
}

struct `The share of the sessions` {
    @Test(arguments: [(1, 1), (7, 3), (10, 4), (2, 5), (1, 3)]) func `each session belongs to one instance`(total: Int, count: Int) {
        let all = (0..<count).flatMap { SessionShare(rank: $0, count: count).sessions(of: total) }
        #expect(all.sorted() == Array(0..<total))
        let rates = (0..<count).map { SessionShare(rank: $0, count: count).rate(100, sessions: total) }
        #expect(abs(rates.reduce(0, +) - 100) < 0.001)
    }

    @Test func `the rank is the place by name, ourselves included`() {
        #expect(SessionShare(own: "b", living: ["c", "a"]) == SessionShare(rank: 1, count: 3))
        #expect(SessionShare(own: "b", living: ["b"]) == .alone)
    }

    @Test func `less is taken over at once, more after a while`() {
        var settled = SettledShare()
        func sees(_ share: SessionShare) -> SessionShare? {
            _ = settled.saw(share)
            return settled.value
        }
        #expect(sees(.alone) == .alone)
        let shared = SessionShare(rank: 0, count: 2)
        #expect(sees(shared) == shared)
        for _ in 0..<3 { #expect(sees(.alone) == shared) }
        #expect(sees(.alone) == .alone)
        // A newcomer waits for the others to let go.
        settled = SettledShare()
        #expect(sees(SessionShare(rank: 1, count: 2)) == nil)
    }
}
