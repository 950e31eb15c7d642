import Foundation
import LoadModel

/// How each kind of case is measured.
extension BenchRunner {
    /// Where the figures of a load begin: what comes before is the gateway getting under way.
    private static func warmUp(_ seconds: Double) -> Int64 { Int64(min(2, seconds / 4) * 1e9) }

    mutating func direct(_ one: BenchCase, _ shape: BenchCase.Shape, _ result: inout CaseResult) async throws {
        var terms = shape.provider
        terms.connector = one.name
        let provider = try await Provider.start(terms, port: try FreePorts.take(1)[0], directory: directory)
        do {
            let generator = try await LoadGenerator.connect(plan(shape, port: provider.port, arrivals: provider.arrivals))
            do {
                let pids = ["provider": provider.process.pid, "load": ProcessInfo.processInfo.processIdentifier]
                let before = GatewaySample.take(pids, memory: false)
                let seconds = options.seconds * one.share
                let start = LoadCore.nanoseconds()
                try await generator.run(LoadOrder(nanoseconds: Int64(seconds * 1e9), inFlight: shape.inFlight))
                let state = try await generator.state()
                note(state.book, in: start + Self.warmUp(seconds)..<start + Int64(seconds * 1e9), &result)
                note(before, GatewaySample.take(pids, memory: false), messages: state.book.accepted, &result)
                result.cpuSecondsPer1000["gateway"] = nil
                result.diskBytesPerMessage = [:]
                note(Audit(state.book, sessionsLost: state.sessionsLost), &result)
                sent(state.book.sent)
            } catch {
                await generator.close()
                throw error
            }
            await generator.close()
        } catch {
            await provider.process.stop(within: 10)
            throw error
        }
        await provider.process.stop(within: 10)
    }

    func rest(_ result: inout CaseResult) async throws {
        await pause(.seconds(2))
        let before = GatewaySample.take(try pids(provider: ""), memory: false)
        let seconds = min(10, max(2, options.seconds / 2))
        await pause(.seconds(seconds))
        let after = GatewaySample.take(try pids(provider: ""))
        result.peakMemoryMiB = after.processes.filter { !GatewaySample.others.contains($0.key) }.mapValues {
            Double($0.memoryBytes) / 1_048_576
        }
        let total = after.total(without: GatewaySample.others)
        result.peakMemoryMiB["gateway"] = Double(total.memoryBytes) / 1_048_576
        let used = total.cpuSeconds - before.total(without: GatewaySample.others).cpuSeconds
        result.figures.append(Figure("memory of all services together", Double(total.memoryBytes) / 1_048_576, "MiB", aim: .below(700)))
        result.figures.append(Figure("CPU of all services together", used / seconds * 100, "% of a core"))
    }

    func idle(_ sessions: Int, _ result: inout CaseResult) async throws {
        let start = ContinuousClock.now
        var shape = BenchCase.Shape(sessions: sessions, window: 1)
        shape.asksForReports = false
        let arrivals = providers[shape.provider.connector]?.arrivals ?? ""
        let generator = try await LoadGenerator.connect(plan(shape, arrivals: arrivals))
        let bound = (ContinuousClock.now - start) / .seconds(1)
        await pause(.seconds(2))
        if let pid = try? gateway.pids()["ingress-smpp"], let figures = ProcessFigures.read(pid) {
            let memory = Double(figures.memoryBytes) / 1_048_576
            result.peakMemoryMiB["ingress-smpp"] = memory
            let count = ResultTable.number(Double(sessions))
            result.figures.append(Figure("memory of the ingress with \(count) sessions", memory, "MiB", aim: .below(200)))
        }
        result.figures.append(Figure("binds", Double(sessions) / bound, "per second"))
        let lost = (try? await generator.state().sessionsLost) ?? 0
        if lost > 0 { result.faults.append("\(lost) idle sessions were lost") }
        await generator.close()
    }

