import Foundation
import Testing

/// The house rules that a program can check, read off the sources themselves.
@Suite struct `House rules` {
    struct Source: Sendable {
        /// From the top of the project: `Shared/SMPP/Codec/PDU.swift`.
        var path: String
        var lines: [String]
        /// Without comments and without what stands in string literals of one line.
        var code: [String]
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let sources: [Source] = ["Shared", "Services"].flatMap { folder -> [Source] in
        let base = root.appending(path: folder)
        let files = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return files.filter { $0.hasSuffix(".swift") && !$0.hasSuffix(".pb.swift") }.sorted().compactMap { file in
            guard let text = try? String(contentsOf: base.appending(path: file), encoding: .utf8) else { return nil }
            let lines = text.components(separatedBy: "\n")
            return Source(path: "\(folder)/\(file)", lines: lines, code: lines.map(stripped))
        }
    }

    /// Without what stands in string literals, and without the comment at its end. By hand: a regular expression per line takes a
    /// minute over all sources.
    static func stripped(_ line: String) -> String {
        var code: [UInt8] = []
        var isText = false
        var previous: UInt8 = 0
        for byte in line.utf8 {
            if byte == UInt8(ascii: "\""), previous != UInt8(ascii: "\\") {
                isText.toggle()
                code.append(byte)
            } else if !isText {
                if byte == UInt8(ascii: "/"), previous == byte {
                    code.removeLast()
                    break
                }
                code.append(byte)
            }
            previous = byte
        }
        return String(decoding: code, as: UTF8.self)
    }

    /// Whether one of `words` stands in `line`, not as the end or the start of a longer word.
    static func has(_ words: [String], _ line: String) -> Bool {
        words.contains { word in
            guard let range = line.range(of: word, options: .literal) else { return false }
            let before = range.lowerBound == line.startIndex ? " " : line[line.index(before: range.lowerBound)]
            let after = range.upperBound == line.endIndex ? " " : line[range.upperBound]
            let isWord = { (character: Character) in character.isLetter || character.isNumber || character == "_" }
            return (!isWord(before) || !isWord(word.first ?? " ")) && (!isWord(after) || !isWord(word.last ?? " "))
        }
    }

    static func places(where matches: (String) -> Bool, in sources: [Source]) -> [String] {
        sources.flatMap { source in
            source.code.enumerated().filter { matches($0.element) }.map { "\(source.path):\($0.offset + 1): \($0.element)" }
        }
    }

    static func module(_ source: Source) -> String { String(source.path.split(separator: "/")[1]) }

    static func imports(_ source: Source) -> [String] {
        source.code.compactMap { line in
            let words = line.split(separator: " ").filter { !["public", "package", "internal", "@testable"].contains($0) }
            guard words.count >= 2, words[0] == "import" else { return nil }
            let name = words.count > 2 ? words[2] : words[1]
            return String(name.split(separator: ".")[0])
        }
    }

    @Test func `there are sources to read`() {
        #expect(`House rules`.sources.count > 100)
    }

    @Test(
        arguments: [
            ("Charset", []), ("LoadModel", []), ("SMPP", ["NIOCore", "Charset"]), ("Routing", ["CPCRE2"]), ("Pricing", ["Routing"]),
            ("Configuration", ["Pricing", "Routing", "HTTPProvider"]), ("HTTPProvider", ["Routing"]),
            ("SMPPMessage", ["SMPP", "Charset", "Message"]), ("Message", ["SwiftProtobuf"]),
        ] as [(String, [String])])
    func `a pure library imports no I/O`(library: String, allowed: [String]) {
        let always = ["Foundation", "FoundationEssentials"]
        for source in `House rules`.sources where source.path.hasPrefix("Shared/\(library)/") {
            let foreign = `House rules`.imports(source).filter { !allowed.contains($0) && !always.contains($0) }
            #expect(foreign.isEmpty, "\(source.path) imports \(foreign)")
        }
    }

