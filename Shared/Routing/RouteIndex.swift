/// Routes by how specific they are, so that a search asks a few maps whatever the number of routes.
///
/// What a route is limited to makes its shape; the shape as a number is how specific it is, most decisive bit first: account, group,
/// incoming connector, whole sender, sender's beginning, keyword, regular expression, option, time. Between routes of one shape the
/// longer beginning of the sender wins, then the longer prefix of the destination. Source: docs/routing.md, "The most specific route".
struct RouteIndex: Sendable {
    /// A set of conditions.
    struct Shape: OptionSet, Hashable, Sendable {
        var rawValue: UInt16

        static let schedule = Shape(rawValue: 1)
        static let option = Shape(rawValue: 2)
        static let pattern = Shape(rawValue: 4)
        static let keyword = Shape(rawValue: 8)
        static let sourceBeginning = Shape(rawValue: 16)
        static let source = Shape(rawValue: 32)
        static let inConnector = Shape(rawValue: 64)
        static let group = Shape(rawValue: 128)
        static let account = Shape(rawValue: 256)
        /// Conditions that are not looked up but tried on each route.
        static let tried: Shape = [.schedule, .option, .pattern]

        init(rawValue: UInt16) { self.rawValue = rawValue }

        init(_ match: RouteMatch) {
            self = []
            if match.account != nil { insert(.account) }
            if match.group != nil { insert(.group) }
            if match.inConnector != nil { insert(.inConnector) }
            if let source = match.source { insert(source.hasSuffix("*") ? .sourceBeginning : .source) }
            if match.keyword != nil { insert(.keyword) }
            if match.pattern != nil { insert(.pattern) }
            if match.option != nil { insert(.option) }
            if match.schedule != nil { insert(.schedule) }
        }

        /// For people, most decisive first.
        var words: String {
            let names: [(Shape, String)] = [
                (.account, "account"), (.group, "group"), (.inConnector, "incoming connector"), (.source, "sender"),
                (.sourceBeginning, "beginning of the sender"), (.keyword, "keyword"), (.pattern, "regular expression"),
                (.option, "option"), (.schedule, "time"),
            ]
            let found = names.filter { contains($0.0) }.map(\.1)
            return found.isEmpty ? "no condition" : found.joined(separator: ", ")
        }
    }

    /// What a route names, each as a number; 0 = not named.
    private struct Names: Hashable, Sendable {
        var account: UInt32 = 0
        var group: UInt32 = 0
        var inConnector: UInt32 = 0
        var source: UInt32 = 0
        var keyword: UInt32 = 0
    }

    /// The routes that name the same, by prefix.
    private struct Bucket: Sendable {
        /// Bit n: there are prefixes of n digits.
        var lengths: UInt32 = 0
        var rows: [NumberPrefix: [Int32]] = [:]
    }

    private struct Layer: Sendable {
        var shape: Shape
        /// Lengths of the beginnings of senders, longest first.
        var beginnings: [Int] = []
        var buckets: [Names: Bucket] = [:]
    }

    /// Texts as numbers from 1 on.
    private struct Numbering: Sendable {
        private var numbers: [String: UInt32] = [:]

        mutating func number(_ text: String) -> UInt32 {
            if let known = numbers[text] { return known }
            let number = UInt32(numbers.count + 1)
            numbers[text] = number
            return number
        }

        func find(_ text: String) -> UInt32? { numbers.isEmpty ? nil : numbers[text] }
    }

    private(set) var routes: [Route] = []
    /// Most specific first.
    private var layers: [Layer] = []
    private var accounts = Numbering()
    private var groups = Numbering()
    private var connectors = Numbering()
    private var sources = Numbering()
    private var keywords = Numbering()
    /// Every condition that some route has.
    private(set) var conditions: Shape = []

    init(_ routes: [Route]) {
        var places: [Shape: Int] = [:]
        self.routes.reserveCapacity(routes.count)
        for route in routes {
            let match = route.match
            guard let prefix = NumberPrefix(match.prefix) else { continue }
            let shape = Shape(match)
            conditions.formUnion(shape)
            var names = Names()
            if let account = match.account { names.account = accounts.number(account) }
            if let group = match.group { names.group = groups.number(group) }
            if let connector = match.inConnector { names.inConnector = connectors.number(connector) }
            if let keyword = match.keyword { names.keyword = keywords.number(keyword.lowercased()) }
            var beginning: Int?
            if let source = match.source {
                let folded = AddressLists.folded(source)
                names.source = sources.number(folded)
                if shape.contains(.sourceBeginning) { beginning = folded.utf8.count - 1 }
            }
            let place =
                places[shape]
                ?? {
                    layers.append(Layer(shape: shape))
                    places[shape] = layers.count - 1
                    return layers.count - 1
                }()
            if let beginning, !layers[place].beginnings.contains(beginning) { layers[place].beginnings.append(beginning) }
            let digits = prefix.count
            let index = Int32(self.routes.count)
            layers[place].buckets[names, default: Bucket()].lengths |= 1 << UInt32(digits)
            layers[place].buckets[names, default: Bucket()].rows[prefix, default: []].append(index)
            self.routes.append(route)
        }
        for index in layers.indices { layers[index].beginnings.sort(by: >) }
        layers.sort { $0.shape.rawValue > $1.shape.rawValue }
    }

