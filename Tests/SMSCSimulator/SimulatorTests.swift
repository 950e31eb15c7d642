import Foundation
import Logging
import SMPP
import SMSCSimulator
import Testing

/// Starts a simulator on a free port for the time of `body`.
func withSimulator(_ configuration: SMSCConfiguration, _ body: (SMSCSimulator) async throws -> Void) async throws {
    let simulator = try await SMSCSimulator.start(configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    do {
        try await body(simulator)
    } catch {
        await simulator.stop()
        throw error
    }
    await simulator.stop()
}

func temporaryFile(_ name: String) -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(UUID().uuidString)").path
}

@Suite(.timeLimit(.minutes(1))) struct SimulatorTests {
    @Test func `a submit is answered with an id, and its receipt names it in text and parameters`() async throws {
        try await withSimulator(SMSCConfiguration()) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { client async throws in
                #expect(try await client.bind(.transceiver) == .ok)
                let answer = try await client.submit(to: "46701234567", "Hello there")
                let id = try #require(answer?.messageID)
                let pdu = try #require(try await client.next())
                guard case .deliverSm(let message) = pdu.body else {
                    Issue.record("no deliver_sm")
                    return
                }
                #expect(message.sourceAddr.value == "46701234567")
                #expect(message.destinationAddr.value == "Shop")
                #expect(message.esmClass.isDeliveryReceipt)
                #expect(message.tlvs.receiptedMessageID == id)
                #expect(message.tlvs.messageState == .delivered)
                let text = DeliveryReceipt(text: message.shortMessage)
                #expect(text.messageID == id)
                #expect(text.statWord == "DELIVRD")
                #expect(text.text == "Hello there")
                try await client.send(pdu.accepted())
                try await client.send(.unbind)
                #expect(try await client.next()?.commandID == .unbind.response)
                #expect(try await client.next() == nil)
            }
            #expect(await simulator.statistics().receiptsAcknowledged == 1)
        }
    }

    @Test func `a receipt waits for a receiver, and goes out again when nobody answered it`() async throws {
        try await withSimulator(SMSCConfiguration()) { simulator in
            let id = try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.transmitter)
                return try await client.submit(to: "46701234567")?.messageID
            }
            for attempt in 1...3 {
                try await TestClient.connect(port: simulator.boundPort) { client async throws in
                    _ = try await client.bind(.receiver)
                    let pdu = try #require(try await client.next())
                    #expect(pdu.receipt?.messageID == id)
                    guard attempt == 3 else { return }
                    try await client.send(pdu.accepted())
                    try await client.send(.enquireLink)
                    #expect(try await client.next()?.commandID == .enquireLink.response)
                }
            }
            let statistics = await simulator.statistics()
            #expect(statistics.receiptsSent == 3)
            #expect(statistics.openReceipts == 0)
        }
    }

    @Test func `a receipt without an answer is sent again at the response timeout`() async throws {
        var configuration = SMSCConfiguration()
        configuration.session.responseTimeoutMilliseconds = 20
        try await withSimulator(configuration) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.transceiver)
                let id = try await client.submit(to: "46701234567")?.messageID
                let (first, second) = (try await client.next(), try await client.next())
                #expect(first?.receipt?.messageID == id)
                #expect(second?.receipt?.messageID == id)
                #expect(first?.sequenceNumber != second?.sequenceNumber)
            }
        }
    }

    @Test func `nobody gets another's receipts`() async throws {
        try await withSimulator(SMSCConfiguration()) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { other in
                _ = try await other.bind(.receiver, systemID: "other")
                try await TestClient.connect(port: simulator.boundPort) { client async throws in
                    _ = try await client.bind(.transceiver)
                    _ = try await client.submit(to: "46701234567")
                    #expect(try await client.next()?.receipt != nil)
                }
                try await other.send(.enquireLink)
                #expect(try await other.next()?.commandID == .enquireLink.response)
            }
        }
    }

    @Test(arguments: [
        (RegisteredDelivery.final, MessageState.delivered, true), (.final, .undeliverable, true), (.failure, .delivered, false),
        (.failure, .undeliverable, true), (.none, .delivered, false),
    ])
    func `registered_delivery decides which outcomes are reported`(
        wanted: RegisteredDelivery, state: MessageState, comes: Bool
    ) async throws {
        try await withSimulator(SMSCConfiguration(finalStates: [.init(state, weight: 1)])) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.transceiver)
                _ = try await client.submit(to: "46701234567", receipt: wanted)
                // The receipt of a second message, which always comes, tells that the first has had its turn.
                let second = try await client.submit(to: "46701234568", receipt: .final)
                // With the first receipt between the answers, `second` is that receipt.
                var seen = [second, try await client.next()].compactMap { $0 }
                if comes { seen.append(try #require(try await client.next())) }
                #expect(seen.compactMap(\.receipt).map(\.state) == Array(repeating: state, count: comes ? 2 : 1))
            }
        }
    }

    @Test func `query and cancel know a message that is on its way`() async throws {
        try await withSimulator(SMSCConfiguration(receiptDelayMilliseconds: 6_000, idFormat: .hex)) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.transceiver)
                let source = SMEAddress(ton: .alphanumeric, value: "Shop")
                let id = try #require(try await client.submit(to: "46701234567")?.messageID)
                #expect(UInt64(id, radix: 16) != nil)
                try await client.send(.querySm(QuerySm(messageID: id, sourceAddr: source)))
                #expect(
                    try await client.next()?.body == .querySmResp(QuerySmResp(messageID: id, finalDate: "", messageState: .enroute)))
                try await client.send(.cancelSm(CancelSm(messageID: id, sourceAddr: source, destinationAddr: .init())))
                #expect(try await client.next()?.commandStatus == .ok)
                #expect(try await client.next()?.receipt?.state == .deleted)
                try await client.send(.cancelSm(CancelSm(messageID: id, sourceAddr: source, destinationAddr: .init())))
                #expect(try await client.next()?.commandStatus == .cancelFailed)
                try await client.send(.querySm(QuerySm(messageID: "no such", sourceAddr: source)))
                #expect(try await client.next()?.commandStatus == .queryFailed)
            }
        }
    }

    @Test func `the shares of refusals are kept, and a receipt may write the id in another base`() async throws {
        try await withSimulator(SMSCConfiguration(refusedPercent: 100, refusalStatus: .init(rawValue: 0x450))) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.transceiver)
                let answer = try await client.submit(to: "46701234567")
                #expect(answer?.commandStatus == .init(rawValue: 0x450))
                #expect(answer?.messageID == nil)
            }
        }
        try await withSimulator(SMSCConfiguration(idFormat: .hex, receiptIDFormat: .decimal)) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.transceiver)
                let id = try #require(try await client.submit(to: "46701234567")?.messageID)
                let inReceipt = try #require(try await client.next()?.receipt?.messageID)
                #expect(UInt64(id, radix: 16) == UInt64(inReceipt))
            }
        }
    }

    @Test func `wrong credentials, wrong PDUs and wrong octets hurt only their own session`() async throws {
        try await withSimulator(SMSCConfiguration(systemID: "tester", password: "secret")) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { good async throws in
                #expect(try await good.bind(.transceiver) == .ok)
                try await TestClient.connect(port: simulator.boundPort) { client async throws in
                    #expect(try await client.bind(.transceiver, password: "wrong") == .invalidPassword)
                    #expect(try await client.next() == nil)
                }
                try await TestClient.connect(port: simulator.boundPort) { client async throws in
                    #expect(try await client.bind(.transceiver, systemID: "nobody") == .invalidSystemID)
                    #expect(try await client.next() == nil)
                }
                try await TestClient.connect(port: simulator.boundPort) { client async throws in
                    #expect(try await client.submit(to: "1")?.commandStatus == .invalidBindStatus)
                    try await client.send(octets: [0, 0, 0, 16, 0, 0, 1, 0xF0, 0, 0, 0, 0, 0, 0, 0, 7])
                    #expect(try await client.next() == PDU(.genericNack, sequenceNumber: 7, commandStatus: .invalidCommandID))
                    try await client.send(octets: Array("GET / HTTP/1.1\r\n\r\n".utf8))
                    #expect(try await client.next()?.commandStatus == .invalidCommandLength)
                    #expect(try await client.next() == nil)
                }
                #expect(try await good.submit(to: "46701234567")?.commandStatus == .ok)
            }
        }
    }

    @Test func `MO messages come to whoever receives`() async throws {
        let mobileOriginated = SMSCConfiguration.MobileOriginated(
            intervalMilliseconds: 5, source: "46700000001", destination: "12345", text: "ping")
        try await withSimulator(SMSCConfiguration(mobileOriginated: mobileOriginated)) { simulator in
            try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.receiver)
                for _ in 1...3 {
                    let pdu = try #require(try await client.next())
                    guard case .deliverSm(let message) = pdu.body else {
                        Issue.record("no deliver_sm")
                        return
                    }
                    #expect(message.shortMessage == Array("ping".utf8))
                    #expect(message.sourceAddr.value == "46700000001")
                    try await client.send(pdu.accepted())
                }
            }
        }
    }

    @Test func `the journal tells each event in its columns`() async throws {
        let path = temporaryFile("smsc-journal")
        defer { try? FileManager.default.removeItem(atPath: path) }
        var id: String?
        try await withSimulator(SMSCConfiguration(journalPath: path)) { simulator in
            id = try await TestClient.connect(port: simulator.boundPort) { client async throws in
                _ = try await client.bind(.transceiver)
                let id = try await client.submit(to: "46701234567", "a\u{1B}/b\nc")?.messageID
                let pdu = try #require(try await client.next())
                try await client.send(pdu.accepted())
                try await client.send(.unbind)
                while try await client.next() != nil {}
                return id
            }
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
        #expect(lines.allSatisfy { $0.count == 10 })
        #expect(lines.map { $0[1] } == ["BIND", "SUBMIT", "ANSWER", "RECEIPT", "RECEIPT_ACK", "UNBIND", "CLOSE"])
        let expectedID = try #require(id)
        #expect(lines[1][2...] == [expectedID, "Shop", "46701234567", "a\\\\b\\nc", "tester", "1", "2", ""])
        #expect(lines[2][9] == "ESME_ROK")
        #expect(lines[3][9] == "DELIVRD")
        #expect(lines[6][9] == "peerUnbound")
    }

    /// A Python that has smpplib: SIGNALBOX_TEST_PYTHON, or the one on the path.
    private static let python: String? = {
        let candidate = ProcessInfo.processInfo.environment["SIGNALBOX_TEST_PYTHON"] ?? "/usr/bin/python3"
        return (try? runProcess(candidate, ["-c", "import smpplib"]))?.status == 0 ? candidate : nil
    }()

    @Test(.enabled(if: Self.python != nil, "no Python with smpplib; set SIGNALBOX_TEST_PYTHON"))
    func `smpplib submits a thousand messages and gets a thousand ids and their receipts`() async throws {
        let script = try #require(Bundle.module.path(forResource: "smpplib_client", ofType: "py", inDirectory: "Resources"))
        let python = try #require(Self.python)
        try await withSimulator(SMSCConfiguration(systemID: "tester", password: "secret")) { simulator in
            let port = simulator.boundPort
            let result = try await Task.detached { try runProcess(python, [script, "\(port)", "1000"]) }.value
            struct Report: Decodable {
                struct Receipt: Decodable { var id: String; var state: Int }
                var ids: [String]
                var receipts: [Receipt]
                var others: [String]
                var parts: Int
                var refused: Int
            }
            let report = try JSONDecoder().decode(Report.self, from: result.output)
            #expect(Set(report.ids).count == 1_000 + report.parts)
            #expect(report.receipts.count == 1_000)
            #expect(Set(report.receipts.map(\.id)).isSubset(of: Set(report.ids)))
            #expect(Set(report.receipts.map(\.id)).count == 1_000)
            #expect(report.others.isEmpty)
            #expect(report.parts == 3)
            #expect(report.refused == 14)
            let statistics = await simulator.statistics()
            #expect(statistics.accepted == 1_003)
            #expect(statistics.receiptsAcknowledged == 1_000)
        }
    }
}

func runProcess(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: Data) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, data)
}