    @Test func `a pure library asks nobody for the time, and neither sleeps nor prints`() {
        let pure = ["Charset", "LoadModel", "SMPP", "Routing", "Pricing", "SMPPMessage", "HTTPProvider"].map { "Shared/\($0)/" }
        let sources = `House rules`.sources.filter { source in pure.contains { source.path.hasPrefix($0) } }
        let impure = ["Date()", ".now", "clock_gettime", "sleep(", "print(", ".random("]
        #expect(`House rules`.places(where: { `House rules`.has(impure, $0) }, in: sources) == [])
    }

    @Test func `no service imports another`() {
        let services = Set(`House rules`.sources.filter { $0.path.hasPrefix("Services/") }.map(`House rules`.module))
        for source in `House rules`.sources where source.path.hasPrefix("Services/") && `House rules`.module(source) != "Signalbox" {
            let others = `House rules`.imports(source).filter { services.contains($0) && $0 != `House rules`.module(source) }
            #expect(others.isEmpty, "\(source.path) imports \(others)")
        }
        for source in `House rules`.sources where source.path.hasPrefix("Shared/") {
            #expect(`House rules`.imports(source).filter(services.contains).isEmpty, "\(source.path)")
        }
    }

    @Test func `only the bus knows librdkafka, and only the database libpq`() {
        for source in `House rules`.sources {
            let imports = `House rules`.imports(source)
            if imports.contains("CRdKafka") { #expect(source.path.hasPrefix("Shared/Bus/"), "\(source.path)") }
            if imports.contains("CLibPQ") { #expect(source.path.hasPrefix("Shared/Database/"), "\(source.path)") }
        }
    }

    @Test func `nothing traps where outside bytes might reach it`() {
        let traps = ["try!", "as!", "fatalError("]
        #expect(`House rules`.places(where: { `House rules`.has(traps, $0) }, in: `House rules`.sources) == [])
    }

    @Test func `money is never a floating point number`() {
        let money = `House rules`.sources.filter { $0.path.hasPrefix("Shared/Pricing/") || $0.path.hasPrefix("Services/Billing/") }
        #expect(!money.isEmpty)
        #expect(`House rules`.places(where: { `House rules`.has(["Double", "Float", "Decimal", "CGFloat"], $0) }, in: money) == [])
    }

    @Test func `a promise to the compiler has its sentence`() {
        let promises = ["@unchecked Sendable", "nonisolated(unsafe)", "unsafeBitCast"]
        for source in `House rules`.sources {
            for (index, line) in source.code.enumerated() where `House rules`.has(promises, line) {
                let before = source.lines[max(0, index - 8)...index].joined(separator: "\n")
                #expect(before.contains("//"), "\(source.path):\(index + 1) says not why it holds")
            }
        }
    }

    @Test func `files are small, and nothing is left for later`() {
        for source in `House rules`.sources {
            #expect(source.lines.count <= 600, "\(source.path) has \(source.lines.count) lines")
            for (index, line) in source.lines.enumerated() {
                if `House rules`.has(["TODO", "FIXME", "XXX"], line) { Issue.record("\(source.path):\(index + 1)") }
            }
        }
    }
}

@Suite struct `The reader of the house rules` {
    @Test(
        arguments: [
            ("let x = try! f()", ["try!"], true), ("let x = try f() // try! not", ["try!"], false), ("log(\"try!\")", ["try!"], false),
            ("let t = ContinuousClock.now", [".now"], true), ("let nowhere = x.nowhere", [".now"], false),
            ("fatalError(\"x\")", ["fatalError("], true),
            ("var amount: Double", ["Double"], true), ("DoubleCheck()", ["Double"], false),
        ] as [(String, [String], Bool)])
    func `finds words in code and not in comments or texts`(line: String, words: [String], expected: Bool) {
        #expect(`House rules`.has(words, `House rules`.stripped(line)) == expected, "\(line)")
    }
}
