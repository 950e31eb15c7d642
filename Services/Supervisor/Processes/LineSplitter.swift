/// Cuts a child's output into lines. Holds at most one unfinished line of `limit` bytes; a longer one is cut there.
struct LineSplitter: Sendable {
    /// Longer than any line that an operator reads, shorter than what would hurt.
    static let limit = 16 * 1_024

    private var unfinished: [UInt8] = []

    /// The lines that `bytes` complete, without their ends (`\n` or `\r\n`).
    mutating func received(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in bytes {
            if byte == 0x0a {
                if unfinished.last == 0x0d { unfinished.removeLast() }
                lines.append(unfinished)
                unfinished.removeAll(keepingCapacity: true)
            } else {
                if unfinished.count >= LineSplitter.limit {
                    lines.append(unfinished)
                    unfinished.removeAll(keepingCapacity: true)
                }
                unfinished.append(byte)
            }
        }
        return lines
    }

    /// The child ended: what it left unfinished is its last line.
    mutating func ended() -> [UInt8]? {
        guard !unfinished.isEmpty else { return nil }
        defer { unfinished.removeAll() }
        return unfinished
    }
}
