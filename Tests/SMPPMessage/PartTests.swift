import Charset
import Foundation
import Message
import NIOCore
import SMPP
import SMPPMessage
import Testing

@Suite struct PartTests {
    /// Over the wire and back, as parts that arrive in any order.
    private static func carried(_ pdus: [SubmitSm], shuffle random: inout Seeded) throws -> SubmitSm? {
        var parts = Reassembler<SubmitSm>()
        for (index, pdu) in pdus.shuffled(using: &random).enumerated() {
            var buffer = ByteBuffer()
            try PDU(.submitSm(pdu), sequenceNumber: UInt32(index)).encode(into: &buffer)
            guard case .pdu(let back) = Framer.decode(buffer), case .submitSm(let part) = back.body else { return nil }
            guard let (key, number) = PartReader.part(of: part, origin: "test") else { return pdus.count == 1 ? part : nil }
            if case .whole(let all) = parts.add(part, number: number, of: key, octets: part.userData.count, now: 0) {
                return PartReader.join(all)
            }
        }
        return nil
    }

    @Test(arguments: LongMessageMode.allCases.filter { $0 != .reject })
    func `any text that is split, sent, joined and read is itself again`(mode: LongMessageMode) throws {
        for languages in [[], NationalLanguage.allCases] {
            for seed in UInt64(1)...150 {
                var random = Seeded(seed)
                let text = random.text(seed % 3 == 0 ? 900 : 200)
                let encoding = EncodingOptions(disableUCS2Downgrade: seed % 5 == 0, nationalLanguages: languages)
                let options = WritingOptions(encoding: encoding, longMessage: mode)
                let pdus = try MessageWriter.submitSms(for: message(text), options: options)
                for pdu in pdus {
                    #expect(mode == .payload || pdu.tlvs.messagePayload == nil, "seed \(seed)")
                    #expect(pdu.shortMessage.count <= 254, "seed \(seed)")
                }
                let whole = try #require(try Self.carried(pdus, shuffle: &random), "seed \(seed)")
                let read = try MessageReader.message(from: whole, now: 0)
                #expect(read.body.text.unicodeScalars.elementsEqual(text.unicodeScalars), "seed \(seed), \(pdus.count) parts")
                #expect(!read.body.text.unicodeScalars.contains("\u{FFFD}") || text.unicodeScalars.contains("\u{FFFD}"), "seed \(seed)")
            }
        }
    }

    @Test(arguments: LongMessageMode.allCases.filter { $0 != .reject })
    func `any octets that are split, sent and joined are themselves again`(mode: LongMessageMode) throws {
        for seed in UInt64(1)...60 {
            var random = Seeded(seed)
            var binary = message("")
            binary.body.encoding = .binary
            binary.body.data = Data(
                (0..<Int.random(in: 0...2_000, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) })
            if seed % 2 == 0 { binary.body.udh = Data([6, 5, 4, 0x0B, 0x84, 0x23, 0xF0]) }  // WAP push ports
            let pdus = try MessageWriter.submitSms(for: binary, options: WritingOptions(longMessage: mode))
            let whole = try #require(try Self.carried(pdus, shuffle: &random), "seed \(seed)")
            let read = try MessageReader.message(from: whole, now: 0)
            #expect(read.body.data == binary.body.data, "seed \(seed)")
            #expect(read.body.udh == binary.body.udh, "seed \(seed)")
        }
    }

    @Test func `parts that were normalized one by one join to the same text`() throws {
        for seed in UInt64(1)...100 {
            var random = Seeded(seed)
            let text = random.text(500)
            for mode in [LongMessageMode.udh8, .udh16, .sar] {
                let parts = try MessageWriter.submitSms(for: message(text), options: WritingOptions(longMessage: mode))
                    .map { try MessageReader.message(from: $0, now: 0) }
                if parts.count > 1 {
                    let numbers = parts.compactMap { PartReader.part(of: $0, origin: "o")?.number }
                    #expect(numbers == (1...UInt8(parts.count)).map { $0 })
                    #expect(Set(parts.compactMap { PartReader.part(of: $0, origin: "o")?.key }).count == 1)
                }
                let whole = try #require(PartReader.join(parts))
                #expect(whole.body.text.unicodeScalars.elementsEqual(text.unicodeScalars), "seed \(seed) \(mode)")
                #expect(whole.body.udh.isEmpty)
                #expect(whole.parts == UInt32(parts.count))
                #expect(PartReader.part(of: whole, origin: "o") == nil)
            }
        }
    }

