import Foundation
import NIOCore
import SMPP
import Testing

/// Another program's opinion: tshark reads a capture that holds each of our PDUs.
@Suite struct DissectorTests {
    private static let tshark = ["/usr/bin/tshark", "/usr/local/bin/tshark", "/opt/homebrew/bin/tshark"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test(.enabled(if: Self.tshark != nil, "tshark is not installed"))
    func `tshark finds no malformed PDU, and in every field what our decoder finds`() throws {
        let pdus = try Self.corpus()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "smpp-\(ProcessInfo.processInfo.globallyUniqueString).pcap")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(Self.capture(pdus)).write(to: file)

        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.tshark))
        process.arguments = ["-r", file.path, "-d", "tcp.port==2775,smpp", "-T", "json", "--no-duplicate-keys", "-J", "smpp _ws.malformed"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()

        let packets = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        #expect(packets.count == pdus.count)
        var fields = 0
        var parameters: Set<String> = []
        for (packet, pdu) in zip(packets, pdus) {
            let layers = (packet["_source"] as? [String: Any])?["layers"] as? [String: Any] ?? [:]
            #expect(layers["_ws.malformed"] == nil, "\(pdu)")
            var seen: [String: [String]] = [:]
            Self.collect(layers["smpp"] ?? [:], into: &seen)
            // What is compared is what comes back from the octets, not what they were made of.
            guard case .pdu(let decoded) = try #require(Framer.decode(try encoded(pdu))) else {
                Issue.record("\(pdu.commandID) does not decode")
                continue
            }
            for (name, values) in DissectedFields(decoded).values {
                var theirs = (seen[name] ?? []).map { Self.number($0) ?? ($0 == "(Default)" ? "" : $0) }
                // An empty message_id at the end of a response is not shown.
                if theirs.isEmpty, values == [""] { theirs = [""] }
                #expect(theirs == values, "\(name) of \(pdu.commandID), sequence \(pdu.sequenceNumber)")
                fields += values.count
                if name == "smpp.opt_param_tag" { parameters.formUnion(values) }
            }
        }
        #expect(fields > 500)
        #expect(parameters.count == TLVTag.standard.count, "every parameter but one, and a vendor's")
    }

    /// All fields that are text, by name, in their order; nested ones too.
    private static func collect(_ value: Any, into seen: inout [String: [String]], name: String = "") {
        if let members = value as? [String: Any] {
            for (key, member) in members { self.collect(member, into: &seen, name: key) }
        } else if let list = value as? [Any] {
            for member in list { self.collect(member, into: &seen, name: name) }
        } else if let text = value as? String {
            seen[name, default: []].append(text)
        }
    }

    /// Versions differ in the base that they print; true and false are bits.
    private static func number(_ text: String) -> String? {
        if text.hasPrefix("0x") { return UInt32(text.dropFirst(2), radix: 16).map { "\($0)" } }
        return nil
    }

    /// A parameter of each kind with a plausible value: what a dissector calls malformed is also its opinion of nonsense.
    private static func parameter(_ tag: TLVTag) -> TLV {
        let value: [UInt8] =
            switch tag {
            case .callbackNum: [1, 1, 1, 0x34, 0x36, 0x37]
            case .callbackNumAtag: [0, 0x41, 0x42]
            case .broadcastAreaIdentifier: [0, 0x53, 0x45]
            case .broadcastContentType: [1, 0, 0x10]
            case .broadcastFrequencyInterval: [9, 0, 5]
            case .broadcastEndTime: Array("261121120000000+\0".utf8)
            case .networkErrorCode: [3, 0, 0x22]
            case .sourceSubaddress, .destSubaddress: [0xA0, 0x31, 0x32]
            case .msValidity: [0]
            case .alertOnMessageDelivery: [1]
            case .billingIdentification, .broadcastServiceGroup, .broadcastContentTypeInfo: [1, 2, 3]
            case .destAddrNpCountry: [0x34, 0x36]
            default:
                switch tag.format {
                case .integer(let octets): Array(repeating: 0, count: octets - 1) + [1]
                case .text: Array("0123\0".utf8)
                case .octets(let range): Array(repeating: 0x31, count: max(1, range.lowerBound))
                case .flag, .networkError, nil: []
                }
            }
        return TLV(tag: tag, value: value)
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
            .broadcastSm(
                BroadcastSm(
                    sourceAddr: from, messageID: "3", priorityFlag: 1,
                    tlvs: TLVs(
                        [TLVTag.broadcastAreaIdentifier, .broadcastContentType, .broadcastFrequencyInterval].map(
                            self.parameter)))),
            .broadcastSmResp(.init(messageID: "3")), .queryBroadcastSm(.init(messageID: "3", sourceAddr: from)),
            .queryBroadcastSmResp(.init(messageID: "3", tlvs: [self.parameter(.messageState), self.parameter(.broadcastAreaSuccess)])),
            .cancelBroadcastSm(.init(messageID: "3", sourceAddr: from)), .cancelBroadcastSmResp,
        ]
        // Each parameter alone, and a vendor's; but for broadcast_rep_num, of whose two octets (5.0 §4.8.4.13) Wireshark 4.0
        // takes one, and then loses its way.
        for tag in TLVTag.standard.filter({ $0 != .broadcastRepNum }) + [TLVTag(rawValue: 0x1403)] {
            let tlv = tag.isVendorSpecific ? TLV(tag: tag, value: [1, 2, 3]) : self.parameter(tag)
            bodies.append(.dataSm(DataSm(sourceAddr: from, destinationAddr: to, tlvs: [tlv])))
        }
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
