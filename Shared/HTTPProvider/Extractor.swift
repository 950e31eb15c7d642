import Routing

/// What came over HTTP, an answer or a call, for extractors to look into.
public struct ReceivedDocument: Sendable {
    /// Of an answer; 0 of a call.
    public var status: Int
    /// By their names in lower case.
    public var headers: [String: String]
    public var body: [UInt8]
    /// Of a call: those of its URL and of a form in its body.
    public let parameters: [String: String]
    /// Their octets, where they need not be UTF-8.
    private let parameterOctets: [String: [UInt8]]
    private let json: JSONValue?
    private let xml: XMLNode?

    /// A call.
    /// - Parameter octets: of the parameters.
    public init(headers: [String: String], body: [UInt8], octets: [String: [UInt8]]) {
        self.init(
            headers: headers, body: body, parameters: octets.mapValues { String(decoding: $0, as: UTF8.self) }, parameterOctets: octets)
    }

    public init(
        status: Int = 0, headers: [String: String] = [:], body: [UInt8], parameters: [String: String] = [:]
    ) {
        self.init(status: status, headers: headers, body: body, parameters: parameters, parameterOctets: [:])
    }

    private init(
        status: Int = 0, headers: [String: String], body: [UInt8], parameters: [String: String], parameterOctets: [String: [UInt8]]
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.parameters = parameters
        self.parameterOctets = parameterOctets
        let first = body.first { $0 > 0x20 && $0 != 0xEF && $0 != 0xBB && $0 != 0xBF }
        json = first == UInt8(ascii: "<") ? nil : JSONValue(body)
        xml = first == UInt8(ascii: "<") ? XMLNode(body) : nil
    }

    private init(_ whole: ReceivedDocument, json: JSONValue?, xml: XMLNode?) {
        status = whole.status
        headers = whole.headers
        body = whole.body
        parameters = whole.parameters
        parameterOctets = whole.parameterOctets
        self.json = json
        self.xml = xml
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    func octets(ofParameter name: String) -> [UInt8]? { parameterOctets[name] }
    func text(at path: JSONPath) -> String? { json.flatMap { path.values(in: $0).first?.scalar } }
    func text(at path: XMLPath) -> String? { xml.flatMap { path.text(in: $0) } }

    /// The items of a list, each as a document of its own.
    func items(at list: Extractor) -> [ReceivedDocument] {
        switch list.source {
        case .json(let path):
            let found = json.map { path.values(in: $0) } ?? []
            return found.flatMap { value -> [JSONValue] in if case .array(let elements) = value { elements } else { [value] } }
                .map { ReceivedDocument(self, json: $0, xml: nil) }
        case .xml(let path): return (xml.map { path.nodes(in: $0) } ?? []).map { ReceivedDocument(self, json: nil, xml: $0) }
        case .status, .header, .parameter, .body, .regex: return []
        }
    }
}

/// Where in an answer or a call a value stands: `json:$.id`, `xml:/response/id`, `regex:ID: (\d+)`, `header:X-Id`, `param:id`, `body`,
/// `status`. Source: docs/http-providers.md, "Where a value stands".
public struct Extractor: Sendable, Equatable {
    enum Source: Sendable {
        case status, body
        case header(String), parameter(String)
        case json(JSONPath)
        case xml(XMLPath)
        case regex(BodyPattern)
    }

    public let text: String
    let source: Source

    public static func == (one: Extractor, other: Extractor) -> Bool { one.text == other.text }

    public init(_ text: String) throws(ProviderFault) {
        self.text = text
        let kind = text.prefix { $0 != ":" }
        let rest = String(text.dropFirst(kind.count + 1))
        switch kind.lowercased() {
        case "status" where rest.isEmpty: source = .status
        case "body" where rest.isEmpty: source = .body
        case "header" where !rest.isEmpty: source = .header(rest.lowercased())
        case "param" where !rest.isEmpty: source = .parameter(rest)
        case "json": source = .json(try JSONPath(rest))
        case "xml": source = .xml(try XMLPath(rest))
        case "regex":
            do throws(BodyPattern.Fault) {
                source = .regex(try BodyPattern(rest))
            } catch {
                throw ProviderFault("the regular expression \(rest): \(error)")
            }
        default:
            throw ProviderFault("\(text) is none of json:PATH, xml:PATH, regex:PATTERN, header:NAME, param:NAME, body and status")
        }
    }

    /// Whether it can lead to a list.
    var isList: Bool {
        switch source {
        case .json, .xml: true
        case .status, .header, .parameter, .body, .regex: false
        }
    }

    /// - Returns: the value without blanks around it; nil where there is none. Of a regular expression its first group, or all of it.
    public func value(in document: ReceivedDocument) -> String? {
        whole(in: document).map { text in
            let start = text.drop { $0.isWhitespace }
            return String(start.reversed().drop { $0.isWhitespace }.reversed())
        }
    }

    /// The value as it stands, blanks and all.
    private func whole(in document: ReceivedDocument) -> String? {
        switch source {
        case .status: document.status == 0 ? nil : String(document.status)
        case .body: document.text
        case .header(let name): document.headers[name]
        case .parameter(let name): document.parameters[name]
        case .json(let path): document.text(at: path)
        case .xml(let path): document.text(at: path)
        case .regex(let pattern): pattern.firstGroup(in: document.text)
        }
    }

    /// The value as it stands, in the octets that came.
    /// - Returns: nil where there is none; `isText` where they are UTF-8, whatever the call says of its charset.
    func octets(in document: ReceivedDocument) -> (octets: [UInt8], isText: Bool)? {
        switch source {
        case .body: return (document.body, false)
        case .parameter(let name):
            if let octets = document.octets(ofParameter: name) { return (octets, false) }
        case .status, .header, .json, .xml, .regex: break
        }
        return whole(in: document).map { (Array($0.utf8), true) }
    }
}

/// A value that must be there, or be as said: `json:$.status = ok`, `body ~ ^OK`, `json:$.id`.
public struct Condition: Sendable, Equatable {
    private enum Test: Sendable {
        case exists
        case equals(String)
        case matches(BodyPattern)
    }

    public let text: String
    private let extractor: Extractor
    private let test: Test

    public static func == (one: Condition, other: Condition) -> Bool { one.text == other.text }

    /// The first ` ~ `, or else the first ` = `, divides; an extractor holds neither.
    public init(_ text: String) throws(ProviderFault) {
        self.text = text
        if let range = Condition.range(of: " ~ ", in: text) {
            extractor = try Extractor(String(text[..<range.lowerBound]))
            do throws(BodyPattern.Fault) {
                test = .matches(try BodyPattern(String(text[range.upperBound...])))
            } catch {
                throw ProviderFault("the regular expression in \(text): \(error)")
            }
        } else if let range = Condition.range(of: " = ", in: text) {
            extractor = try Extractor(String(text[..<range.lowerBound]))
            test = .equals(String(text[range.upperBound...]))
        } else {
            extractor = try Extractor(text)
            test = .exists
        }
    }

    private static func range(of mark: String, in text: String) -> Range<String.Index>? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(mark) { return start..<text.index(start, offsetBy: mark.count) }
            start = text.index(after: start)
        }
        return nil
    }

    public func holds(in document: ReceivedDocument) -> Bool {
        guard let value = extractor.value(in: document) else { return false }
        switch test {
        case .exists: return true
        case .equals(let wanted): return value.lowercased() == wanted.lowercased()
        case .matches(let pattern): return pattern.matches(value)
        }
    }
}
