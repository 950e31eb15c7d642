/// EMG's SATPOOL: numbers that stand in for senders which a phone could not answer to.
///
/// The sender of a message is replaced by a number of the pool; an answer to that number, from the phone that the message went to, finds
/// the sender again (EMG-REFERENCE 5.6).
public struct SourcePool: Sendable, Hashable {
    public struct Range: Sendable, Hashable {
        public var first: UInt64
        public var last: UInt64
        /// Digits of a number: leading zeros are kept.
        public var digits: Int

        /// `46700000000-46700000099`, or one number.
        public init?(_ text: String) {
            let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { NumberRules.withoutPlus(String($0)) }
            guard (1...2).contains(ends.count), let low = ends.first, let high = ends.last,
                ends.allSatisfy({ NumberRules.isDigits($0) && $0.utf8.count <= NumberPrefix.maxDigits }),
                low.utf8.count == high.utf8.count, let first = UInt64(low), let last = UInt64(high), first <= last
            else { return nil }
            self.first = first
            self.last = last
            digits = low.utf8.count
        }

        var count: UInt64 { last - first + 1 }

        func contains(_ digits: Substring) -> Bool {
            guard digits.utf8.count == self.digits, let number = UInt64(digits) else { return false }
            return (first...last).contains(number)
        }

        func number(_ index: UInt64) -> String {
            let text = String(first + index)
            return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
        }
    }

    /// EXPIRE: how long an answer is waited for where the section does not say.
    public static let defaultExpirySeconds = 7 * 86_400

    public var name: String
    public var ranges: [Range]
    /// THREADED: one number for all messages of a sender to a phone, so that the phone shows them as a conversation.
    public var isThreaded: Bool
    /// RANDOM: any free number instead of the first.
    public var isRandom: Bool
    /// IGNORE_DESTADDR: a number is given to one sender at a time, whatever the phone; anybody may answer to it.
    public var ignoresDestination: Bool
    public var expirySeconds: Int
    /// QUOTED_REPLY: an answer carries the text that it answers, each line behind `> `.
    public var quotesReplies = false

    public init(
        name: String, ranges: [Range], isThreaded: Bool = false, isRandom: Bool = false, ignoresDestination: Bool = false,
        expirySeconds: Int = SourcePool.defaultExpirySeconds
    ) {
        self.name = name
        self.ranges = ranges
        self.isThreaded = isThreaded
        self.isRandom = isRandom
        self.ignoresDestination = ignoresDestination
        self.expirySeconds = expirySeconds
    }

    public var count: UInt64 { ranges.reduce(0) { $0 &+ $1.count } }

    public func contains(_ number: String) -> Bool {
        let digits = NumberRules.withoutPlus(number)
        return ranges.contains { $0.contains(digits) }
    }

    func number(_ index: UInt64) -> String? {
        var index = index
        for range in ranges {
            if index < range.count { return range.number(index) }
            index -= range.count
        }
        return nil
    }

    /// A number that is not in `taken`, in at most as many steps as there are taken ones.
    /// - Parameter seed: what a random choice is drawn from; the same seed, the same number.
    /// - Returns: `nil` where all are taken.
    public func free(besides taken: Set<String>, seed: UInt64) -> String? {
        let total = count
        guard total > 0 else { return nil }
        let start = isRandom ? UInt64(RouteShare.draw(seed, below: Int(clamping: total))) : 0
        for step in 0...UInt64(taken.count) where step < total {
            if let number = number((start + step) % total), !taken.contains(number) { return number }
        }
        return nil
    }

    /// Of a text so much is quoted: more than a phone shows at once helps nobody.
    static let maxQuote = 500

    /// `answer` with the text that it answers below it.
    public static func quoting(_ text: String, in answer: String) -> String {
        var quoted = String(text.prefix(maxQuote))
        if quoted.count < text.count { quoted += " …" }
        let lines = quoted.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { "> \($0)" }
        return ([answer, ""] + lines).joined(separator: "\n")
    }

    /// How a phone is known: digits of an international number, whichever way they were written. Empty where the pool ignores it.
    public func phoneKey(_ number: String) -> String {
        guard !ignoresDestination else { return "" }
        let digits = NumberRules.withoutPlus(number)
        return String(digits.hasPrefix("00") ? digits.dropFirst(2) : digits)
    }
}
