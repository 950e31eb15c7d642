import Charset
import Configuration

/// The parameters of a query or a form (application/x-www-form-urlencoded), in their order. Values are octets: in which character set
/// they are, another parameter may say.
struct Parameters: Sendable, Equatable {
    private struct Entry: Equatable {
        var name: String
        var value: [UInt8]
    }

    private var entries: [Entry] = []
    /// A list in a JSON body, which no form can hold.
    var tlvs: [JSONValue]?

    init() {}

    init(_ text: some Sequence<UInt8>) { append(text) }

    mutating func append(_ text: some Sequence<UInt8>) {
        var name: [UInt8] = []
        var value: [UInt8] = []
        var isValue = false
        func finish(_ entries: inout [Entry]) {
            if !name.isEmpty || isValue {
                entries.append(
                    Entry(name: String(decoding: Parameters.unescape(name), as: UTF8.self).lowercased(), value: Parameters.unescape(value)))
            }
            name.removeAll(keepingCapacity: true)
            value.removeAll(keepingCapacity: true)
            isValue = false
        }
        for byte in text {
            if byte == UInt8(ascii: "&") {
                finish(&entries)
            } else if byte == UInt8(ascii: "="), !isValue {
                isValue = true
            } else if isValue {
                value.append(byte)
            } else {
                name.append(byte)
            }
        }
        finish(&entries)
    }

    /// Adds a value that needs no unescaping; of a name that is there twice the later value counts.
    mutating func set(_ name: String, _ value: [UInt8]) { entries.append(Entry(name: name.lowercased(), value: value)) }

    /// In a query or a form `+` is a blank; a percent sign that no two hex digits follow stands for itself.
    static func unescape(_ text: [UInt8], plusIsBlank: Bool = true) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "%"), index + 2 < text.count, let high = hexDigit(text[index + 1]), let low = hexDigit(text[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(byte == UInt8(ascii: "+") && plusIsBlank ? 0x20 : byte)
                index += 1
            }
        }
        return result
    }

    /// Names in small letters: how a parameter is written does not matter to any interface.
    var names: [String] { entries.map(\.name) }

    func octets(_ name: String) -> [UInt8]? { entries.last { $0.name == name }?.value }
    func text(_ name: String) -> String? { octets(name).map { String(decoding: $0, as: UTF8.self) } }
    func texts(_ name: String) -> [String] { entries.filter { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) } }

    /// The first of several names under which a thing may be given.
    func text(anyOf names: String...) -> String? {
        for name in names { if let text = text(name) { return text } }
        return nil
    }
}

extension HTTPServerOptions.Charset {
    func decode(_ octets: [UInt8]) -> String {
        switch self {
        case .utf8: String(decoding: octets, as: UTF8.self)
        case .latin1: Latin1.decode(octets)
        case .ucs2: UCS2.decode(octets)
        }
    }
}
