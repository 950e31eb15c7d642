/// EMG's REGEXP (EMG-REFERENCE 3.6 gives the name only; docs/routing.md describes ours): rewrites a number or a name by a regular
/// expression, `/pattern/replacement/`, with `$1` or `${1}` for a group.
public struct AddressRewrite: Sendable, Hashable {
    public enum Field: String, Sendable, CaseIterable {
        case source = "SOURCEADDR"
        case destination = "DESTADDR"
    }

    /// What would not fit any protocol's address is not written.
    static let maxOctets = 40

    public var field: Field
    /// As written, without the field.
    public var text: String
    private var pattern: BodyPattern
    private var replacement: String

    /// What is wrong with a rewrite, in words.
    public struct Fault: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// - Parameter text: `[SOURCEADDR:|DESTADDR:]/pattern/replacement/`; DESTADDR where no field is named. Any sign that is no letter,
    ///   digit or blank may stand for the slash.
    public init(_ text: String) throws(Fault) {
        var rest = text[...]
        field = .destination
        for candidate in Field.allCases where rest.uppercased().hasPrefix(candidate.rawValue + ":") {
            field = candidate
            rest = rest.dropFirst(candidate.rawValue.count + 1)
        }
        self.text = String(rest)
        guard let sign = rest.first, !sign.isLetter, !sign.isNumber, !sign.isWhitespace, sign != "\\" else { throw Self.shape }
        let parts = rest.dropFirst().split(separator: sign, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts[2].isEmpty, !parts[0].isEmpty else { throw Self.shape }
        do { pattern = try BodyPattern(parts[0]) } catch { throw Fault(description: error.description) }
        replacement = parts[1]
        // A group that is not there is found out now and not at a message.
        if let problem = pattern.problem(ofReplacement: replacement) { throw Fault(description: problem) }
    }

    private static let shape = Fault(description: "write [SOURCEADDR:]/pattern/replacement/, such as /^00//")

    /// The first place that fits is replaced; an address in which none does stays as it is.
    func apply(_ address: String) -> String {
        guard let rewritten = pattern.replacing(in: address, with: replacement, maxOctets: Self.maxOctets), !rewritten.isEmpty else {
            return address
        }
        return rewritten
    }

    public static func == (left: AddressRewrite, right: AddressRewrite) -> Bool { left.field == right.field && left.text == right.text }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(field)
        hasher.combine(text)
    }
}
