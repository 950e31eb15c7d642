import Bus
import Charset
import Configuration
import Message
import SMPP
import SMPPMessage
import ServiceKit
import Store
import SwiftProtobuf
import Testing

@testable import Egress
@testable import EgressSMPP

struct `Ids of messages` {
    private static func keys(_ style: OutgoingOptions.MessageIDStyle = .automatic, length: Int? = nil) -> MessageIDKeys {
        var options = OutgoingOptions()
        options.messageIDs = style
        options.idMatchLength = length
        return MessageIDKeys(options)
    }

    @Test(
        arguments: [
            (.hex, .decimal, "1A2B", "6699"), (.hex, .decimal, "00001a2b", "0000006699"), (.decimal, .hex, "6699", "1a2B"),
            (.decimal, .decimal, "0006699", "6699"), (.hex, .hex, "0x1A2B", "1a2b"), (.text, .text, "a-7", "a-7"),
        ] as [(OutgoingOptions.MessageIDStyle.Spelling, OutgoingOptions.MessageIDStyle.Spelling, String, String)])
    func `stated spellings meet`(
        response: OutgoingOptions.MessageIDStyle.Spelling, receipt: OutgoingOptions.MessageIDStyle.Spelling, answered: String,
        reported: String
    ) {
        var keys = Self.keys(.fixed(response: response, receipt: receipt))
        let answerKey = keys.response(answered)
        let receiptKey = keys.receipt(reported)
        #expect(answerKey == receiptKey)
    }

    @Test func `text is kept as it is`() {
        var keys = Self.keys(.fixed(response: .text, receipt: .text))
        let answerKey = keys.response("00A")
        let receiptKey = keys.receipt("A")
        #expect(answerKey != receiptKey)
    }

    /// Ways to write a number.
    enum Writing: Sendable, CaseIterable {
        case decimal, padded, lowerHex, upperHex, named

        func callAsFunction(_ number: Int) -> String {
            switch self {
            case .decimal: String(number)
            case .padded: "0000" + String(number)
            case .lowerHex: String(number, radix: 16)
            case .upperHex: String(number, radix: 16, uppercase: true)
            case .named: "id-\(number)"
            }
        }
    }

    @Test(
        arguments: [
            (.upperHex, .decimal), (.lowerHex, .padded), (.decimal, .lowerHex), (.decimal, .upperHex), (.padded, .decimal),
            (.decimal, .decimal),
            (.named, .named),
        ] as [(Writing, Writing)])
    func `other spellings are found out from the first receipt on, and hold for ids that are forgotten`(
        answer: Writing, receipt: Writing
    ) {
        var keys = Self.keys()
        let first = 90_000_000
        let answered = (0..<5_000).map { keys.response(answer(first + $0)) }
        for number in 4_000..<5_000 {
            let key = keys.receipt(receipt(first + number))
            #expect(key == answered[number])
        }
        #expect(keys.isSettled)
        for number in 0..<100 {
            let key = keys.receipt(receipt(first + number))
            #expect(key == answered[number])
        }
    }

    @Test func `what was known before holds from the first receipt on, until receipts say otherwise`() {
        let rule = MessageIDRule(answerBase: 16, receiptBase: 10, isUppercase: true, width: 0)
        var keys = MessageIDKeys(OutgoingOptions(), known: rule)
        let key = keys.receipt("6699")
        #expect(key == "1A2B")
        // The provider writes both alike now.
        for number in 90_000..<90_020 {
            let answered = keys.response(String(number))
            let reported = keys.receipt(String(number))
            #expect(answered == reported)
        }
        #expect(keys.isSettled && keys.rule == nil)
        let alike = keys.receipt("6699")
        #expect(alike == "6699")
    }

    @Test func `a least length compares the ends`() {
        var keys = Self.keys(length: 6)
        let answerKey = keys.response("99123456")
        let receiptKey = keys.receipt("123456")
        #expect(answerKey == receiptKey)
    }

