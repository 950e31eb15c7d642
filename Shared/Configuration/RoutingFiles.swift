public import Routing

/// A line of a routing file: `<inconnector> <target[,target...]> [PREFIX=…] [SOURCE=…] [KEYWORD=…] [REGEXP=…]`.
///
/// The first two words are EMG's (EMG-REFERENCE 5.3); the conditions behind them are ours. `*` stands for every connector.
public struct RoutingFileRow: Sendable, Equatable {
    public var inConnector: String?
    /// In the order in which they are tried.
    public var targets: [String]
    public var prefix = ""
    public var source: String?
    public var keyword: String?
    public var pattern: String?
}

/// A fault of a file that a configuration names.
public struct FileFault: Sendable, Equatable, CustomStringConvertible {
    /// Counted from 1; 0: the file as a whole.
    public var line: Int
    public var message: String

    public init(line: Int, message: String) {
        self.line = line
        self.message = message
    }

    public var description: String { line == 0 ? message : "line \(line): \(message)" }
}

public enum RoutingFiles {
    /// The files that a configuration names, with the keyword and the connector that name them.
    public struct Reference: Sendable, Equatable {
        public enum Kind: Sendable, Equatable {
            case routing
            case addresses(AddressRule.List)
        }

        public var kind: Kind
        public var path: String
        public var connector: String?
        /// Line of the configuration.
        public var line: Int

        /// What its rows are marked with: `BLACKLIST`, `CONNECTOR in1 WHITELIST`.
        public var origin: String {
            let key =
                switch kind {
                case .routing: "ROUTING"
                case .addresses(.blacklist): "BLACKLIST"
                case .addresses(.whitelist): "WHITELIST"
                }
            return connector.map { "CONNECTOR \($0) \(key)" } ?? key
        }
    }

    public static func references(in file: ConfigurationFile) -> [Reference] {
        var found: [Reference] = []
        func add(_ entries: [ConfigurationEntry], _ key: String, _ kind: Reference.Kind, _ connector: String?) {
            guard let entry = entries.last(where: { $0.key == key }), let path = entry.value, !path.isEmpty else { return }
            found.append(Reference(kind: kind, path: path, connector: connector, line: entry.line))
        }
        add(file.general, "ROUTING", .routing, nil)
        add(file.general, "BLACKLIST", .addresses(.blacklist), nil)
        add(file.general, "WHITELIST", .addresses(.whitelist), nil)
        for section in file.connectors {
            add(section.entries, "BLACKLIST", .addresses(.blacklist), section.name)
            add(section.entries, "WHITELIST", .addresses(.whitelist), section.name)
        }
        return found
    }

    /// Rows of address, action (REJECT or LOG) and SOURCEADDR or DESTADDR (default SOURCEADDR), separated by tabs or blanks; `#` begins
    /// a comment (EMG-REFERENCE 3.2). An address that ends with `*` is a beginning.
    public static func addresses(
        _ text: String, list: AddressRule.List, connector: String?
    ) -> (rules: [AddressRule], faults: [FileFault]) {
        var rules: [AddressRule] = []
        var faults: [FileFault] = []
        var seen: Set<AddressRule> = []
        for (number, words) in lines(text) {
            func fault(_ message: String) { faults.append(FileFault(line: number, message: message)) }
            guard words.count <= 3 else {
                fault("expected an address, REJECT or LOG, and SOURCEADDR or DESTADDR")
                continue
            }
            var rule = AddressRule(list: list, field: .source, address: words[0], connector: connector)
            if words.count > 1 {
                guard let action = AddressRule.Action(rawValue: words[1].uppercased()) else {
                    fault("the action is REJECT or LOG, not \(words[1])")
                    continue
                }
                rule.action = action
            }
            if words.count > 2 {
                guard let field = AddressRule.Field(rawValue: words[2].uppercased()) else {
                    fault("the address is a SOURCEADDR or a DESTADDR, not \(words[2])")
                    continue
                }
                rule.field = field
            }
            if let problem = rule.problem {
                fault(problem)
            } else if seen.insert(rule).inserted {
                rules.append(rule)
            }
        }
        return (rules, faults)
    }

