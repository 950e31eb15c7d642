/// A text with `${NAME}` in it, which stands for something of the message.
///
/// `${NAME|filter|escape}` changes the value on its way: `digits`, `plus`, `hex`, `ucs2`, `base64`, then at most one of `raw`, `url`,
/// `form`, `json`, `xml`, `header`. Without an escape that of the place where the template stands is used, so that no text of a
/// sender can become anything else than a value. `$${` is a `${` that stands for itself.
/// Source: docs/http-providers.md, "Templates".
public struct Template: Sendable, Equatable {
    private enum Piece: Sendable, Equatable {
        case literal(String)
        case value(MessageField, [ValueFilter], Escape)
    }

    /// Longest text of a template.
    static let maxOctets = 16_384

    public let text: String
    private let pieces: [Piece]

    /// - Parameter place: how values are escaped that say nothing of it.
    /// - Throws: what is wrong with it, such as a name that no message has.
    public init(_ text: String, place: Escape) throws(ProviderFault) {
        guard text.utf8.count <= Template.maxOctets else { throw ProviderFault("a template has at most \(Template.maxOctets) octets") }
        self.text = text
        var pieces: [Piece] = []
        var literal = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            literal += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.hasPrefix("${") {
                literal += "${"
                rest = rest.dropFirst(2)
            } else if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}") else { throw ProviderFault("${ without its }") }
                if !literal.isEmpty { pieces.append(.literal(literal)) }
                literal = ""
                pieces.append(try Template.value(rest[rest.index(after: rest.startIndex)..<end], place))
                rest = rest[rest.index(after: end)...]
            } else {
                literal += "$"
            }
        }
        literal += rest
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        self.pieces = pieces
    }

    private static func value(_ text: Substring, _ place: Escape) throws(ProviderFault) -> Piece {
        let words = text.split(separator: "|", omittingEmptySubsequences: false)
        let field = try MessageField(name: words.first ?? "")
        var filters: [ValueFilter] = []
        var escape: Escape?
        for word in words.dropFirst() {
            guard escape == nil else { throw ProviderFault("nothing comes after the escape in ${\(text)}") }
            if let filter = ValueFilter(rawValue: String(word)) {
                filters.append(filter)
            } else if let own = Escape(rawValue: String(word)) {
                escape = own
            } else {
                let known = (ValueFilter.allCases.map(\.rawValue) + Escape.allCases.map(\.rawValue)).joined(separator: ", ")
                throw ProviderFault("\(word) in ${\(text)} is none of \(known)")
            }
        }
        // Not even on request may a value begin a second header.
        if place == .header { escape = escape == nil || escape == .raw ? .header : escape }
        return .value(field, filters, escape ?? place)
    }

    /// Whether it depends on the message or the connector at all.
    var hasValues: Bool { pieces.contains { if case .value = $0 { true } else { false } } }

    func uses(_ field: MessageField) -> Bool {
        pieces.contains { if case .value(field, _, _) = $0 { true } else { false } }
    }

    /// The text before its first value.
    var beginning: String { if case .literal(let text)? = pieces.first { text } else { "" } }

    func octets(_ values: MessageValues, _ account: ProviderAccount, _ charset: ProviderCharset) -> [UInt8] {
        var octets: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .literal(let text): octets += charset.octets(text)
            case .value(let field, let filters, let escape):
                let value = filters.reduce(values.text(of: field, for: account)) { $1.apply($0) }
                octets += escape.apply(value, charset)
            }
        }
        return octets
    }
}
