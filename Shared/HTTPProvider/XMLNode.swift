/// An element of an XML text, as far as answers of providers need it: names without prefixes, attributes, children, text.
///
/// No document type is read, so no entity but the five of XML 1.0, 4.6, and character references is known, and nothing is fetched.
public struct XMLNode: Sendable, Equatable {
    public var name: String
    public var attributes: [String: String] = [:]
    public var children: [XMLNode] = []
    /// Its own text and that of its children, in order.
    public var text = ""

    init(name: String) { self.name = name }

    /// - Returns: the root; nil where the octets are no well-formed XML, or nested more than 64 deep.
    public init?(_ octets: [UInt8]) {
        var reader = XMLReader(octets)
        guard let root = reader.document() else { return nil }
        self = root
    }
}

private struct XMLReader {
    private static let deepest = 64

    private let octets: [UInt8]
    private var place = 0

    init(_ octets: [UInt8]) { self.octets = octets }

    private var next: UInt8? { place < octets.count ? octets[place] : nil }

    private func isAt(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard octets.count - place >= count else { return false }
        for index in 0..<count where octets[place + index] != word.utf8Start[index] { return false }
        return true
    }

    /// Goes behind the next `word`.
    private mutating func pass(_ word: StaticString) -> Bool {
        while place < octets.count {
            if isAt(word) {
                place += word.utf8CodeUnitCount
                return true
            }
            place += 1
        }
        return false
    }

    private mutating func skipBlanks() {
        while let octet = next, octet == 0x20 || octet == 0x09 || octet == 0x0A || octet == 0x0D { place += 1 }
    }

    mutating func document() -> XMLNode? {
        if octets.starts(with: [0xEF, 0xBB, 0xBF]) { place = 3 }
        guard skipAsides(), next == UInt8(ascii: "<") else { return nil }
        guard let root = element(depth: 0), skipAsides(), place == octets.count else { return nil }
        return root
    }

    /// Declarations, comments, a document type: between elements.
    private mutating func skipAsides() -> Bool {
        while true {
            skipBlanks()
            if isAt("<?") {
                guard pass("?>") else { return false }
            } else if isAt("<!--") {
                guard pass("-->") else { return false }
            } else if isAt("<!") {
                // An internal subset could declare entities; what uses one is not read.
                guard let end = octets[place...].firstIndex(of: UInt8(ascii: ">")), !octets[place..<end].contains(UInt8(ascii: "[")) else {
                    return false
                }
                place = end + 1
            } else {
                return true
            }
        }
    }

    private mutating func name() -> String? {
        let start = place
        while let octet = next, octet > 0x20, !"<>/='\"&".utf8.contains(octet) { place += 1 }
        let name = String(decoding: octets[start..<place], as: UTF8.self)
        return name.isEmpty ? nil : name
    }

