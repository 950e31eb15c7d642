import Routing

/// Routes from a CSV file (RFC 4180): a heading with the names of columns, as `route list --json` prints them, in any order.
public enum RouteImport {
    public static let columns = [
        "prefix", "account", "usergroup", "in_connector", "traffic", "source", "keyword", "pattern", "option", "schedule", "out_connector",
        "to_account", "priority", "weight", "least_cost", "strip_digits", "add_prefix", "set_source", "disabled", "note",
    ]

    /// - Returns: the routes with their lines, and everything that cannot be read, by line (counted from 1).
    public static func parse(_ text: String) -> (rows: [(line: Int, route: RouteRow)], faults: [(line: Int, message: String)]) {
        var rows: [(line: Int, route: RouteRow)] = []
        var faults: [(line: Int, message: String)] = []
        var reader = Records(text)
        guard let heading = reader.next() else { return ([], [(1, "the file is empty: it begins with the names of its columns")]) }
        let names = heading.fields.map { $0.lowercased().filter { !$0.isWhitespace } }
        for name in names where !columns.contains(name) {
            faults.append((1, "unknown column \(name): there are \(columns.joined(separator: ", "))"))
        }
        if Set(names).count != names.count { faults.append((1, "a column is named twice")) }
        if !names.contains("out_connector") { faults.append((1, "the column out_connector is missing")) }
        guard faults.isEmpty else { return ([], faults) }
        while let record = reader.next() {
            guard record.fields != [""] else { continue }
            guard record.isClosed else {
                faults.append((record.line, "a quote is not closed"))
                break
            }
            guard record.fields.count == names.count else {
                faults.append((record.line, "\(record.fields.count) fields, and the heading names \(names.count)"))
                continue
            }
            var route = RouteRow(prefix: "", outConnector: "")
            for (name, field) in zip(names, record.fields) where !field.isEmpty {
                if let problem = set(&route, name, field) { faults.append((record.line, problem)) }
            }
            if route.outConnector.isEmpty { faults.append((record.line, "out_connector is empty")) }
            rows.append((record.line, route))
        }
        if rows.isEmpty, faults.isEmpty { faults.append((1, "no routes follow the names of the columns")) }
        return (rows, faults)
    }

    private static func set(_ route: inout RouteRow, _ name: String, _ field: String) -> String? {
        func number(_ path: WritableKeyPath<RouteRow, Int>) -> String? {
            guard let value = Int(field) else { return "\(name) is a whole number, not \(field)" }
            route[keyPath: path] = value
            return nil
        }
        func flag(_ path: WritableKeyPath<RouteRow, Bool>) -> String? {
            switch field.lowercased() {
            case "1", "true", "yes", "t": route[keyPath: path] = true
            case "0", "false", "no", "f": route[keyPath: path] = false
            default: return "\(name) is true or false, not \(field)"
            }
            return nil
        }
        switch name {
        case "prefix": route.prefix = field
        case "account": route.account = field
        case "usergroup": route.group = field
        case "in_connector": route.inConnector = field
        case "traffic":
            guard let traffic = RouteTraffic(rawValue: field.lowercased()) else { return "traffic is mt, mo or any, not \(field)" }
            route.traffic = traffic
        case "source": route.source = field
        case "keyword": route.keyword = field
        case "pattern": route.pattern = field
        case "option": route.option = field
        case "schedule": route.schedule = field
        case "out_connector": route.outConnector = field
        case "to_account": route.toAccount = field
        case "priority": return number(\.priority)
        case "weight": return number(\.weight)
        case "strip_digits": return number(\.stripDigits)
        case "least_cost": return flag(\.leastCost)
        case "disabled": return flag(\.disabled)
        case "add_prefix": route.addPrefix = field
        case "set_source": route.setSource = field
        default: route.note = field
        }
        return nil
    }

    /// The records of a CSV text. Quoted fields may hold separators, line ends and doubled quotes.
    private struct Records {
        struct Record {
            var line: Int
            var fields: [String]
            var isClosed: Bool
        }

        private let octets: [UInt8]
        private var index = 0
        private var line = 1

        init(_ text: String) {
            octets = Array(text.utf8)
            // A byte order mark, as spreadsheets write it.
            if octets.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        }

        mutating func next() -> Record? {
            guard index < octets.count else { return nil }
            var record = Record(line: line, fields: [], isClosed: true)
            var field: [UInt8] = []
            var isQuoted = false
            while index < octets.count {
                let octet = octets[index]
                index += 1
                if octet == UInt8(ascii: "\n") { line += 1 }
                if isQuoted {
                    if octet != UInt8(ascii: "\"") {
                        field.append(octet)
                    } else if index < octets.count, octets[index] == octet {
                        field.append(octet)
                        index += 1
                    } else {
                        isQuoted = false
                    }
                    continue
                }
                switch octet {
                case UInt8(ascii: "\"") where field.isEmpty: isQuoted = true
                case UInt8(ascii: ","):
                    record.fields.append(String(decoding: field, as: UTF8.self))
                    field.removeAll()
                case UInt8(ascii: "\r") where index == octets.count || octets[index] == UInt8(ascii: "\n"): continue
                case UInt8(ascii: "\n"):
                    record.fields.append(String(decoding: field, as: UTF8.self))
                    return record
                default: field.append(octet)
                }
            }
            record.fields.append(String(decoding: field, as: UTF8.self))
            record.isClosed = !isQuoted
            return record
        }
    }
}
