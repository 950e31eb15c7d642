import ArgumentParser
import Foundation
import Routing
import Store

struct RouteTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Tell where a message would go, and why; nothing is sent.",
        discussion: "The decision is the router's own, over what the database says now. Exit status 1 where the message would go nowhere.")
    @Option(help: "Its destination.") var to: String
    @Option(help: "Its sender.") var from: String = ""
    @Option(help: "The account that sends it; without one it comes from a phone.") var account: String?
    @Option(name: .customLong("in"), help: "The connector that it comes in over.") var inConnector: String = ""
    @Option(help: "Its text.") var text: String = ""
    @Option(help: "An option of it, such as 0x1400=0A0B; may be given several times.") var option: [String] = []
    @Option(help: "A connector that has refused it already; may be given several times.") var tried: [String] = []
    @Option(help: "A connector to take for disconnected; may be given several times.") var down: [String] = []
    @Option(help: "Its message id: shares of traffic are drawn from it.") var msgid: Int64 = 1
    @Option(help: "When (UTC); now if it is not said.", transform: timeArgument) var at: Int64?
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let options = try option.map { text throws in
            do {
                let option = try RouteRow.option(text)
                return RouteMatch.Option(name: option.name, value: option.value ?? "")
            } catch { throw CommandFailure("\(error)") }
        }
        guard !to.isEmpty else { throw CommandFailure("--to is empty") }
        let setup = try store.withConnection { connection in
            if let account, try AccountStore.find(connection, username: account) == nil { throw StoreError.notFound("account \(account)") }
            var setup = try RoutingStore.load(connection)
            if !inConnector.isEmpty, setup.plan.connectors[inConnector] == nil { throw StoreError.notFound("connector \(inConnector)") }
            // Without a running gateway nothing is connected, and nobody asks for that.
            let connected = try RoutingStore.connected(connection)
            if connected.isEmpty { setup.watched = [] }
            setup.watched.removeAll { connected.contains($0.name) || !$0.needsSession }
            return setup
        }
        for problem in setup.problems { printError("not used: \(problem)") }
        let query = RouteQuery(
            source: from, destination: to, account: account ?? "", inConnector: inConnector, text: text, options: options, tried: tried,
            share: RouteShare.message(msgid), now: at ?? Int64(Date().timeIntervalSince1970 * 1_000))
        let live = LiveState(down: Set(setup.watched.map(\.name)).union(down))
        let (verdict, steps) = setup.plan.explain(query, live)
        struct Answer: Encodable {
            var steps: [String]
            var connector: String?
            var routeid: Int64?
            var account: String?
            var destination: String?
            var source: String?
            var reports: String?
            var refused: String?
        }
        var answer = Answer(steps: steps)
        let conclusion: String
        switch verdict {
        case .go(let choice):
            answer.connector = choice.connector
            answer.routeid = choice.routeID == 0 ? nil : choice.routeID
            answer.account = choice.account.isEmpty ? nil : choice.account
            answer.destination = choice.sentDestination ?? choice.destination
            answer.source = choice.sentSource
            answer.reports = choice.reportConnector
            conclusion = "\(to) goes to \(choice.connector)."
        case .refuse(let refusal):
            answer.refused = refusal.description
            conclusion = "\(to) goes nowhere: \(refusal)."
        }
        let lines = steps.enumerated().map { "\($0.offset + 1). \($0.element)" } + [conclusion]
        try output.print(answer, text: lines.joined(separator: "\n"))
        if answer.refused != nil { throw ExitCode(1) }
    }
}
