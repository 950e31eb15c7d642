import CCodec
import NIOCore
import SMPP

// `make bench-smpp-codec`: submit_sm decoded and encoded again by our codec and by a loop written by hand in C, over the same
// octets, turn by turn in one run, so that whatever else the machine does weighs on both.

/// A read's worth of messages such as a gateway sees: an international number, a name or a short code as sender, 20 to 160
/// characters, every tenth a part with a header, every fourth with a parameter.
func stream(octets: Int) throws -> ByteBuffer {
    var buffer = ByteBuffer()
    var sequence: UInt32 = 1
    let text = Array(
        "Your order has left our warehouse and will reach you tomorrow between 9 and 12. Follow it at https://example.com/t/4711 - thank you for buying with us again, we hope to see you"
            .utf8)
    while buffer.readableBytes < octets {
        let length = 20 + Int(sequence &* 37 % 141)
        var message = SubmitSm(
            sourceAddr: sequence % 3 == 0
                ? SMEAddress(ton: .alphanumeric, value: "Signalbox") : SMEAddress(ton: .international, npi: .isdn, value: "46700000001"),
            destinationAddr: SMEAddress(ton: .international, npi: .isdn, value: "4670\(1_000_000 + sequence)"),
            registeredDelivery: .final, shortMessage: Array(text.prefix(length)))
        if sequence % 10 == 0 {
            message.esmClass = .userDataHeader
            message.shortMessage.insert(contentsOf: [5, 0, 3, UInt8(truncatingIfNeeded: sequence), 2, 1], at: 0)
        }
        if sequence % 4 == 0 { message.tlvs.set(.userMessageReference, UInt16(truncatingIfNeeded: sequence)) }
        if sequence % 5 == 0 { message.validityPeriod = "000001000000000R" }
        try PDU(.submitSm(message), sequenceNumber: sequence).encode(into: &buffer)
        sequence += 1
    }
    return buffer
}

func swiftPass(_ input: ByteBuffer, into output: inout ByteBuffer) throws -> Int {
    var framer = Framer()
    var input = input
    framer.append(&input)
    output.clear()
    var count = 0
    while let framed = framer.next() {
        guard case .pdu(let pdu) = framed else { return 0 }
        try pdu.encode(into: &output)
        count += 1
    }
    return count
}

/// Every field as a value, and a message written from them: what a caller pays who changes something.
func fieldsPass(_ input: ByteBuffer, into output: inout ByteBuffer) throws -> Int {
    var framer = Framer()
    var input = input
    framer.append(&input)
    output.clear()
    var count = 0
    while let framed = framer.next() {
        guard case .pdu(let pdu) = framed, case .submitSm(let old) = pdu.body else { return 0 }
        let copy = SubmitSm(
            serviceType: old.serviceType, sourceAddr: old.sourceAddr, destinationAddr: old.destinationAddr, esmClass: old.esmClass,
            protocolID: old.protocolID, priorityFlag: old.priorityFlag, scheduleDeliveryTime: old.scheduleDeliveryTime,
            validityPeriod: old.validityPeriod, registeredDelivery: old.registeredDelivery,
            replaceIfPresentFlag: old.replaceIfPresentFlag, dataCoding: old.dataCoding, smDefaultMsgID: old.smDefaultMsgID,
            shortMessage: old.shortMessage, tlvs: old.tlvs)
        try PDU(.submitSm(copy), sequenceNumber: pdu.sequenceNumber).encode(into: &output)
        count += 1
    }
    return count
}

enum ExitCode: Error { case disagreement }

func one(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

func run() throws {
    let input = try stream(octets: 64 * 1024)
    var output = ByteBuffer()
    output.reserveCapacity(input.readableBytes)
    let raw = Array(input.readableBytesView)
    var cOutput = [UInt8](repeating: 0, count: raw.count)
    let expected = try swiftPass(input, into: &output)
    guard ccodec_pass(raw, raw.count, &cOutput) == expected, expected > 0, cOutput == raw, output == input else {
        print("the two codecs do not agree")
        throw ExitCode.disagreement
    }

    let clock = ContinuousClock()
    let rounds = 40
    let passes = 50
    var swiftBest = Double.infinity
    var fieldsBest = Double.infinity
    var cBest = Double.infinity
    for _ in 0..<rounds {
        let swiftTime = try clock.measure { for _ in 0..<passes { _ = try swiftPass(input, into: &output) } }
        let fieldsTime = try clock.measure { for _ in 0..<passes { _ = try fieldsPass(input, into: &output) } }
        let cTime = clock.measure { for _ in 0..<passes { _ = ccodec_pass(raw, raw.count, &cOutput) } }
        swiftBest = min(swiftBest, swiftTime / .nanoseconds(passes * expected))
        fieldsBest = min(fieldsBest, fieldsTime / .nanoseconds(passes * expected))
        cBest = min(cBest, cTime / .nanoseconds(passes * expected))
    }
    let mean = raw.count / expected
    print("submit_sm of \(mean) octets on average, \(expected) in each pass, the best of \(rounds) rounds of \(passes) passes, one core")
    print("swift  \(one(swiftBest)) ns for decode and encode: \(Int(1e9 / swiftBest)) messages per second")
    print("fields \(one(fieldsBest)) ns when every field is read into a value and written from it")
    print("c      \(one(cBest)) ns for decode and encode: \(Int(1e9 / cBest)) messages per second")
    print("ratio  \(((cBest / swiftBest) * 1_000).rounded() / 1_000) of C's speed")
}

try run()
