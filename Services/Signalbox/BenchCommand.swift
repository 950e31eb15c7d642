import ArgumentParser
import Bench
import CPlatform
import Foundation

/// `signalbox bench`: the gateway's speed and what it costs, measured on this machine.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure a gateway of its own on this machine, and audit its books.",
        discussion: """
            Brings a whole gateway up on free ports in a temporary directory, with all that production has (fsync, transactions, prepaid
            billing, the message log with texts, reports), drives it over SMPP and HTTP and lets a simulated provider answer. After each
            case the books of client, provider and gateway are laid side by side; where they differ the exit status is 1.

            The cases: \(Bench.caseNames.joined(separator: ", ")).
            """)

    @Option(name: .customLong("case"), help: ArgumentHelp("Only this case; may be given several times.", valueName: "NAME"))
    var cases: [String] = []
    @Option(help: ArgumentHelp("How long a case sends (default: 30, with --quick 4).", valueName: "N"))
    var seconds: Double?
    @Option(help: ArgumentHelp("Messages of the backlog (default: 1000000, with --quick 30000).", valueName: "N"))
    var backlog: Int?
    @Flag(help: "A run of three minutes.")
    var quick = false
    @Option(help: ArgumentHelp("Also write the result as one JSON object to this file; - is standard output.", valueName: "FILE"))
    var json: String?
    @Option(help: ArgumentHelp("Keep everything in this directory, logs included.", valueName: "DIR"))
    var keep: String?

    private var options: BenchOptions {
        let path = keep.map { $0.hasPrefix("/") ? $0 : FileManager.default.currentDirectoryPath + "/" + $0 }
        return BenchOptions(cases: cases, seconds: seconds, backlog: backlog, isQuick: quick, directory: path)
    }

    func validate() throws {
        let faults = options.validate()
        guard faults.isEmpty else { throw ValidationError(faults.joined(separator: "; ")) }
    }

    func run() async throws {
        // Each session of the load is an open file.
        _ = cplatform_raise_open_files()
        let signals = TerminationSignals()
        let options = options
        // A signal ends the run as an error does: everything that was started is stopped first.
        let report = try await withThrowingTaskGroup(of: Bench.Report?.self) { group in
            group.addTask { try await Bench.run(options) { printError($0) } }
            group.addTask {
                await signals.first()
                return nil
            }
            defer { group.cancelAll() }
            guard let report = try await group.next() ?? nil else {
                group.cancelAll()
                while let _ = try? await group.next() {}
                throw CommandFailure("the bench was interrupted; everything that it had started is stopped")
            }
            return report
        }
        if let json, json != "-" { try report.json.write(to: URL(fileURLWithPath: json)) }
        print(json == "-" ? String(decoding: report.json, as: UTF8.self) : report.text)
        guard report.isGood else { throw ExitCode(1) }
    }
}
