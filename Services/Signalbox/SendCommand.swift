import ArgumentParser
import Foundation
import Supervisor

/// `signalbox send`: a message through a real SMPP session of the running gateway.
struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send a message through the gateway's SMPP server.",
        discussion: """
            Binds as an account, submits with a report asked for, and prints the message id. With --wait also the message's life, as the
            log tells it. A text that does not fit one message is sent in parts. The account is the demo's where the demo is loaded.
            """)

    @Option(help: "The sender: a number, or a name of at most 11 characters.") var from: String
    @Option(help: "The recipient's number.") var to: String
    @Option(help: "The text.") var text: String
    @Flag(help: "Wait for the report and print the message's life.") var wait = false
    @Option(help: ArgumentHelp("How often to send it.", valueName: "N")) var count = 1
    @Option(help: "The account that sends.") var account: String?
    @Option(help: "Its password.") var password: String?
    @Option(help: ArgumentHelp("The SMPP server, where it is not that of a running `up`.", valueName: "host:port")) var address: String?
    @Option(help: ArgumentHelp("How long to wait, with --wait.", valueName: "seconds")) var timeout = 60
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let state = try? UpState.read(DataDirectory(store.data ?? StoreOptions.defaultDirectory))
        let (host, port) = try place(state)
        guard let account = account ?? (state?.demo == true ? DemoAccount.name : nil) else {
            throw CommandFailure("no account: give --account and --password")
        }
        guard let password = password ?? (state?.demo == true && account == DemoAccount.name ? DemoAccount.password : nil) else {
            throw CommandFailure("no password: give --password")
        }
        let result = try MessageSender.send(
            SendRequest(
                host: host, port: port, account: account, password: password, source: from, destination: to, text: text, count: count,
                databaseURL: wait ? try store.databaseURL() : nil, timeoutSeconds: timeout))
        for failure in result.failures { printError("Error: \(failure)") }
        try output.print(result, text: result.messages.map { wait ? $0.text : $0.id }.joined(separator: "\n"))
        if !result.isComplete {
            printError("Error: not every message came to its end within \(timeout) s; `signalbox message show ID` tells more")
        }
        guard result.failures.isEmpty, result.isComplete else { throw ExitCode(1) }
    }

    private func place(_ state: UpState?) throws -> (String, Int) {
        if let address {
            guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
                (1...65_535).contains(port)
            else {
                throw CommandFailure("--address must be host:port: \(address)")
            }
            let host = address[..<colon]
            return (host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host), port)
        }
        if let port = state?.smppPort { return ("127.0.0.1", port) }
        _ = try UpState.read(DataDirectory(store.data ?? StoreOptions.defaultDirectory))
        throw CommandFailure("this gateway runs without the demo: say with --address where its SMPP server is")
    }
}
