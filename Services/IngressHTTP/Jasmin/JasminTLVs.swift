/// `custom_tlvs`: a list of `[tag, length, type, value]`, which go to the provider with the message. Source: Jasmin's documentation, "Custom
/// TLV Parameters". Pure.
enum JasminTLVs {
    private static let maxCount = 20
    private static let maxOctets = 1_024
    /// The vendors' range (SMPP 3.4 §5.3.1); what is below has a meaning of its own, and members of its own here.
    private static let tags: ClosedRange<Int64> = 0x1400...0x3FFF

    /// - Returns: options of the message, `TLV:0x1400` with the value in hex.
    static func options(_ parameters: Parameters) throws(Fault) -> [(name: String, value: String)] {
        guard let items = try items(parameters) else { return [] }
        guard items.count <= maxCount else { throw fault("more than \(maxCount) of them") }
        var options: [(name: String, value: String)] = []
        for item in items {
            guard case .array(let fields) = item, fields.count == 4, case .string(let type) = fields[2] else {
                throw fault("each is a list of tag, length or null, type and value")
            }
            guard let tag = number(fields[0]), tags.contains(tag) else { throw fault("a tag is a number from 0x1400 to 0x3FFF") }
            let octets = try octets(type, fields[3])
            switch fields[1] {
            case .null: break
            case .integer(Int64(octets.count)): break
            default: throw fault("a length is null, or that of the value")
            }
            options.append(("TLV:0x" + String(tag, radix: 16, uppercase: true), hexText(octets).uppercased()))
        }
        return options
    }

    /// In a JSON body they are a list; in a form, the same list as JSON text.
    private static func items(_ parameters: Parameters) throws(Fault) -> [JSONValue]? {
        if let items = parameters.tlvs { return items }
        guard let text = parameters.octets("custom_tlvs"), !text.isEmpty else { return nil }
        guard case .array(let items)? = try? JSONParser.parse(text) else { throw fault("they are a list in JSON") }
        return items
    }

    private static func octets(_ type: String, _ value: JSONValue) throws(Fault) -> [UInt8] {
        switch type {
        case "Int1", "Int2", "Int4":
            let width = type == "Int1" ? 1 : type == "Int2" ? 2 : 4
            guard let number = number(value), number >= 0, number < Int64(1) << (width * 8) else {
                throw fault("Invalid integer value for TLV")
            }
            return (0..<width).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        case "OctetString", "COctetString":
            guard case .string(let text) = value, text.utf8.count <= maxOctets else { throw fault("a text is needed for \(type)") }
            return Array(text.utf8) + (type == "COctetString" ? [0] : [])
        default: throw fault("Invalid TLV type: \(type.prefix(30)). Must be one of: Int1, Int2, Int4, OctetString, COctetString")
        }
    }

    /// A number, or a text with one in decimal or after `0x` in hex.
    private static func number(_ value: JSONValue) -> Int64? {
        switch value {
        case .integer(let number): number
        case .string(let text): text.lowercased().hasPrefix("0x") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
        default: nil
        }
    }

    private static func fault(_ why: String) -> Fault { Fault(.badRequest, "Argument [custom_tlvs] has an invalid value: [\(why)].") }
}