    /// Stands at its `<`.
    private mutating func element(depth: Int) -> XMLNode? {
        guard depth < XMLReader.deepest else { return nil }
        place += 1
        guard let full = name() else { return nil }
        var node = XMLNode(name: XMLReader.local(full))
        while true {
            skipBlanks()
            if isAt("/>") {
                place += 2
                return node
            }
            if isAt(">") {
                place += 1
                break
            }
            guard let attribute = name() else { return nil }
            skipBlanks()
            guard next == UInt8(ascii: "=") else { return nil }
            place += 1
            skipBlanks()
            guard let quote = next, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return nil }
            place += 1
            guard let end = octets[place...].firstIndex(of: quote), let value = XMLReader.unescaped(octets[place..<end]) else { return nil }
            node.attributes[XMLReader.local(attribute)] = value
            place = end + 1
        }
        return content(of: node, full, depth)
    }

    private mutating func content(of opened: XMLNode, _ full: String, _ depth: Int) -> XMLNode? {
        var node = opened
        while next != nil {
            if isAt("</") {
                place += 2
                guard name() == full else { return nil }
                skipBlanks()
                guard next == UInt8(ascii: ">") else { return nil }
                place += 1
                return node
            } else if isAt("<![CDATA[") {
                place += 9
                let start = place
                guard pass("]]>") else { return nil }
                node.text += String(decoding: octets[start..<place - 3], as: UTF8.self)
            } else if isAt("<!--") {
                guard pass("-->") else { return nil }
            } else if isAt("<?") {
                guard pass("?>") else { return nil }
            } else if isAt("<") {
                guard let child = element(depth: depth + 1) else { return nil }
                node.text += child.text
                node.children.append(child)
            } else {
                let start = place
                while let octet = next, octet != UInt8(ascii: "<") { place += 1 }
                guard let text = XMLReader.unescaped(octets[start..<place]) else { return nil }
                node.text += text
            }
        }
        return nil
    }

    private static func local(_ name: String) -> String {
        name.lastIndex(of: ":").map { String(name[name.index(after: $0)...]) } ?? name
    }

    private static func unescaped(_ octets: ArraySlice<UInt8>) -> String? {
        guard octets.contains(UInt8(ascii: "&")) else { return String(decoding: octets, as: UTF8.self) }
        var text = ""
        var rest = octets
        while let ampersand = rest.firstIndex(of: UInt8(ascii: "&")) {
            text += String(decoding: rest[..<ampersand], as: UTF8.self)
            // The longest reference is that of a number: &#x10FFFF;
            guard let end = rest[ampersand...].prefix(12).firstIndex(of: UInt8(ascii: ";")),
                let scalar = scalar(String(decoding: rest[(ampersand + 1)..<end], as: UTF8.self))
            else { return nil }
            text.unicodeScalars.append(scalar)
            rest = rest[(end + 1)...]
        }
        return text + String(decoding: rest, as: UTF8.self)
    }

    private static func scalar(_ name: String) -> Unicode.Scalar? {
        switch name {
        case "amp": "&"
        case "lt": "<"
        case "gt": ">"
        case "quot": "\""
        case "apos": "'"
        default:
            if name.hasPrefix("#x") {
                UInt32(name.dropFirst(2), radix: 16).flatMap { Unicode.Scalar($0) }
            } else if name.hasPrefix("#") {
                UInt32(name.dropFirst()).flatMap { Unicode.Scalar($0) }
            } else {
                nil
            }
        }
    }
}

/// A way into an XML text: `/response/message/@id` from the root; without the first stroke (`message/id`) from wherever it is found.
public struct XMLPath: Sendable, Equatable {
    private let names: [String]
    private let attribute: String?
    private let isFromRoot: Bool

    public init(_ text: String) throws(ProviderFault) {
        var names = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        isFromRoot = names.first == "" && names.count > 1
        if isFromRoot { names.removeFirst() }
        if let last = names.last, last.hasPrefix("@") {
            attribute = String(last.dropFirst())
            names.removeLast()
        } else {
            attribute = nil
        }
        guard !names.isEmpty, !names.contains(where: { $0.isEmpty || $0.contains("@") || $0.contains("[") }), attribute != "" else {
            throw ProviderFault("the XML path \(text) is not of the form /name/name, name/name or name/@attribute")
        }
        self.names = names
    }

    /// The elements that it leads to, in their order; those of its attribute where it names one.
    public func nodes(in root: XMLNode) -> [XMLNode] {
        var found = isFromRoot ? [root] : XMLPath.all(root)
        found = found.filter { $0.name == names[0] }
        for name in names.dropFirst() { found = found.flatMap(\.children).filter { $0.name == name } }
        return attribute.map { name in found.filter { $0.attributes[name] != nil } } ?? found
    }

    public func text(in root: XMLNode) -> String? {
        guard let node = nodes(in: root).first else { return nil }
        return attribute.map { node.attributes[$0] ?? "" } ?? node.text
    }

    private static func all(_ node: XMLNode) -> [XMLNode] { [node] + node.children.flatMap(all) }
}
