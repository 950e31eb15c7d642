import CLibPQ
public import Pricing

/// Writes the rows of a `COPY ... FROM STDIN` in text format (PostgreSQL 15, COPY, "Text Format").
///
/// Write the columns in order, then `endRow()`. Rows are sent in chunks, so memory stays bounded however many.
public struct CopyWriter: ~Copyable {
    private let handle: OpaquePointer
    private let sql: String
    /// The place in the `SilenceWatch`: making rows is our time, sending them the server's.
    private let watch: (mark: Int, limit: Duration)?
    private var buffer: [UInt8] = []
    private var inRow = false
    /// Large enough that a chunk costs one system call, small enough to stay in the cache.
    private static let chunkOctets = 65_536

    init(handle: OpaquePointer, sql: String, watched watch: (mark: Int, limit: Duration)?) {
        self.handle = handle
        self.sql = sql
        self.watch = watch
        buffer.reserveCapacity(Self.chunkOctets + 8_192)
    }

    private mutating func separate() {
        if inRow { buffer.append(UInt8(ascii: "\t")) }
        inRow = true
    }

    public mutating func null() {
        separate()
        buffer.append(UInt8(ascii: "\\"))
        buffer.append(UInt8(ascii: "N"))
    }

    public mutating func int(_ value: Int64) {
        separate()
        buffer.appendDecimal(value)
    }

    public mutating func int(_ value: Int64?) {
        if let value { int(value) } else { null() }
    }

    public mutating func money(_ value: Money?) {
        guard let value else { return null() }
        separate()
        buffer.appendMoney(value)
    }

    public mutating func bool(_ value: Bool?) {
        guard let value else { return null() }
        separate()
        buffer.append(UInt8(ascii: value ? "t" : "f"))
    }

    /// A NUL, which PostgreSQL's text cannot hold, goes as U+FFFD.
    public mutating func text(_ value: String?) {
        guard let value else { return null() }
        separate()
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): buffer.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\t"): buffer.append(contentsOf: #"\t"#.utf8)
            case UInt8(ascii: "\n"): buffer.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\r"): buffer.append(contentsOf: #"\r"#.utf8)
            case 0: buffer.append(contentsOf: "\u{FFFD}".utf8)
            default: buffer.append(byte)
            }
        }
    }

    public mutating func bytes(_ value: [UInt8]?) {
        guard let value else { return null() }
        separate()
        buffer.append(contentsOf: #"\\x"#.utf8)
        buffer.appendHex(value)
    }

    public mutating func value(_ value: SQLValue) throws(DatabaseError) {
        switch value {
        case .null: null()
        case .int(let int): self.int(int)
        case .text(let text): self.text(text)
        case .bool(let bool): self.bool(bool)
        case .bytes(let bytes): self.bytes(bytes)
        case .numeric(let money): self.money(money)
        case .intArray, .textArray, .moneyArray, .boolArray, .bytesArray:
            throw DatabaseError(kind: .usage, message: "COPY takes no arrays here")
        }
    }

    public mutating func endRow() throws(DatabaseError) {
        buffer.append(UInt8(ascii: "\n"))
        inRow = false
        if buffer.count >= Self.chunkOctets { try flush() }
    }

    mutating func flush() throws(DatabaseError) {
        guard !buffer.isEmpty else { return }
        if let watch { SilenceWatch.shared.begin(watch.mark, limit: watch.limit) }
        defer { if let watch { SilenceWatch.shared.setOurTurn(watch.mark) } }
        let sent = buffer.withUnsafeBytes { bytes in
            PQputCopyData(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
        }
        guard sent == 1 else { throw DatabaseError(connection: handle, sql: sql) }
        buffer.removeAll(keepingCapacity: true)
    }
}
