import Foundation

/// What the kernel says of a process: its time, its memory, what it wrote. The readers are pure; `ProcessFigures.read` asks /proc.
struct ProcessFigures: Sendable, Equatable {
    /// User and system time, that of children that ended included.
    var cpuSeconds = 0.0
    /// Its share of the memory: pages that several processes have count as much for each as there are fewer of them (Pss).
    var memoryBytes = 0
    /// What it made dirty in files, less what was deleted before it reached the disk.
    var writtenBytes = 0

    static func + (left: ProcessFigures, right: ProcessFigures) -> ProcessFigures {
        ProcessFigures(
            cpuSeconds: left.cpuSeconds + right.cpuSeconds, memoryBytes: left.memoryBytes + right.memoryBytes,
            writtenBytes: left.writtenBytes + right.writtenBytes)
    }

    /// proc(5), `/proc/PID/stat`: parent, and utime, stime, cutime and cstime in ticks.
    static func parse(stat: String) -> (parent: Int32, ticks: Int)? {
        // The name before it may hold anything, brackets too.
        guard let bracket = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: bracket)...].split(separator: " ")
        guard fields.count > 14, let parent = Int32(fields[1]) else { return nil }
        return (parent, fields[11...14].reduce(0) { $0 + (Int($1) ?? 0) })
    }

    /// A number behind its name, as in `Pss:  1234 kB` or `write_bytes: 5`.
    static func number(_ name: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            return line.dropFirst(name.count + 1).split(separator: " ").first.flatMap { Int($0) }
        }
        return nil
    }

    /// - Returns: nil where there is no such process any more.
    static func read(_ pid: Int32, memory: Bool = true) -> ProcessFigures? {
        guard let stat = text("/proc/\(pid)/stat").flatMap(parse(stat:)) else { return nil }
        var figures = ProcessFigures()
        figures.cpuSeconds = Double(stat.ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
        if let io = text("/proc/\(pid)/io") {
            figures.writtenBytes = max(0, (number("write_bytes", in: io) ?? 0) - (number("cancelled_write_bytes", in: io) ?? 0))
        }
        if memory, let rollup = text("/proc/\(pid)/smaps_rollup") { figures.memoryBytes = (number("Pss", in: rollup) ?? 0) * 1_024 }
        return figures
    }

    /// Ids of the living processes whose parent is `parent`.
    static func children(of parent: Int32) -> [Int32] {
        let all = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
        return all.filter { text("/proc/\($0)/stat").flatMap(parse(stat:))?.parent == parent }
    }

    private static func text(_ path: String) -> String? {
        // Sizes in /proc are 0, so the file is read to its end and not to its size.
        guard let handle = FileHandle(forReadingAtPath: path), let data = try? handle.readToEnd() else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}

/// The gateway's processes at one moment, by name; PostgreSQL's children count into `postgresql`.
struct GatewaySample: Sendable {
    var processes: [String: ProcessFigures] = [:]
    /// Process ids by name: another one later means that a process ended.
    var pids: [String: Int32] = [:]

    static func take(_ pids: [String: Int32], memory: Bool = true) -> GatewaySample {
        var sample = GatewaySample(pids: pids)
        for (name, pid) in pids {
            var figures = ProcessFigures.read(pid, memory: memory) ?? ProcessFigures()
            if name == "postgresql" {
                for child in ProcessFigures.children(of: pid) {
                    figures = figures + (ProcessFigures.read(child, memory: memory) ?? .init())
                }
            }
            sample.processes[name] = figures
        }
        return sample
    }

    /// Of all processes but the provider, the load and whoever else is no part of the gateway.
    func total(without others: Set<String>) -> ProcessFigures {
        processes.filter { !others.contains($0.key) }.values.reduce(ProcessFigures(), +)
    }
}
