import ArgumentParser
import Foundation
import Pricing
import Store

/// How a command answers: a readable text, or one JSON object.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Answer with one JSON object.")
    var json = false

    /// Prints `value` as JSON, or the text.
    func print(_ value: some Encodable, text: @autoclosure () -> String) throws {
        guard json else { return Swift.print(text()) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

func printError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Rows under headings, in columns as wide as they need.
struct TextTable {
    private var rows: [[String]]
    private let emptyText: String

    /// - Parameter empty: what to say when there is no row.
    init(_ headings: [String], empty: String) {
        rows = [headings]
        emptyText = empty
    }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    var text: String {
        guard rows.count > 1 else { return emptyText }
        let widths = (0..<rows[0].count).map { column in rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            return line
        }.joined(separator: "\n")
    }
}

/// `2026-11-21 09:17:53.123`, UTC.
func timeText(_ milliseconds: Int64?) -> String {
    guard let milliseconds else { return "-" }
    var seconds = time_t(milliseconds / 1_000)
    var parts = tm()
    guard gmtime_r(&seconds, &parts) != nil else { return "-" }
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let fraction = String(milliseconds % 1_000 + 1_000).dropFirst()
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
        + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)"
}

/// Reads an amount of money from the command line.
@Sendable func moneyArgument(_ text: String) throws -> Money {
    do {
        return try Money(parsing: text)
    } catch {
        throw ValidationError("\(text): \(error)")
    }
}

/// Reads `2026-12-31` or `2026-12-31T23:59:59Z` as milliseconds since 1970.
@Sendable func timeArgument(_ text: String) throws -> Int64 {
    let full = text.count == 10 ? text + "T00:00:00Z" : text
    guard let date = try? Date(full, strategy: .iso8601) else {
        throw ValidationError("\(text): write a time as 2026-12-31 or 2026-12-31T23:59:59Z")
    }
    return Int64(date.timeIntervalSince1970 * 1_000)
}

/// Reads a network from the command line.
@Sendable func networkArgument(_ text: String) throws -> IPNetwork {
    if let network = IPNetwork(text) ?? IPNetwork(integers: text) { return network }
    throw ValidationError("\(text): write a network as 192.0.2.0/24 or 2001:db8::/32, or as EMG's integers, 3221225984/24")
}

/// At most so many rows of a list.
func checkLimit(_ limit: Int) throws {
    guard (1...100_000).contains(limit) else { throw ValidationError("--limit lies between 1 and 100000") }
}
