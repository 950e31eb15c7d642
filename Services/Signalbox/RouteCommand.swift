import ArgumentParser
import Routing
import Store

struct RouteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route", abstract: "Which messages go to which connector.",
        subcommands: [Add.self, List.self, Remove.self, RouteImportCommand.self, RouteTestCommand.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add a route; the most specific one wins.",
            discussion: "What a route names it is limited to. docs/routing.md tells which of several routes is the most specific.")
        @Option(help: "Destination prefix in digits; empty for every destination.") var prefix: String = ""
        @Option(help: "Connector, or connector group, to send through.") var connector: String
        @Option(help: "Only for this account.") var account: String?
        @Option(help: "Only for accounts of this group (usergroup).") var group: String?
        @Option(name: .customLong("in"), help: "Only for what came in over this connector.") var inConnector: String?
        @Option(help: "mt: from accounts; mo: from phones; any: both.", transform: trafficArgument) var traffic: RouteTraffic = .mt
        @Option(help: "Only for this sender; with * at its end: senders that begin so.") var source: String?
        @Option(help: "Only for texts whose first word this is.") var keyword: String?
        @Option(help: "Only for texts in which this regular expression (PCRE2, case does not count) is found.") var regex: String?
        @Option(help: "Only for messages with this option: 0x1400, 0x1400=0A0B, 0x1400=text:abc, or an EMG option's name.") var option:
            String?
        @Option(help: "Only then: \"Mo-Fr 08:00-18:00 Europe/Stockholm\".") var time: String?
        @Option(help: "Who gets a message from a phone, or pays for it when it goes out again.") var toAccount: String?
        @Option(parsing: .unconditional, help: "Between equals the smaller goes first.") var priority: Int = 0
        @Option(parsing: .unconditional, help: "Share among equals; 0: only when no other is left.") var weight: Int = 1
        @Flag(help: "Among equals the cheapest goes first.") var leastCost = false
        @Option(parsing: .unconditional, help: "Leading digits to take off the destination.") var strip: Int = 0
        @Option(name: .customLong("add"), help: "Digits to put before the destination.") var addPrefix: String = ""
        @Option(help: "Sender to send with.") var setSource: String?
        @Option(help: "For people.") var note: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (0...1_000_000).contains(weight) else { throw ValidationError("--weight lies between 0 and 1000000") }
            guard (-1_000_000...1_000_000).contains(priority) else { throw ValidationError("--priority lies between -1000000 and 1000000") }
            guard (0...20).contains(strip) else { throw ValidationError("--strip lies between 0 and 20") }
            do { _ = try row().route() } catch { throw ValidationError("\(error)") }
        }

        private func row() -> RouteRow {
            var route = RouteRow(
                prefix: prefix, account: account, inConnector: inConnector, outConnector: connector, priority: priority, weight: weight,
                note: note)
            route.group = group
            route.traffic = traffic
            route.source = source
            route.keyword = keyword
            route.pattern = regex
            route.option = option
            route.schedule = time
            route.toAccount = toAccount
            route.leastCost = leastCost
            route.stripDigits = strip
            route.addPrefix = addPrefix
            route.setSource = setSource
            return route
        }

        func run() throws {
            let (id, twin) = try store.withConnection { connection in
                let row = row()
                let twin = try RouteStore.load(connection, includingDisabled: true).first { $0.says(thatOf: row) }
                return (try RouteStore.add(connection, row, by: commandUser()), twin)
            }
            if let twin { printError("route \(twin.id) says the same already") }
            try output.print(["routeid": id], text: "Route \(id): \(prefix.isEmpty ? "everything" : prefix) to \(connector).")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "All routes.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let routes = try store.withConnection { try RouteStore.load($0, includingDisabled: true) }
            var table = TextTable(
                ["ID", "PREFIX", "ACCOUNT", "IN", "CONDITIONS", "OUT", "PRIORITY", "WEIGHT", "STATE", "NOTE"], empty: "There are no routes."
            )
            for route in routes {
                table.add([
                    "\(route.id)", route.prefix.isEmpty ? "*" : route.prefix, route.account ?? "*", route.inConnector ?? "*",
                    Self.conditions(route), route.outConnector + (route.toAccount.map { " for \($0)" } ?? ""), "\(route.priority)",
                    "\(route.weight)", route.disabled ? "disabled" : "on", route.note ?? route.origin.map { "from \($0)" } ?? "",
                ])
            }
            try output.print(["routes": routes], text: table.text)
        }

        private static func conditions(_ route: RouteRow) -> String {
            var words: [String] = []
            if route.traffic != .mt { words.append(route.traffic.rawValue) }
            if let group = route.group { words.append("group \(group)") }
            if let source = route.source { words.append("from \(source)") }
            if let keyword = route.keyword { words.append("keyword \(keyword)") }
            if let pattern = route.pattern { words.append("regex \(pattern)") }
            if let option = route.option { words.append(option) }
            if let schedule = route.schedule { words.append(schedule) }
            if route.leastCost { words.append("cheapest") }
            if route.stripDigits > 0 { words.append("strip \(route.stripDigits)") }
            if !route.addPrefix.isEmpty { words.append("add \(route.addPrefix)") }
            if let source = route.setSource { words.append("sender \(source)") }
            return words.isEmpty ? "-" : words.joined(separator: ", ")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a route.")
        @Argument(help: "Its id.") var id: Int64
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            try store.withConnection { try RouteStore.remove($0, id: id, by: commandUser()) }
            try output.print(["removed": id], text: "Removed route \(id).")
        }
    }
}

@Sendable private func trafficArgument(_ text: String) throws -> RouteTraffic {
    guard let traffic = RouteTraffic(rawValue: text) else { throw ValidationError("\(text): traffic is mt, mo or any") }
    return traffic
}
