import ArgumentParser
import Configuration
import Foundation
import Pricing
import Store

struct AccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Accounts: who may send, and what they have to spend.",
        subcommands: [Add.self, Set.self, List.self, Show.self, TopUp.self, History.self, Lock.self, Key.self, Import.self])

    /// Options that `add` and `set` share.
    struct Details: ParsableArguments {
        @Option(help: "Password of up to 256 octets; kept as a scrypt hash. SMPP itself carries 8.") var password: String?
        @Flag(help: "May the balance go below zero?") var payment: Payment?
        @Option(parsing: .unconditional, help: "How far a postpaid balance may go below zero, such as -100.", transform: moneyArgument)
        var limit: Money?
        @Option(help: "Sessions at a time; 0 = no limit.") var maxSessions: Int?
        @Option(help: "Messages a second; 0 = no limit.") var throughput: Int?
        @Option(help: "User group; ADMIN = administrator.") var group: String?
        @Option(help: "Full name.") var fullname: String?
        @Option(help: "Company.") var company: String?
        @Option(help: "Telephone.") var phone: String?
        @Option(help: "Connector that all messages go to.") var route: String?
        @Option(help: "Connector that reports go to.") var routeDlr: String?
        @Option(help: "Source address that replaces the sender's.") var forceSource: String?
        @Option(help: "Currency of the balance (default EUR).") var currency: String?

        func validate() throws {
            for (name, number) in [("--max-sessions", maxSessions), ("--throughput", throughput)] {
                if let number, !(0...1_000_000).contains(number) { throw ValidationError("\(name) lies between 0 and 1000000") }
            }
            if let limit, limit > .zero { throw ValidationError("--limit is zero or negative") }
            if let currency, currency.utf8.count != 3 || !currency.allSatisfy({ $0.isASCII && $0.isUppercase }) {
                throw ValidationError("--currency has three capitals, such as EUR")
            }
        }

        /// Something is to be set.
        var isGiven: Bool {
            payment != nil || limit != nil || maxSessions != nil || throughput != nil
                || [password, group, fullname, company, phone, route, routeDlr, forceSource, currency].contains { $0 != nil }
        }

        var changes: AccountStore.Changes {
            var changes = AccountStore.Changes()
            changes.password = password
            changes.allowPostpaid = payment.map { $0 == .postpaid }
            changes.postpaidLimit = limit
            changes.maxSessions = maxSessions
            changes.throughputPerSecond = throughput
            changes.usergroup = group
            changes.fullName = fullname
            changes.company = company
            changes.phone = phone
            changes.route = route
            changes.routeDLR = routeDlr
            changes.forcedSource = forceSource
            changes.currency = currency
            return changes
        }
    }

    enum Payment: String, EnumerableFlag {
        case prepaid, postpaid
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add an account. It can log in once `access add` says from where.")
        @Argument(help: "Login name.") var name: String
        @OptionGroup var details: Details
        @Option(parsing: .unconditional, help: "Opening balance (default 0).", transform: moneyArgument) var balance: Money?
        @Option(help: "Messages it may send, instead of a balance (EMG's credits).") var credits: Int64?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard details.password?.isEmpty == false else { throw ValidationError("--password is missing") }
            if let credits, credits < 0 || balance != nil {
                throw ValidationError(credits < 0 ? "--credits is not negative" : "--balance and --credits exclude each other")
            }
        }

        func run() throws {
            let account = try store.withConnection { connection in
                var changes = details.changes
                changes.creditsSend = credits
                return try AccountStore.add(
                    connection, username: name, balance: credits == nil ? balance ?? .zero : nil, changes: changes, by: commandUser())
            }
            try output.print(AccountView(account, access: []), text: "Added account \(name), balance \(AccountView.balance(account)).")
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change an account; what is not named stays. Sessions that are open keep what they began with.")
        @Argument(help: "Login name.") var name: String
        @OptionGroup var details: Details
        @Option(
            name: .customLong("set"),
            help: ArgumentHelp(
                "Any column of emguser: \(AccountColumns.settable.joined(separator: ", ")). Without a value it is cleared.",
                valueName: "COLUMN=VALUE"))
        var columns: [String] = []
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            for text in columns where !text.contains("=") { throw ValidationError("--set \(text): write COLUMN=VALUE") }
            guard !columns.isEmpty || details.isGiven else { throw ValidationError("nothing is named that is to change") }
        }

        func run() throws {
            var values: [String: String?] = [:]
            for text in columns {
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                values[parts[0].lowercased()] = .some(parts.count == 2 ? String(parts[1]) : nil)
            }
            // Read now, by names relative to this directory; `config apply` reads them again.
            let (files, faults) = AccountFile.read(
                AccountFile.Kind.allCases.compactMap { kind in
                    (values[kind.rawValue] ?? nil).flatMap { $0.isEmpty ? nil : .init(account: name, kind: kind, path: $0) }
                }, open: ConfigCommand.read)
            guard faults.isEmpty else { throw CommandFailure(faults.joined(separator: "\n")) }
            let account = try store.withConnection { connection in
                let problems = try AccountFileStore.problems(connection, files)
                guard problems.isEmpty else { throw CommandFailure(problems.joined(separator: "\n")) }
                // The columns first: where one of them has a fault nothing else is changed either.
                if !values.isEmpty { try AccountColumns.set(connection, username: name, values: values, files: files, by: commandUser()) }
                let account = try AccountStore.set(connection, username: name, changes: details.changes, by: commandUser())
                // Their charges counted before, perhaps.
                for misfit in try PriceStore.misfits(connection, account: name, limit: 20) { printError("Warning: \(misfit.words)") }
                return account
            }
            try output.print(AccountView(account, access: nil), text: "Changed account \(name).")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "All accounts.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let accounts = try store.withConnection { try AccountStore.list($0) }
            var table = TextTable(
                ["NAME", "BALANCE", "PAYMENT", "SESSIONS", "RATE", "LAST LOGIN", "STATE"], empty: "There are no accounts.")
            for account in accounts {
                table.add([
                    account.username, AccountView.balance(account), account.allowPostpaid ? "postpaid" : "prepaid",
                    account.maxSessions == 0 ? "any" : "\(account.maxSessions)",
                    account.throughputPerSecond == 0 ? "any" : "\(account.throughputPerSecond)/s", timeText(account.lastLogin),
                    AccountView.isLocked(account) ? "locked" : "open",
                ])
            }
            try output.print(["accounts": accounts.map { AccountView($0, access: nil) }], text: table.text)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "One account with its access rows.")
        @Argument(help: "Login name.") var name: String
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let (account, access, columns) = try store.withConnection { connection in
                guard let account = try AccountStore.find(connection, username: name) else {
                    throw StoreError.notFound("account \(name)")
                }
                return (
                    account, try AccountStore.listAccess(connection, username: name).map(\.row),
                    try AccountStore.columns(connection, username: name)
                )
            }
            let view = WholeAccountView(AccountView(account, access: access), columns: columns)
            try output.print(view, text: view.text)
        }
    }

    struct TopUp: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "topup", abstract: "Add an amount to a balance, or take a negative one away.")
        @Argument(help: "Login name.") var name: String
        @Argument(parsing: .allUnrecognized, help: "Amount, such as 100 or -2.50.") var amount: [String]
        @Option(help: "Kept in the ledger.") var note: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            _ = try wanted()
        }

        /// Also after a `--`, as people write it in front of what begins with a minus.
        private func wanted() throws -> Money {
            let words = amount.filter { $0 != "--" }
            guard words.count == 1 else { throw ValidationError("topup takes one amount") }
            return try moneyArgument(words[0])
        }

        func run() throws {
            let amount = try wanted()
            let balance = try store.withConnection {
                try LedgerStore.topUp($0, username: name, amount: amount, by: commandUser(), note: note)
            }
            struct Answer: Encodable {
                var username: String
                var amount: Money
                var charge_balance: Money
            }
            try output.print(
                Answer(username: name, amount: amount, charge_balance: balance), text: "Balance of \(name) is now \(balance).")
        }
    }

    struct Lock: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "lock", abstract: "Refuse logins of an account from now on, or allow them again.")
        @Argument(help: "Login name.") var name: String
        @Option(help: "Lock until then (default: for good).", transform: timeArgument) var until: Int64?
        @Flag(help: "Unlock.") var off = false
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        /// 9999-12-31: for good.
        private static let farAway: Int64 = 253_402_214_400_000

        func validate() throws {
            if let until, !off, until <= Int64(Date().timeIntervalSince1970 * 1_000) { throw ValidationError("--until lies in the past") }
        }

        func run() throws {
            var changes = AccountStore.Changes()
            changes.lockedUntil = .some(off ? nil : until ?? Self.farAway)
            let account = try store.withConnection { try AccountStore.set($0, username: name, changes: changes, by: commandUser()) }
            try output.print(AccountView(account, access: nil), text: "Account \(name) is \(off ? "open" : "locked").")
        }
    }
}
