public import Pricing
import Routing

/// A file that an account names: `emguser.routing`, its own routing file, or `emguser.charges`, the older way to give it prices
/// (EMG-REFERENCE 5.3, 6.3 and 8.2). EMG documents no form of the latter; docs/billing.md describes ours.
public struct AccountFile: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case routing, charges
    }

    public struct Reference: Sendable, Hashable {
        public var account: String
        public var kind: Kind
        public var path: String

        public init(account: String, kind: Kind, path: String) {
            self.account = account
            self.kind = kind
            self.path = path
        }

        /// What its rows are marked with: `ACCOUNT acme routing`.
        public var origin: String { Reference.originPrefix + "\(account) \(kind.rawValue)" }
        public static let originPrefix = "ACCOUNT "
    }

    /// What one part costs the account.
    public struct Charge: Sendable, Hashable {
        public var prefix: String
        public var charge: Money
        /// Nil: the account's.
        public var currency: String?

        public init(prefix: String, charge: Money, currency: String? = nil) {
            self.prefix = prefix
            self.charge = charge
            self.currency = currency
        }
    }

    public var reference: Reference
    public var rows: [RoutingFileRow]
    public var charges: [Charge]

    public init(reference: Reference, rows: [RoutingFileRow] = [], charges: [Charge] = []) {
        self.reference = reference
        self.rows = rows
        self.charges = charges
    }

    /// - Parameter open: the text of a file by its name as written; what it throws is told as a fault.
    /// - Returns: the files that are sound, and every fault with its account, file and line.
    public static func read(_ references: [Reference], open: (String) throws -> String) -> (files: [AccountFile], faults: [String]) {
        var files: [AccountFile] = []
        var faults: [String] = []
        for reference in references {
            var file = AccountFile(reference: reference)
            var wrong: [FileFault] = []
            do {
                let text = try open(reference.path)
                switch reference.kind {
                case .routing: (file.rows, wrong) = RoutingFiles.routing(text)
                case .charges: (file.charges, wrong) = charges(text)
                }
                if wrong.isEmpty, file.rows.isEmpty, file.charges.isEmpty { wrong.append(FileFault(line: 0, message: "nothing is in it")) }
            } catch {
                wrong.append(FileFault(line: 0, message: "\(error)"))
            }
            if wrong.isEmpty { files.append(file) }
            faults += wrong.map { fault in
                let place = fault.line == 0 ? reference.path : "\(reference.path), line \(fault.line)"
                return "\(reference.kind.rawValue) of the account \(reference.account): \(place): \(fault.message)"
            }
        }
        return (files, faults)
    }

    /// Lines of a prefix (`*` for every destination), the charge for a part, and its currency where it is not the account's; separated
    /// by blanks or tabs. `#` begins a comment.
    static func charges(_ text: String) -> (rows: [Charge], faults: [FileFault]) {
        var rows: [Charge] = []
        var faults: [FileFault] = []
        var seen: [String: Int] = [:]
        for (number, words) in RoutingFiles.lines(text) {
            func fault(_ message: String) { faults.append(FileFault(line: number, message: message)) }
            guard (2...3).contains(words.count) else {
                fault("expected a prefix (or *), a charge, and a currency where it is not the account's")
                continue
            }
            let prefix = words[0] == "*" ? "" : words[0]
            guard prefix.utf8.count <= 20, prefix.utf8.allSatisfy({ (48...57).contains($0) }) else {
                fault("a prefix is up to 20 digits without a sign, or * for every destination, not \(words[0])")
                continue
            }
            guard let charge = try? Money(parsing: words[1]), charge >= .zero, charge <= .columnMaximum else {
                fault("a charge is an amount such as 0.05, not \(words[1])")
                continue
            }
            let currency = words.count > 2 ? words[2] : nil
            if let currency, currency.utf8.count != 3 || !currency.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) {
                fault("a currency has three capitals, such as EUR, not \(currency)")
                continue
            }
            if let earlier = seen.updateValue(number, forKey: "\(prefix) \(currency ?? "")") {
                fault("the prefix \(words[0]) stands in line \(earlier) already")
                continue
            }
            rows.append(Charge(prefix: prefix, charge: charge, currency: currency))
        }
        return (rows, faults)
    }
}
