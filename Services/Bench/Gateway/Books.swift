import Bus
import Database
import Foundation
import Logging
import ServiceKit
import Store

/// What the gateway's own books say: message log, ledger, queues.
struct GatewayBooks: Sendable {
    /// Rows of `routelog`.
    struct Log: Sendable, Equatable {
        var messages = 0
        /// By their final state.
        var delivered = 0
        var relayed = 0
        var otherwiseEnded = 0
        /// With a text in `messagebody`.
        var bodies = 0

        var open: Int { messages - delivered - relayed - otherwiseEnded }
    }

    let databaseURL: String
    let kafka: String

    /// Every queue of the gateway, by the service that empties it.
    private static let queues: [GroupTopic] = {
        var all = [Topics.accepted, Topics.due].map { GroupTopic(group: "router", topic: $0) }
        all += [Topics.routed, Topics.submitted, Topics.refunds].map { GroupTopic(group: "billing", topic: $0) }
        all += [Topics.submitted, Topics.receipts].map { GroupTopic(group: "dlr-matcher", topic: $0) }
        all += [Topics.accepted, Topics.submitted, Topics.events].map { GroupTopic(group: "routelog", topic: $0) }
        all += DelayTier.allCases.map { GroupTopic(group: "delay", topic: $0.topic) }
        for terms in ProviderTerms.all {
            all += [Topics.queue(terms.connector), Topics.priorityQueue(terms.connector)].map {
                GroupTopic(group: "egress-smpp.\(terms.connector)", topic: $0)
            }
        }
        all += [Topics.queue(GatewayUnderTest.incoming), Topics.priorityQueue(GatewayUnderTest.incoming)].map {
            GroupTopic(group: "ingress-smpp.\(GatewayUnderTest.incoming)", topic: $0)
        }
        all.append(GroupTopic(group: "ingress-http.\(GatewayUnderTest.incomingHTTP)", topic: Topics.queue(GatewayUnderTest.incomingHTTP)))
        return all
    }()

    /// The id before which all messages of later loads come.
    func lastMessageID() async throws -> Int64 {
        try await query("SELECT coalesce(max(msgid), 0) AS id FROM routelog", []) { try $0[0].int("id") }
    }

    /// Messages with ids above `msgid` that the load sent.
    func log(after msgid: Int64) async throws -> Log {
        let sql = """
            SELECT count(*) AS messages, count(*) FILTER (WHERE status = 11) AS delivered, count(*) FILTER (WHERE status = 10) AS relayed,
                count(*) FILTER (WHERE status > 11) AS otherwise,
                (SELECT count(*) FROM messagebody b WHERE b.msgid > $1 AND b.body <> '') AS bodies
            FROM routelog WHERE msgid > $1 AND msgtype = 1 AND username = $2
            """
        return try await query(sql, [.int(msgid), .text(GatewayUnderTest.account)]) { rows in
            Log(
                messages: Int(try rows[0].int("messages")), delivered: Int(try rows[0].int("delivered")),
                relayed: Int(try rows[0].int("relayed")), otherwiseEnded: Int(try rows[0].int("otherwise")),
                bodies: Int(try rows[0].int("bodies")))
        }
    }

    /// What balances, ledger and log disagree on, in words; empty when they agree and nothing is under way.
    func disagreements() async throws -> [String] {
        let url = databaseURL
        return try await onThread {
            let report = try ReconcileStore.run(
                try Connection(url: url, applicationName: "signalbox bench"), now: wallClockMilliseconds(), limit: 20)
            let underWay = report.accounts.filter { $0.messagesUnderWay > 0 }.map {
                "\($0.messagesUnderWay) messages of \($0.username) are under way"
            }
            return report.differences.map { "\($0.username)\($0.msgid.map { ", message \($0)" } ?? ""): \($0.what)" } + underWay
        }
    }

    /// How many records wait in each queue that is not empty.
    /// - Parameter connector: the provider whose own queue is left out; nil: none.
    func waiting(besides connector: String? = nil) async throws -> [String: Int] {
        let kafka = kafka
        let queues = Self.queues.filter { queue in connector.map { queue.group != "egress-smpp.\($0)" } ?? true }
        return try await onThread {
            let admin = try Admin(
                BusConfiguration(bootstrap: kafka, clientID: "signalbox-bench", logger: makeLogger("bench", level: .critical)))
            let lags = try admin.lags(of: queues).filter { $0.value > 0 }
            return Dictionary(uniqueKeysWithValues: lags.map { ("\($0.key.topic) (\($0.key.group))", Int($0.value)) })
        }
    }

    private func query<T: Sendable>(_ sql: String, _ parameters: [SQLValue], _ read: @escaping @Sendable (Rows) throws -> T) async throws
        -> T
    {
        let url = databaseURL
        return try await onThread { try read(try Connection(url: url, applicationName: "signalbox bench").query(sql, parameters)) }
    }
}
