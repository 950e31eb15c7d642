import LoadModel

/// Milliseconds below which 50, 95 and 99 of a hundred lie.
struct Percentiles: Encodable, Sendable {
    var p50: Double
    var p95: Double
    var p99: Double

    /// - Returns: nil where nothing was recorded.
    init?(_ histogram: LatencyHistogram) {
        guard let p50 = histogram.milliseconds(at: 0.5), let p95 = histogram.milliseconds(at: 0.95),
            let p99 = histogram.milliseconds(at: 0.99)
        else { return nil }
        self.p50 = p50
        self.p95 = p95
        self.p99 = p99
    }
}

/// One figure that only some cases have, and what is aimed at.
struct Figure: Encodable, Sendable {
    enum Aim: Sendable {
        case atLeast(Double)
        case below(Double)
    }

    var name: String
    var value: Double
    var unit: String
    var aim: Double?
    var isReached: Bool?

    enum CodingKeys: String, CodingKey {
        case name, value, unit, aim
        case isReached = "is_reached"
    }

    init(_ name: String, _ value: Double, _ unit: String, aim: Aim? = nil) {
        self.name = name
        self.value = value
        self.unit = unit
        switch aim {
        case .atLeast(let least):
            self.aim = least
            isReached = value >= least
        case .below(let bound):
            self.aim = bound
            isReached = value < bound
        case nil: break
        }
    }
}

/// What one case came to. Rates are per second, memory in MiB, CPU in seconds for 1,000 accepted messages.
struct CaseResult: Encodable, Sendable {
    var name: String
    var title: String
    /// Of the whole case, waiting included.
    var seconds = 0.0
    var messages = 0
    var refused = 0
    var acceptedPerSecond: Double?
    /// Accepted, and the client has its final report; without reports: the provider has it.
    var endToEndPerSecond: Double?
    var answerMilliseconds: Percentiles?
    var toProviderMilliseconds: Percentiles?
    var toReportMilliseconds: Percentiles?
    /// By process, the load's and the provider's own too; `gateway` is all but those two.
    var cpuSecondsPer1000: [String: Double] = [:]
    var peakMemoryMiB: [String: Double] = [:]
    var diskBytesPerMessage: [String: Double] = [:]
    var duplicates = 0
    var losses = 0
    var figures: [Figure] = []
    /// What the audit found; empty when all books agree.
    var faults: [String] = []

    enum CodingKeys: String, CodingKey {
        case name, title, seconds, messages, refused, duplicates, losses, figures, faults
        case acceptedPerSecond = "accepted_per_second"
        case endToEndPerSecond = "end_to_end_per_second"
        case answerMilliseconds = "answer_ms"
        case toProviderMilliseconds = "to_provider_ms"
        case toReportMilliseconds = "to_report_ms"
        case cpuSecondsPer1000 = "cpu_seconds_per_1000"
        case peakMemoryMiB = "peak_memory_mib"
        case diskBytesPerMessage = "disk_bytes_per_message"
    }

    init(_ benchCase: BenchCase) {
        name = benchCase.name
        title = benchCase.title
    }
}

/// A whole run.
struct BenchResult: Encodable, Sendable {
    /// ISO 8601, UTC.
    var started: String
    var seconds = 0.0
    var isQuick: Bool
    var isDebugBuild: Bool
    var cores: Int
    /// The machine's load average of a minute before the first case: on a busy machine compare only within one run.
    var loadBefore: Double
    var cases: [CaseResult] = []
    /// What only several cases together tell.
    var figures: [Figure] = []
    var faults: [String] = []

    enum CodingKeys: String, CodingKey {
        case started, seconds, cores, cases, figures, faults
        case isQuick = "is_quick"
        case isDebugBuild = "is_debug_build"
        case loadBefore = "load_before"
    }

    /// Generator and provider must be able to do three times what the gateway does, or they would be what is measured.
    mutating func compare() {
        for (direct, through) in [("direct", ["reports", "reports-1", "reports-1000"]), ("direct-plain", ["plain"])] {
            guard let own = cases.first(where: { $0.name == direct })?.endToEndPerSecond else { continue }
            let rates = cases.filter { through.contains($0.name) }.compactMap(\.endToEndPerSecond)
            guard let best = rates.max(), best > 0 else { continue }
            figures.append(Figure("\(direct): times the gateway's rate", own / best, "", aim: .atLeast(3)))
        }
        let peak = cases.compactMap { $0.peakMemoryMiB["gateway"] }.max()
        if let peak { figures.append(Figure("memory of all services together, at most", peak, "MiB", aim: .below(1_536))) }
        faults = cases.flatMap { result in result.faults.map { "\(result.name): \($0)" } }
    }
}
