import Synchronization

/// What the bus counts, for all its clients in this process together. ServiceKit shows it to Prometheus.
public enum BusMetrics {
    /// A number that only rises.
    public final class Counter: Sendable {
        /// Prometheus name.
        public let name: String
        public let help: String
        private let value = Atomic<Int>(0)

        init(_ name: String, _ help: String) {
            self.name = name
            self.help = help
        }

        func add(_ count: Int = 1) { value.add(count, ordering: .relaxed) }
        public var current: Int { value.load(ordering: .relaxed) }
    }

    static let produced = Counter("signalbox_bus_produced_total", "Records that were sent to the broker and settled, well or not.")
    static let acknowledged = Counter(
        "signalbox_bus_acknowledged_total", "Records that the broker has kept: acknowledged one by one, or by their transaction's commit.")
    static let failed = Counter("signalbox_bus_failed_total", "Records that the broker did not take.")
    static let consumed = Counter("signalbox_bus_consumed_total", "Records that were read.")
    static let committed = Counter("signalbox_bus_transactions_committed_total", "Transactions that were committed.")
    static let aborted = Counter("signalbox_bus_transactions_aborted_total", "Transactions that were aborted.")
    static let deadLetters = Counter("signalbox_bus_dead_letters_total", "Records that could not be processed.")
    static let restarts = Counter("signalbox_bus_stage_restarts_total", "Times that a stage made its clients anew after an error.")

    public static let all = [produced, acknowledged, failed, consumed, committed, aborted, deadLetters, restarts]
}
