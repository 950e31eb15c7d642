import ArgumentParser
import Configuration
import Foundation
import Routing
import Store

/// Which of the two lists a command is about.
protocol AddressListName: Sendable {
    static var list: AddressRule.List { get }
    static var abstract: String { get }
}

enum Blacklist: AddressListName {
    static let list = AddressRule.List.blacklist
    static let abstract = "Senders and recipients whose messages are rejected, or noted."
}

enum Whitelist: AddressListName {
    static let list = AddressRule.List.whitelist
    static let abstract = "The only senders or recipients that are allowed, where there are any on it."
}

/// `signalbox blacklist …` and `signalbox whitelist …`.
struct AddressListCommand<Name: AddressListName>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Name.list.rawValue, abstract: Name.abstract,
            subcommands: [AddressAdd<Name>.self, AddressShow<Name>.self, AddressRemove<Name>.self, AddressImport<Name>.self])
    }
}

struct AddressAdd<Name: AddressListName>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "add", abstract: "Add an address, or with * at its end all that begin so.")
    }
    @Argument(help: "The address.") var address: String
    @Flag(help: "It is a recipient, not a sender.") var destination = false
    @Flag(help: "Only note it in the message's log.") var logOnly = false
    @Option(help: "Only for this account.") var account: String?
    @Option(help: "Only for what comes in, or would go out, over this connector.") var connector: String?
    @Option(help: "For people.") var note: String?
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let rule = AddressRule(
            list: Name.list, field: destination ? .destination : .source, address: address, action: logOnly ? .log : .reject,
            account: account, connector: connector)
        let id = try store.withConnection { try AddressRuleStore.add($0, rule, note: note, by: commandUser()) }
        try output.print(["ruleid": id], text: "Entry \(id): \(address).")
    }
}

struct AddressShow<Name: AddressListName>: ParsableCommand {
    static var configuration: CommandConfiguration { CommandConfiguration(commandName: "list", abstract: "All entries.") }
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let rows = try store.withConnection { try AddressRuleStore.load($0) }.filter { $0.rule.list == Name.list }
        var table = TextTable(
            ["ID", "ADDRESS", "FIELD", "ACTION", "ACCOUNT", "CONNECTOR", "NOTE"], empty: "The \(Name.list.rawValue) is empty.")
        for row in rows {
            table.add([
                "\(row.id)", row.rule.address, row.rule.field.rawValue, row.rule.action.rawValue, row.rule.account ?? "*",
                row.rule.connector ?? "*", row.note ?? row.origin.map { "from \($0)" } ?? "",
            ])
        }
        try output.print(["entries": rows], text: table.text)
    }
}

struct AddressRemove<Name: AddressListName>: ParsableCommand {
    static var configuration: CommandConfiguration { CommandConfiguration(commandName: "rm", abstract: "Remove an entry.") }
    @Argument(help: "Its id.") var id: Int64
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try store.withConnection { try AddressRuleStore.remove($0, id: id, list: Name.list, by: commandUser()) }
        try output.print(["removed": id], text: "Removed entry \(id).")
    }
}

struct AddressImport<Name: AddressListName>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "import", abstract: "Add the addresses of a file: all of them, or none where one is wrong.",
            discussion: "Lines of an address, REJECT or LOG, and SOURCEADDR or DESTADDR (EMG's format; the last two may be left out).")
    }
    @Argument(help: "The file.") var file: String
    @Option(help: "Only for this account.") var account: String?
    @Option(help: "Only for this connector.") var connector: String?
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        guard let data = FileManager.default.contents(atPath: file), let text = String(data: data, encoding: .utf8) else {
            throw CommandFailure("cannot read \(file) as UTF-8 text")
        }
        var (rules, faults) = RoutingFiles.addresses(text, list: Name.list, connector: connector)
        guard faults.isEmpty else {
            for fault in faults { printError("\(file): \(fault)") }
            throw CommandFailure("\(file): \(faults.count) errors; nothing was imported")
        }
        for index in rules.indices { rules[index].account = account }
        let added = try store.withConnection { try AddressRuleStore.addAll($0, rules, by: commandUser()) }
        try output.print(
            ["addresses": rules.count, "added": added], text: "\(rules.count) addresses, \(added) of them new.")
    }
}
