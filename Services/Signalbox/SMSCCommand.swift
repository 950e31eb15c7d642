import ArgumentParser
import CPlatform
import Dispatch
import Logging
import SMPP
import SMSCSimulator

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `signalbox smsc`: the simulator of an operator's SMSC.
struct SMSCCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "smsc", abstract: "Simulate an operator's SMSC: accept binds, answer submits, return delivery receipts.")

    @Option(help: "Address and port to listen on; port 0 takes a free one.")
    var listen = "127.0.0.1:2776"

    @Option(help: "The only system_id accepted. Without it, any.")
    var systemId: String?

    @Option(help: "The only password accepted. Without it, any.")
    var password: String?

    @Option(help: "Milliseconds between a submit and its answer.")
    var answerDelay: Int64 = 0

    @Option(help: "Up to so many milliseconds more for each answer, by chance: answers come out of order.")
    var answerJitter: Int64 = 0

    @Option(help: "Submits a second that are taken; beyond it they get ESME_RTHROTTLED. 0: no limit.")
    var maxRate: Double = 0

    @Option(help: "Destinations that begin so ask for a deed by their next digits; docs/smpp.md lists them.")
    var magic: String = ""

    @Option(help: "Connect to this HOST:PORT and say outbind.")
    var outbind: String?

    @Option(help: "The password of the outbind.")
    var outbindPassword = ""

    @Option(help: "Milliseconds between a submit's answer and its delivery receipt.")
    var receiptDelay: Int64 = 500

    @Option(help: "Percent of submits to refuse with --refuse-status.")
    var refuse: Double = 0

    @Option(help: "The status of refused submits: a name such as ESME_RSUBMITFAIL, or a number.")
    var refuseStatus = "ESME_RSUBMITFAIL"

    @Option(help: "Percent of submits to refuse with ESME_RTHROTTLED.")
    var throttle: Double = 0

    @Option(help: "Percent of accepted messages that end as UNDELIV.")
    var undelivered: Double = 0

    @Flag(help: "Send no delivery receipts.")
    var noReceipts = false

    @Option(help: "How message ids are written: decimal, hex or uuid.", transform: idFormat(named:))
    var idFormat: SMSCConfiguration.IDFormat = .decimal

    @Option(help: "How receipts write the id, when otherwise than the answer: decimal or hex.", transform: idFormat(named:))
    var receiptIdFormat: SMSCConfiguration.IDFormat?

    @Option(help: "Make up an incoming (MO) message every so many milliseconds, for each receiver.")
    var moInterval: Int64?

    @Option(help: "Append one line per event to this file.")
    var journal: String?

    @Option(help: "Append 24 octets per submit to this file: for load tests.")
    var arrivals: String?

    func validate() throws {
        _ = try self.address()
        _ = try self.outbind.map { try Self.address($0, option: "--outbind") }
        guard self.answerJitter >= 0, self.maxRate >= 0 else { throw ValidationError("A delay or a rate cannot be negative.") }
        for (name, percent) in [("--refuse", self.refuse), ("--throttle", self.throttle), ("--undelivered", self.undelivered)] {
            guard (0...100).contains(percent) else { throw ValidationError("\(name) is a percentage: 0 to 100.") }
        }
        guard self.answerDelay >= 0, self.receiptDelay >= 0 else { throw ValidationError("A delay cannot be negative.") }
        guard self.moInterval.map({ $0 > 0 }) ?? true else { throw ValidationError("--mo-interval must be at least 1.") }
        guard CommandStatus(name: self.refuseStatus) != nil else {
            throw ValidationError("--refuse-status: no such status: \(self.refuseStatus)")
        }
    }

    private func address() throws -> (host: String, port: Int) { try Self.address(self.listen, option: "--listen") }

    private static func address(_ text: String, option: String) throws -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw ValidationError("\(option) wants HOST:PORT, not \(text).")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return (host.isEmpty ? "0.0.0.0" : host, Int(port))
    }

    func run() async throws {
        if getenv("SIGNALBOX_SUPERVISED").map({ String(cString: $0) }) == "1" { _ = cplatform_die_with_parent(SIGTERM) }
        let signals = StopSignals()
        let (host, port) = try self.address()
        let undeliveredPermille = Int(self.undelivered * 10)
        var configuration = SMSCConfiguration(
            host: host, port: port, systemID: self.systemId, password: self.password,
            answerDelayMilliseconds: self.answerDelay, refusedPercent: self.refuse,
            refusalStatus: CommandStatus(name: self.refuseStatus) ?? .submitFailed, throttledPercent: self.throttle,
            sendsReceipts: !self.noReceipts, receiptDelayMilliseconds: self.receiptDelay,
            finalStates: [
                .init(.delivered, weight: 1_000 - undeliveredPermille),
                .init(.undeliverable, weight: undeliveredPermille, error: "001"),
            ],
            idFormat: self.idFormat, receiptIDFormat: self.receiptIdFormat, journalPath: self.journal,
            mobileOriginated: self.moInterval.map {
                .init(intervalMilliseconds: $0, source: "46700000001", destination: "12345", text: "Hello from the simulator")
            })
        configuration.answerJitterMilliseconds = self.answerJitter
        configuration.maximumRatePerSecond = self.maxRate
        configuration.arrivalsPath = self.arrivals
        configuration.magicPrefix = self.magic
        configuration.outbindPassword = self.outbindPassword
        configuration.outbind = try self.outbind.map { try Self.address($0, option: "--outbind") }
        let simulator = try await SMSCSimulator.start(configuration, logger: Logger(label: "signalbox.smsc"))
        print("smsc listening on \(host):\(simulator.boundPort)")
        fflush(nil)  // a supervisor that reads a pipe sees it now
        await signals.wait()
        await simulator.stop()
    }
}

private func idFormat(named name: String) throws -> SMSCConfiguration.IDFormat {
    guard let format = SMSCConfiguration.IDFormat(rawValue: name) else {
        throw ValidationError("No such id format: \(name). There are decimal, hex and uuid.")
    }
    return format
}

/// SIGINT and SIGTERM as something to wait for. They no longer end the process by themselves once this exists.
private struct StopSignals {
    private let sources: [any DispatchSourceSignal]
    private let stream: AsyncStream<Void>

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.stream = stream
        self.sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield() }
            source.activate()
            return source
        }
    }

    func wait() async {
        for await _ in self.stream { return }
    }
}
