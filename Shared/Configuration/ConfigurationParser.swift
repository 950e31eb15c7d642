/// Reads EMG's `server.cfg` syntax.
///
///     # a comment
///     KEY=value            a general option
///     KEY                  one without a value
///     CONNECTOR name <
///     KEY="a value # with a number sign"
///     >
///
/// Blanks around keys and values do not count. `#` begins a comment at the start of a line or after a blank,
/// outside quotes. Inside quotes `\"` and `\\` stand for the character itself. Keys are not case-sensitive.
/// Reading goes on after a fault, so that all are reported at once.
public struct ConfigurationParser {
    private var file = ConfigurationFile()
    private var diagnostics: [ConfigurationDiagnostic] = []
    private var open: ConfigurationSection?
    /// A section whose heading is wrong: its lines are passed over without further complaint.
    private var skipping = false

    /// - Returns: what could be read, and everything wrong with the syntax and the keywords.
    public static func parse(_ text: String) -> (file: ConfigurationFile, diagnostics: [ConfigurationDiagnostic]) {
        var parser = ConfigurationParser()
        var number = 0
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            parser.read(line, number)
        }
        if let open = parser.open {
            parser.fault(open.line, "the section \(open.kind.rawValue) \(open.name) is not closed with >")
            parser.file.sections.append(open)
        }
        return (parser.file, parser.diagnostics)
    }

    private mutating func fault(_ line: Int, _ message: String) {
        diagnostics.append(ConfigurationDiagnostic(.error, line: line, message))
    }

    private mutating func read(_ raw: Substring, _ line: Int) {
        let text = Self.withoutComment(raw).trimmed
        if text.isEmpty { return }
        if text == ">" {
            if let section = open {
                file.sections.append(section)
            } else if !skipping {
                fault(line, "> closes no section")
            }
            open = nil
            skipping = false
        } else if text.hasSuffix("<"), !text.contains("=") {
            heading(text.dropLast().trimmed, line)
        } else if !skipping {
            entry(text, line)
        }
    }

    private mutating func heading(_ text: Substring, _ line: Int) {
        if let section = open {
            fault(line, "a section begins before \(section.kind.rawValue) \(section.name) of line \(section.line) is closed with >")
            file.sections.append(section)
            open = nil
        }
        skipping = true
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let first = words.first else { return fault(line, "a section needs a kind and a name before <") }
        guard let kind = SectionKind(rawValue: first.uppercased()) else {
            let kinds = SectionKind.allCases.map(\.rawValue)
            return fault(line, "unknown section \(first)" + Suggestion.text(for: first.uppercased(), among: kinds))
        }
        guard words.count == 2 else {
            return fault(line, words.count < 2 ? "the section \(kind.rawValue) needs a name" : "a section's name is one word")
        }
        let name = String(words[1])
        if let earlier = file.section(kind, named: name) {
            fault(line, "\(kind.rawValue) \(name) was described in line \(earlier.line) already")
        }
        skipping = false
        open = ConfigurationSection(kind: kind, name: name, entries: [], line: line)
    }

    private mutating func entry(_ text: Substring, _ line: Int) {
        let key: Substring
        var value: String?
        if let equals = text.firstIndex(of: "=") {
            key = text[..<equals].trimmed
            guard let (unquoted, rest) = Self.unquoted(text[text.index(after: equals)...].trimmed) else {
                return fault(line, "the quote of \(key) is not closed")
            }
            guard rest.trimmed.isEmpty else {
                return fault(line, "\(key) goes on behind its closing quote; write all of it in quotes, and \\\" for one in it")
            }
            value = unquoted
        } else {
            key = text
        }
        guard !key.isEmpty, key.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }) else {
            return fault(line, "expected KEY=value, KEY, KIND name < or >")
        }
        let entry = ConfigurationEntry(key: key.uppercased(), value: value, line: line)
        let scope = Keyword.Scope(open?.kind)
        if let diagnostic = Keyword.check(entry, in: scope, earlier: open?.entries ?? file.general) { diagnostics.append(diagnostic) }
        if open == nil { file.general.append(entry) } else { open?.entries.append(entry) }
    }

    private static func withoutComment(_ line: Substring) -> Substring {
        var quoted = false
        var escaped = false
        var previousIsBlank = true
        for index in line.indices {
            let character = line[index]
            if quoted, !escaped, character == "\\" {
                escaped = true
                continue
            }
            // A quote counts only where a value begins; inside a word it is a character like others.
            if character == "\"", !escaped {
                if quoted { quoted = false } else if line[..<index].trimmed.last == "=" { quoted = true }
            }
            escaped = false
            if character == "#", !quoted, previousIsBlank { return line[..<index] }
            previousIsBlank = character.isWhitespace
        }
        return line
    }

    /// The value, and what stands behind its closing quote. Nil when an opening quote has no closing one.
    private static func unquoted(_ text: Substring) -> (value: String, rest: Substring)? {
        guard text.first == "\"" else { return (String(text), "") }
        var value = ""
        var escaped = false
        for index in text.indices.dropFirst() {
            let character = text[index]
            if escaped {
                value.append(character)
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else if character == "\"" {
                return (value, text[text.index(after: index)...])
            } else {
                value.append(character)
            }
        }
        return nil
    }
}

extension Substring {
    var trimmed: Substring {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
