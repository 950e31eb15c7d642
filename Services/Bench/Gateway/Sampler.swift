import Foundation
import Synchronization

/// Looks at the gateway's memory every two seconds while a case runs, and keeps the most that it saw.
final class MemorySampler: Sendable {
    private static let interval = Duration.seconds(2)

    private let peaks = Mutex<[String: Int]>([:])
    private let task: Mutex<Task<Void, Never>?>

    /// - Parameter pids: asked at each look.
    init(_ pids: @escaping @Sendable () -> [String: Int32]) {
        task = Mutex(nil)
        let running = Task { [self] in
            while !Task.isCancelled {
                note(GatewaySample.take(pids()))
                try? await Task.sleep(for: Self.interval)
            }
        }
        // Ended, and awaited, by `stop`.
        task.withLock { $0 = running }
    }

    func note(_ sample: GatewaySample) {
        peaks.withLock { peaks in
            for (name, figures) in sample.processes { peaks[name] = max(peaks[name] ?? 0, figures.memoryBytes) }
            let sum = sample.total(without: GatewaySample.others).memoryBytes
            peaks["gateway"] = max(peaks["gateway"] ?? 0, sum)
        }
    }

    /// - Returns: MiB by process; `gateway` is the most that all together had at one moment.
    func stop() async -> [String: Double] {
        let running = task.withLock { task in
            defer { task = nil }
            return task
        }
        running?.cancel()
        await running?.value
        return peaks.withLock { $0.mapValues { Double($0) / 1_048_576 } }
    }
}

extension GatewaySample {
    /// The processes that are no part of the gateway.
    static let others: Set<String> = ["provider", "load"]
}