    public static func routing(_ text: String) -> (rows: [RoutingFileRow], faults: [FileFault]) {
        var rows: [RoutingFileRow] = []
        var faults: [FileFault] = []
        for (number, words) in lines(text) {
            func fault(_ message: String) { faults.append(FileFault(line: number, message: message)) }
            guard words.count >= 2 else {
                fault("expected an incoming connector (or *) and where it leads")
                continue
            }
            let targets = words[1].split(separator: ",").map(String.init)
            guard !targets.isEmpty else {
                fault("no connector is named")
                continue
            }
            var row = RoutingFileRow(inConnector: words[0] == "*" ? nil : words[0], targets: targets)
            for word in words.dropFirst(2) {
                let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else {
                    fault("\(word) is no condition: write PREFIX=, SOURCE=, KEYWORD= or REGEXP=")
                    continue
                }
                switch parts[0].uppercased() {
                case "PREFIX":
                    if NumberPrefix(parts[1]) == nil { fault("PREFIX takes digits, not \(parts[1])") }
                    row.prefix = parts[1]
                case "SOURCE": row.source = parts[1]
                case "KEYWORD": row.keyword = parts[1]
                case "REGEXP":
                    do { _ = try BodyPattern(parts[1]) } catch { fault("REGEXP: \(error)") }
                    row.pattern = parts[1]
                default: fault("unknown condition \(parts[0]): there are PREFIX, SOURCE, KEYWORD and REGEXP")
                }
            }
            rows.append(row)
        }
        return (rows, faults)
    }

    static func lines(_ text: String) -> [(number: Int, words: [String])] {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().compactMap { index, line in
            guard line.trimmed.first != "#" else { return nil }
            var words: [String] = []
            for word in line.split(whereSeparator: \.isWhitespace) {
                if word.first == "#" { break }
                words.append(String(word))
            }
            return words.isEmpty ? nil : (index + 1, words)
        }
    }
}

extension AddressRule {
    /// What is wrong with the address; nil where nothing is.
    public var problem: String? {
        let text = address.hasSuffix("*") ? address.dropLast() : address[...]
        guard !address.isEmpty, text.utf8.count <= 40, !text.contains("*"), !text.contains(where: \.isWhitespace) else {
            return "an address has 1 to 40 characters without blanks; only its end may be *"
        }
        return nil
    }
}

/// The files that a configuration names, read.
public struct RoutingFileContents: Sendable, Equatable {
    public struct File: Sendable, Equatable {
        public var reference: RoutingFiles.Reference
        public var rules: [AddressRule] = []
        public var rows: [RoutingFileRow] = []
    }

    public var files: [File] = []

    public init() {}

    /// - Parameters:
    ///   - configuration: names the files.
    ///   - open: the text of a file by its name as written; what it throws is told to the reader of the configuration.
    /// - Returns: the contents, and every fault with the configuration's line and the file's own.
    public static func read(
        _ configuration: ConfigurationFile, open: (String) throws -> String
    ) -> (contents: RoutingFileContents, diagnostics: [ConfigurationDiagnostic]) {
        var contents = RoutingFileContents()
        var diagnostics: [ConfigurationDiagnostic] = []
        for reference in RoutingFiles.references(in: configuration) {
            var file = File(reference: reference)
            var faults: [FileFault] = []
            do {
                let text = try open(reference.path)
                switch reference.kind {
                case .routing:
                    (file.rows, faults) = RoutingFiles.routing(text)
                    faults += missingNames(file.rows, configuration)
                case .addresses(let list):
                    (file.rules, faults) = RoutingFiles.addresses(text, list: list, connector: reference.connector)
                }
            } catch {
                faults.append(FileFault(line: 0, message: "\(error)"))
            }
            diagnostics += faults.map { fault in
                let place = fault.line == 0 ? reference.path : "\(reference.path), line \(fault.line)"
                return ConfigurationDiagnostic(.error, line: reference.line, "\(reference.origin): \(place): \(fault.message)")
            }
            contents.files.append(file)
        }
        return (contents, diagnostics)
    }

    private static func missingNames(_ rows: [RoutingFileRow], _ configuration: ConfigurationFile) -> [FileFault] {
        let targets = configuration.sections.filter { $0.kind == .connector || $0.kind == .connectorGroup }.map(\.name)
        let missing = rows.flatMap { $0.targets + [$0.inConnector].compactMap { $0 } }.filter { !targets.contains($0) }
        return Set(missing).sorted().map {
            FileFault(line: 0, message: "there is no connector \($0)" + Suggestion.text(for: $0, among: targets))
        }
    }
}
