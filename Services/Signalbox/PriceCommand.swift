import ArgumentParser
import Pricing
import Store

struct PriceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "price", abstract: "What a part of a message costs the account, and what it costs us.",
        subcommands: [Add.self, List.self, Remove.self, Import.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add a price; the most specific one wins, for charge and cost apart.")
        @Option(help: "Destination prefix in digits; empty for every destination.") var prefix: String = ""
        @Option(parsing: .unconditional, help: "What the account pays for a part.", transform: moneyArgument) var charge: Money?
        @Option(parsing: .unconditional, help: "What the provider takes for a part.", transform: moneyArgument) var cost: Money?
        @Option(help: "Only for this account.") var account: String?
        @Option(name: .customLong("in"), help: "Only for what came in over this connector.") var inConnector: String?
        @Option(name: .customLong("out"), help: "Only for what goes out over this connector.") var outConnector: String?
        @Option(help: "Currency (default: the account's; without --account EUR). A charge counts only for accounts that pay in it.")
        var currency: String?
        @Option(help: "Valid from then on (UTC).", transform: timeArgument) var from: Int64?
        @Option(help: "Valid until then (UTC).", transform: timeArgument) var until: Int64?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard charge != nil || cost != nil else { throw ValidationError("a price needs --charge, --cost, or both") }
        }

        func run() throws {
            var price = PriceRow(
                prefix: prefix, account: account, inConnector: inConnector, outConnector: outConnector, charge: charge, cost: cost,
                currency: currency ?? "EUR", validFrom: from, validUntil: until)
            let isStated = currency != nil
            let (id, written, misfits) = try store.withConnection { [price] connection in
                var price = price
                if !isStated, let account = price.account, let own = try PriceStore.currencies(connection)[account] { price.currency = own }
                let id = try PriceStore.add(connection, price, by: commandUser())
                return (id, price, try PriceStore.misfits(connection, limit: 100_000).filter { $0.id == id })
            }
            price = written
            for misfit in misfits { printError("Warning: \(misfit.words)") }
            try output.print(
                ["priceid": id],
                text: "Price \(id): \(prefix.isEmpty ? "everything" : prefix), charge \(charge?.description ?? "-"), "
                    + "cost \(cost?.description ?? "-") \(price.currency).")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "All prices.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let prices = try store.withConnection { try PriceStore.load($0, includingDisabled: true) }
            var table = TextTable(
                ["ID", "PREFIX", "ACCOUNT", "IN", "OUT", "CHARGE", "COST", "CURRENCY", "FROM", "UNTIL", "NOTE"],
                empty: "There are no prices.")
            for price in prices {
                table.add([
                    "\(price.id)", price.prefix.isEmpty ? "*" : price.prefix, price.account ?? "*", price.inConnector ?? "*",
                    price.outConnector ?? "*", price.charge?.description ?? "-", price.cost?.description ?? "-", price.currency,
                    timeText(price.validFrom), timeText(price.validUntil), price.origin.map { "from \($0)" } ?? "",
                ])
            }
            try output.print(["prices": prices], text: table.text)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a price.")
        @Argument(help: "Its id.") var id: Int64
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            try store.withConnection { try PriceStore.remove($0, id: id, by: commandUser()) }
            try output.print(["removed": id], text: "Removed price \(id).")
        }
    }
}