    @Test(
        arguments: [
            (.udh8, 160, [160]), (.udh8, 161, [153, 8]), (.udh8, 306, [153, 153]), (.udh8, 307, [153, 153, 1]),
            (.udh16, 305, [152, 152, 1]),
            (.sar, 161, [153, 8]), (.payload, 160, [160]), (.payload, 400, [400]),
        ] as [(LongMessageMode, Int, [Int])])
    func `septets fill the parts of each mode`(mode: LongMessageMode, length: Int, expected: [Int]) throws {
        let text = String(repeating: "a", count: length)
        let parts = try MessageWriter.parts(of: message(text).body, options: WritingOptions(longMessage: mode), reference: 0x1234)
        let header = mode == .udh8 && parts.count > 1 ? 6 : mode == .udh16 && parts.count > 1 ? 7 : 0
        #expect(parts.map { $0.userData.count - header } == expected)
        #expect(parts.allSatisfy { $0.hasUserDataHeader == (header > 0) })
        #expect(parts.allSatisfy { $0.isPayload == (mode == .payload && length > 160) })
        #expect(parts.compactMap(\.sar).map(\.sequence) == (mode == .sar ? [1, 2] : []))
    }

    @Test func `a message that is too long for its mode is refused in words`() {
        let long = message(String(repeating: "a", count: 400)).body
        #expect(throws: MessageWriter.Unwritable.self) {
            try MessageWriter.parts(of: long, options: WritingOptions(longMessage: .reject), reference: 1)
        }
        #expect(throws: MessageWriter.Unwritable.self) {
            try MessageWriter.parts(of: long, options: WritingOptions(maximumParts: 2), reference: 1)
        }
        let huge = message(String(repeating: "ж", count: 40_000)).body
        #expect(throws: MessageWriter.Unwritable.self) {
            try MessageWriter.parts(of: huge, options: WritingOptions(longMessage: .payload), reference: 1)
        }
    }

    @Test func `a part that came as a part leaves as that part, with its own header and tables`() throws {
        var part = message("şu parça")
        let header = UserDataHeader(
            elements: UserDataHeader(.init(reference: 9, total: 2, sequence: 1, isWide: false)).elements
                + ShiftTables(single: .turkish).elements)
        part.body.udh = Data(header.octets)
        let pdu = try #require(try MessageWriter.submitSms(for: part).first)
        #expect(pdu.userData == header.octets + (GSM7.encode("şu parça", tables: ShiftTables(single: .turkish)) ?? []))
        let back = try MessageReader.message(from: pdu, now: 0)
        #expect(back.body.text == "şu parça")
        #expect(back.parts == 1)
    }

    @Test func `a character that the sender cut in two is whole after the join`() throws {
        var random = Seeded(1)
        let octets = UCS2.encode("a😀b")
        let parts = [Array(octets[..<4]), Array(octets[4...])].enumerated().map { index, half in
            let concatenation = UserDataHeader.Concatenation(reference: 3, total: 2, sequence: UInt8(index + 1), isWide: false)
            return SubmitSm(
                destinationAddr: .init(value: "1"), esmClass: .userDataHeader, dataCoding: .ucs2,
                shortMessage: UserDataHeader(concatenation).octets + half)
        }
        let whole = try #require(try Self.carried(parts, shuffle: &random))
        #expect(try MessageReader.message(from: whole, now: 0).body.text == "a😀b")
    }

    @Test func `parts of two encodings do not join`() {
        let parts = [DataCoding.ucs2, .smscDefault].map { SubmitSm(dataCoding: $0, shortMessage: [0, 0x41]) }
        #expect(PartReader.join(parts) == nil)
        #expect(PartReader.join([SubmitSm]()) == nil)
        #expect(PartReader.join([ShortMessage]()) == nil)
    }

    @Test(
        arguments: [
            ("flash", 0x10, "hi", 0x10), ("flash becomes UCS-2", 0x10, "ж", 0x18), ("class 1 of F0", 0xF1, "hi", 0x11),
            ("waiting, discard", 0xC8, "hi", 0xC8), ("waiting with UCS-2", 0xC8, "ж", 0xE8), ("plain", 0, "hi", 0),
            ("plain UCS-2", 8, "ж", 8),
            ("UCS-2 narrowed", 8, "hi", 0), ("Latin-1", 3, "hi", 0),
        ] as [(String, UInt32, String, UInt8)])
    func `the message class and the waiting indication survive the choice of encoding`(
        name: String, came: UInt32, text: String, leaves: UInt8
    ) throws {
        var flash = message(text, encoding: .gsm7)
        flash.body.dataCoding = came
        let pdu = try #require(try MessageWriter.submitSms(for: flash).first)
        #expect(pdu.dataCoding.rawValue == leaves)
        #expect(try MessageReader.message(from: pdu, now: 0).body.text == text)
    }

    @Test func `a provider whose default alphabet is Latin-1 gets Latin-1 under data_coding 0`() throws {
        let options = WritingOptions(encoding: EncodingOptions(offered: [.latin1, .ucs2]), defaultAlphabet: .latin1)
        let pdu = try #require(try MessageWriter.submitSms(for: message("ç@"), options: options).first)
        #expect(pdu.dataCoding == .smscDefault)
        #expect(pdu.shortMessage == [0xE7, 0x40])
    }
}