    mutating func load(_ one: BenchCase, _ shape: BenchCase.Shape, _ result: inout CaseResult) async throws {
        let connector = shape.provider.connector
        guard let provider = providers[connector] else { throw LoadFailure("the provider \(connector) is not running") }
        let msgid = try await books().lastMessageID()
        let generator = try await LoadGenerator.connect(plan(shape, arrivals: provider.arrivals))
        do {
            let all = try pids(provider: connector)
            let before = GatewaySample.take(all, memory: false)
            let sampler = MemorySampler { all }
            let seconds = options.seconds * one.share
            let start = LoadCore.nanoseconds()
            try await generator.run(
                LoadOrder(nanoseconds: Int64(seconds * 1e9), perSecond: shape.perSecond, inFlight: shape.inFlight))
            let audit = try await audit(generator, after: msgid, before, provider: connector)
            let after = GatewaySample.take(try pids(provider: connector), memory: false)
            result.peakMemoryMiB = await sampler.stop()
            let book = try await generator.state().book
            let range = start + Self.warmUp(seconds)..<start + Int64(seconds * 1e9)
            note(book, in: range, &result)
            note(before, after, messages: book.accepted, &result)
            note(audit, &result)
            figures(one, shape, book, range, &result)
            sent(book.sent)
        } catch {
            await generator.close()
            throw error
        }
        await generator.close()
    }

    /// What the aims speak of.
    private func figures(
        _ one: BenchCase, _ shape: BenchCase.Shape, _ book: LoadBook, _ range: Range<Int64>, _ result: inout CaseResult
    ) {
        if let possible = shape.provider.possiblePerSecond, let rate = result.endToEndPerSecond {
            result.figures.append(Figure("share of window x sessions / answer time", rate / possible, "", aim: .atLeast(0.95)))
        }
        if shape.manner != .smpp, let rate = result.acceptedPerSecond, let cpu = result.cpuSecondsPer1000["load"], cpu > 0, rate > 0 {
            // It has one thread: what that could send, by what it used of its time for this.
            result.figures.append(Figure("load generator: times this rate, by its CPU", 1_000 / (cpu * rate), "", aim: .atLeast(3)))
        }
        switch one.name {
        case "reports":
            if let rate = result.endToEndPerSecond { result.figures.append(Figure("end to end", rate, "per second", aim: .atLeast(5_000))) }
            if let cpu = result.cpuSecondsPer1000["gateway"] {
                result.figures.append(Figure("CPU for 1,000 messages", cpu, "s", aim: .below(0.4)))
            }
        case "latency":
            if let times = result.answerMilliseconds {
                result.figures.append(Figure("submit to answer, 99 %", times.p99, "ms", aim: .below(20)))
            }
            if let times = result.toProviderMilliseconds {
                result.figures.append(Figure("submit to provider, 99 %", times.p99, "ms", aim: .below(100)))
            }
        default: break
        }
    }

