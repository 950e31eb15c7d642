/// What a route makes of the numbers that the provider is given. The message itself keeps its own: prices, reports and the log use those.
public struct NumberTranslation: Sendable, Hashable {
    /// Leading digits of the destination to take off.
    public var strip: Int
    /// Put before what is left.
    public var add: String
    /// The sender instead of the message's own.
    public var source: String?

    public init(strip: Int = 0, add: String = "", source: String? = nil) {
        self.strip = strip
        self.add = add
        self.source = source
    }

    func destination(_ number: String) -> String {
        guard strip > 0 || !add.isEmpty else { return number }
        let digits = NumberRules.withoutPlus(number)
        guard NumberRules.isDigits(digits) else { return number }
        return add + digits.dropFirst(strip)
    }
}

/// How a connector writes numbers: applied to the destination of what comes in over an incoming connector (before its route is sought)
/// and of what goes out over an outgoing one.
///
/// In this order: of NORMALIZE the longest prefix that fits is replaced; of REMOVEPREFIX the longest that fits is taken off; what does
/// not begin with REQUIREPREFIX gets it in front. Only numbers are changed, a name stays as it is. Then each REGEXP, in the order of the
/// lines; they change senders too, and names.
public struct NumberRules: Sendable, Hashable {
    public struct Replacement: Sendable, Hashable {
        public var from: String
        public var to: String

        public init(from: String, to: String) {
            self.from = from
            self.to = to
        }
    }

    public var replacements: [Replacement]
    public var removed: [String]
    public var required: String?
    /// REGEXP
    public var rewrites: [AddressRewrite] = []

    public init(replacements: [Replacement] = [], removed: [String] = [], required: String? = nil) {
        self.replacements = replacements
        self.removed = removed
        self.required = required
    }

    public var isEmpty: Bool { hasNoPrefixes && rewrites.isEmpty }
    private var hasNoPrefixes: Bool { replacements.isEmpty && removed.isEmpty && required == nil }

    /// - Parameter number: a destination.
    public func apply(_ number: String) -> String { rewrite(translate(number), .destination) }

    /// - Parameter source: a sender: only REGEXP says something of it.
    public func applyToSource(_ source: String) -> String { rewrite(source, .source) }

    private func rewrite(_ address: String, _ field: AddressRewrite.Field) -> String {
        rewrites.reduce(address) { $1.field == field ? $1.apply($0) : $0 }
    }

    private func translate(_ number: String) -> String {
        guard !hasNoPrefixes, Self.isDigits(Self.withoutPlus(number)) else { return number }
        var number = number
        let fitting = replacements.filter { number.hasPrefix($0.from) }
        if let best = fitting.max(by: { $0.from.utf8.count < $1.from.utf8.count }) {
            number = best.to + number.dropFirst(best.from.count)
        }
        if let longest = removed.filter({ number.hasPrefix($0) }).max(by: { $0.utf8.count < $1.utf8.count }) {
            number.removeFirst(longest.count)
        }
        if let required, !number.hasPrefix(required) { number = required + number }
        return number
    }

    static func withoutPlus(_ number: String) -> Substring { number.utf8.first == UInt8(ascii: "+") ? number.dropFirst() : number[...] }

    static func isDigits(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) } }
}
