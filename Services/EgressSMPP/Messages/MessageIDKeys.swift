import Configuration
import SMPPMessage
import Store

/// Makes one key of the two spellings of a provider's message id: `1A2B` in its answer, `0000006699` in its receipt. Pure.
///
/// Where the connector says how ids are written, both sides become the same number. Where it does not, an answer's id stays as it is,
/// and a receipt's is looked for among the latest answers, in every way in which the two could be one number. What was found that way
/// holds for ids that are not remembered too; once it has held often enough nothing is remembered any more.
struct MessageIDKeys {
    private typealias Spelling = OutgoingOptions.MessageIDStyle.Spelling

    /// How a receipt's id becomes the answer's.
    typealias Rule = MessageIDRule

    private static let remembered = 4_096
    private static let votesToSettle = 16
    /// Radixes of answer and receipt; the simplest first.
    private static let bases = [(10, 10), (16, 16), (16, 10), (10, 16)]

    private let style: OutgoingOptions.MessageIDStyle
    private let matchLength: Int?
    private var ring: [String] = []
    private var next = 0
    private var known: Set<String> = []
    /// The remembered answers by their number, read as decimal and as hexadecimal.
    private var numbers: [Int: [String: String]] = [10: [:], 16: [:]]
    private var sameVotes = 0
    private var ruleVotes = 0
    /// What was found out; nil = ids are the same on both sides, or nothing is known yet.
    private(set) var rule: Rule?
    private(set) var isSettled = false

    /// - Parameter known: what was found out before this process began. It is believed until receipts say otherwise.
    init(_ options: OutgoingOptions, known: Rule? = nil) {
        style = options.messageIDs
        matchLength = options.idMatchLength
        if case .fixed = style {
            isSettled = true
        } else {
            rule = known
        }
    }

    /// The key of an id in an answer to a submit.
    mutating func response(_ id: String) -> String {
        if case .fixed(let spelling, _) = style { return cut(MessageIDKeys.key(id, spelling)) }
        if !isSettled, !id.isEmpty, id.utf8.count <= 64 { remember(id) }
        return cut(id)
    }

    /// The key of an id in a receipt.
    mutating func receipt(_ id: String) -> String {
        if case .fixed(_, let spelling) = style { return cut(MessageIDKeys.key(id, spelling)) }
        if !isSettled, id.utf8.count <= 64, let found = search(id) { return cut(found) }
        return cut(rule.flatMap { MessageIDKeys.respell(id, $0) } ?? id)
    }

    private func cut(_ id: String) -> String { matchLength.map { String(id.suffix($0)) } ?? id }

    // MARK: Finding out

    private mutating func remember(_ id: String) {
        if ring.count < MessageIDKeys.remembered {
            ring.append(id)
        } else {
            let old = ring[next]
            known.remove(old)
            for radix in [10, 16] { if let number = MessageIDKeys.number(old, radix) { numbers[radix]?[number] = nil } }
            ring[next] = id
            next = (next + 1) % MessageIDKeys.remembered
        }
        known.insert(id)
        for radix in [10, 16] { if let number = MessageIDKeys.number(id, radix) { numbers[radix]?[number] = id } }
    }

    private mutating func search(_ id: String) -> String? {
        // What held before is looked at first: a number can mean another message in another base.
        if let rule, let spelt = MessageIDKeys.respell(id, rule), known.contains(spelt) {
            vote(rule)
            return spelt
        }
        if known.contains(id) {
            sameVotes += 1
            if sameVotes >= MessageIDKeys.votesToSettle, ruleVotes == 0 {
                rule = nil
                settle()
            }
            return id
        }
        for (response, receipt) in MessageIDKeys.bases {
            guard let number = MessageIDKeys.number(id, receipt), let answer = numbers[response]?[number] else { continue }
            let isPadded = answer.first == "0" && answer.count > 1
            vote(
                Rule(
                    answerBase: response, receiptBase: receipt, isUppercase: answer.contains { $0.isUppercase },
                    width: isPadded ? answer.count : 0))
            return answer
        }
        return nil
    }

    private mutating func vote(_ found: Rule) {
        // An answer of digits only says nothing of its letters' case.
        var found = found
        if let rule, rule.answerBase == found.answerBase, rule.receiptBase == found.receiptBase {
            found.isUppercase = rule.isUppercase || found.isUppercase
            found.width = max(rule.width, found.width)
            ruleVotes += 1
        } else {
            ruleVotes = 1
        }
        rule = found
        if ruleVotes >= MessageIDKeys.votesToSettle { settle() }
    }

    private mutating func settle() {
        isSettled = true
        ring = []
        known = []
        numbers = [:]
    }

    // MARK: Numbers

    private static func key(_ id: String, _ spelling: Spelling) -> String {
        switch spelling {
        case .text: id
        case .decimal: MessageIDFormat.decimal.key(id)
        case .hex: MessageIDFormat.hexadecimal.key(id)
        }
    }

    /// In lower-case hexadecimal without zeros in front; nil where it is no number in this base.
    private static func number(_ id: String, _ radix: Int) -> String? {
        (radix == 16 ? MessageIDFormat.hexadecimal : .decimal).number(id)
    }

    private static func respell(_ id: String, _ rule: Rule) -> String? {
        guard let hex = number(id, rule.receiptBase), let value = UInt64(hex, radix: 16) else { return nil }
        let text = String(value, radix: rule.answerBase, uppercase: rule.isUppercase)
        return text.count < rule.width ? String(repeating: "0", count: rule.width - text.count) + text : text
    }
}
