import Database
import Pricing
import ServiceKit
import Store

/// What clients ask about their messages and their money.
final class Lookups: Sendable {
    struct MessageKey: Sendable, Hashable {
        var msgid: Int64
        var account: String
    }

    struct Page: Sendable {
        var account: String
        var from: Int64
        var before: Int64
        var limit: Int
    }

    /// The log is behind the acceptance by some 200 ms; by more when there is much to do.
    private static let youngMilliseconds: Int64 = 30_000
    private static let patienceMilliseconds: Int64 = 3_000

    private let messages: BatchDesk<MessageKey, LoggedMessage?>
    private let pages: BatchDesk<Page, [LoggedMessage]>
    private let accounts: BatchDesk<String, Account?>

    init(_ environment: ServiceEnvironment) {
        func database(_ name: String) -> Database {
            Database(url: environment.databaseURL, applicationName: "\(environment.instance)/\(name)", statementTimeoutMilliseconds: 5_000)
        }
        let lookups = database("lookups")
        messages = BatchDesk(lookups) { connection, keys in
            let found = try MessageStore.ofAccounts(connection, keys.map { ($0.msgid, $0.account) })
            let byID = Dictionary(found.map { ($0.msgid, $0) }, uniquingKeysWith: { first, _ in first })
            return keys.map { key in byID[key.msgid].flatMap { $0.account == key.account ? $0 : nil } }
        }
        accounts = BatchDesk(lookups) { connection, names in
            var known: [String: Account] = [:]
            for name in Set(names) { known[name] = try AccountStore.find(connection, username: name) }
            return names.map { known[$0] }
        }
        // A list may take its time: others do not wait for it.
        pages = BatchDesk(database("lists")) { connection, pages in
            try pages.map { page in
                try MessageStore.list(connection, account: page.account, from: page.from, before: page.before, limit: page.limit)
            }
        }
    }

    /// A message of an account's own. One that was accepted just now is waited for.
    func message(_ key: MessageKey) async throws -> LoggedMessage? {
        let deadline = monotonicMilliseconds() + Lookups.patienceMilliseconds
        while true {
            if let found = try await messages.ask(key) { return found }
            let age = wallClockMilliseconds() - MessageIDs.time(of: key.msgid)
            guard abs(age) < Lookups.youngMilliseconds, monotonicMilliseconds() < deadline else { return nil }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    func page(_ page: Page) async throws -> [LoggedMessage] { try await pages.ask(page) }

    /// The account as it stands now, with its balance.
    func account(_ name: String) async throws -> Account? { try await accounts.ask(name) }
}
