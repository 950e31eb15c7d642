/// A row of a blacklist or a whitelist.
public struct AddressRule: Sendable, Hashable {
    public enum List: String, Sendable, Hashable, Codable, CaseIterable {
        case blacklist, whitelist
    }

    public enum Field: String, Sendable, Hashable, Codable, CaseIterable {
        case source = "SOURCEADDR"
        case destination = "DESTADDR"

        var words: String { self == .source ? "the sender" : "the recipient" }
    }

    /// What follows from it.
    public enum Action: String, Sendable, Hashable, Codable, CaseIterable {
        case reject = "REJECT"
        /// The message goes on, with a note in its log.
        case log = "LOG"
    }

    public var list: List
    public var field: Field
    /// An address in whole, or its beginning followed by `*`. Case does not count, nor does a leading `+`.
    public var address: String
    public var action: Action
    /// Only for this account.
    public var account: String?
    /// Only for what comes in, or would go out, over this connector.
    public var connector: String?

    public init(
        list: List, field: Field, address: String, action: Action = .reject, account: String? = nil, connector: String? = nil
    ) {
        self.list = list
        self.field = field
        self.address = address
        self.action = action
        self.account = account
        self.connector = connector
    }
}

/// All lists, ready to be asked.
public struct AddressLists: Sendable {
    private struct Scope: Hashable, Sendable {
        var account: String?
        var connector: String?
    }

    private struct Entries: Sendable {
        var whole: [String: AddressRule.Action] = [:]
        var beginnings: [String: AddressRule.Action] = [:]
        /// Bit n: there are beginnings of n octets.
        var lengths: UInt64 = 0
        /// A whitelist rejects where one of its rows does.
        var rejects = false
        var isEmpty: Bool { whole.isEmpty && beginnings.isEmpty }

        mutating func add(_ rule: AddressRule) {
            if rule.action == .reject { rejects = true }
            let address = AddressLists.folded(rule.address)
            if address.hasSuffix("*") {
                let beginning = String(address.dropLast())
                guard beginning.utf8.count < 64 else { return }
                beginnings[beginning] = Self.stricter(beginnings[beginning], rule.action)
                lengths |= 1 << UInt64(beginning.utf8.count)
            } else {
                whole[address] = Self.stricter(whole[address], rule.action)
            }
        }

        func action(for address: String) -> AddressRule.Action? {
            var found = whole[address]
            guard lengths != 0 else { return found }
            let octets = address.utf8
            for length in 0...min(63, octets.count) where lengths & (1 << UInt64(length)) != 0 {
                guard let end = String.Index(octets.index(octets.startIndex, offsetBy: length), within: address) else { continue }
                if let action = beginnings[String(address[..<end])] { found = Self.stricter(found, action) }
            }
            return found
        }

        private static func stricter(_ old: AddressRule.Action?, _ new: AddressRule.Action) -> AddressRule.Action {
            old == .reject ? .reject : new
        }
    }

    private struct Lists: Sendable {
        var blackSource = Entries()
        var blackDestination = Entries()
        var whiteSource = Entries()
        var whiteDestination = Entries()
    }

    /// What the lists say of a message.
    struct Finding {
        /// Why it is to be refused.
        var refusal: String?
        /// What is to be noted.
        var notes: [String] = []
    }

    private var scopes: [Scope: Lists] = [:]

    public init(_ rules: [AddressRule] = []) {
        for rule in rules {
            let scope = Scope(account: rule.account, connector: rule.connector)
            switch (rule.list, rule.field) {
            case (.blacklist, .source): scopes[scope, default: Lists()].blackSource.add(rule)
            case (.blacklist, .destination): scopes[scope, default: Lists()].blackDestination.add(rule)
            case (.whitelist, .source): scopes[scope, default: Lists()].whiteSource.add(rule)
            case (.whitelist, .destination): scopes[scope, default: Lists()].whiteDestination.add(rule)
            }
        }
    }

    public var isEmpty: Bool { scopes.isEmpty }

    /// The lists of everybody and of the account, and those of the incoming connector.
    func onArrival(source: String, destination: String, account: String, inConnector: String) -> Finding {
        guard !scopes.isEmpty else { return Finding() }
        var asked = [Scope(), Scope(connector: inConnector)]
        if !account.isEmpty { asked += [Scope(account: account), Scope(account: account, connector: inConnector)] }
        return check(asked, source, destination)
    }

    /// The lists of a connector that it might go out over.
    func onLeaving(source: String, destination: String, account: String, outConnector: String) -> Finding {
        guard !scopes.isEmpty else { return Finding() }
        return check([Scope(connector: outConnector), Scope(account: account, connector: outConnector)], source, destination)
    }

    private func check(_ asked: [Scope], _ source: String, _ destination: String) -> Finding {
        var finding = Finding()
        let (source, destination) = (Self.folded(source), Self.folded(destination))
        for scope in asked {
            guard let lists = scopes[scope] else { continue }
            for (entries, address, field) in [
                (lists.blackSource, source, AddressRule.Field.source), (lists.blackDestination, destination, .destination),
            ] {
                switch entries.action(for: address) {
                case .reject: finding.refusal = finding.refusal ?? "\(field.words) is on the blacklist\(Self.words(scope))"
                case .log: finding.notes.append("\(field.words) is on the blacklist\(Self.words(scope))")
                case nil: break
                }
            }
            for (entries, address, field) in [
                (lists.whiteSource, source, AddressRule.Field.source), (lists.whiteDestination, destination, .destination),
            ] where !entries.isEmpty && entries.action(for: address) == nil {
                let words = "\(field.words) is not on the whitelist\(Self.words(scope))"
                if entries.rejects { finding.refusal = finding.refusal ?? words } else { finding.notes.append(words) }
            }
        }
        return finding
    }

    private static func words(_ scope: Scope) -> String {
        (scope.account.map { " of the account \($0)" } ?? "") + (scope.connector.map { " of \($0)" } ?? "")
    }

    /// Small letters, without a leading plus sign.
    static func folded(_ address: String) -> String {
        if address.utf8.allSatisfy({ (48...57).contains($0) }) { return address }
        return String(NumberRules.withoutPlus(address)).lowercased()
    }
}
