import Foundation
import LoadModel

/// Keeps gateway and providers running, and takes one case after the other.
struct BenchRunner {
    let options: BenchOptions
    let directory: String
    let say: @Sendable (String) -> Void
    var gateway: GatewayUnderTest
    private(set) var providers: [String: Provider] = [:]
    /// Messages sent so far: each has a number of its own in the whole run.
    private(set) var messages = 0

    init(options: BenchOptions, directory: String, say: @escaping @Sendable (String) -> Void) throws {
        self.options = options
        self.directory = directory
        self.say = say
        gateway = try GatewayUnderTest(directory: directory)
    }

    mutating func run(_ one: BenchCase) async throws -> CaseResult {
        if case .direct = one.work {} else { try await startGateway() }
        say("\(one.name): \(one.title)")
        let start = ContinuousClock.now
        var result = CaseResult(one)
        switch one.work {
        case .direct(let shape): try await direct(one, shape, &result)
        case .rest: try await rest(&result)
        case .idle(let sessions): try await idle(sessions, &result)
        case .load(let shape): try await load(one, shape, &result)
        case .backlog(let shape): try await backlog(shape, &result)
        case .restart: try await restart(&result)
        }
        result.seconds = (ContinuousClock.now - start) / .seconds(1)
        for fault in result.faults { say("  NOT in order: \(fault)") }
        return result
    }

    /// Ends everything that was started.
    mutating func close() async {
        _ = await gateway.stop()
        for provider in providers.values { await provider.process.stop(within: 10) }
        providers = [:]
    }

    // MARK: What the cases share

    private mutating func startGateway() async throws {
        guard gateway.process == nil else { return }
        for terms in ProviderTerms.all where providers[terms.connector] == nil { try await startProvider(terms) }
        say("starts a gateway in \(gateway.data)")
        try gateway.launch()
        try await gateway.waitHealthy()
        try await gateway.prepare()
    }

    mutating func startProvider(_ terms: ProviderTerms) async throws {
        guard let port = gateway.providerPorts[terms.connector] else { throw LoadFailure("there is no provider \(terms.connector)") }
        providers[terms.connector] = try await Provider.start(terms, port: port, directory: directory)
    }

    mutating func stopProvider(_ terms: ProviderTerms) async {
        await providers[terms.connector]?.process.stop(within: 10)
        providers[terms.connector] = nil
    }

    func books() throws -> GatewayBooks {
        let state = try gateway.state()
        return GatewayBooks(databaseURL: state.databaseURL, kafka: state.kafka)
    }

    /// Ids of all processes that have to do with a case.
    func pids(provider: String) throws -> [String: Int32] {
        var pids = try gateway.pids()
        pids["provider"] = providers[provider]?.process.pid
        pids["load"] = ProcessInfo.processInfo.processIdentifier
        return pids
    }

    func plan(_ shape: BenchCase.Shape, port: Int? = nil, arrivals: String) -> LoadPlan {
        LoadPlan(
            port: port ?? (shape.manner == .smpp ? gateway.smppPort : gateway.httpPort), systemID: GatewayUnderTest.account,
            password: GatewayUnderTest.password, sessions: shape.sessions, window: shape.window,
            firstDestination: shape.provider.firstDestination(after: messages), asksForReports: shape.asksForReports,
            textCharacters: shape.textCharacters, parts: shape.parts, arrivals: (arrivals, ArrivalTail.end(of: arrivals)),
            manner: shape.manner)
    }

    mutating func sent(_ count: Int) { messages += count }

    /// What the load alone can tell of a span of time.
    func note(_ book: LoadBook, in range: Range<Int64>, _ result: inout CaseResult) {
        let seconds = Double(range.upperBound - range.lowerBound) / 1e9
        let counts = book.counts(in: range)
        result.messages = book.accepted
        result.refused = book.refused
        if seconds > 0 {
            result.acceptedPerSecond = Double(counts.accepted) / seconds
            result.endToEndPerSecond = Double(counts.finished) / seconds
            if counts.finished == 0, book.finished > 0 {
                // So slow that none came to its end while the load was sent: the rate until now is what there is.
                result.endToEndPerSecond = Double(book.finished) * 1e9 / Double(max(1, LoadCore.nanoseconds() - range.lowerBound))
            }
        }
        note(latenciesOf: book, in: range, &result)
    }

    func note(latenciesOf book: LoadBook, in range: Range<Int64>, _ result: inout CaseResult) {
        let times = book.latencies(sentIn: range)
        result.answerMilliseconds = Percentiles(times.answer)
        result.toProviderMilliseconds = Percentiles(times.arrival)
        result.toReportMilliseconds = Percentiles(times.report)
    }

    /// What the processes used between two looks, for each message.
    func note(_ before: GatewaySample, _ after: GatewaySample, messages: Int, _ result: inout CaseResult) {
        guard messages > 0 else { return }
        var sum = ProcessFigures()
        for (name, figures) in after.processes {
            guard let earlier = before.processes[name], before.pids[name] == after.pids[name] else { continue }
            let used = ProcessFigures(
                cpuSeconds: figures.cpuSeconds - earlier.cpuSeconds, writtenBytes: figures.writtenBytes - earlier.writtenBytes)
            result.cpuSecondsPer1000[name] = used.cpuSeconds * 1_000 / Double(messages)
            guard !GatewaySample.others.contains(name) else { continue }
            result.diskBytesPerMessage[name] = Double(used.writtenBytes) / Double(messages)
            sum = sum + used
        }
        result.cpuSecondsPer1000["gateway"] = sum.cpuSeconds * 1_000 / Double(messages)
        result.diskBytesPerMessage["gateway"] = Double(sum.writtenBytes) / Double(messages)
    }

    /// Waits until the gateway has nothing left to do, and lays all books side by side.
    func audit(_ generator: LoadGenerator, after msgid: Int64, _ before: GatewaySample, provider: String) async throws -> Audit {
        let books = try books()
        var waiting = try await books.waiting()
        var log = try await books.log(after: msgid)
        let accepted = try await generator.state().book.accepted
        var lastChange = ContinuousClock.now
        while !waiting.isEmpty || log.messages != accepted || log.open > 0, ContinuousClock.now - lastChange < .seconds(30) {
            try Task.checkCancellation()
            await pause(.milliseconds(300))
            let (newWaiting, newLog) = (try await books.waiting(), try await books.log(after: msgid))
            if newWaiting != waiting || newLog != log { lastChange = ContinuousClock.now }
            (waiting, log) = (newWaiting, newLog)
        }
        // Read last, so that what came a second time in the meantime is seen.
        let state = try await generator.state()
        var audit = Audit(state.book, sessionsLost: state.sessionsLost)
        audit.log = log
        audit.waiting = waiting
        audit.disagreements = try await books.disagreements()
        let now = try pids(provider: provider)
        audit.restarted = before.pids.filter { !GatewaySample.others.contains($0.key) && now[$0.key] != $0.value }.map(\.key)
        return audit
    }

    func note(_ audit: Audit, _ result: inout CaseResult) {
        result.duplicates = audit.duplicates
        result.losses = audit.losses
        result.faults += audit.faults
    }
}
