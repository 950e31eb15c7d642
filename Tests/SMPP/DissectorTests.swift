import Foundation
import NIOCore
import SMPP
import Testing

/// Another program's opinion: tshark reads a capture that holds each of our PDUs.
@Suite struct DissectorTests {
    private static let tshark = ["/usr/bin/tshark", "/usr/local/bin/tshark", "/opt/homebrew/bin/tshark"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test(.enabled(if: Self.tshark != nil, "tshark is not installed"))
    func `tshark finds no malformed PDU and agrees on command and sequence`() throws {
        let pdus = try Self.corpus()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "smpp-\(ProcessInfo.processInfo.globallyUniqueString).pcap")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(Self.capture(pdus)).write(to: file)

        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.tshark))
        process.arguments = [
            "-r", file.path, "-d", "tcp.port==2775,smpp", "-T", "fields", "-e", "smpp.command_id", "-e", "smpp.sequence_number", "-e",
            "_ws.malformed",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()

        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        #expect(lines.count == pdus.count)
        for (line, pdu) in zip(lines, pdus) {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
            let hex = String(pdu.commandID.rawValue, radix: 16)
            #expect(columns[0] == "0x" + String(repeating: "0", count: 8 - hex.count) + hex)
            // Versions differ in the base that they print.
            let sequence = columns[1].hasPrefix("0x") ? UInt32(columns[1].dropFirst(2), radix: 16) : UInt32(columns[1])
            #expect(sequence == pdu.sequenceNumber, "\(line)")
            #expect(columns.count < 3 || columns[2].isEmpty, "\(pdu)")
        }
    }

    /// One of each, with plausible content: what a dissector calls malformed is also its opinion of nonsense in TLVs.
    private static func corpus() throws -> [PDU] {
        let from = SMEAddress(ton: .alphanumeric, value: "Signalbox")
        let to = SMEAddress(ton: .international, npi: .isdn, value: "46701234567")
        var receiptTLVs = TLVs()
        receiptTLVs.set(.receiptedMessageID, text: "1795256264371001")
        receiptTLVs.set(.messageState, MessageState.delivered.rawValue)
        receiptTLVs[.networkErrorCode] = NetworkErrorCode(networkType: 3, code: 0).octets
        var payload = TLVs()
        payload[.messagePayload] = Array(repeating: 0x41, count: 300)
        payload.set(.userMessageReference, UInt16(7))
        let message = SubmitSm(
            serviceType: "CMT", sourceAddr: from, destinationAddr: to, scheduleDeliveryTime: SMPPTime.absolute(1_795_262_400_000),
            validityPeriod: SMPPTime.relative(milliseconds: 86_400_000), registeredDelivery: .final, shortMessage: Array("Hello".utf8))
        let receipt = DeliverSm(
            sourceAddr: to, destinationAddr: from, esmClass: .deliveryReceipt,
            shortMessage: DeliveryReceipt(messageID: "1795256264371001", state: .delivered, submitted: 1, delivered: 1).encodedText,
            tlvs: receiptTLVs)
        var bodies: [PDU.Body] = []
        for kind in BindKind.allCases {
            bodies.append(.bind(Bind(kind: kind, systemID: "tester", password: "secret", systemType: "VMS", addressRange: "^467")))
            var tlvs = TLVs()
            tlvs.set(.scInterfaceVersion, InterfaceVersion.v34.rawValue)
            bodies.append(.bindResp(BindResp(kind: kind, systemID: "signalbox", tlvs: tlvs)))
        }
        bodies += [
            .outbind(.init(systemID: "smsc", password: "secret")), .unbind, .unbindResp, .submitSm(message),
            .submitSm(SubmitSm(sourceAddr: from, destinationAddr: to, tlvs: payload)), .submitSmResp(.init(messageID: "1795256264371001")),
            .submitMulti(SubmitMulti(message, destinations: [.address(to), .distributionList("friends")])),
            .submitMultiResp(.init(messageID: "1", unsuccessful: [.init(address: to, status: .invalidDestinationAddress)])),
            .deliverSm(receipt), .deliverSmResp(.init(messageID: "")),
            .dataSm(DataSm(sourceAddr: from, destinationAddr: to, tlvs: payload)), .dataSmResp(.init(messageID: "2")),
            .querySm(.init(messageID: "2", sourceAddr: from)),
            .querySmResp(.init(messageID: "2", finalDate: SMPPTime.absolute(1_795_262_400_000), messageState: .delivered)),
            .cancelSm(.init(messageID: "2", sourceAddr: from, destinationAddr: to)), .cancelSmResp,
            .replaceSm(.init(messageID: "2", sourceAddr: from, shortMessage: Array("Bye".utf8))), .replaceSmResp, .enquireLink,
            .enquireLinkResp, .alertNotification(.init(sourceAddr: to, esmeAddr: from)), .genericNack,
        ]
        return bodies.enumerated().map { PDU($1, sequenceNumber: UInt32($0 + 1)) }
    }

    /// A capture file of raw IPv4 packets, one TCP segment for each PDU.
    private static func capture(_ pdus: [PDU]) throws -> [UInt8] {
        var file = ByteBuffer()
        for word in [0xA1B2_C3D4, 0x0002_0004, 0, 0, 65_535, 101] as [UInt32] { file.writeInteger(word) }
        var tcpSequence: UInt32 = 1
        for (index, pdu) in pdus.enumerated() {
            let octets = try encoded(pdu)
            let length = 40 + octets.readableBytes
            for word in [UInt32(index), 0, UInt32(length), UInt32(length)] { file.writeInteger(word) }
            file.writeBytes([0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, UInt8(index), 0x40, 0, 64, 6, 0, 0])
            file.writeBytes([127, 0, 0, 1, 127, 0, 0, 1])
            file.writeInteger(UInt16(40_000))
            file.writeInteger(UInt16(2_775))
            file.writeInteger(tcpSequence)
            file.writeInteger(UInt32(1))
            file.writeBytes([0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0])
            file.writeImmutableBuffer(octets)
            tcpSequence += UInt32(octets.readableBytes)
        }
        return Array(file.readableBytesView)
    }
}