    mutating func backlog(_ shape: BenchCase.Shape, _ result: inout CaseResult) async throws {
        let terms = shape.provider
        guard let provider = providers[terms.connector] else { throw LoadFailure("the provider \(terms.connector) is not running") }
        let msgid = try await books().lastMessageID()
        await stopProvider(terms)
        let generator = try await LoadGenerator.connect(plan(shape, arrivals: provider.arrivals))
        do {
            let all = try pids(provider: terms.connector)
            let before = GatewaySample.take(all, memory: false)
            let sampler = MemorySampler { all }
            let start = LoadCore.nanoseconds()
            try await generator.run(LoadOrder(messages: options.backlog, waitsForAnswersOnly: true))
            let acceptedAt = LoadCore.nanoseconds()
            say("  \(ResultTable.number(Double(options.backlog))) are accepted; waits until all are in the provider's queue")
            try await waitQueued(terms)
            let queuedAt = LoadCore.nanoseconds()
            let filled = GatewaySample.take(try pids(provider: terms.connector), memory: false)
            try await startProvider(terms)
            let returned = LoadCore.nanoseconds()
            // It may take ten seconds until the gateway tries to connect again.
            try await generator.run(LoadOrder(messages: 0, patienceNanoseconds: 120_000_000_000))
            let finishedAt = LoadCore.nanoseconds()
            let drained = GatewaySample.take(try pids(provider: terms.connector), memory: false)
            let audit = try await audit(generator, after: msgid, before, provider: terms.connector)
            let after = GatewaySample.take(try pids(provider: terms.connector), memory: false)
            result.peakMemoryMiB = await sampler.stop()
            let book = try await generator.state().book
            note(latenciesOf: book, in: start..<acceptedAt, &result)
            result.toProviderMilliseconds = nil
            result.toReportMilliseconds = nil
            result.messages = book.accepted
            result.refused = book.refused
            let accepted = Double(book.accepted)
            result.acceptedPerSecond = accepted * 1e9 / Double(acceptedAt - start)
            note(before, after, messages: book.accepted, &result)
            note(audit, &result)
            result.figures.append(Figure("accepted", result.acceptedPerSecond ?? 0, "per second", aim: .atLeast(20_000)))
            result.figures.append(Figure("accepted, routed, billed and queued", accepted * 1e9 / Double(queuedAt - start), "per second"))
            if let span = book.arrivalSpan(after: returned), span.last > span.first {
                result.figures.append(
                    Figure("sent after the provider's return", Double(span.count - 1) * 1e9 / Double(span.last - span.first), "per second"))
                result.endToEndPerSecond = Double(book.finished) * 1e9 / Double(max(1, finishedAt - span.first))
                result.figures.append(Figure("finished after the return", result.endToEndPerSecond ?? 0, "per second"))
                result.figures.append(Figure("until the provider was found again", Double(span.first - returned) / 1e9, "s"))
            }
            for (what, from, to) in [("until all are queued", before, filled), ("from there to the last report", filled, drained)] {
                let used = to.total(without: GatewaySample.others).cpuSeconds - from.total(without: GatewaySample.others).cpuSeconds
                if accepted > 0 { result.figures.append(Figure("CPU for 1,000 messages \(what)", used * 1_000 / accepted, "s")) }
            }
            sent(book.sent)
        } catch {
            await generator.close()
            throw error
        }
        await generator.close()
    }

    /// Until nothing waits anywhere but in the provider's own queue.
    private func waitQueued(_ terms: ProviderTerms) async throws {
        let books = try books()
        var last: [String: Int] = [:]
        var lastChange = ContinuousClock.now
        while true {
            try Task.checkCancellation()
            let waiting = try await books.waiting(besides: terms.connector)
            if waiting.isEmpty { return }
            if waiting != last { lastChange = ContinuousClock.now }
            last = waiting
            guard ContinuousClock.now - lastChange < .seconds(60) else {
                throw LoadFailure("the gateway does not get on with: \(waiting.map { "\($0.value) in \($0.key)" }.joined(separator: ", "))")
            }
            await pause(.milliseconds(200))
        }
    }

    mutating func restart(_ result: inout CaseResult) async throws {
        let stopped = await gateway.stop()
        result.figures.append(Figure("SIGTERM until all has ended", stopped, "s"))
        var shape = BenchCase.Shape(sessions: 1, window: 1)
        shape.asksForReports = true
        guard let provider = providers[shape.provider.connector] else { throw LoadFailure("the provider is not running") }
        let plan = plan(shape, arrivals: provider.arrivals)
        let start = ContinuousClock.now
        try gateway.launch()
        var connected: LoadGenerator?
        while connected == nil {
            try Task.checkCancellation()
            guard gateway.process?.isRunning == true, ContinuousClock.now - start < .seconds(120) else {
                throw LoadFailure("the gateway does not come back:\n\(gateway.process?.lastWords() ?? "")")
            }
            connected = try? await LoadGenerator.connect(plan)
            if connected == nil { await pause(.milliseconds(20)) }
        }
        guard let generator = connected else { return }
        do {
            try await generator.run(LoadOrder(messages: 1, waitsForAnswersOnly: true))
            result.figures.append(
                Figure("`signalbox up` until a message is accepted", (ContinuousClock.now - start) / .seconds(1), "s", aim: .below(5)))
            try await generator.run(LoadOrder(messages: 0))
            let state = try await generator.state()
            note(Audit(state.book, sessionsLost: state.sessionsLost), &result)
            sent(state.book.sent)
            try await gateway.waitHealthy()
            result.figures.append(Figure("until all is healthy", (ContinuousClock.now - start) / .seconds(1), "s"))
        } catch {
            await generator.close()
            throw error
        }
        await generator.close()
    }
}