    @Test(arguments: ["", "0x", "zz", "+7", "-7", "99999999999999999999999999", String(repeating: "9", count: 5_000)])
    func `what is no number stays as it is`(id: String) {
        var keys = Self.keys()
        let answerKey = keys.response(id)
        let receiptKey = keys.receipt(id)
        #expect(answerKey == id && receiptKey == id)
    }
}

struct `Refusals by the provider` {
    private static func connector(_ lines: String) throws -> ConnectorConfiguration {
        let file = ConfigurationFile.check(
            "CONNECTOR a <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=a:1\nUSERNAME=x\nPASSWORD=x\n\(lines)\n>")
        return try #require(file.connectors.first)
    }

    @Test func `the defaults and an operator's own map`() throws {
        let plain = try Self.connector("").outgoing.errorMap
        #expect(
            [0x58, 0x14, 0x08, 0x45, 0x0B, 0x400].map { plain.verdict($0) } == [.throttle, .throttle, .retry, .failOver, .reject, .reject])
        let own = try Self.connector("ERRORMAP=0x58=retry 11=failover,0x400=throttle *=failover").outgoing.errorMap
        #expect([0x58, 0x0B, 0x400, 0x401, 0x14].map { own.verdict($0) } == [.retry, .failOver, .throttle, .failOver, .throttle])
    }

    @Test(arguments: [
        ("RETRYSCHEME=1s,2m,1h", [1_000, 120_000, 3_600_000], 4), ("RETRYTIME=5\nMAXTRIES=3", [5_000], 3),
        ("MAXTRIES=1", [1_000, 10_000, 60_000], 1),
    ])
    func `the plan of retries`(lines: String, waits: [Int64], attempts: Int) throws {
        let plan = try Self.connector(lines).outgoing.retries
        #expect(plan.waitsMilliseconds == waits && plan.maximumAttempts == attempts)
        #expect(RetryScheme.decide(plan, attempts: UInt32(attempts), expiresAt: 0, now: 0) == .failed)
    }

    @Test func `a message that fails over goes to the router with its charge and without this connector`() throws {
        var message = ShortMessage()
        message.msgid = 7
        message.destination.number = "46701234567"
        message.outConnector = "a"
        message.charge.chargeMicros = 35_000
        message.charge.mechanism = 2
        message.attempts = 2
        message.times.accepted = 1_000
        message.expiresAt = 61_000
        let records = Outcome.failedOver(
            message, connector: "a", by: Refusal(status: 0x45, text: "ESME_RSUBMITFAIL", verdict: .failOver), validitySeconds: 60,
            now: 5_000)
        #expect(records.map(\.topic) == [Topics.due, Topics.events])
        let back = try ShortMessage(serializedBytes: records[0].value)
        #expect(back.triedConnectors == ["a"] && back.outConnector.isEmpty && back.attempts == 0 && back.hops == 1)
        #expect(back.charge == message.charge && back.refusal == 0x45 && back.expiresAt == 0)
        #expect(try Event(serializedBytes: records[1].value).status == .unspecified)
    }
}

struct `Long messages as the connector wants them` {
    private static let text = String(repeating: "0123456789", count: 31)

    private static func parts(_ change: (inout OutgoingOptions) -> Void, text: String = text) throws -> [SubmitSm] {
        var options = OutgoingOptions()
        change(&options)
        var message = ShortMessage()
        message.msgid = 0x1_2345
        message.body.text = text
        message.body.encoding = .gsm7
        message.destination.number = "46701234567"
        return try PartWriter(options).parts(of: message)
    }

