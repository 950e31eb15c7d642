/// Reads a CSV text (RFC 4180) whose first line names the columns. Pure.
///
/// Fields are separated by commas, semicolons or tabs, whichever the first line has; they may be quoted, with quotes doubled inside.
/// Lines may end in CR LF or LF. A byte order mark is passed over; empty lines are too.
public struct CSVTable: Sendable {
    public struct Record: Sendable {
        /// In the text, from 1.
        public var line: Int
        public var fields: [String]
    }

    /// Lower case, without blanks around them.
    public private(set) var columns: [String] = []
    public private(set) var records: [Record] = []
    public private(set) var faults: [LineFault] = []

    public init(_ text: [UInt8]) {
        var bytes = text[...]
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        let separator = Self.separator(bytes)
        var line = 1
        var start = 1
        var field: [UInt8] = []
        var fields: [String] = []
        var inQuotes = false
        var wasQuoted = false
        var index = bytes.startIndex

        func endField() {
            fields.append(String(decoding: field, as: UTF8.self))
            field.removeAll(keepingCapacity: true)
            wasQuoted = false
        }
        func endRecord() {
            let isEmpty = fields.isEmpty && field.isEmpty && !wasQuoted
            if !isEmpty {
                endField()
                take(Record(line: start, fields: fields))
                fields.removeAll(keepingCapacity: true)
            }
            start = line
        }

        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            if inQuotes {
                if byte == UInt8(ascii: "\"") {
                    if index < bytes.endIndex, bytes[index] == byte {
                        field.append(byte)
                        index += 1
                    } else {
                        inQuotes = false
                    }
                } else {
                    if byte == UInt8(ascii: "\n") { line += 1 }
                    field.append(byte)
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\"") where field.isEmpty && !wasQuoted:
                inQuotes = true
                wasQuoted = true
            case separator: endField()
            case UInt8(ascii: "\r") where index < bytes.endIndex && bytes[index] == UInt8(ascii: "\n"): continue
            case UInt8(ascii: "\n"):
                line += 1
                endRecord()
            default: field.append(byte)
            }
        }
        if inQuotes { faults.append(LineFault(line: start, what: "a quoted field does not end")) }
        endRecord()
        if columns.isEmpty { faults.append(LineFault(line: 1, what: "the first line names the columns, and there is none")) }
    }

    private mutating func take(_ record: Record) {
        guard !columns.isEmpty else {
            columns = record.fields.map { field in
                String(field.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()).lowercased()
            }
            for (index, column) in columns.enumerated() where columns[..<index].contains(column) {
                faults.append(LineFault(line: record.line, what: "the column \(column) is there twice"))
            }
            return
        }
        if record.fields.count == columns.count {
            records.append(record)
        } else {
            faults.append(
                LineFault(line: record.line, what: "\(record.fields.count) fields, where the first line names \(columns.count) columns"))
        }
    }

    private static func separator(_ bytes: ArraySlice<UInt8>) -> UInt8 {
        let first = bytes.prefix { $0 != UInt8(ascii: "\n") }
        let candidates = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
        return candidates.max { left, right in first.count { $0 == left } < first.count { $0 == right } } ?? candidates[0]
    }
}

/// What is wrong with a line of an imported file.
public struct LineFault: Sendable, Equatable, Encodable, CustomStringConvertible {
    /// From 1.
    public var line: Int
    public var what: String

    public init(line: Int, what: String) {
        self.line = line
        self.what = what
    }

    public var description: String { "line \(line): \(what)" }
}