    /// Calls `visit` with the routes of each level that match, the most specific first, until it returns `true`.
    func search(_ query: RouteQuery, group: String?, trace: RouteTrace?, until visit: ([Int32]) -> Bool) {
        guard !layers.isEmpty else { return }
        let account = conditions.contains(.account) ? accounts.find(query.account) : nil
        let groupNumber = conditions.contains(.group) ? group.flatMap { groups.find($0) } : nil
        let connector = conditions.contains(.inConnector) ? connectors.find(query.inConnector) : nil
        let keyword = conditions.contains(.keyword) ? keywords.find(RouteQuery.keyword(of: query.text)) : nil
        let usesSource = !conditions.isDisjoint(with: [.source, .sourceBeginning])
        let sender = usesSource ? AddressLists.folded(query.source) : ""
        let prefixes = NumberPrefix.all(of: query.destination)
        let deepest = UInt32(prefixes.count - 1)
        let reachable = UInt32.max >> (31 - min(31, deepest))

        for layer in layers {
            var names = Names()
            if layer.shape.contains(.account) {
                guard let account else { continue }
                names.account = account
            }
            if layer.shape.contains(.group) {
                guard let groupNumber else { continue }
                names.group = groupNumber
            }
            if layer.shape.contains(.inConnector) {
                guard let connector else { continue }
                names.inConnector = connector
            }
            if layer.shape.contains(.keyword) {
                guard let keyword else { continue }
                names.keyword = keyword
            }
            if layer.shape.contains(.source) {
                guard let number = sources.find(sender) else { continue }
                names.source = number
            }
            if layer.shape.contains(.sourceBeginning) {
                for length in layer.beginnings where length <= sender.utf8.count {
                    let end = sender.utf8.index(sender.utf8.startIndex, offsetBy: length)
                    guard let number = sources.find(String(decoding: sender.utf8[..<end], as: UTF8.self) + "*") else { continue }
                    names.source = number
                    if search(layer, names, query, prefixes, reachable, trace, visit) { return }
                }
            } else if search(layer, names, query, prefixes, reachable, trace, visit) {
                return
            }
        }
    }

    private func search(
        _ layer: Layer, _ names: Names, _ query: RouteQuery, _ prefixes: [NumberPrefix], _ reachable: UInt32, _ trace: RouteTrace?,
        _ visit: ([Int32]) -> Bool
    ) -> Bool {
        guard let bucket = layer.buckets[names] else { return false }
        var lengths = bucket.lengths & reachable
        while lengths != 0 {
            let length = 31 - lengths.leadingZeroBitCount
            lengths &= ~(1 << UInt32(length))
            guard let rows = bucket.rows[prefixes[length]] else { continue }
            trace?.note("\(Self.count(rows.count)) with \(layer.shape.words) and \(Self.words(prefixes[length]))")
            guard !layer.shape.isDisjoint(with: .tried) else {
                if visit(rows) { return true }
                continue
            }
            let matching = rows.filter { fits(routes[Int($0)], query, trace) }
            if !matching.isEmpty, visit(matching) { return true }
        }
        return false
    }

    private func fits(_ route: Route, _ query: RouteQuery, _ trace: RouteTrace?) -> Bool {
        if let schedule = route.match.schedule, !schedule.contains(query.moment) {
            trace?.note("route \(route.id): not at this time (\(schedule))")
            return false
        }
        if let option = route.match.option,
            !query.options.contains(where: { $0.name == option.name && (option.value ?? $0.value) == $0.value })
        {
            trace?.note("route \(route.id): the message has no \(option.name)\(option.value.map { "=\($0)" } ?? "")")
            return false
        }
        if let pattern = route.match.pattern, !pattern.matches(query.text) {
            trace?.note("route \(route.id): the text does not match \(pattern.text)")
            return false
        }
        return true
    }

    private static func count(_ rows: Int) -> String { rows == 1 ? "a route" : "\(rows) routes" }

    private static func words(_ prefix: NumberPrefix) -> String {
        let digits = prefix.digits
        return digits.isEmpty ? "any destination" : "the prefix \(digits)"
    }
}

/// The steps of a decision, for people. Where nobody wants to know there is none, and no text is made.
final class RouteTrace {
    private(set) var steps: [String] = []

    func note(_ step: String) { steps.append(step) }
}
