/// A way into a JSON text: `$.messages[0].id`, `$['a name'].b`, `$.items[*].id`, `$[-1]`; the `$` may be left out.
/// The subset of RFC 9535 that names members and elements: no filters, slices or descendants.
public struct JSONPath: Sendable, Equatable {
    private enum Step: Sendable, Equatable {
        case member(String)
        /// Negative: from the end.
        case element(Int)
        case all
    }

    private let steps: [Step]

    public init(_ text: String) throws(ProviderFault) {
        var steps: [Step] = []
        var rest = text[...]
        if rest.first == "$" { rest = rest.dropFirst() } else if rest.first != "[", rest.first != "." { rest = "." + rest }
        while let first = rest.first {
            rest = rest.dropFirst()
            switch first {
            case ".":
                let name = rest.prefix { $0 != "." && $0 != "[" }
                guard !name.isEmpty else { throw ProviderFault("a name is missing in the JSON path \(text)") }
                steps.append(name == "*" ? .all : .member(String(name)))
                rest = rest.dropFirst(name.count)
            case "[":
                guard let quote = rest.first, quote == "'" || quote == "\"" else {
                    guard let end = rest.firstIndex(of: "]") else { throw ProviderFault("[ without its ] in the JSON path \(text)") }
                    let index = rest[..<end]
                    rest = rest[rest.index(after: end)...]
                    if index == "*" {
                        steps.append(.all)
                    } else if let number = Int(index) {
                        steps.append(.element(number))
                    } else {
                        throw ProviderFault("[\(index)] in the JSON path \(text) is no number, * or 'name'")
                    }
                    continue
                }
                guard let end = rest.dropFirst().firstIndex(of: quote), rest[rest.index(after: end)...].first == "]" else {
                    throw ProviderFault("['name'] is not closed in the JSON path \(text)")
                }
                steps.append(.member(String(rest[rest.index(after: rest.startIndex)..<end])))
                rest = rest[rest.index(end, offsetBy: 2)...]
            default: throw ProviderFault("the JSON path \(text) is not of the form $.name[0].name")
            }
        }
        self.steps = steps
    }

    /// All that it leads to, in order.
    public func values(in root: JSONValue) -> [JSONValue] {
        var found = [root]
        for step in steps { found = found.flatMap { JSONPath.take(step, $0) } }
        return found
    }

    private static func take(_ step: Step, _ value: JSONValue) -> [JSONValue] {
        switch (step, value) {
        case (.member(let name), .object(let members)): members[name].map { [$0] } ?? []
        case (.element(let index), .array(let elements)):
            elements.indices.contains(index < 0 ? elements.count + index : index)
                ? [elements[index < 0 ? elements.count + index : index]] : []
        case (.all, .array(let elements)): elements
        case (.all, .object(let members)): members.sorted { $0.key < $1.key }.map(\.value)
        case (.member, _), (.element, _), (.all, _): []
        }
    }
}
