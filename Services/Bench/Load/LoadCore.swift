import LoadModel
import NIOCore

/// Everything that the sessions of one load share. It lives on one event loop and is touched nowhere else.
final class LoadCore {
    enum Phase { case binding, idle, sending, waiting, closing }

    let plan: LoadPlan
    let eventLoop: any EventLoop
    var book: LoadBook
    /// Sessions that have written since the last flush.
    private var dirty: [any LoadClient] = []
    /// Where reports are taken that come by HTTP.
    var reportPort = 0

    private(set) var phase = Phase.binding
    private(set) var sessions: [any LoadClient] = []
    /// Sessions that were bound and ended by themselves.
    private(set) var sessionsLost = 0
    private(set) var lastTrouble: String?
    private var connecting = 0
    private var started = 0
    private var allBound: EventLoopPromise<Void>?
    private var finished: EventLoopPromise<Void>?
    private var connect: (() -> Void)?
    private var waiting = CircularBuffer<any LoadClient>()
    private var tail: ArrivalTail?
    private var order = LoadOrder()
    private var pace: Pace?
    private var firstOfOrder = 0
    private var stopSendingAt: Int64 = .max
    private var lastProgress = (value: 0, at: Int64(0))
    private var ticks = 0

    /// Binds that are under way at a time.
    private static let bindsAtOnce = 16
    /// Messages of one session before the next has its turn.
    private static let turnMessages = 64

    init(plan: LoadPlan, eventLoop: any EventLoop) throws {
        self.plan = plan
        self.eventLoop = eventLoop
        book = LoadBook(firstDestination: plan.firstDestination, finish: plan.asksForReports ? .report : .arrival, parts: plan.parts)
        if let (path, offset) = plan.arrivals { tail = try ArrivalTail(path: path, offset: offset) }
    }

    static func nanoseconds() -> Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }
    static func milliseconds() -> Int64 { nanoseconds() / 1_000_000 }

    // MARK: Sessions

    /// - Parameter connect: opens one connection, whose handler is a `LoadClient` of this core.
    func bindAll(_ promise: EventLoopPromise<Void>, connect: @escaping () -> Void) {
        allBound = promise
        self.connect = connect
        tickLater()
        connectMore()
    }

    private func connectMore() {
        while started < plan.sessions, connecting < Self.bindsAtOnce {
            started += 1
            connecting += 1
            connect?()
        }
    }

    func connectFailed(_ error: any Error) { fail(LoadFailure("no connection to port \(plan.port): \(error)")) }

    func sessionBound(_ session: any LoadClient) {
        connecting -= 1
        sessions.append(session)
        guard phase == .binding else { return }
        connectMore()
        guard sessions.count == plan.sessions else { return }
        phase = .idle
        connect = nil
        allBound?.succeed()
        allBound = nil
    }

    func sessionEnded(_ session: any LoadClient, _ trouble: String) {
        guard phase != .closing else { return }
        lastTrouble = lastTrouble ?? trouble
        if let index = sessions.firstIndex(where: { $0 === session }) {
            sessions.remove(at: index)
            sessionsLost += 1
        }
        if phase == .binding { fail(LoadFailure(trouble)) }
    }

    private func fail(_ failure: LoadFailure) {
        connect = nil
        allBound?.fail(failure)
        allBound = nil
    }

    func close() -> [any Channel] {
        phase = .closing
        look()
        let channels = sessions.compactMap(\.channel)
        for session in sessions { session.unbind() }
        return channels
    }

    // MARK: Sending

    func start(_ order: LoadOrder, _ promise: EventLoopPromise<Void>) {
        let now = Self.nanoseconds()
        self.order = order
        finished = promise
        firstOfOrder = book.sent
        pace = order.perSecond.map { Pace(perSecond: $0, start: now) }
        stopSendingAt = order.nanoseconds == .max ? .max : now + order.nanoseconds
        lastProgress = (book.progress, now)
        phase = .sending
        for session in sessions where session.hasRoom { hasRoom(session) }
        turn()
    }

    /// A session can take more.
    func hasRoom(_ session: any LoadClient) {
        guard !session.isWaiting else { return }
        session.isWaiting = true
        waiting.append(session)
    }

    /// Sends what may be sent, and flushes what was written.
    func turn() {
        if phase == .sending { send() }
        guard !dirty.isEmpty else { return }
        for session in dirty {
            session.isDirty = false
            session.flush()
        }
        dirty.removeAll(keepingCapacity: true)
    }

    private func send() {
        let now = Self.nanoseconds()
        guard now < stopSendingAt else { return }
        while let session = waiting.first {
            var count = 0
            while count < Self.turnMessages, session.hasRoom, let sentAt = mayStart(now) {
                let number = book.sent
                guard session.submit(number, now: now) else { break }
                _ = book.send(at: sentAt)
                if !session.isDirty {
                    session.isDirty = true
                    dirty.append(session)
                }
                count += 1
            }
            guard mayStart(now) != nil else { return }
            waiting.removeFirst()
            if session.hasRoom { waiting.append(session) } else { session.isWaiting = false }
        }
    }

    /// When the next message counts as sent; nil where none may be now.
    private func mayStart(_ now: Int64) -> Int64? {
        let number = book.sent - firstOfOrder
        guard number < order.messages, book.inFlight < order.inFlight else { return nil }
        guard let pace else { return now }
        let due = pace.due(number)
        return due <= now ? due : nil
    }

    // MARK: The clock

    private func tickLater() {
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(2)) { self.tick() }
    }

    private func tick() {
        if phase == .closing {
            // A session whose submits are still unanswered unbinds by its clock, and gives up by it.
            let milliseconds = Self.milliseconds()
            for session in sessions { session.tick(milliseconds) }
            if sessions.contains(where: { $0.channel != nil }) { tickLater() }
            return
        }
        ticks += 1
        // At the pace of a message each few milliseconds a look each two; the provider's file and the timers less often.
        if ticks.isMultiple(of: 4) { look() }
        if ticks.isMultiple(of: 250) {
            let milliseconds = Self.milliseconds()
            for session in sessions { session.tick(milliseconds) }
        }
        turn()
        check(Self.nanoseconds())
        tickLater()
    }

    /// What the provider has seen since the last look.
    private func look() { tail?.read { book.arrive($0) } }

    private func check(_ now: Int64) {
        guard phase == .sending || phase == .waiting else { return }
        if phase == .sending, now >= stopSendingAt || book.sent - firstOfOrder >= order.messages || sessions.isEmpty { phase = .waiting }
        if book.progress != lastProgress.value { lastProgress = (book.progress, now) }
        let hasPatience = now - lastProgress.at < order.patienceNanoseconds && !sessions.isEmpty
        let isDone = book.unanswered == 0 && (order.waitsForAnswersOnly || book.inFlight == 0)
        guard phase == .waiting, isDone || !hasPatience else {
            // Nothing moves although there is something to send: give up as well.
            if !hasPatience { end() }
            return
        }
        end()
    }

    /// Gives up on what is open: the run was interrupted.
    func cancel() {
        fail(LoadFailure("interrupted"))
        end()
    }

    private func end() {
        phase = .idle
        finished?.succeed()
        finished = nil
    }
}