    @Test func `headers of 8 and of 16 bits, parameters, one payload, or not at all`() throws {
        let narrow = try Self.parts { _ in }
        #expect(narrow.map { $0.shortMessage.count } == [159, 159, 10] && narrow.allSatisfy { $0.esmClass.hasUserDataHeader })
        let wide = try Self.parts { $0.longMessages = .udh16 }
        #expect(wide.map { $0.shortMessage.count } == [159, 159, 13] && wide[0].shortMessage.starts(with: [6, 8, 4, 0x23, 0x45, 3, 1]))
        let sar = try Self.parts { $0.longMessages = .sar }
        #expect(sar.map { $0.shortMessage.count } == [153, 153, 4] && sar.allSatisfy { !$0.esmClass.hasUserDataHeader })
        #expect(sar.map { $0.tlvs[.sarSegmentSeqnum] } == [[1], [2], [3]] && sar[2].tlvs[.sarTotalSegments] == [3])
        #expect(sar[1].tlvs[.sarMsgRefNum] == [0x23, 0x45])
        let payload = try Self.parts { $0.longMessages = .payload }
        #expect(payload.count == 1 && payload[0].tlvs[.messagePayload] == Array(Self.text.utf8) && payload[0].shortMessage.isEmpty)
        #expect(throws: MessageWriter.Unwritable.self) { try Self.parts { $0.longMessages = .reject } }
        #expect(try Self.parts({ $0.longMessages = .reject }, text: "short").count == 1)
    }

    private static func written(_ text: String, _ options: OutgoingOptions = .init(), _ change: (inout SMPPOptions) -> Void) throws
        -> [SubmitSm]
    {
        var smpp = SMPPOptions()
        change(&smpp)
        var message = ShortMessage()
        message.msgid = 1
        message.body.text = text
        message.priority = 2
        message.destination.number = "46701234567"
        return try PartWriter(options, smpp).parts(of: message)
    }

    @Test func `messaging modes, another recipient, and no priority where it is not wanted`() throws {
        let plain = try Self.written("hello") { _ in }
        #expect(plain[0].esmClass.rawValue & 3 == 0 && plain[0].priorityFlag == 2 && plain[0].destinationAddr.value == "46701234567")
        let other = try Self.written("hello") {
            $0.messageMode = .storeAndForward
            $0.forcedDestination = "46709999999"
            $0.usesPriority = false
        }
        #expect(other[0].esmClass.rawValue & 3 == 3 && other[0].priorityFlag == 0 && other[0].destinationAddr.value == "46709999999")
    }

    @Test func `national tables where the connector offers them, UCS-2 else`() throws {
        let text = "Yarın saat dokuzda görüşürüz"
        #expect(try Self.written(text) { _ in }[0].dataCoding.rawValue == 8)
        let turkish = try Self.written(text) { $0.nationalLanguages = ["turkish"] }
        #expect(turkish[0].dataCoding.rawValue == 0 && turkish[0].esmClass.hasUserDataHeader)
        #expect(turkish[0].shortMessage.starts(with: [3, 0x24, 1, 1]) || turkish[0].shortMessage.starts(with: [3, 0x25, 1, 1]))
        #expect(SMPPOptions.languages.compactMap { NationalLanguage(name: $0) } == NationalLanguage.allCases)
    }

    @Test func `the provider's own alphabet, data_coding, service type and source address`() throws {
        let latin = try Self.parts({ $0.defaultAlphabet = .latin1 }, text: "Ærø ç")
        #expect(latin[0].dataCoding.rawValue == 0 && latin[0].shortMessage == [0xC6, 0x72, 0xF8, 0x20, 0xE7])
        let forced = try Self.parts({ $0.forcedDataCoding = 0xF1 }, text: "hello")
        #expect(forced[0].dataCoding.rawValue == 0xF1)
        let addressed = try Self.parts(
            {
                $0.defaultSource = .init(number: "Shop", ton: nil, npi: nil)
                $0.serviceType = "CMT"
            }, text: "hello")
        #expect(addressed[0].sourceAddr.value == "Shop" && addressed[0].sourceAddr.ton.rawValue == 5 && addressed[0].serviceType == "CMT")
        let own = try Self.parts({ $0.defaultSource = .init(number: "4670", ton: 3, npi: 9) }, text: "hello")
        #expect(own[0].sourceAddr.ton.rawValue == 3 && own[0].sourceAddr.npi.rawValue == 9)
    }
}
