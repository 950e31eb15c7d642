import Bus
import Synchronization

/// A number that only rises, since the start of the process. Its name ends in `_total`.
public final class Counter: Sendable {
    let name: String
    let help: String
    private let value = Atomic<Int>(0)

    /// - Parameters:
    ///   - name: Prometheus name with unit, like `signalbox_submits_total`; label values, where it has any, come from closed lists.
    public init(_ name: String, help: String) {
        self.name = name
        self.help = help
        Metrics.register(self)
    }

    public func add(_ count: Int = 1) { value.add(count, ordering: .relaxed) }
    public var current: Int { value.load(ordering: .relaxed) }
}

/// All counters of the process, the bus's among them, as Prometheus reads them (text format 0.0.4).
public enum Metrics {
    private static let counters = Mutex<[Counter]>([])

    static func register(_ counter: Counter) { counters.withLock { $0.append(counter) } }

    static func text() -> String {
        let own = counters.withLock { $0 }.map { ($0.name, $0.help, $0.current) }
        return (own + BusMetrics.all.map { ($0.name, $0.help, $0.current) }).sorted { $0.0 < $1.0 }
            .map { "# HELP \($0) \($1)\n# TYPE \($0) counter\n\($0) \($2)\n" }
            .joined()
    }
}
