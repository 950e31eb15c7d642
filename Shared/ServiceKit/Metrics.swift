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

/// All counters of the process, as Prometheus reads them (text format 0.0.4).
public enum Metrics {
    private static let counters = Mutex<[Counter]>([])

    static func register(_ counter: Counter) { counters.withLock { $0.append(counter) } }

    static func text() -> String {
        counters.withLock { $0 }.sorted { $0.name < $1.name }
            .map { "# HELP \($0.name) \($0.help)\n# TYPE \($0.name) counter\n\($0.name) \($0.current)\n" }
            .joined()
    }
}
