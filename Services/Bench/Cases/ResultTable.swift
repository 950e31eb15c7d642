/// The results as text for a terminal or a page of documentation.
enum ResultTable {
    static func text(_ result: BenchResult) -> String {
        var parts: [String] = []
        let measured = result.cases.filter { $0.messages > 0 }
        if !measured.isEmpty {
            parts.append(columns([heading] + measured.map(row)))
            parts.append(
                "CPU milliseconds for 1,000 messages, by process\n" + columns(processes(measured, \.cpuSecondsPer1000, scale: 1_000)))
            parts.append("Memory at most, MiB, by process\n" + columns(processes(result.cases, \.peakMemoryMiB, scale: 1)))
            parts.append("Bytes written for a message, by process\n" + columns(processes(measured, \.diskBytesPerMessage, scale: 1)))
        }
        let figures = result.cases.flatMap { one in one.figures.map { (one.name, $0) } } + result.figures.map { ("", $0) }
        if !figures.isEmpty {
            parts.append(
                columns(
                    [["case", "figure", "value", "aim", ""]]
                        + figures.map { name, figure in
                            [
                                name, figure.name, number(figure.value) + (figure.unit.isEmpty ? "" : " " + figure.unit),
                                figure.aim.map(number) ?? "-", figure.isReached.map { $0 ? "reached" : "missed" } ?? "",
                            ]
                        }))
        }
        parts.append(result.faults.isEmpty ? "All books agree." : "The books do NOT agree:\n" + result.faults.map { "  \($0)\n" }.joined())
        if result.isDebugBuild { parts.append("ATTENTION: this is a debug build; its figures say nothing about a release.") }
        return parts.joined(separator: "\n")
    }

    private static let heading = [
        "case", "messages", "accepted/s", "end to end/s", "answer ms 50/95/99 %", "to provider ms", "to report ms", "CPU s/1,000", "MiB",
        "disk B",
        "doubled", "lost", "books",
    ]

    private static func row(_ one: CaseResult) -> [String] {
        func times(_ percentiles: Percentiles?) -> String {
            percentiles.map { "\(number($0.p50))/\(number($0.p95))/\(number($0.p99))" } ?? "-"
        }
        return [
            one.name, number(Double(one.messages)), one.acceptedPerSecond.map(number) ?? "-", one.endToEndPerSecond.map(number) ?? "-",
            times(one.answerMilliseconds), times(one.toProviderMilliseconds), times(one.toReportMilliseconds),
            one.cpuSecondsPer1000["gateway"].map(number) ?? "-", one.peakMemoryMiB["gateway"].map(number) ?? "-",
            one.diskBytesPerMessage["gateway"].map(number) ?? "-", "\(one.duplicates)", "\(one.losses)",
            one.faults.isEmpty ? "agree" : "DIFFER",
        ]
    }

    /// The gateway's processes first, then its sum, then the two that are no part of it.
    static let order = [
        "ingress-smpp", "ingress-http", "router", "billing", "egress-smpp", "dlr-matcher", "routelog", "delay", "broker", "postgresql",
        "up", "gateway", "provider", "load",
    ]

    private static func processes(_ cases: [CaseResult], _ path: KeyPath<CaseResult, [String: Double]>, scale: Double) -> [[String]] {
        let rows = cases.filter { !$0[keyPath: path].isEmpty }
        let known = Set(rows.flatMap { $0[keyPath: path].keys })
        let names = order.filter(known.contains) + known.subtracting(order).sorted()
        return [["case"] + names] + rows.map { one in [one.name] + names.map { one[keyPath: path][$0].map { number($0 * scale) } ?? "-" } }
    }

    /// Three figures that matter, thousands with a comma.
    static func number(_ value: Double) -> String {
        let size = value.magnitude
        if size < 100, value != value.rounded() {
            let factor = size < 1 ? 1_000.0 : size < 10 ? 100.0 : 10.0
            return "\((value * factor).rounded() / factor)"
        }
        guard size < 1e15 else { return "\(value)" }
        var digits = "\(Int64(size.rounded()))"
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
            place -= 3
        }
        return (value < 0 ? "-" : "") + digits
    }

    static func columns(_ rows: [[String]]) -> String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? cell + space : space + cell) + (column < row.count - 1 ? "  " : "")
            }
            return line + "\n"
        }.joined()
    }
}
