public import Foundation

/// What `signalbox bench` was asked to do.
public struct BenchOptions: Sendable {
    /// Only these cases; empty: all.
    public var cases: [String]
    /// How long a case sends; some take half or twice of it.
    public var seconds: Double
    /// Messages of the backlog.
    public var backlog: Int
    public var isQuick: Bool
    /// Where everything is kept meanwhile; nil: a temporary directory that is removed at the end.
    public var directory: String?

    public static let quickSeconds = 4.0
    public static let fullSeconds = 30.0
    public static let quickBacklog = 30_000
    public static let fullBacklog = 1_000_000

    public init(cases: [String] = [], seconds: Double? = nil, backlog: Int? = nil, isQuick: Bool = false, directory: String? = nil) {
        self.cases = cases
        self.seconds = seconds ?? (isQuick ? Self.quickSeconds : Self.fullSeconds)
        self.backlog = backlog ?? (isQuick ? Self.quickBacklog : Self.fullBacklog)
        self.isQuick = isQuick
        self.directory = directory
    }

    /// What is wrong with them, in words; empty when nothing is.
    public func validate() -> [String] {
        let known = Bench.caseNames
        var faults = cases.filter { !known.contains($0) }.map { "there is no case \($0); there are \(known.joined(separator: ", "))" }
        if !(1...3_600).contains(seconds) { faults.append("--seconds lies between 1 and 3600") }
        if !(1_000...50_000_000).contains(backlog) { faults.append("--backlog lies between 1000 and 50000000") }
        return faults
    }
}

/// `signalbox bench`: a gateway of its own, driven and measured, and its books audited after each case.
public enum Bench {
    public static var caseNames: [String] { BenchCase.all.map(\.name) }

    /// What a run came to.
    public struct Report: Sendable {
        /// A table for people.
        public let text: String
        /// One object.
        public let json: Data
        /// Whether every audit found all books in agreement.
        public let isGood: Bool
    }

    /// Runs the cases one after the other, in the order in which they are listed.
    /// - Parameter say: told what is being done.
    /// - Throws: what kept the gateway, the provider or the load from running; everything is stopped by then.
    public static func run(_ options: BenchOptions, say: @escaping @Sendable (String) -> Void) async throws -> Report {
        let cases = BenchCase.all.filter { options.cases.isEmpty || options.cases.contains($0.name) }
        let place = try options.directory ?? temporaryDirectory()
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        defer { if options.directory == nil { try? FileManager.default.removeItem(atPath: place) } }

        var runner = try BenchRunner(options: options, directory: place, say: say)
        var result = BenchResult(
            started: Date().ISO8601Format(), isQuick: options.isQuick, isDebugBuild: isDebugBuild,
            cores: ProcessInfo.processInfo.activeProcessorCount, loadBefore: loadAverage())
        let start = ContinuousClock.now
        do {
            for one in cases {
                try Task.checkCancellation()
                result.cases.append(try await runner.run(one))
            }
        } catch {
            await runner.close()
            throw error
        }
        await runner.close()
        result.seconds = (ContinuousClock.now - start) / .seconds(1)
        result.compare()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Report(text: ResultTable.text(result), json: try encoder.encode(result), isGood: result.faults.isEmpty)
    }

    private static func temporaryDirectory() throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/signalbox-bench-\(ProcessInfo.processInfo.processIdentifier)"
        // PostgreSQL may run as another user, who must be able to pass through.
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        return path
    }

    private static func loadAverage() -> Double {
        var averages = [0.0, 0.0, 0.0]
        return getloadavg(&averages, 3) > 0 ? averages[0] : 0
    }

    private static var isDebugBuild: Bool {
        #if DEBUG
            true
        #else
            false
        #endif
    }
}
